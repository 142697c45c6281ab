//! Reports of an application about what users did, signed as `docs/apps.md` says.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::hmac;

use crate::error::Error;
use crate::mix::CallKind;

/// The application that reports.
pub(crate) const APP: &str = "load";

/// What users did.
pub(crate) const BEHAVIOUR: &str = "load_paid";

/// The key that an application signs with.
#[derive(Clone, Debug)]
pub(crate) struct AppKey(hmac::Key);

impl AppKey {
    fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// All of a file, without white space at its end.
    pub(crate) fn read(file: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(file).map_err(|e| Error::io(file.display().to_string(), e))?;
        let key = bytes.trim_ascii_end();
        if key.is_empty() {
            return Err(Error::CannotRun(format!(
                "{} is empty: it must be the key file of the application {APP:?} in the gateway's configuration",
                file.display()
            )));
        }
        Ok(Self::new(key))
    }

    /// Writes 64 hexadecimal digits.
    fn sign(&self, timestamp: &str, nonce: &str, body: &[u8], signature: &mut String) {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [timestamp.as_bytes(), b"\n", nonce.as_bytes(), b"\n", body] {
            context.update(part);
        }
        signature.clear();
        for byte in context.sign().as_ref() {
            // Writing to a String or a Vec cannot fail, here and below.
            let _ = write!(signature, "{byte:02x}");
        }
    }
}

/// The fixed parts of reports.
#[derive(Debug)]
pub(crate) struct SignedReports {
    head: String,
    key: AppKey,
}

impl SignedReports {
    pub(crate) fn new(address: SocketAddr, key: AppKey) -> Self {
        let path = CallKind::Report.path();
        Self {
            head: format!(
                "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nX-App-Id: {APP}\r\n"
            ),
            key,
        }
    }

    /// Writes a whole report about the user `u<user>`. The number is its business number, and its
    /// nonce.
    pub(crate) fn write(&self, user: u64, number: &str, request: &mut Vec<u8>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let timestamp = now.unwrap_or_default().as_secs().to_string();
        let body = body(user, number);
        let mut signature = String::with_capacity(64);
        self.key
            .sign(&timestamp, number, body.as_bytes(), &mut signature);
        request.clear();
        let _ = write!(
            request,
            "{}X-Timestamp: {timestamp}\r\nX-Nonce: {number}\r\nX-Signature: {signature}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        );
    }
}

fn body(user: u64, number: &str) -> String {
    format!(
        r#"{{"appId":"{APP}","data":{{"userId":"u{user}","behaviorType":"{BEHAVIOUR}","outBusinessNo":"{number}"}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_documentation() {
        let docs = include_str!("../../docs/apps.md");
        let value = |name: &str| {
            let row = docs.split(&format!("| {name} | `")).nth(1).expect(name);
            row.split('`').next().expect(name).to_owned()
        };
        let mut signature = String::new();
        AppKey::new(value("key").as_bytes()).sign(
            &value("timestamp"),
            &value("nonce"),
            value("body").as_bytes(),
            &mut signature,
        );
        assert_eq!(signature, value("signature"));
    }

    #[test]
    fn a_report_is_complete() {
        let address = "127.0.0.1:1".parse().expect("an address");
        let reports = SignedReports::new(address, AppKey::new(b"key"));
        let mut request = Vec::new();
        reports.write(17, "abc", &mut request);
        let text = String::from_utf8(request).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(
            head.starts_with("POST /api/v1/raffle/rebate/rebate HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")
        );
        assert!(
            head.ends_with(&format!("Content-Length: {}", body.len())),
            "{head}"
        );
        assert!(head.contains("\r\nX-Nonce: abc\r\n"), "{head}");
        let report: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(report["appId"], "load");
        assert_eq!(report["data"]["userId"], "u17");
        assert_eq!(report["data"]["outBusinessNo"], "abc");
    }

    #[test]
    fn a_key_file_must_have_a_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        assert!(AppKey::read(&file).is_err());
        std::fs::write(&file, "\n").expect("written");
        assert!(AppKey::read(&file).is_err());
        std::fs::write(&file, "0123456789abcdef\n").expect("written");
        assert!(AppKey::read(&file).is_ok());
    }
}
