//! What an audit found: text for people, JSON for programs.
use std::fmt;

use serde::Serialize;

/// Violations listed per check; the others are only counted.
pub const LISTED_MAX: usize = 100;

/// The outcome of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One entry per invariant, always the same ones in the same order.
    pub checks: Vec<Check>,
}

/// One invariant and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The invariant.
    pub name: &'static str,
    /// How many things were looked at.
    pub checked: u64,
    /// What was found, for a person to act on; at most [`LISTED_MAX`].
    pub violations: Vec<String>,
    /// How many there are in all.
    pub violations_total: u64,
    /// Why it could not be checked now.
    pub skipped: Option<String>,
}

impl Report {
    /// Whether no check found anything. A skipped check found nothing.
    pub fn ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok() != Some(false))
    }

    /// `{"ok": true, "checks": [{"name": "...", "ok": true, "checked": 123, "violations": [], "violations_total": 0}]}`;
    /// a skipped check has `"ok": null` and says why in `"skipped"`.
    pub fn to_json(&self) -> String {
        let json = ReportJson { ok: self.ok(), checks: self.checks.iter().map(CheckJson::from).collect() };
        serde_json::to_string(&json).expect("plain values")
    }
}

impl Check {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, checked: 0, violations: Vec::new(), violations_total: 0, skipped: None }
    }

    /// Whether the invariant holds; `None` when that was not checked.
    pub fn ok(&self) -> Option<bool> {
        match (self.violations_total, &self.skipped) {
            (0, None) => Some(true),
            (0, Some(_)) => None,
            (_, _) => Some(false),
        }
    }

    /// Notes a violation. The text is only made when it is going to be listed: a broken table
    /// has millions of them.
    pub(super) fn violation(&mut self, text: impl FnOnce() -> String) {
        self.violations_total += 1;
        if self.violations.len() < LISTED_MAX {
            self.violations.push(text());
        }
    }

    fn hidden(&self) -> u64 {
        self.violations_total - self.violations.len() as u64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checks.iter().try_for_each(|check| check.fmt(f))
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, checked, violations_total, .. } = self;
        match (self.ok(), &self.skipped) {
            (Some(true), _) => writeln!(f, "ok      {name}: {checked} checked")?,
            (Some(false), _) => writeln!(f, "BROKEN  {name}: {checked} checked, {violations_total} violations")?,
            (None, reason) => writeln!(f, "skipped {name}: {}", reason.as_deref().unwrap_or_default())?,
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
    ok: Option<bool>,
    checked: u64,
    violations: &'a [String],
    violations_total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'a str>,
}

impl<'a> From<&'a Check> for CheckJson<'a> {
    fn from(check: &'a Check) -> Self {
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

/// The checks by name, while the audit runs.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) stock_not_oversold: Check,
    pub(super) issued_counters_match_orders: Check,
    pub(super) stock_adds_up: Check,
    pub(super) one_order_per_request: Check,
    pub(super) rows_on_their_shard: Check,
    pub(super) chances_match_orders: Check,
    pub(super) day_and_month_limits: Check,
    pub(super) orders_match_their_campaign: Check,
    pub(super) calls_are_whole: Check,
}

impl Checks {
    pub(super) fn new() -> Self {
        Self {
            stock_not_oversold: Check::new("stock_not_oversold"),
            issued_counters_match_orders: Check::new("issued_counters_match_orders"),
            stock_adds_up: Check::new("stock_adds_up"),
            one_order_per_request: Check::new("one_order_per_request"),
            rows_on_their_shard: Check::new("rows_on_their_shard"),
            chances_match_orders: Check::new("chances_match_orders"),
            day_and_month_limits: Check::new("day_and_month_limits"),
            orders_match_their_campaign: Check::new("orders_match_their_campaign"),
            calls_are_whole: Check::new("calls_are_whole"),
        }
    }

    pub(super) fn report(self) -> Report {
        let checks = vec![
            self.stock_not_oversold,
            self.issued_counters_match_orders,
            self.stock_adds_up,
            self.one_order_per_request,
            self.rows_on_their_shard,
            self.chances_match_orders,
            self.day_and_month_limits,
            self.orders_match_their_campaign,
            self.calls_are_whole,
        ];
        Report { checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut broken = Check::new("broken");
        broken.checked = 200;
        (0..102).for_each(|number| broken.violation(|| format!("fault {number}")));
        let mut sound = Check::new("sound");
        sound.checked = 7;
        let mut skipped = Check::new("skipped");
        skipped.skipped = Some("draws are being made".to_owned());
        Report { checks: vec![sound, skipped, broken] }
    }

    #[test]
    fn a_skipped_check_is_neither_ok_nor_a_failure() {
        let mut report = report();
        assert!(!report.ok());
        report.checks.pop();
        assert!(report.ok());
        assert_eq!(
            report.to_json(),
            r#"{"ok":true,"checks":[{"name":"sound","ok":true,"checked":7,"violations":[],"violations_total":0},{"name":"skipped","ok":null,"checked":0,"violations":[],"violations_total":0,"skipped":"draws are being made"}]}"#
        );
    }

    #[test]
    fn a_flood_of_violations_is_counted_but_not_listed() {
        let report = report();
        let broken = &report.checks[2];
        assert_eq!((broken.violations.len(), broken.violations_total), (LISTED_MAX, 102));
        let text = report.to_string();
        assert!(text.starts_with("ok      sound: 7 checked\nskipped skipped: draws are being made\nBROKEN  broken: 200 checked, 102 violations\n        - fault 0\n"));
        assert!(text.ends_with("        - fault 99\n        - and 2 more\n"));
    }
}
