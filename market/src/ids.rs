//! One type per id, so that a user, an activity and an order can never be mixed up.
//!
//! The strings that come from outside ([`UserId`], [`RequestId`]) can only be made by a check, so
//! code that has one need not check again.
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Why a string or number is not a valid id. The message says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expected}")]
pub struct InvalidId {
    expected: &'static str,
}

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// The id of this number; `None` for 0 and for numbers that no database column
            /// of 63 bits holds.
            pub const fn new(number: u64) -> Option<Self> {
                if number > 0 && number <= i64::MAX as u64 { Some(Self(number)) } else { None }
            }

            /// The plain number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Rust's own parser takes a leading plus sign; an id has one spelling only.
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                digits
                    .then(|| text.parse().ok())
                    .flatten()
                    .and_then(Self::new)
                    .ok_or(InvalidId { expected: "expected an integer from 1 to 9223372036854775807" })
            }
        }
    };
}

numeric_id! {
    /// A marketing activity: one campaign file.
    ActivityId
}
numeric_id! {
    /// The draw strategy of an activity. Activities and strategies are one to one.
    StrategyId
}
numeric_id! {
    /// A prize, unique within its strategy.
    AwardId
}
numeric_id! {
    /// A purchasable bundle of chances.
    SkuId
}
numeric_id! {
    /// A finished draw. Callers see it as a string of decimal digits.
    OrderId
}

/// The index of an award in its strategy's list of awards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AwardIndex(pub usize);

/// A user: 1 to 128 Unicode characters, of which at least one is visible, without control
/// characters and without white space at the ends, compared byte by byte. (MySQL's `utf8mb4_bin`
/// pads spaces, so an id with a space at its end would equal the id without it.)
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The longest user id, in characters.
    pub const CHARS_MAX: usize = TEXT_CHARS_MAX;

    /// Checks a string and makes it an id.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        check_text(text)?;
        // Operators could not distinguish such a user from another one, or from none.
        if text.chars().all(is_invisible) {
            return Err(InvalidId {
                expected: "must have a visible character",
            });
        }
        Ok(Self(text.into()))
    }

    /// The id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest user id or business number, in characters.
const TEXT_CHARS_MAX: usize = 128;

/// What user ids and business numbers have in common: their length, no control characters, and no
/// white space at the ends.
fn check_text(text: &str) -> Result<(), InvalidId> {
    let invalid = |expected| Err(InvalidId { expected });
    if text.is_empty() {
        return invalid("must not be empty");
    }
    // A character has at most four bytes: the cheap test avoids counting a huge string.
    if text.len() > 4 * TEXT_CHARS_MAX || text.chars().count() > TEXT_CHARS_MAX {
        return invalid("must have at most 128 characters");
    }
    if text.chars().any(char::is_control) {
        return invalid("must not contain control characters");
    }
    if text.trim().len() != text.len() {
        return invalid("must not begin or end with white space");
    }
    Ok(())
}

/// Whether a character shows nothing by itself: white space, what Unicode lists as ignorable by
/// default (`Default_Ignorable_Code_Point`: format characters, fillers, variation selectors, tags),
/// annotation anchors, and the blank Braille pattern.
fn is_invisible(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The idempotency key of a call, unique per user. Callers name 1 to 64 visible ASCII characters.
/// The key of a reported behaviour is made of what was reported. It begins with a space, so no caller
/// can name it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The longest key, in characters (which are bytes here).
    pub const CHARS_MAX: usize = 64;

    /// Checks a string and makes it a key.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=Self::CHARS_MAX).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId {
                expected: "must be 1 to 64 visible ASCII characters",
            })
        }
    }

    /// The key of a reported behaviour: it is known by the behaviour and its number alone. 248 bits of
    /// their SHA-256: no two have ever been found to have the same.
    pub fn of_reward(behaviour: &Behaviour, number: &BusinessNumber) -> Self {
        // A behaviour has no line feed, so no two pairs are one text.
        let text = format!("{}\n{}", behaviour.as_str(), number.as_str());
        let digest = Sha256::digest(text);
        let mut key = String::with_capacity(Self::CHARS_MAX);
        key.push(' ');
        for byte in &digest[..31] {
            let _ = write!(key, "{byte:02x}");
        }
        Self(key.into())
    }

    /// Checks a stored string, which may be that of a reported behaviour.
    pub fn stored(text: &str) -> Result<Self, InvalidId> {
        let of_reward = |digits: &str| {
            digits.len() == 62
                && digits
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if text.strip_prefix(' ').is_some_and(of_reward) {
            Ok(Self(text.into()))
        } else {
            Self::new(text)
        }
    }

    /// Whether it is that of a reported behaviour, which no caller can name.
    pub fn is_of_reward(&self) -> bool {
        self.0.starts_with(' ')
    }

    /// The key as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a user did, for which campaigns have rewards: `sign`, `openai_pay`, or any other word of 1
/// to 16 ASCII letters, digits, `_`, `-` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Behaviour(Arc<str>);

impl Behaviour {
    /// The longest word, in characters (which are bytes here). The reference's column has 16.
    pub const CHARS_MAX: usize = 16;
    /// The daily sign-in.
    pub const SIGN: &str = "sign";

    /// Checks a string and makes it a behaviour.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if (1..=Self::CHARS_MAX).contains(&text.len()) && text.bytes().all(word) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId {
                expected: "must be 1 to 16 ASCII letters, digits, '_', '-' or '.'",
            })
        }
    }

    /// The daily sign-in.
    pub fn sign() -> Self {
        Self(Self::SIGN.into())
    }

    /// Whether it is the daily sign-in.
    pub fn is_sign(&self) -> bool {
        &*self.0 == Self::SIGN
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number under which another system, or a table of ours, knows what something belongs to: 1 to
/// 128 Unicode characters without control characters, and without white space at the ends.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BusinessNumber(Arc<str>);

impl BusinessNumber {
    /// The longest number, in characters.
    pub const CHARS_MAX: usize = TEXT_CHARS_MAX;

    /// Checks a string and makes it a number.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        check_text(text)?;
        Ok(Self(text.into()))
    }

    /// The number of an order.
    pub fn of_order(id: OrderId) -> Self {
        Self(id.to_string().into())
    }

    /// The number as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Other systems may put a user's id into it.
impl fmt::Debug for BusinessNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BusinessNumber(..)")
    }
}

// User ids stay out of logs: a `{:?}` of a struct that holds one must not leak it.
impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserId(..)")
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_bounded_and_clean() {
        for good in ["u", "U", "ú", "a b", &"x".repeat(128), &"漢".repeat(128)] {
            assert_eq!(UserId::new(good).expect(good).as_str(), good);
        }
        for bad in [
            "",
            " u",
            "u ",
            "u\u{3000}",
            "a\tb",
            "a\0",
            "\u{7f}",
            &"x".repeat(129),
            &"漢".repeat(129),
        ] {
            assert!(UserId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn user_ids_can_be_seen() {
        for unseen in [
            "\u{200b}",
            "\u{202e}",
            "\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "\u{e0041}",
            "\u{200d}\u{2060} \u{fe0f}",
        ] {
            assert!(UserId::new(unseen).is_err(), "{unseen:?}");
        }
        // Joiners belong into emoji and into Persian; what they join is visible.
        for seen in [
            "u\u{200b}",
            "\u{202e}u",
            "\u{1f469}\u{200d}\u{1f680}",
            "\u{645}\u{6cc}\u{200c}\u{62e}",
        ] {
            assert_eq!(UserId::new(seen).expect(seen).as_str(), seen);
        }
    }

    #[test]
    fn users_differ_by_case_and_accent() {
        let ids = ["u", "U", "ú"].map(|text| UserId::new(text).expect("valid"));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    }

    #[test]
    fn request_ids_are_visible_ascii() {
        for good in ["k", "Key", "key", &"k".repeat(64), "a:b/c~!"] {
            assert!(RequestId::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "ú", "a\n", &"k".repeat(65)] {
            assert!(RequestId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_of_rewards_are_their_own_and_cannot_be_named() {
        let key = |behaviour, number| {
            let behaviour = Behaviour::new(behaviour).expect("a word");
            RequestId::of_reward(&behaviour, &BusinessNumber::new(number).expect("a number"))
        };
        let first = key("pay", "1");
        assert_eq!(
            first.as_str(),
            " 4e83c72c1cb2d762f139e7a22857b7dc095d54a61bf26f47bded10ad74797f"
        );
        assert_ne!(first, key("pay", "2"));
        assert_ne!(first, key("pay1", "1"));
        assert_eq!(RequestId::stored(first.as_str()), Ok(first.clone()));
        assert_eq!(RequestId::stored("k"), RequestId::new("k"));
        assert!(RequestId::new(first.as_str()).is_err());
        assert!(first.is_of_reward());
        assert!(!RequestId::new("k").expect("a key").is_of_reward());
        assert!(RequestId::stored(" k").is_err());
    }

    #[test]
    fn behaviours_are_short_words() {
        for good in ["sign", "openai_pay", "a", "A.b-c_9", &"b".repeat(16)] {
            assert_eq!(Behaviour::new(good).expect(good).as_str(), good);
        }
        for bad in ["", "a b", "ú", "a:b", &"b".repeat(17)] {
            assert!(Behaviour::new(bad).is_err(), "{bad:?}");
        }
        assert!(Behaviour::sign().is_sign());
        assert!(!Behaviour::new("Sign").expect("a word").is_sign());
    }

    #[test]
    fn business_numbers_are_bounded_and_clean() {
        for good in ["1", "a b", "漢字", &"n".repeat(128), &"漢".repeat(128)] {
            assert_eq!(BusinessNumber::new(good).expect(good).as_str(), good);
        }
        for bad in [
            "",
            " 1",
            "1 ",
            "1\u{3000}",
            "a\tb",
            "\u{85}",
            &"n".repeat(129),
        ] {
            assert!(BusinessNumber::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numeric_ids_have_one_spelling() {
        assert_eq!(
            "100301".parse::<ActivityId>().map(ActivityId::get),
            Ok(100_301)
        );
        for bad in ["", "0", "+1", "-1", "1.0", " 1", "9223372036854775808"] {
            assert!(bad.parse::<ActivityId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn debug_output_hides_the_user() {
        let user = UserId::new("alice").expect("valid");
        assert!(!format!("{user:?}").contains("alice"));
    }
}
