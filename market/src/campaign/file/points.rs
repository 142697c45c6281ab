//! The configs of prizes that are points: how much they pay.
use settings::{Faulted, Section};

use crate::points::{Points, PointsRange};

/// A kind of points prizes, by the key of the award.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PointsKind {
    /// `user_credit_random`: an amount is drawn with the prize.
    Random,
    /// `user_credit_blacklist`: always the same amount.
    Fixed,
}

impl PointsKind {
    pub(super) fn of_key(key: &str) -> Option<Self> {
        match key {
            "user_credit_random" => Some(Self::Random),
            "user_credit_blacklist" => Some(Self::Fixed),
            _ => None,
        }
    }

    /// Reads a config; the error says what was expected.
    fn read(self, config: &str) -> Result<PointsRange, String> {
        let (least, most) = match self {
            Self::Random => config.split_once(',').unwrap_or((config, config)),
            Self::Fixed => (config, config),
        };
        let amount = |text: &str| text.parse::<Points>().ok();
        amount(least)
            .zip(amount(most))
            .filter(|(_, most)| !most.is_zero())
            .and_then(|(least, most)| PointsRange::new(least, most))
            .ok_or_else(|| format!("expected {}, found {config:?}", self.expected()))
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Random => {
                "the least and the most points that the prize pays, such as \"1,100\": decimals with at most two \
                 places, the most at least 0.01 and at most 1000000"
            }
            Self::Fixed => {
                "the points that the prize pays, such as \"1\": a decimal from 0.01 to 1000000 with at most two places"
            }
        }
    }
}

/// What becomes of the configs of points prizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PointsRules {
    /// Whether one that cannot be read is a fault. A file that was published before they were
    /// checked pays nothing for such a prize.
    pub(super) are_checked: bool,
    /// Whether the prizes are paid. Those of a trial are not.
    pub(super) are_paid: bool,
}

impl PointsRules {
    /// What a prize pays; `section` has its config.
    pub(super) fn pays(
        self,
        section: &Section<'_>,
        kind: Option<PointsKind>,
        config: &str,
    ) -> Result<Option<PointsRange>, Faulted> {
        match kind.map(|kind| kind.read(config)) {
            None => Ok(None),
            Some(Ok(range)) => Ok(self.are_paid.then_some(range)),
            Some(Err(_)) if !self.are_checked => Ok(None),
            Some(Err(message)) => Err(section.fault("config", message)),
        }
    }
}
