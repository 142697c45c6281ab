//! The section `[admin]`: who may use the admin address, and how it speaks.
use std::path::PathBuf;

use settings::{Faulted, Section};

use super::values::path;
use crate::edge::TlsFiles;

/// Tokens of the admin address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminConfig {
    /// A file with an operator's token.
    pub token_file: Option<PathBuf>,
    /// A file with a viewer's token.
    pub viewer_token_file: Option<PathBuf>,
    /// A folder of personal tokens, in `operators/` and `viewers/`; a file's name says whose it is.
    pub tokens_dir: Option<PathBuf>,
    /// What it speaks TLS with, where it does.
    pub tls: Option<TlsFiles>,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<AdminConfig, Faulted> {
    let file = |key| path(section, key);
    let (token_file, viewer_token_file) = (file("token_file"), file("viewer_token_file"));
    let tokens_dir = file("tokens_dir");
    let tls = admin_tls(section);
    let (token_file, viewer_token_file, tokens_dir) =
        (token_file?, viewer_token_file?, tokens_dir?);
    Ok(AdminConfig {
        token_file,
        viewer_token_file,
        tokens_dir,
        tls: tls?,
    })
}

/// Both files or none.
fn admin_tls(section: &Section<'_>) -> Result<Option<TlsFiles>, Faulted> {
    let (certificate, key) = ("tls_certificate_file", "tls_key_file");
    let file = |key| path(section, key);
    match (file(certificate), file(key)) {
        (Ok(Some(certificate)), Ok(Some(key))) => Ok(Some(TlsFiles { certificate, key })),
        (Ok(Some(_)), Ok(None)) => {
            Err(section.fault(key, format!("goes with admin.{certificate}")))
        }
        (Ok(None), Ok(Some(_))) => {
            Err(section.fault(certificate, format!("goes with admin.{key}")))
        }
        (certificate, key) => certificate.and(key).map(|_| None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::Config;
    use super::*;

    #[test]
    fn tls_of_the_admin_address_needs_both_files() {
        let tls = |text: &str| Config::parse(&format!("[admin]\n{text}"), Vec::new());
        let both =
            tls("tls_certificate_file = \"c.pem\"\ntls_key_file = \"k.pem\"\n").expect("a config");
        assert_eq!(
            both.admin.tls,
            Some(TlsFiles {
                certificate: "c.pem".into(),
                key: "k.pem".into()
            })
        );
        for (one, missing) in [
            ("tls_certificate_file", "admin.tls_key_file"),
            ("tls_key_file", "admin.tls_certificate_file"),
        ] {
            let faults = Config::faults(&format!("[admin]\n{one} = \"x.pem\"\n"), Vec::new());
            assert!(faults[0].contains(missing), "{faults:?}");
        }
    }
}
