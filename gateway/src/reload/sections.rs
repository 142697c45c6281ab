//! The parts of the configuration that may change while the server runs, and how each is applied.
use std::sync::Arc;

use shards::Shards;

use super::report::{SectionOutcome, SectionReport};
use crate::admin::token::TokenStore;
use crate::config::LiveConfig;
use crate::edge::Tls;
use crate::identity::Identity;
use crate::identity::apps::Apps;
use crate::limits::RateLimits;
use crate::log_level::LogLevel;
use crate::trace::AccessLog;

/// What can be changed.
pub struct ReloadParts {
    /// Who may call.
    pub identity: Arc<Identity>,
    /// The applications that may call.
    pub apps: Arc<Apps>,
    /// How much may be asked.
    pub limits: Arc<RateLimits>,
    /// Their breakers.
    pub shards: Arc<Shards>,
    /// How many lines.
    pub access: Arc<AccessLog>,
    /// What is logged.
    pub log_level: Arc<LogLevel>,
    /// Who may use the admin address.
    pub tokens: Arc<TokenStore>,
    /// The certificate of the admin address.
    pub admin_tls: Option<Arc<Tls>>,
}

/// A part of the configuration that is applied by itself.
pub struct ReloadSection {
    /// In answers and logs.
    pub name: &'static str,
    /// Keys, or beginnings of keys, that belong to it.
    keys: &'static [&'static str],
    /// Whether it depends on files, which are looked at even when no key has changed.
    has_files: bool,
    /// Applies it; returns whether that changed something.
    apply: fn(&ReloadParts, &LiveConfig) -> Result<bool, String>,
}

/// The section whose files say who is trusted.
pub const IDENTITY_KEYS: &str = "identity_keys";

pub const SECTIONS: [ReloadSection; 7] = [
    ReloadSection {
        name: "limits",
        keys: &["limits."],
        has_files: false,
        apply: |parts, live| {
            parts.limits.replace(&live.limits);
            Ok(true)
        },
    },
    ReloadSection {
        name: "breakers",
        keys: &["breakers."],
        has_files: false,
        apply: |parts, live| {
            parts.shards.breakers().replace(live.breakers);
            Ok(true)
        },
    },
    ReloadSection {
        name: "log",
        keys: &["log.filter", "log.access_lines_per_second_max"],
        has_files: false,
        apply: |parts, live| {
            parts.log_level.configure(&live.log.filter)?;
            parts
                .access
                .set_lines_per_second_max(live.log.access_lines_per_second_max);
            Ok(true)
        },
    },
    ReloadSection {
        name: IDENTITY_KEYS,
        keys: &[],
        has_files: true,
        apply: |parts, _| parts.identity.reload(),
    },
    ReloadSection {
        name: "apps",
        keys: &["app["],
        has_files: true,
        apply: |parts, live| parts.apps.reload(&live.apps),
    },
    ReloadSection {
        name: "tokens",
        keys: &[
            "admin.token_file",
            "admin.viewer_token_file",
            "admin.tokens_dir",
        ],
        has_files: true,
        apply: |parts, live| parts.tokens.reload(&live.admin),
    },
    ReloadSection {
        name: "admin_tls",
        keys: &[],
        has_files: true,
        apply: apply_admin_tls,
    },
];

fn apply_admin_tls(parts: &ReloadParts, _: &LiveConfig) -> Result<bool, String> {
    let Some(tls) = &parts.admin_tls else {
        return Ok(false);
    };
    let reloaded = tls.reload().map(|()| true);
    reloaded.map_err(|error| format!("admin.tls_certificate_file, admin.tls_key_file: {error}"))
}

impl ReloadSection {
    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|begin| key.starts_with(begin))
    }

    /// Applies it if one of its keys has changed, and says what came of it.
    pub fn report(
        &self,
        parts: &ReloadParts,
        live: &LiveConfig,
        changed: &[String],
    ) -> SectionReport {
        let outcome = if self.has_files || changed.iter().any(|key| self.has(key)) {
            match (self.apply)(parts, live) {
                Ok(true) => SectionOutcome::Applied,
                Ok(false) => SectionOutcome::Unchanged,
                Err(why) => SectionOutcome::Failed { why },
            }
        } else {
            SectionOutcome::Unchanged
        };
        SectionReport {
            name: self.name,
            outcome,
        }
    }
}

/// The section that a key belongs to; `None` when only a restart changes it.
pub fn section_of(key: &str) -> Option<&'static ReloadSection> {
    SECTIONS.iter().find(|section| section.has(key))
}

/// Whether a key is in force: it may change while the server runs, and its section did not fail.
pub fn is_applied(key: &str, sections: &[SectionReport]) -> bool {
    let Some(section) = section_of(key) else {
        return false;
    };
    let failed = |report: &SectionReport| {
        report.name == section.name && matches!(report.outcome, SectionOutcome::Failed { .. })
    };
    !sections.iter().any(failed)
}

#[cfg(test)]
mod tests {
    use super::super::report::Reloaded;
    use super::*;
    use crate::config::effective::OverriddenKey;

    #[test]
    fn keys_belong_to_the_section_that_applies_them() {
        let name = |key| section_of(key).map(|section| section.name);
        assert_eq!(name("limits.user.burst"), Some("limits"));
        assert_eq!(name("log.filter"), Some("log"));
        assert_eq!(name("admin.tokens_dir"), Some("tokens"));
        assert_eq!(name("app[1].key_files"), Some("apps"));
        assert_eq!(
            [
                name("log.format"),
                name("http.listen"),
                name("identity.key_file")
            ],
            [None; 3]
        );
    }

    #[test]
    fn what_failed_is_not_in_force_and_nothing_else_suffers() {
        let report = |name, outcome| SectionReport { name, outcome };
        let sections = [
            report("limits", SectionOutcome::Applied),
            report(
                "tokens",
                SectionOutcome::Failed {
                    why: "no such file".to_owned(),
                },
            ),
        ];
        assert!(
            is_applied("limits.user.burst", &sections)
                && !is_applied("admin.tokens_dir", &sections)
        );
        let overridden = vec![OverriddenKey {
            key: "log.filter".to_owned(),
            by: "--x".to_owned(),
        }];
        let applied = vec!["limits.user.burst".to_owned()];
        let reloaded = Reloaded {
            sections: sections.to_vec(),
            applied,
            needs_restart: Vec::new(),
            overridden,
        };
        assert!(!reloaded.is_whole());
        let expected =
            "partly; applied: limits.user.burst; failed: tokens; overridden: log.filter by --x";
        assert_eq!(reloaded.summary(), expected);
        let json = serde_json::to_value(&reloaded).expect("plain values");
        assert_eq!(
            json["sections"][1],
            serde_json::json!({"name": "tokens", "outcome": "failed", "why": "no such file"})
        );
    }
}
