//! The units left of each item and the units issued of it sum to its total.
//!
//! Where nothing changes, that is an exact sum. While draws go on, a snapshot shows the stock at
//! one moment, and the shards' counters are read before and after it. What was issued by that
//! moment is between the two counts; of the units under open grants some were issued and some will
//! go back. So an observation gives the least and the most units that can be missing. Zero must be
//! between them. Only units that move meanwhile can hide a fault, and only while they move.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::audit::audited::{AuditError, Audited};
use crate::audit::campaigns::signed;
use crate::audit::report::CheckReport;
use crate::audit::stock::{Counts, ItemKey, items, units};
use crate::audit::sums::StoredSums;
use crate::stock::Snapshot;

/// A sum that stays wrong for this long is wrong. An addition is recorded before its units can be
/// drawn, and a withdrawal after its units are gone; both take less time. A running server of the
/// embedded default stores its snapshots six times in it.
const QUIET: Duration = Duration::from_secs(3);

/// The time between two observations.
const OBSERVE_INTERVAL: Duration = Duration::from_millis(200);

/// Observes the stock until the sum can be judged.
pub(super) async fn check<A: Audited>(
    sums: &StoredSums<'_, A>,
) -> Result<Option<CheckReport>, AuditError> {
    let mut judged = StockAddsUp::new(Instant::now(), A::QUIET_AWAITED);
    loop {
        let observed = observe(sums).await?;
        if let Some(report) = judged.observe(observed, Instant::now()) {
            return Ok(Some(report));
        }
        sleep(OBSERVE_INTERVAL).await;
    }
}

async fn observe<A: Audited>(sums: &StoredSums<'_, A>) -> Result<StockObservation, AuditError> {
    let issued_before = if A::STOCK_IS_OF_NOW {
        Some(sums.issued().await?)
    } else {
        None
    };
    let (held, snapshots) = sums.installation.stock().await?;
    Ok(StockObservation {
        held,
        snapshots,
        issued_before,
        issued: sums.issued().await?,
        totals: sums.totals().await?,
    })
}

/// Everything that is compared, read at about one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct StockObservation {
    /// Whether a process holds stock now: a running server of the folder, or the stock servers of a
    /// cluster.
    pub(in crate::audit) held: bool,
    /// The stock there, or why it cannot be read.
    pub(in crate::audit) snapshots: Result<Vec<Snapshot>, String>,
    /// The shards' counters before the snapshots were made; `None` where the snapshots were made at
    /// an earlier, unknown time.
    pub(in crate::audit) issued_before: Option<Counts>,
    /// The shards' counters after it.
    pub(in crate::audit) issued: Counts,
    /// What stock operations sum to.
    pub(in crate::audit) totals: Counts,
}

/// The least and the most units of an item that can be missing.
type Missing = (i64, i64);

/// What an observation says about an item.
enum Finding {
    Missing(Missing),
    Fault(String),
}

/// Judges the sum by one observation after the other.
#[derive(Debug)]
pub(in crate::audit) struct StockAddsUp {
    begun: Instant,
    /// How long to wait for an observation at which nothing changes.
    quiet_awaited: Duration,
    last: Option<StockObservation>,
    /// The last snapshots that differed, oldest first, each with counters that were read before it
    /// was seen.
    shown: VecDeque<(Vec<Snapshot>, Option<Counts>)>,
    /// Whether anything has changed between two observations.
    moves: bool,
    /// Prizes that were wrong in each observation since this time, under this total.
    wrong: BTreeMap<ItemKey, (Instant, i64)>,
}

impl StockAddsUp {
    pub(in crate::audit) fn new(now: Instant, quiet_awaited: Duration) -> Self {
        let (shown, wrong) = (VecDeque::new(), BTreeMap::new());
        Self {
            begun: now,
            quiet_awaited,
            last: None,
            shown,
            moves: false,
            wrong,
        }
    }

    /// Takes the next observation. Returns the report once the sum can be judged.
    pub(in crate::audit) fn observe(
        &mut self,
        mut observed: StockObservation,
        now: Instant,
    ) -> Option<CheckReport> {
        let still = self
            .last
            .as_ref()
            .is_some_and(|last| last.equals(&observed));
        self.moves |= self.last.is_some() && !still;
        if observed.issued_before.is_none() {
            observed.issued_before = self.counters_before(&observed, still);
        }
        let late = now - self.begun >= self.quiet_awaited;
        let report = if !observed.held {
            still.then(|| observed.at_rest())
        } else if let Some(reason) = observed.unknown() {
            late.then(|| skipped(reason))
        } else {
            self.judge(&observed, now, late)
        };
        self.last = Some(observed);
        report
    }

    /// Counters that were read before a snapshot was made which a server stores at intervals.
    ///
    /// The server makes a snapshot after it stored the one before, and stored that one after the
    /// last observation that showed the one before it. So the counters of that observation are old
    /// enough. Where nothing changes between two observations, any counters will do.
    fn counters_before(&mut self, observed: &StockObservation, still: bool) -> Option<Counts> {
        let snapshots = observed.snapshots.as_ref().ok()?;
        let before = self.last.as_ref().map(|last| last.issued.clone());
        match self.shown.back_mut() {
            Some((shown, known)) if shown == snapshots => *known = before,
            _ => self.shown.push_back((snapshots.clone(), before)),
        }
        if self.shown.len() > 3 {
            self.shown.pop_front();
        }
        if still {
            return Some(observed.issued.clone());
        }
        if self.shown.len() < 3 {
            None
        } else {
            self.shown.front()?.1.clone()
        }
    }

    fn judge(
        &mut self,
        observed: &StockObservation,
        now: Instant,
        late: bool,
    ) -> Option<CheckReport> {
        let findings = observed.findings();
        if findings
            .values()
            .all(|finding| matches!(finding, Finding::Missing((0, 0))))
        {
            return Some(report(findings.len(), Vec::new()));
        }
        let mut lasting = Vec::new();
        for (item, finding) in &findings {
            let total = units(&observed.totals, *item);
            if finding.may_be_right() {
                self.wrong.remove(item);
                continue;
            }
            let (since, of_total) = *self.wrong.entry(*item).or_insert((now, total));
            if of_total != total {
                self.wrong.insert(*item, (now, total));
            } else if now - since >= QUIET {
                lasting.push(observed.fault(*item, finding));
            }
        }
        if !lasting.is_empty() {
            return Some(report(findings.len(), lasting));
        }
        let wrong_yet = !self.wrong.is_empty() && now - self.begun < self.quiet_awaited + 2 * QUIET;
        if !late || wrong_yet {
            return None;
        }
        if self.moves && self.wrong.is_empty() {
            return Some(report(findings.len(), Vec::new()));
        }
        let open = observed
            .snapshots
            .iter()
            .flatten()
            .find(|snapshot| snapshot.open > 0);
        Some(skipped(open.map_or_else(
            || "the stock changed all the time".to_owned(),
            |snapshot| {
                format!(
                    "{}: {} units are under open grants",
                    key(snapshot),
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

fn report(items: usize, faults: Vec<String>) -> CheckReport {
    let mut report = CheckReport::new("stock_adds_up");
    report.checked = items as u64;
    for fault in faults {
        report.violation(|| fault);
    }
    report
}

fn skipped(reason: String) -> CheckReport {
    CheckReport {
        skipped: Some(reason),
        ..report(0, Vec::new())
    }
}

impl StockObservation {
    /// Whether both show the same; the counters before do not matter.
    fn equals(&self, other: &Self) -> bool {
        self.held == other.held
            && self.snapshots == other.snapshots
            && self.issued == other.issued
            && self.totals == other.totals
    }

    /// Checks what the next server will start with.
    fn at_rest(&self) -> CheckReport {
        let items = items([&self.issued, &self.totals]);
        let faults = items.iter().filter_map(|&item| {
            let (issued, total) = (units(&self.issued, item), units(&self.totals, item));
            if total < 0 {
                Some(format!("{item}: its stock operations sum to {total}"))
            } else if issued > total {
                Some(format!(
                    "{item}: {issued} units are issued, but the total is {total}"
                ))
            } else {
                None
            }
        });
        report(items.len(), faults.collect())
    }

    /// Why the running stock cannot be judged.
    fn unknown(&self) -> Option<String> {
        match &self.snapshots {
            Err(reason) => Some(reason.clone()),
            Ok(snapshots) if snapshots.is_empty() && !self.totals.is_empty() => {
                Some("the server has just started and has not stored its snapshots yet".to_owned())
            }
            Ok(_) => None,
        }
    }

    /// What the observation says about each item.
    fn findings(&self) -> BTreeMap<ItemKey, Finding> {
        let snapshots: BTreeMap<_, _> = self
            .snapshots
            .iter()
            .flatten()
            .map(|snapshot| (key(snapshot), snapshot))
            .collect();
        let mut all: BTreeSet<_> = items([&self.issued, &self.totals]);
        all.extend(snapshots.keys());
        all.into_iter()
            .map(|item| (item, self.finding(item, snapshots.get(&item).copied())))
            .collect()
    }

    fn finding(&self, item: ItemKey, snapshot: Option<&Snapshot>) -> Finding {
        let total = units(&self.totals, item);
        let Some(snapshot) = snapshot else {
            return Finding::Fault(format!(
                "the running server has no stock of it, stock operations sum to {total}"
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
            .saturating_sub(units(&self.issued, item));
        let most = self.issued_before.as_ref().map_or(i64::MAX, |before| {
            total
                .saturating_sub(left)
                .saturating_sub(units(before, item))
        });
        Finding::Missing((least, most))
    }

    fn fault(&self, item: ItemKey, finding: &Finding) -> String {
        match finding {
            Finding::Fault(fault) => format!("{item}: {fault}"),
            Finding::Missing(_) => {
                let (issued, total) = (units(&self.issued, item), units(&self.totals, item));
                let snapshot = self
                    .snapshots
                    .iter()
                    .flatten()
                    .find(|snapshot| key(snapshot) == item);
                let (left, open) =
                    snapshot.map_or((0, 0), |snapshot| (snapshot.left, snapshot.open));
                let open = if open == 0 {
                    String::new()
                } else {
                    format!(", {open} under open grants")
                };
                format!(
                    "{item}: {left} units left{open} and {issued} issued do not sum to the total of {total}"
                )
            }
        }
    }
}

fn key(snapshot: &Snapshot) -> ItemKey {
    ItemKey::named(snapshot.item)
}
