//! What an audit found, as text for people and JSON for programs.
use std::fmt;

use serde::Serialize;

/// Violations that are listed per check; the others are only counted.
pub const LISTED_MAX: usize = 100;

/// The outcome of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// One entry per check, always the same ones in the same order.
    pub checks: Vec<CheckReport>,
}

/// One check: whether an invariant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// Its name.
    pub name: &'static str,
    /// How many things were checked.
    pub checked: u64,
    /// What was found, for operators to act on; at most [`LISTED_MAX`].
    pub violations: Vec<String>,
    /// How many there are in all.
    pub violations_total: u64,
    /// Why it could not be checked now.
    pub skipped: Option<String>,
}

/// What all checks of an audit say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every check was made and holds.
    Holds,
    /// Nothing was found, but a check could not be made.
    Unknown,
    /// Something was found.
    Broken,
}

impl AuditReport {
    /// What all checks together say.
    pub fn verdict(&self) -> AuditVerdict {
        if self.checks.iter().any(CheckReport::is_broken) {
            AuditVerdict::Broken
        } else if self.checks.iter().all(CheckReport::ok) {
            AuditVerdict::Holds
        } else {
            AuditVerdict::Unknown
        }
    }

    /// Whether every check was made and holds.
    pub fn ok(&self) -> bool {
        self.verdict() == AuditVerdict::Holds
    }

    /// `{"ok": true, "checks": [{"name": "...", "ok": true, "checked": 123, "violations": [],
    /// "violations_total": 0}]}`; a check that could not be made is not ok and says why in
    /// `"skipped"`.
    pub fn to_json(&self) -> String {
        let json = ReportJson {
            ok: self.ok(),
            checks: self.checks.iter().map(CheckJson::from).collect(),
        };
        serde_json::to_string(&json).expect("plain values")
    }
}

impl CheckReport {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            checked: 0,
            violations: Vec::new(),
            violations_total: 0,
            skipped: None,
        }
    }

    /// Whether it was checked and holds.
    pub fn ok(&self) -> bool {
        self.violations_total == 0 && self.skipped.is_none()
    }

    /// Whether something was found.
    pub fn is_broken(&self) -> bool {
        self.violations_total > 0
    }

    /// Adds what the same check found in another place.
    pub(super) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.violations_total += other.violations_total;
        let room = LISTED_MAX.saturating_sub(self.violations.len());
        self.violations
            .extend(other.violations.into_iter().take(room));
        self.skipped = self.skipped.take().or(other.skipped);
    }

    /// Notes a violation. Its message is made only when it will be listed: a broken table has
    /// millions of them.
    pub(super) fn violation(&mut self, message: impl FnOnce() -> String) {
        self.violations_total += 1;
        if self.violations.len() < LISTED_MAX {
            self.violations.push(message());
        }
    }

    fn hidden(&self) -> u64 {
        self.violations_total - self.violations.len() as u64
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checks.iter().try_for_each(|check| check.fmt(f))
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            checked,
            violations_total,
            skipped,
            ..
        } = self;
        match skipped {
            _ if self.is_broken() => {
                writeln!(
                    f,
                    "BROKEN  {name}: {checked} checked, {violations_total} violations"
                )?;
            }
            Some(reason) => writeln!(f, "skipped {name}: {reason}")?,
            None => writeln!(f, "ok      {name}: {checked} checked")?,
        }
        for violation in &self.violations {
            writeln!(f, "        - {violation}")?;
        }
        match self.hidden() {
            0 => Ok(()),
            hidden => writeln!(f, "        - and {hidden} more"),
        }
    }
}

#[derive(Serialize)]
struct ReportJson<'a> {
    ok: bool,
    checks: Vec<CheckJson<'a>>,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    name: &'static str,
    ok: bool,
    checked: u64,
    violations: &'a [String],
    violations_total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'a str>,
}

impl<'a> From<&'a CheckReport> for CheckJson<'a> {
    fn from(check: &'a CheckReport) -> Self {
        Self {
            name: check.name,
            ok: check.ok(),
            checked: check.checked,
            violations: &check.violations,
            violations_total: check.violations_total,
            skipped: check.skipped.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> AuditReport {
        let mut broken = CheckReport::new("broken");
        broken.checked = 200;
        (0..102).for_each(|number| broken.violation(|| format!("fault {number}")));
        let mut sound = CheckReport::new("sound");
        sound.checked = 7;
        let mut skipped = CheckReport::new("skipped");
        skipped.skipped = Some("draws are being made".to_owned());
        AuditReport {
            checks: vec![sound, skipped, broken],
        }
    }

    #[test]
    fn a_skipped_check_is_neither_ok_nor_broken() {
        let mut report = report();
        assert_eq!(report.verdict(), AuditVerdict::Broken);
        report.checks.pop();
        assert_eq!(
            (report.verdict(), report.ok()),
            (AuditVerdict::Unknown, false)
        );
        assert_eq!(
            report.to_json(),
            r#"{"ok":false,"checks":[{"name":"sound","ok":true,"checked":7,"violations":[],"violations_total":0},{"name":"skipped","ok":false,"checked":0,"violations":[],"violations_total":0,"skipped":"draws are being made"}]}"#
        );
        report.checks.pop();
        assert_eq!((report.verdict(), report.ok()), (AuditVerdict::Holds, true));
    }

    #[test]
    fn violations_beyond_the_limit_are_counted_but_not_listed() {
        let report = report();
        let broken = &report.checks[2];
        assert_eq!(
            (broken.violations.len(), broken.violations_total),
            (LISTED_MAX, 102)
        );
        let text = report.to_string();
        assert!(text.starts_with("ok      sound: 7 checked\nskipped skipped: draws are being made\nBROKEN  broken: 200 checked, 102 violations\n        - fault 0\n"));
        assert!(text.ends_with("        - fault 99\n        - and 2 more\n"));
    }
}
