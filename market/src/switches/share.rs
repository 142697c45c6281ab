//! For which users a switch is on.
use std::fmt;
use std::str::FromStr;

use super::switch::Switch;
use crate::ids::UserId;

/// For which users a switch is on: a share of them, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub(super) u16);

/// The string is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected on, off or a percentage such as 30% or 0.5%, not {0:?}")]
pub struct InvalidShare(String);

impl Share {
    /// For no user.
    pub const OFF: Share = Share(0);
    /// For all users.
    pub const ON: Share = Share(10_000);

    /// Whether the switch is on for this user. All gateways agree on it. Each switch picks its
    /// users independently of the others, and a larger share covers the users of a smaller one.
    pub fn covers(self, switch: Switch, user: &UserId) -> bool {
        match self {
            Share::OFF => false,
            Share::ON => true,
            Share(share) => rank_of(switch, user) < share,
        }
    }
}

/// The rank of a user among 10,000, for one switch.
///
/// FNV-1a over the switch's name and the user's bytes, then the finalizer of SplitMix64. CRC
/// decides the user's shard, so it is not used here: a share of the users must be the same share
/// of each shard.
fn rank_of(switch: Switch, user: &UserId) -> u16 {
    let bytes = switch
        .name()
        .bytes()
        .chain([0])
        .chain(user.as_str().bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    u16::try_from(hash % 10_000).expect("below 10,000")
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Share::OFF => f.write_str("off"),
            Share::ON => f.write_str("on"),
            Share(share) if share % 100 == 0 => write!(f, "{}%", share / 100),
            Share(share) => {
                let number = format!("{}.{:02}", share / 100, share % 100);
                write!(f, "{}%", number.trim_end_matches('0'))
            }
        }
    }
}

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let invalid = || InvalidShare(text.to_owned());
        match text {
            "on" => return Ok(Share::ON),
            "off" => return Ok(Share::OFF),
            _ => {}
        }
        let number = text.strip_suffix('%').ok_or_else(invalid)?;
        let (whole, places) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 3) || !digits(places, 2) {
            return Err(invalid());
        }
        let hundredths: u16 = format!("{places:0<2}").parse().map_err(|_| invalid())?;
        let share = whole.parse::<u16>().map_err(|_| invalid())? * 100 + hundredths;
        if share <= Share::ON.0 {
            Ok(Share(share))
        } else {
            Err(invalid())
        }
    }
}

impl Switch {
    /// For which users it is on while it is not set.
    pub const fn normal(self) -> Share {
        if self.is_normally_on() {
            Share::ON
        } else {
            Share::OFF
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u32) -> UserId {
        UserId::new(&format!("user-{number}")).expect("a user")
    }

    fn share(text: &str) -> Share {
        text.parse().expect("a share")
    }

    #[test]
    fn shares_are_read_and_shown() {
        for (text, hundredths) in [
            ("off", 0),
            ("on", 10_000),
            ("30%", 3_000),
            ("0.5%", 50),
            ("0.01%", 1),
            ("99.99%", 9_999),
        ] {
            assert_eq!(share(text), Share(hundredths));
            assert_eq!(share(text).to_string(), text);
        }
        assert_eq!(
            (share("0%"), share("100%"), share("100.00%")),
            (Share::OFF, Share::ON, Share::ON)
        );
        for text in [
            "", "yes", "30", "%", "101%", "100.01%", "-1%", "1.234%", "1.%", ".5%", "0030%", "٣%",
        ] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_covers_that_many_users_and_a_larger_one_covers_them_too() {
        let (few, more) = (share("10%"), share("30%"));
        let count = |share: Share| {
            (0..20_000)
                .filter(|&number| share.covers(Switch::FallbackOnly, &user(number)))
                .count()
        };
        assert!((1_850..2_150).contains(&count(few)), "{}", count(few));
        assert!((5_800..6_200).contains(&count(more)), "{}", count(more));
        let covers = |share: Share, number| share.covers(Switch::FallbackOnly, &user(number));
        assert!((0..20_000).all(|number| !covers(few, number) || covers(more, number)));
    }

    #[test]
    fn switches_pick_their_users_independently() {
        let half = share("50%");
        let both = (0..20_000).filter(|&number| {
            half.covers(Switch::Draw, &user(number)) && half.covers(Switch::ReadOnly, &user(number))
        });
        let both = both.count();
        assert!((4_700..5_300).contains(&both), "{both}");
    }
}
