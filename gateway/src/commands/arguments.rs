//! Values of arguments: each parser says what it expects in words of its own, whatever the parser beneath it
//! says.
use market::UserId;

/// No prize has more units; what all shards count together stays far below 63 bits.
const UNITS_MAX: u64 = 1_000_000_000_000;

/// Units of a prize.
pub(super) fn units(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|units| (1..=UNITS_MAX).contains(units));
    number.ok_or_else(|| format!("expected an integer from 1 to {UNITS_MAX}"))
}

/// A user id.
pub(super) fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| format!("a user id {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_integers_within_bounds() {
        assert_eq!((units("1").as_ref(), units("1000000000000").as_ref()), (Ok(&1), Ok(&1_000_000_000_000)));
        for bad in ["", "0", "-1", "1.5", "x", "1000000000001", "99999999999999999999"] {
            assert!(units(bad).is_err(), "{bad}");
        }
    }
}
