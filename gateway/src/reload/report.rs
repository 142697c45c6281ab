//! What became of a reload.
use serde::Serialize;

use crate::config::effective::OverriddenKey;

/// What became of a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SectionReport {
    /// Which one.
    pub name: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: SectionOutcome,
}

/// What a reload did with a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SectionOutcome {
    /// It is in force.
    Applied,
    /// There was nothing to do.
    Unchanged,
    /// It stays as it was.
    Failed {
        /// Why.
        why: String,
    },
}

impl SectionOutcome {
    /// Whether it stays as it was for a reason.
    pub const fn has_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// What became of each section.
    pub sections: Vec<SectionReport>,
    /// Keys whose new values are in force.
    pub applied: Vec<String>,
    /// Keys whose new values wait for a restart.
    pub needs_restart: Vec<String>,
    /// Keys that the file changes in vain, because something else replaces them.
    pub overridden: Vec<OverriddenKey>,
}

impl Reloaded {
    /// Whether each section is as the file says.
    pub fn is_whole(&self) -> bool {
        self.failures().next().is_none()
    }

    /// One line for records.
    pub fn summary(&self) -> String {
        let list = |name: &str, keys: &[String]| match keys {
            [] => String::new(),
            keys => format!("; {name}: {}", keys.join(", ")),
        };
        let failed: Vec<String> = self.failures().map(|(name, _)| name.to_owned()).collect();
        let overridden: Vec<String> = self
            .overridden
            .iter()
            .map(|OverriddenKey { key, by }| format!("{key} by {by}"))
            .collect();
        let parts = [
            list("applied", &self.applied),
            list("failed", &failed),
            list("overridden", &overridden),
            list("waits for a restart", &self.needs_restart),
        ];
        format!(
            "{}{}",
            if failed.is_empty() { "ok" } else { "partly" },
            parts.concat()
        )
    }

    /// The sections that failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.sections
            .iter()
            .filter_map(|section| match &section.outcome {
                SectionOutcome::Failed { why } => Some((section.name, why.as_str())),
                _ => None,
            })
    }
}
