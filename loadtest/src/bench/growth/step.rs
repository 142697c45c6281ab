//! One line of the growth table: the default setting with one value changed.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The lines of the table in the docs.
pub(super) const DEFAULT_STEPS: &str = "shards=1,shards=2,shards=4,shards=8,shards=16,\
    prizes=10,prizes=100,prizes=1000,\
    accounts=10000,accounts=100000,accounts=1000000,accounts=5000000,accounts=10000000,\
    connections=1,connections=8,connections=64,connections=512,connections=4096";

/// The value that a step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GrowthStep {
    what: What,
    number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Shards,
    Prizes,
    Accounts,
    Connections,
}

impl What {
    const ALL: [Self; 4] = [
        Self::Shards,
        Self::Prizes,
        Self::Accounts,
        Self::Connections,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Shards => "shards",
            Self::Prizes => "prizes",
            Self::Accounts => "accounts",
            Self::Connections => "connections",
        }
    }

    fn bounds(self) -> RangeInclusive<u32> {
        match self {
            Self::Shards => 1..=16,
            // The maximum of a campaign file.
            Self::Prizes => 1..=1_000,
            Self::Accounts => 1..=10_000_000,
            Self::Connections => 1..=4_096,
        }
    }
}

/// The setting that one line is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) shards: u16,
    /// `None` for the nine prizes of `load.toml`.
    pub(super) prizes: Option<u16>,
    /// Accounts that exist before the draws. With `None` nearly each draw is a user's first.
    pub(super) accounts: Option<u64>,
    pub(super) connections: u16,
}

impl GrowthStep {
    pub(super) fn setting(self) -> Setting {
        const USUAL: Setting = Setting {
            shards: 2,
            prizes: None,
            accounts: None,
            connections: 512,
        };
        let small = u16::try_from(self.number).unwrap_or(u16::MAX);
        match self.what {
            What::Shards => Setting {
                shards: small,
                ..USUAL
            },
            What::Prizes => Setting {
                prizes: Some(small),
                ..USUAL
            },
            What::Accounts => Setting {
                accounts: Some(u64::from(self.number)),
                ..USUAL
            },
            What::Connections => Setting {
                connections: small,
                ..USUAL
            },
        }
    }
}

impl FromStr for GrowthStep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text
            .split_once('=')
            .ok_or("expected something like shards=4")?;
        let what = What::ALL.into_iter().find(|what| what.name() == name);
        let what = what
            .ok_or_else(|| format!("\"{name}\" is not shards, prizes, accounts or connections"))?;
        let bounds = what.bounds();
        match number.parse() {
            Ok(number) if bounds.contains(&number) => Ok(Self { what, number }),
            _ => Err(format!(
                "{name} must be {} to {}",
                bounds.start(),
                bounds.end()
            )),
        }
    }
}

impl fmt::Display for GrowthStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.what.name(), self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_changes_one_thing() {
        let setting = |text: &str| text.parse::<GrowthStep>().expect("a step").setting();
        let usual = setting("shards=2");
        assert_eq!(setting("shards=8"), Setting { shards: 8, ..usual });
        assert_eq!(
            setting("prizes=1000"),
            Setting {
                prizes: Some(1_000),
                ..usual
            }
        );
        assert_eq!(
            setting("accounts=5000000"),
            Setting {
                accounts: Some(5_000_000),
                ..usual
            }
        );
        assert_eq!(
            setting("connections=64"),
            Setting {
                connections: 64,
                ..usual
            }
        );
    }

    #[test]
    fn steps_are_read_as_they_are_written() {
        for text in DEFAULT_STEPS.split(',') {
            assert_eq!(
                text.parse::<GrowthStep>().expect("a step").to_string(),
                text
            );
        }
    }

    #[test]
    fn what_is_no_step_is_refused() {
        for text in [
            "shards",
            "shards=0",
            "shards=17",
            "prizes=1001",
            "accounts=-1",
            "tables=4",
            "connections=4097",
        ] {
            assert!(text.parse::<GrowthStep>().is_err(), "{text}");
        }
    }
}
