//! What a fault did, and what of that it must not do.
use std::fmt;
use std::time::Duration;

use super::faults::{Fault, GATEWAYS};
use super::people::{Ask, Share, codes};

/// What a fault did.
pub(super) struct FaultReport {
    pub(super) fault: Fault,
    pub(super) asks: Vec<Ask>,
    pub(super) free_after: Option<Duration>,
    pub(super) back_after: Option<Duration>,
}

impl FaultReport {
    /// Draws that should not notice, at a gateway that is well.
    fn unconcerned(&self, gateway: usize) -> Vec<&Ask> {
        let of_gateway = |ask: &&Ask| ask.gateway == gateway && !self.fault.excepts(ask);
        self.asks.iter().filter(of_gateway).collect()
    }

    /// What it did that it must not do.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for gateway in self.fault.doors() {
            let asks = self.unconcerned(gateway);
            let share = Share::of(asks.iter().copied());
            if !share.is_enough() {
                let name = GATEWAYS[gateway];
                complaints.push(format!(
                    "{name} answered {share} of people it did not concern, {:?}",
                    codes(asks)
                ));
            }
        }
        if let Some(within) = self.fault.free_after.filter(|_| self.free_after.is_none()) {
            complaints.push(format!(
                "rows that a gateway held are not free after {within:?}"
            ));
        }
        if self.back_after.is_none() {
            complaints.push(format!(
                "not all are answered {:?} after its end",
                self.fault.back
            ));
        }
        complaints
    }
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = |time: Option<Duration>| {
            time.map_or("never".to_owned(), |time| {
                format!("{:.1} s", time.as_secs_f64())
            })
        };
        write!(f, "{}:", self.fault)?;
        for gateway in self.fault.doors() {
            write!(
                f,
                " {} {},",
                GATEWAYS[gateway],
                Share::of(self.unconcerned(gateway))
            )?;
        }
        let concerned: Vec<&Ask> = self
            .asks
            .iter()
            .filter(|ask| self.fault.excepts(ask))
            .collect();
        if !concerned.is_empty() {
            write!(
                f,
                " concerned {} {:?},",
                Share::of(concerned.iter().copied()),
                codes(concerned)
            )?;
        }
        if self.fault.free_after.is_some() {
            write!(f, " rows free after {},", after(self.free_after))?;
        }
        write!(f, " all back after {}", after(self.back_after))
    }
}
