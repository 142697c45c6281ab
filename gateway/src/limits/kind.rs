//! The kinds of limits, and the failure of a request that has reached one.
use std::time::Duration;

use crate::answer::{Code, Failure, LimitReached, whole_seconds};

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// That of the whole gateway.
    Gateway,
    /// That of an endpoint.
    Route,
    /// That of a client address.
    Address,
    /// That of a user.
    User,
    /// The user was refused too often, or stopped by an operator, and is in cooldown.
    Cooldown,
}

impl LimitKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [LimitKind; 5] = [
        LimitKind::Gateway,
        LimitKind::Route,
        LimitKind::Address,
        LimitKind::User,
        LimitKind::Cooldown,
    ];

    /// Its name in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            LimitKind::Gateway => "gateway",
            LimitKind::Route => "route",
            LimitKind::Address => "address",
            LimitKind::User => "user",
            LimitKind::Cooldown => "cooldown",
        }
    }
}

/// A request that is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitExceeded {
    /// By which limit.
    pub kind: LimitKind,
    /// How many requests that one lets through at once.
    pub burst: u32,
    /// When it will let one through again.
    pub wait: Duration,
}

impl LimitExceeded {
    /// The wait in whole seconds, rounded up, at least one.
    pub fn wait_s(&self) -> u32 {
        whole_seconds(self.wait)
    }
}

impl From<LimitKind> for Code {
    fn from(limit: LimitKind) -> Self {
        match limit {
            LimitKind::Gateway => Code::GatewayLimited,
            LimitKind::Route => Code::RouteLimited,
            LimitKind::Address => Code::AddressLimited,
            LimitKind::User => Code::UserLimited,
            LimitKind::Cooldown => Code::CoolingDown,
        }
    }
}

impl From<LimitExceeded> for Failure {
    fn from(limited: LimitExceeded) -> Self {
        let failure = Self::from(Code::from(limited.kind));
        Self {
            limited: Some(LimitReached {
                burst: limited.burst,
                wait_s: limited.wait_s(),
            }),
            ..failure.retry_after(limited.wait)
        }
    }
}
