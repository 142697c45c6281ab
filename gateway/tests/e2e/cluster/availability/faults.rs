//! The faults: what happens to which part, and whose draws it may cost.
use std::fmt;
use std::time::Duration;

use super::people::{Ask, HELD, Person};

pub(super) const GATEWAYS: [&str; 2] = ["gateway-0", "gateway-1"];
/// The shard that something happens to.
pub(super) const SICK: u16 = 1;
/// Users of a part are answered within this time after it is well again.
pub(super) const BACK: Duration = Duration::from_secs(5);

/// What happens to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    Frozen,
    Killed,
    /// Nothing comes through, and neither end gets an error.
    CutOff,
    Slow,
    ReadOnly,
}

/// A fault, and the draws that it may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) what: FaultKind,
    pub(super) part: &'static str,
    /// The fault is between this gateway and the part only.
    pub(super) from: Option<&'static str>,
    /// It finds the gateway in the middle of a batch on each table. The user of that batch then
    /// goes to the other gateway, and waits there for a lock whose holder does not finish.
    pub(super) in_mid_batch: bool,
    /// Whether it may cost a person's draws at a gateway.
    pub(super) concerns: fn(&Person, &str) -> bool,
    pub(super) lasts: Duration,
    /// Users whose rows a gateway holds are answered again after this time, although the fault
    /// lasts.
    pub(super) free_after: Option<Duration>,
    /// All are answered within this time after its end.
    pub(super) back: Duration,
    /// Whether `make test` has it.
    pub(super) always: bool,
}

/// The databases end the transactions of a gateway that holds rows and is silent after 5 s. Users
/// who were found locked are remembered for one more second.
pub(super) const FREE: Option<Duration> = Some(Duration::from_secs(8));

pub(super) const PLAIN: Fault = Fault {
    what: FaultKind::Frozen,
    part: "",
    from: None,
    in_mid_batch: false,
    concerns: |_, _| false,
    lasts: Duration::from_secs(3),
    free_after: None,
    back: BACK,
    always: false,
};

pub(super) fn faults() -> Vec<Fault> {
    use FaultKind::{CutOff, Frozen, Killed, ReadOnly, Slow};
    let gateway = Fault {
        part: "gateway-1",
        in_mid_batch: true,
        ..PLAIN
    };
    let shard = Fault {
        part: "shard-1",
        concerns: |person, _| person.shard == SICK,
        ..PLAIN
    };
    let meta = Fault {
        part: "meta",
        ..PLAIN
    };
    let redis = Fault {
        part: "redis",
        concerns: |person, _| person.needs_a_unit(),
        ..PLAIN
    };
    vec![
        Fault {
            what: Frozen,
            free_after: FREE,
            always: true,
            ..gateway
        },
        Fault {
            what: Killed,
            ..gateway
        },
        Fault {
            what: Frozen,
            always: true,
            ..shard
        },
        Fault {
            what: Killed,
            ..shard
        },
        Fault {
            what: ReadOnly,
            always: true,
            ..shard
        },
        Fault {
            what: Slow,
            ..shard
        },
        Fault {
            what: CutOff,
            from: Some("gateway-1"),
            in_mid_batch: true,
            free_after: FREE,
            concerns: |person, gateway| person.shard == SICK && gateway == "gateway-1",
            ..shard
        },
        Fault {
            what: Frozen,
            always: true,
            ..meta
        },
        Fault {
            what: Killed,
            ..meta
        },
        Fault {
            what: ReadOnly,
            ..meta
        },
        Fault { what: Slow, ..meta },
        Fault {
            what: CutOff,
            ..meta
        },
        Fault {
            what: Frozen,
            ..redis
        },
        Fault {
            what: Killed,
            ..redis
        },
        Fault {
            what: ReadOnly,
            ..redis
        },
        Fault {
            what: Slow,
            ..redis
        },
        Fault {
            what: CutOff,
            from: Some("gateway-1"),
            concerns: |person, gateway| person.needs_a_unit() && gateway == "gateway-1",
            ..redis
        },
    ]
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            FaultKind::Frozen => "frozen",
            FaultKind::Killed => "killed",
            FaultKind::CutOff => "cut off",
            FaultKind::Slow => "slow",
            FaultKind::ReadOnly => "read-only",
        };
        write!(f, "{} {what}", self.part)?;
        self.from
            .map_or(Ok(()), |gateway| write!(f, " from {gateway}"))
    }
}

impl Fault {
    /// The gateway that it finds in the middle of batches.
    pub(super) fn holder(&self) -> Option<&'static str> {
        self.in_mid_batch.then(|| self.from.unwrap_or(self.part))
    }

    /// Gateways that are well, or as well as the part lets them be.
    pub(super) fn doors(&self) -> Vec<usize> {
        (0..GATEWAYS.len())
            .filter(|&gateway| GATEWAYS[gateway] != self.part)
            .collect()
    }

    pub(super) fn excepts(&self, ask: &Ask) -> bool {
        ask.person.activity == HELD || (self.concerns)(&ask.person, GATEWAYS[ask.gateway])
    }
}
