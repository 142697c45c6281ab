//! Applications: other systems that report what users have done. Each signs its calls with a key
//! that it shares with this server. `docs/apps.md` is its page.
//!
//! A call is checked in two steps. Its head is read first: who claims to call, and when it was
//! signed. Strangers are refused by it. The signature covers the body, so it is checked when the body
//! is there, as raw bytes and before anything of it is parsed.
mod claim;
mod config;
mod id;
mod keys;
mod options;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use claim::{AppClaim, AppProof};
pub use config::read;
pub use id::AppId;
use keys::AppKeyring;
pub use options::AppConfig;

use crate::answer::{Code, Failure};

/// The applications that may call.
pub struct Apps(ArcSwap<AppKeyring>);

impl Apps {
    /// Reads the keys of all applications.
    pub fn new(configs: &[AppConfig]) -> Result<Self, String> {
        AppKeyring::read(configs).map(|keyring| Self(ArcSwap::from_pointee(keyring)))
    }

    /// Reads all keys again; returns whether something has changed. When one cannot be read, all
    /// stay as they are.
    pub fn reload(&self, configs: &[AppConfig]) -> Result<bool, String> {
        let keyring = AppKeyring::read(configs)?;
        if keyring.is_same(&self.0.load()) {
            return Ok(false);
        }
        tracing::info!(
            apps = configs.len(),
            "the keys of applications are read again"
        );
        self.0.store(Arc::new(keyring));
        Ok(true)
    }

    /// Refuses a call whose head shows already that no application makes it: before its body is
    /// read, and before it is counted as an application's.
    pub fn check_head(&self, claim: &AppClaim) -> Result<(), Failure> {
        self.0.load().check_head(claim)
    }

    /// Checks the signature of a call's body.
    pub fn prove(&self, claim: AppClaim, body: &[u8]) -> Result<AppProof, Code> {
        match claim {
            AppClaim::Unsigned => Ok(AppProof::Unsigned),
            AppClaim::Signed(head) => {
                self.0.load().check_signature(&head, body)?;
                Ok(AppProof::Signed(head.app))
            }
        }
    }

    /// Checks that a call comes from the application that its body names. One that is not signed
    /// needs the application's token, as in the reference.
    pub fn check(&self, proof: &AppProof, app: &AppId, token: Option<&str>) -> Result<(), Failure> {
        if let AppProof::Signed(signer) = proof
            && signer != app
        {
            return Err(Failure::field("appId", "differs from the header X-App-Id"));
        }
        self.0.load().check_token(app, token, proof)
    }
}

#[cfg(test)]
mod tests;
