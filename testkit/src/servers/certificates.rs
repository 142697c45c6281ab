//! Certificates for servers with TLS, made by openssl.
use std::path::Path;
use std::process::Command;

/// Makes `ca.pem`, `other.pem`, and the certificate `tls.pem` of 127.0.0.1 that the first has
/// signed; their keys end in `.key`.
pub fn make_certificates(folder: &Path) {
    request(folder, "-subj /CN=authority -keyout ca.key -out ca.pem");
    request(
        folder,
        "-subj /CN=authority -keyout other.key -out other.pem",
    );
    request(
        folder,
        "-subj /CN=server -keyout tls.key -out tls.pem -CA ca.pem -CAkey ca.key \
         -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1",
    );
}

/// Makes a certificate with a new key in a folder. `options` are those of `openssl req` that say
/// whose it is, who signs it (itself, without `-CA`), and the names of its files.
pub fn request(folder: &Path, options: &str) {
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(new.split(' ').chain(options.split_whitespace()))
        .output()
        .expect("openssl is installed");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}
