//! A network namespace for a test that needs an address which is not loopback, and names for it.
use std::path::Path;
use std::process::Command;

/// Names the hosts file of the namespace, in the process that runs inside.
const INSIDE: &str = "DRAWBRIDGE_TEST_NAMESPACE";

/// Addresses of the machine inside.
const SET_UP: &str = "ip link set lo up && ip address add 10.77.0.1/32 dev lo && ip address add 10.77.0.2/32 dev lo \
                      && mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";

/// Where a test runs.
#[derive(Debug)]
pub enum Namespace {
    /// Inside, where this file names all hosts.
    Inside(std::path::PathBuf),
    /// Outside: it has run inside, or this machine does not permit namespaces.
    Done,
}

/// Runs the test of this name (`module::test`, without the crate) once more in a namespace of its
/// own.
pub fn namespace(test: &str) -> Namespace {
    if let Some(hosts) = std::env::var_os(INSIDE) {
        return Namespace::Inside(hosts.into());
    }
    let permitted = Command::new("unshare")
        .args(["--net", "--mount", "true"])
        .status();
    if !permitted.is_ok_and(|status| status.success()) {
        eprintln!(
            "SKIPPED {test}: it needs namespaces of its own, which this account may not make (root may)"
        );
        return Namespace::Done;
    }
    let hosts = tempfile::NamedTempFile::new().expect("a file");
    name_hosts(hosts.path(), &[]);
    let status = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", SET_UP, "set-up"])
        .arg(hosts.path())
        .arg(std::env::current_exe().expect("the tests' own program"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, hosts.path())
        .status()
        .expect("it starts");
    assert!(
        status.success(),
        "{test} failed inside its namespace; its output is above"
    );
    Namespace::Done
}

/// Gives names to addresses. The file is written in place: a replaced file would not be seen.
pub fn name_hosts(file: &Path, names: &[(&str, &str)]) {
    let lines = names
        .iter()
        .map(|(address, name)| format!("{address} {name}\n"));
    std::fs::write(
        file,
        format!("127.0.0.1 localhost\n{}", lines.collect::<String>()),
    )
    .expect("the hosts file");
}
