//! Points: amounts, accounts and the ledger. A user has one account over all activities.
//!
//! The ledger is append-only. Its entries are numbered from 1 without a gap, and each holds the
//! balance after it. So the balance is the sum of the amounts, whatever paid them.
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::ids::{ActivityId, BusinessNumber, UserId};
use crate::random::Randomness;
use crate::refusal::Refusal;

/// Hundredths in one point.
const SCALE: u64 = 100;

/// An amount of points, in hundredths: 0 to 9,223,372,036,854,775,807 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Points(u64);

/// A string that is no amount of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an amount of points from 0 to 10000000000000, with at most two decimals")]
pub struct InvalidPoints;

impl Points {
    /// None.
    pub const ZERO: Self = Self(0);
    /// The most that an account may hold before something is added, and that a call names: 10^13
    /// points. An `f64` holds all smaller numbers of hundredths exactly, so JSON does.
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// An amount in hundredths; `None` where a database column cannot hold it.
    pub const fn from_hundredths(hundredths: u64) -> Option<Self> {
        if hundredths <= i64::MAX as u64 {
            Some(Self(hundredths))
        } else {
            None
        }
    }

    /// The amount in hundredths.
    pub const fn hundredths(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; `None` where no amount is that large.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::from_hundredths(sum),
            None => None,
        }
    }

    /// The difference; `None` where the other is larger.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Points {
    /// With two decimals: `12.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / SCALE, self.0 % SCALE)
    }
}

impl FromStr for Points {
    type Err = InvalidPoints;

    /// Digits, and perhaps a point with one or two more: `12`, `12.5`, `12.50`.
    fn from_str(text: &str) -> Result<Self, InvalidPoints> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 2 || whole.len() > 14 {
            return Err(InvalidPoints);
        }
        let number = |text: &str| text.parse::<u64>().map_err(|_| InvalidPoints);
        let tens = if decimals.len() == 1 { 10 } else { 1 };
        let hundredths = number(whole)? * SCALE + number(decimals)? * tens;
        Some(Self(hundredths))
            .filter(|&points| points <= Self::MAX)
            .ok_or(InvalidPoints)
    }
}

impl Serialize for Points {
    /// As a number: `12.5`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Amount::add(*self).serialize(serializer)
    }
}

/// A change of an account, in hundredths of a point; less than 0 where points are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// Points that are added.
    pub const fn add(points: Points) -> Self {
        Self(points.0.cast_signed())
    }

    /// Points that are taken.
    pub const fn take(points: Points) -> Self {
        Self(-points.0.cast_signed())
    }

    /// A stored number.
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// The change in hundredths.
    pub const fn hundredths(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Amount {
    /// With two decimals: `-12.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Points(self.0.unsigned_abs()))
    }
}

impl Serialize for Amount {
    /// As a number: `-12.5`. The quotient is the number that is nearest to the decimal, whose
    /// shortest spelling is that decimal again.
    #[expect(
        clippy::cast_precision_loss,
        reason = "amounts are below 2^53 hundredths"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / SCALE as f64)
    }
}

/// The amounts that a points prize may pay: both bounds are among them, and each hundredth in
/// between is equally likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PointsRange {
    least: Points,
    most: Points,
}

impl PointsRange {
    /// The most that one prize pays: a million points.
    pub const MAX: Points = Points(100_000_000);

    /// A range; `None` where the bounds are the wrong way round, or too large.
    pub fn new(least: Points, most: Points) -> Option<Self> {
        (least <= most && most <= Self::MAX).then_some(Self { least, most })
    }

    /// The smallest amount.
    pub const fn least(self) -> Points {
        self.least
    }

    /// The largest amount.
    pub const fn most(self) -> Points {
        self.most
    }

    /// Draws an amount.
    pub fn draw(self, random: &mut impl Randomness) -> Points {
        Points(self.least.0 + random.below(self.most.0 - self.least.0 + 1))
    }
}

/// A user's points, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PointsAccount {
    /// What is there.
    pub balance: Points,
    /// How many entries the ledger has.
    pub entries: u64,
    /// Whether an operator has frozen it: then nothing is taken.
    pub frozen: bool,
}

impl PointsAccount {
    /// Adds points, which is one more entry.
    pub fn receive(self, points: Points) -> Result<Self, Refusal> {
        let balance = self.balance.checked_add(points);
        self.with(balance.ok_or(Refusal::TooManyPoints)?)
    }

    /// Takes points, which is one more entry.
    pub fn take(self, points: Points) -> Result<Self, Refusal> {
        if self.frozen {
            return Err(Refusal::PointsFrozen);
        }
        let balance = self.balance.checked_sub(points);
        self.with(balance.ok_or(Refusal::PointsShort)?)
    }

    /// Whether it has room for what commands add: all that do so ask first.
    pub fn has_room(self) -> bool {
        self.balance < Points::MAX
    }

    fn with(self, balance: Points) -> Result<Self, Refusal> {
        let entries = self.entries.checked_add(1).ok_or(Refusal::TooManyPoints)?;
        Ok(Self {
            balance,
            entries,
            ..self
        })
    }
}

/// One entry of the ledger. It is never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointsEntry {
    /// Whose.
    pub user: UserId,
    /// Its number among the user's entries, from 1.
    pub number: u64,
    /// What for.
    pub trade: Trade,
    /// In which activity; `None` where it was none's.
    pub activity: Option<ActivityId>,
    /// What was added, or taken.
    pub amount: Amount,
    /// The balance after it.
    pub balance: Points,
    /// What it belongs to: the id of the draw's order or of the recharge order.
    pub business: BusinessNumber,
    /// When the call was planned.
    pub created_at: Timestamp,
}

/// What points are added or taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trade {
    /// A prize.
    Prize,
    /// A behaviour, such as the daily sign-in.
    Reward,
    /// Chances were bought.
    Exchange,
    /// An operator's change.
    Operator,
}

impl Trade {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Prize, Self::Reward, Self::Exchange, Self::Operator];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prize => "prize",
            Self::Reward => "reward",
            Self::Exchange => "exchange",
            Self::Operator => "operator",
        }
    }

    /// The trade of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trade| trade.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(hundredths: u64) -> Points {
        Points::from_hundredths(hundredths).expect("an amount")
    }

    #[test]
    fn amounts_have_at_most_two_decimals() {
        for (text, hundredths) in [
            ("0", 0),
            ("12", 1200),
            ("12.5", 1250),
            ("12.05", 1205),
            ("0.01", 1),
            ("10000000000000", Points::MAX.0),
        ] {
            assert_eq!(text.parse(), Ok(points(hundredths)), "{text}");
        }
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "1.005",
            "-1",
            "+1",
            "1e2",
            " 1",
            "1,5",
            "10000000000000.01",
            "99999999999999999999",
        ] {
            assert_eq!(bad.parse::<Points>(), Err(InvalidPoints), "{bad:?}");
        }
    }

    #[test]
    fn a_range_draws_both_of_its_bounds() {
        let range = PointsRange::new(points(100), points(10_000)).expect("a range");
        // A constant 0 would be drawn again for ever: see `Randomness::below`.
        assert_eq!(range.draw(&mut || 1), points(100));
        assert_eq!(range.draw(&mut || u64::MAX), points(10_000));
        assert_eq!(PointsRange::new(points(2), points(1)), None);
        assert_eq!(PointsRange::new(points(1), points(100_000_001)), None);
    }

    #[test]
    fn taking_needs_enough_and_an_account_that_is_not_frozen() {
        let account = PointsAccount::default().receive(points(500)).expect("room");
        assert_eq!(account.take(points(501)), Err(Refusal::PointsShort));
        let taken = account.take(points(500)).expect("enough");
        assert_eq!((taken.balance, taken.entries), (Points::ZERO, 2));
        let frozen = PointsAccount {
            frozen: true,
            ..account
        };
        assert_eq!(frozen.take(points(1)), Err(Refusal::PointsFrozen));
        assert!(frozen.receive(points(1)).is_ok());
    }

    #[test]
    fn trades_round_trip() {
        assert!(
            Trade::ALL
                .iter()
                .all(|&trade| Trade::from_name(trade.name()) == Some(trade))
        );
        assert_eq!(Trade::from_name("sale"), None);
    }

    proptest! {
        #[test]
        fn json_has_the_decimal(hundredths in 0..=Points::MAX.0) {
            let json = serde_json::to_string(&points(hundredths)).expect("a number");
            let taken = serde_json::to_string(&Amount::take(points(hundredths))).expect("a number");
            let trimmed = json.strip_suffix(".0").unwrap_or(&json);
            prop_assert_eq!(trimmed.parse(), Ok(points(hundredths)));
            prop_assert_eq!(taken, format!("-{json}"));
        }

        #[test]
        fn spellings_round_trip(hundredths in 0..=Points::MAX.0) {
            prop_assert_eq!(points(hundredths).to_string().parse(), Ok(points(hundredths)));
        }
    }
}
