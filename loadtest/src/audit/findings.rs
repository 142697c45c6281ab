//! Compares the draws that users received with the orders in the shards. Pure.

use std::fmt;

use serde::Serialize;

use crate::audit::shard::Found;
use crate::error::Error;
use crate::keep::{KeptLine, NotReceivedOutcome, Prize, Received};

/// Examples listed for each kind of fault.
const LISTED_MAX: u64 = 10;

/// The results for all kept keys. All but the first group are faults, unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Findings {
    /// Keys in the file.
    keys: u64,
    /// Received, and there once, the same.
    same: u64,
    /// Refused, and not there.
    refused: u64,
    /// No fault: the driver does not know the outcome, and there is an order.
    unconfirmed_present: u64,
    /// No fault: the driver does not know the outcome, and there is no order.
    unconfirmed_absent: u64,
    /// Received, and not there.
    missing: u64,
    /// Received, and there with another order number, award or title.
    different: u64,
    /// More orders for a user and a key than the user received.
    doubled: u64,
    /// Refused, and there is an order.
    refused_present: u64,
    /// The count of the run's orders in all tables; null when the file is not complete.
    orders_of_run: Option<u64>,
    /// Of these, orders that belong to no key of the file.
    surplus: u64,
    /// Orders found under the keys of the file.
    #[serde(skip)]
    orders_found: u64,
    examples: Vec<String>,
}

impl Findings {
    /// The key of a line, where it has one.
    pub(super) fn key_of(line: &KeptLine) -> Option<(&str, &str)> {
        match line {
            KeptLine::Received(received) => Some((&received.user_id, &received.request_id)),
            KeptLine::NotReceived(not_received) => {
                Some((&not_received.user_id, &not_received.request_id))
            }
            KeptLine::Run { .. } | KeptLine::Kept { .. } => None,
        }
    }

    /// Records a key and all orders found under it.
    pub(super) fn note(&mut self, line: &KeptLine, found: &[Found]) {
        if Self::key_of(line).is_none() {
            return;
        }
        self.keys += 1;
        self.orders_found += found.len() as u64;
        // A call may have been for several draws.
        let orders_max = if let KeptLine::Received(received) = line {
            received.drawn.prizes().len()
        } else {
            1
        };
        if found.len() > orders_max {
            return self.fault("doubled", |findings| &mut findings.doubled, line, found);
        }
        match (line, found.first()) {
            (KeptLine::Received(received), Some(_)) if is_alike(received, found) => self.same += 1,
            (KeptLine::Received(_), Some(_)) => {
                self.fault("different", |findings| &mut findings.different, line, found);
            }
            (KeptLine::Received(_), None) => {
                self.fault("missing", |findings| &mut findings.missing, line, found);
            }
            (KeptLine::NotReceived(not_received), order) => match (not_received.outcome, order) {
                (NotReceivedOutcome::Refused, None) => self.refused += 1,
                (NotReceivedOutcome::Refused, Some(_)) => {
                    self.fault(
                        "refused_present",
                        |findings| &mut findings.refused_present,
                        line,
                        found,
                    );
                }
                (NotReceivedOutcome::Unknown, None) => self.unconfirmed_absent += 1,
                (NotReceivedOutcome::Unknown, Some(_)) => self.unconfirmed_present += 1,
            },
            (KeptLine::Run { .. } | KeptLine::Kept { .. }, _) => {}
        }
    }

    fn fault(
        &mut self,
        kind: &str,
        count: fn(&mut Self) -> &mut u64,
        line: &KeptLine,
        found: &[Found],
    ) {
        *count(self) += 1;
        if *count(self) <= LISTED_MAX {
            self.examples
                .push(format!("{kind}: {line:?}, found {found:?}"));
        }
    }

    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    /// Compares with the count of all orders whose keys have the run's prefix. It was taken before
    /// the keys were looked up, so a draw that ended in between is not taken for surplus.
    pub(super) fn note_count(&mut self, orders: u64) {
        self.orders_of_run = Some(orders);
        self.surplus = orders.saturating_sub(self.orders_found);
    }

    pub(super) fn judge(&self) -> Result<(), Error> {
        if self.missing + self.different + self.doubled + self.refused_present + self.surplus > 0 {
            return Err(Error::DoesNotHold(
                "the draws that users received are not those in the shards".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Whether each prize of the call has its order, and each order its prize.
fn is_alike(received: &Received, found: &[Found]) -> bool {
    let prizes = received.drawn.prizes();
    let has = |prize: &Prize| found.iter().any(|order| order.prize().is(prize));
    prizes.len() == found.len() && prizes.iter().all(has)
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            keys,
            same,
            refused,
            unconfirmed_present,
            unconfirmed_absent,
            ..
        } = self;
        let Self {
            missing,
            different,
            doubled,
            refused_present,
            surplus,
            ..
        } = self;
        writeln!(
            f,
            "shards: {keys} keys: {same} received and there, {refused} refused and not there"
        )?;
        writeln!(
            f,
            "unconfirmed: {unconfirmed_present} present, {unconfirmed_absent} absent"
        )?;
        write!(
            f,
            "missing {missing}, different {different}, doubled {doubled}, refused but present {refused_present}, "
        )?;
        match self.orders_of_run {
            Some(orders) => write!(f, "surplus {surplus} of {orders} orders of the run")?,
            None => write!(f, "surplus not counted: the file is not complete")?,
        }
        for example in &self.examples {
            write!(f, "\n{example}")?;
        }
        Ok(())
    }
}
