//! What is left of each prize and what was issued of it are its total.
//!
//! Where nothing moves that is a sum. While draws go on, the stock tells how it stood at one
//! moment, and the shards' counters are read before it and after it: what was issued by that
//! moment lies in between, and of the units under open grants some were issued and some will go
//! back. So a look says between which bounds the units lie that are missing. Zero must lie within
//! them; only what moves meanwhile can hide anything, and only while it moves.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::audit::campaigns::signed;
use crate::audit::report::Check;
use crate::audit::stock::{Counts, PrizeKey, name, prizes, units};
use crate::stock::Snapshot;

/// A sum that is wrong in looks that lie as far apart is wrong. An addition is recorded before its
/// units lie where they are drawn from, and a withdrawal after they are gone from there; both take
/// less. A running server tells its view of the stock six times in it.
const QUIET: Duration = Duration::from_secs(3);

/// What is known of the stock beside the orders, at about one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Look {
    /// Whether somebody holds stock now: a running server of the folder, the stock servers of a
    /// cluster.
    pub(in crate::audit) held: bool,
    /// How it stands there, or why that cannot be told.
    pub(in crate::audit) snapshots: Result<Vec<Snapshot>, String>,
    /// What the shards' counters said before the moment of the snapshots; `None` where the snapshots
    /// are not made when they are asked for.
    pub(in crate::audit) issued_before: Option<Counts>,
    /// What they said after it.
    pub(in crate::audit) issued: Counts,
    /// What stock operations sum to.
    pub(in crate::audit) totals: Counts,
}

/// What is missing of a prize: the least and the most that it can be.
type Missing = (i64, i64);

/// What a look says about a prize.
enum Finding {
    Missing(Missing),
    Fault(String),
}

/// Looks until the sum can be judged.
#[derive(Debug)]
pub(in crate::audit) struct StockAddsUp {
    begun: Instant,
    /// How long a look at which nothing moves is waited for.
    timeouts: Duration,
    last: Option<Look>,
    /// The last snapshots that differed, oldest first, each with counters that were read before it
    /// was seen.
    shown: VecDeque<(Vec<Snapshot>, Option<Counts>)>,
    /// Whether anything moved between two looks.
    moves: bool,
    /// Since when each prize was found wrong in every look, under one total.
    wrong: BTreeMap<PrizeKey, (Instant, i64)>,
}

impl StockAddsUp {
    pub(in crate::audit) fn new(now: Instant, timeouts: Duration) -> Self {
        let (shown, wrong) = (VecDeque::new(), BTreeMap::new());
        Self {
            begun: now,
            timeouts,
            last: None,
            shown,
            moves: false,
            wrong,
        }
    }

    /// Takes in a look; the check once it can be judged.
    pub(in crate::audit) fn look(&mut self, mut look: Look, now: Instant) -> Option<Check> {
        let still = self.last.as_ref().is_some_and(|last| last.is_as(&look));
        self.moves |= self.last.is_some() && !still;
        if look.issued_before.is_none() {
            look.issued_before = self.counters_before(&look, still);
        }
        let late = now - self.begun >= self.timeouts;
        let check = if !look.held {
            still.then(|| look.at_rest())
        } else if let Some(reason) = look.unknown() {
            late.then(|| skipped(reason))
        } else {
            self.judge(&look, now, late)
        };
        self.last = Some(look);
        check
    }

    /// Counters that were read before the moment of a snapshot that somebody writes now and then.
    /// What it shows was looked at after the snapshot before was written, and that one came after
    /// the last look that showed the one before it. Where nothing moves between two looks there
    /// is nothing to be told apart.
    fn counters_before(&mut self, look: &Look, still: bool) -> Option<Counts> {
        let snapshots = look.snapshots.as_ref().ok()?;
        let before = self.last.as_ref().map(|last| last.issued.clone());
        match self.shown.back_mut() {
            Some((shown, known)) if shown == snapshots => *known = before,
            _ => self.shown.push_back((snapshots.clone(), before)),
        }
        if self.shown.len() > 3 {
            self.shown.pop_front();
        }
        if still {
            return Some(look.issued.clone());
        }
        if self.shown.len() < 3 {
            None
        } else {
            self.shown.front()?.1.clone()
        }
    }

    fn judge(&mut self, look: &Look, now: Instant, late: bool) -> Option<Check> {
        let findings = look.findings();
        if findings
            .values()
            .all(|finding| matches!(finding, Finding::Missing((0, 0))))
        {
            return Some(check(findings.len(), Vec::new()));
        }
        let mut lasting = Vec::new();
        for (prize, finding) in &findings {
            let total = units(&look.totals, *prize);
            if finding.may_be_right() {
                self.wrong.remove(prize);
                continue;
            }
            let (since, of_total) = *self.wrong.entry(*prize).or_insert((now, total));
            if of_total != total {
                self.wrong.insert(*prize, (now, total));
            } else if now - since >= QUIET {
                lasting.push(look.fault(*prize, finding));
            }
        }
        if !lasting.is_empty() {
            return Some(check(findings.len(), lasting));
        }
        let wrong_yet = !self.wrong.is_empty() && now - self.begun < self.timeouts + 2 * QUIET;
        if !late || wrong_yet {
            return None;
        }
        if self.moves && self.wrong.is_empty() {
            return Some(check(findings.len(), Vec::new()));
        }
        let open = look
            .snapshots
            .iter()
            .flatten()
            .find(|snapshot| snapshot.open > 0);
        Some(skipped(open.map_or_else(
            || "the stock was seen to change all the time".to_owned(),
            |snapshot| {
                format!(
                    "{}: {} units are under open grants",
                    name(key(snapshot)),
                    snapshot.open
                )
            },
        )))
    }
}

impl Finding {
    fn may_be_right(&self) -> bool {
        matches!(self, Self::Missing((least, most)) if (*least..=*most).contains(&0))
    }
}

fn check(prizes: usize, faults: Vec<String>) -> Check {
    let mut check = Check::new("stock_adds_up");
    check.checked = prizes as u64;
    for fault in faults {
        check.violation(|| fault);
    }
    check
}

fn skipped(reason: String) -> Check {
    Check {
        skipped: Some(reason),
        ..check(0, Vec::new())
    }
}

impl Look {
    fn is_as(&self, other: &Self) -> bool {
        let of = |look: &Self| {
            (
                look.held,
                look.snapshots.clone(),
                look.issued.clone(),
                look.totals.clone(),
            )
        };
        of(self) == of(other)
    }

    /// What the next server will start with.
    fn at_rest(&self) -> Check {
        let prizes = prizes([&self.issued, &self.totals]);
        let faults = prizes.iter().filter_map(|&prize| {
            let (issued, total) = (units(&self.issued, prize), units(&self.totals, prize));
            let name = name(prize);
            if total < 0 {
                Some(format!("{name}: its stock operations sum to {total}"))
            } else if issued > total {
                Some(format!(
                    "{name}: {issued} units are issued and there are {total}"
                ))
            } else {
                None
            }
        });
        check(prizes.len(), faults.collect())
    }

    /// Why the running stock cannot be judged.
    fn unknown(&self) -> Option<String> {
        match &self.snapshots {
            Err(reason) => Some(reason.clone()),
            Ok(snapshots) if snapshots.is_empty() && !self.totals.is_empty() => {
                Some("the server has just started and not yet written down its stock".to_owned())
            }
            Ok(_) => None,
        }
    }

    /// What can be said of each prize.
    fn findings(&self) -> BTreeMap<PrizeKey, Finding> {
        let snapshots: BTreeMap<_, _> = self
            .snapshots
            .iter()
            .flatten()
            .map(|snapshot| (key(snapshot), snapshot))
            .collect();
        let mut all: BTreeSet<_> = prizes([&self.issued, &self.totals]);
        all.extend(snapshots.keys());
        all.into_iter()
            .map(|prize| (prize, self.finding(prize, snapshots.get(&prize).copied())))
            .collect()
    }

    fn finding(&self, prize: PrizeKey, snapshot: Option<&Snapshot>) -> Finding {
        let total = units(&self.totals, prize);
        let Some(snapshot) = snapshot else {
            return Finding::Fault(format!(
                "the running server does not know its stock of {total}"
            ));
        };
        let believed = signed(snapshot.total);
        if believed != total {
            return Finding::Fault(format!(
                "the running server has {believed} units, stock operations sum to {total}"
            ));
        }
        let (left, open) = (signed(snapshot.left), signed(snapshot.open));
        let least = total
            .saturating_sub(left)
            .saturating_sub(open)
            .saturating_sub(units(&self.issued, prize));
        let most = self.issued_before.as_ref().map_or(i64::MAX, |before| {
            total
                .saturating_sub(left)
                .saturating_sub(units(before, prize))
        });
        Finding::Missing((least, most))
    }

    fn fault(&self, prize: PrizeKey, finding: &Finding) -> String {
        let name = name(prize);
        match finding {
            Finding::Fault(fault) => format!("{name}: {fault}"),
            Finding::Missing(_) => {
                let (issued, total) = (units(&self.issued, prize), units(&self.totals, prize));
                let snapshot = self
                    .snapshots
                    .iter()
                    .flatten()
                    .find(|snapshot| key(snapshot) == prize);
                let (left, open) =
                    snapshot.map_or((0, 0), |snapshot| (snapshot.left, snapshot.open));
                let open = if open == 0 {
                    String::new()
                } else {
                    format!(", {open} under open grants")
                };
                format!(
                    "{name}: {left} units left{open} and {issued} issued are not the total of {total}"
                )
            }
        }
    }
}

fn key(snapshot: &Snapshot) -> PrizeKey {
    (
        signed(snapshot.prize.activity.get()),
        signed(snapshot.prize.award.get()),
    )
}
