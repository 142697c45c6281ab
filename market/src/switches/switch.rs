//! Which switches there are.
use std::fmt;
use std::str::FromStr;

/// What can be switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Switch {
    /// Whether draws are made. Normally on.
    Draw,
    /// Whether all users get the luck award, without asking the stock. Normally off.
    FallbackOnly,
    /// Whether only reads are served. Normally off.
    ReadOnly,
    /// Whether players may sign in for chances. Normally on.
    Signin,
    /// Whether credits may be exchanged for chances. Normally on.
    Exchange,
    /// Whether rate limits apply. Normally on.
    Limits,
}

/// There is no switch with this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no switch {0:?}; there are draw, fallback_only, read_only, signin, exchange and limits"
)]
pub struct UnknownSwitch(String);

impl Switch {
    /// All switches.
    pub const ALL: [Switch; 6] = [
        Switch::Draw,
        Switch::FallbackOnly,
        Switch::ReadOnly,
        Switch::Signin,
        Switch::Exchange,
        Switch::Limits,
    ];

    /// Its name in commands and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Switch::Draw => "draw",
            Switch::FallbackOnly => "fallback_only",
            Switch::ReadOnly => "read_only",
            Switch::Signin => "signin",
            Switch::Exchange => "exchange",
            Switch::Limits => "limits",
        }
    }

    /// Whether it is on while it is not set.
    pub const fn is_normally_on(self) -> bool {
        match self {
            Switch::Draw | Switch::Signin | Switch::Exchange | Switch::Limits => true,
            Switch::FallbackOnly | Switch::ReadOnly => false,
        }
    }

    /// Whether players may do less while it is on. Of two settings the stricter one holds.
    pub const fn restricts_when_on(self) -> bool {
        match self {
            Switch::Draw | Switch::Signin | Switch::Exchange => false,
            Switch::FallbackOnly | Switch::ReadOnly | Switch::Limits => true,
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Switch {
    type Err = UnknownSwitch;

    fn from_str(name: &str) -> Result<Self, UnknownSwitch> {
        Self::ALL
            .into_iter()
            .find(|switch| switch.name() == name)
            .ok_or_else(|| UnknownSwitch(name.to_owned()))
    }
}
