//! Degrade switches: named, typed, for everybody, for one activity or for a share of the users.
//!
//! Pure: who changes them and where they are kept is not decided here.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::ids::{ActivityId, UserId};

/// What can be switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Switch {
    /// Whether draws are made. Normally on.
    Draw,
    /// Whether everybody gets the luck award, without asking the stock. Normally off.
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

/// No switch has this name.
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

    /// What it is while nobody has set it.
    pub const fn normal(self) -> Share {
        match self {
            Switch::Draw | Switch::Signin | Switch::Exchange | Switch::Limits => Share::ON,
            Switch::FallbackOnly | Switch::ReadOnly => Share::OFF,
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

/// For whom a switch is on: a share of the users, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u16);

/// A text that says no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected on, off or a percentage such as 30% or 0.5%, not {0:?}")]
pub struct InvalidShare(String);

impl Share {
    /// For nobody.
    pub const OFF: Share = Share(0);
    /// For everybody.
    pub const ON: Share = Share(10_000);

    /// Whether the switch is on for this user. The same users for the same switch, on every
    /// gateway; others for another switch; and who is in 20 % is in 30 % too.
    pub fn covers(self, switch: Switch, user: &UserId) -> bool {
        match self {
            Share::OFF => false,
            Share::ON => true,
            Share(share) => place_of(switch, user) < share,
        }
    }
}

/// The place of a user among 10,000, for one switch.
///
/// FNV-1a over the switch's name and the user's bytes, then the finalizer of SplitMix64: not CRC,
/// which decides the user's shard, so that a share of the users is that share of each shard.
fn place_of(switch: Switch, user: &UserId) -> u16 {
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
                let text = format!("{}.{:02}", share / 100, share % 100);
                write!(f, "{}%", text.trim_end_matches('0'))
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
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
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

/// How one switch was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Which one.
    pub switch: Switch,
    /// For one activity, or for all.
    pub activity: Option<ActivityId>,
    /// For whom it is on.
    pub share: Share,
    /// Only count what it would do; do nothing.
    pub observe: bool,
    /// From this moment it does not count any more.
    pub expires_at: Option<Timestamp>,
}

/// What stands before the share of a switch that is only observed.
const OBSERVE: &str = "observe ";

impl Setting {
    /// The share and whether it is only observed, as one text: `30%`, `observe 30%`.
    pub fn value(&self) -> String {
        format!("{}{}", if self.observe { OBSERVE } else { "" }, self.share)
    }

    /// Reads what [`Setting::value`] wrote.
    pub fn parse_value(text: &str) -> Result<(Share, bool), InvalidShare> {
        let observed = text.strip_prefix(OBSERVE);
        Ok((observed.unwrap_or(text).parse()?, observed.is_some()))
    }
}

/// Which setting of a switch: that for one activity, or that for all.
pub type SettingKey = (Switch, Option<ActivityId>);

/// What one of several settings says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    share: Share,
    observe: bool,
    expires_at: Option<Timestamp>,
}

impl Said {
    fn is_current(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// Settings of one origin, and how new they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Settings {
    by_key: BTreeMap<SettingKey, Said>,
    revision: u64,
}

impl Settings {
    fn new(settings: impl IntoIterator<Item = Setting>) -> Self {
        let entry = |setting: Setting| {
            let Setting {
                switch,
                activity,
                share,
                observe,
                expires_at,
            } = setting;
            (
                (switch, activity),
                Said {
                    share,
                    observe,
                    expires_at,
                },
            )
        };
        Self {
            by_key: settings.into_iter().map(entry).collect(),
            revision: 0,
        }
    }

    fn current(&self, key: SettingKey, now: Timestamp) -> Option<Said> {
        self.by_key
            .get(&key)
            .copied()
            .filter(|said| said.is_current(now))
    }

    fn newest<'a>(&'a self, other: &'a Self) -> &'a Self {
        if self.revision < other.revision {
            other
        } else {
            self
        }
    }
}

/// All switches at one moment: as they were set for all gateways, and what was set on this one
/// alone. An override stands for the setting of the same switch and activity while it lasts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    fleet: Settings,
    overrides: Settings,
}

/// Who obeys a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// All gateways.
    Fleet,
    /// This process alone, from memory.
    Here,
}

/// What became of a switch that is not as it normally is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was obeyed.
    Applied,
    /// It would have been, were it not only observed.
    Observed,
}

impl Switches {
    /// The switches as they were set; of two settings of the same the later one counts.
    pub fn new(settings: impl IntoIterator<Item = Setting>) -> Self {
        Self {
            fleet: Settings::new(settings),
            overrides: Settings::default(),
        }
    }

    /// The same switches, known to be as new as this revision of where they are kept.
    #[must_use]
    pub fn as_of(self, revision: u64) -> Self {
        Self {
            fleet: Settings {
                revision,
                ..self.fleet
            },
            ..self
        }
    }

    /// What was set for all gateways out of the newer of both, and the overrides of the newer.
    #[must_use]
    pub fn newest(&self, other: &Self) -> Self {
        Self {
            fleet: self.fleet.newest(&other.fleet).clone(),
            overrides: self.overrides.newest(&other.overrides).clone(),
        }
    }

    /// The same with one more override.
    #[must_use]
    pub fn with_override(&self, setting: &Setting) -> Self {
        self.overriding(|by_key| by_key.extend(Settings::new([setting.clone()]).by_key))
    }

    /// The same without an override: what is set for all gateways holds again.
    #[must_use]
    pub fn without_override(&self, key: SettingKey) -> Self {
        self.overriding(|by_key| {
            by_key.remove(&key);
        })
    }

    fn overriding(&self, change: impl FnOnce(&mut BTreeMap<SettingKey, Said>)) -> Self {
        let mut overrides = self.overrides.clone();
        change(&mut overrides.by_key);
        overrides.revision += 1;
        Self {
            overrides,
            ..self.clone()
        }
    }

    /// Whether a switch is on for this user in this activity, now. Of what was set for all and for
    /// the activity the stricter holds; what has expired was never set. Calls that name no
    /// activity obey what was set for all.
    pub fn is_on(
        &self,
        switch: Switch,
        activity: impl Into<Option<ActivityId>>,
        user: &UserId,
        now: Timestamp,
    ) -> bool {
        // Nearly always nothing is set.
        if self.is_untouched() {
            return switch.normal() == Share::ON;
        }
        self.strictest(switch, activity.into(), user, false, now)
            .unwrap_or(switch.normal() == Share::ON)
    }

    /// Whether a switch changes anything for this user in this activity, now: what is counted.
    pub fn effect(
        &self,
        switch: Switch,
        activity: impl Into<Option<ActivityId>>,
        user: &UserId,
        now: Timestamp,
    ) -> Option<Effect> {
        if self.is_untouched() {
            return None;
        }
        let activity = activity.into();
        let normal = switch.normal() == Share::ON;
        if self
            .strictest(switch, activity, user, false, now)
            .is_some_and(|is_on| is_on != normal)
        {
            return Some(Effect::Applied);
        }
        let would_be = self.strictest(switch, activity, user, true, now)?;
        (would_be != normal).then_some(Effect::Observed)
    }

    /// Whether a switch is on for anybody, now, as far as it was set for all activities: what
    /// counts where neither user nor activity is known.
    pub fn is_on_for_some(&self, switch: Switch, now: Timestamp) -> bool {
        let said = self.said((switch, None), now).filter(|said| !said.observe);
        said.map_or(switch.normal(), |said| said.share) != Share::OFF
    }

    fn is_untouched(&self) -> bool {
        self.fleet.by_key.is_empty() && self.overrides.by_key.is_empty()
    }

    /// What the strictest of the obeyed (or the observed) settings says of a user; `None` where
    /// nothing is set.
    fn strictest(
        &self,
        switch: Switch,
        activity: Option<ActivityId>,
        user: &UserId,
        observe: bool,
        now: Timestamp,
    ) -> Option<bool> {
        let strict = switch.restricts_when_on();
        let says = |key| {
            let said = self.said(key, now).filter(|said| said.observe == observe)?;
            Some(said.share.covers(switch, user))
        };
        let own = activity.and_then(|activity| says((switch, Some(activity))));
        own.into_iter()
            .chain(says((switch, None)))
            .reduce(|one, other| if one == strict { one } else { other })
    }

    fn said(&self, key: SettingKey, now: Timestamp) -> Option<Said> {
        self.overrides
            .current(key, now)
            .or_else(|| self.fleet.current(key, now))
    }

    /// What holds now, by switch and activity, and who obeys it.
    pub fn current(&self, now: Timestamp) -> impl Iterator<Item = (Setting, Origin)> + '_ {
        let keys: BTreeSet<SettingKey> = self
            .fleet
            .by_key
            .keys()
            .chain(self.overrides.by_key.keys())
            .copied()
            .collect();
        keys.into_iter().filter_map(move |key| {
            let origin = if self.overrides.current(key, now).is_some() {
                Origin::Here
            } else {
                Origin::Fleet
            };
            let Said {
                share,
                observe,
                expires_at,
            } = self.said(key, now)?;
            let (switch, activity) = key;
            Some((
                Setting {
                    switch,
                    activity,
                    share,
                    observe,
                    expires_at,
                },
                origin,
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(number: u32) -> UserId {
        UserId::new(&format!("user-{number}")).expect("a user")
    }

    fn activity(number: u64) -> ActivityId {
        ActivityId::new(number).expect("an id")
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

    fn set(switch: Switch, activity: Option<ActivityId>, share: Share) -> Setting {
        Setting {
            switch,
            activity,
            share,
            observe: false,
            expires_at: None,
        }
    }

    #[test]
    fn a_restriction_for_all_holds_where_an_activity_was_set_on() {
        let now = Timestamp::UNIX_EPOCH;
        let on = |switches: &Switches, number| {
            switches.is_on(Switch::Draw, activity(number), &user(1), now)
        };
        let normal = Switches::default();
        assert!(on(&normal, 1) && !normal.is_on(Switch::ReadOnly, activity(1), &user(1), now));
        let off = Switches::new([
            set(Switch::Draw, None, Share::OFF),
            set(Switch::Draw, Some(activity(2)), Share::ON),
        ]);
        assert!(!on(&off, 1) && !on(&off, 2));
        assert!(
            !off.is_on(Switch::ReadOnly, activity(1), &user(1), now),
            "others are as they were"
        );
        let one_off = Switches::new([
            set(Switch::Draw, None, Share::ON),
            set(Switch::Draw, Some(activity(2)), Share::OFF),
        ]);
        assert!(on(&one_off, 1) && !on(&one_off, 2));
    }

    proptest! {
        /// Whatever is set, and in whatever order: nobody may do more than the strictest of what
        /// was set allows, and nobody less.
        #[test]
        fn the_strictest_setting_holds_for_each_user(
            switch in prop::sample::select(&Switch::ALL[..]),
            settings in prop::collection::vec(
                (prop::option::of(1..4_u64), 0..=10_000_u16, any::<bool>(), prop::option::of(0..100_i64)), 0..8),
            here in prop::collection::vec(any::<bool>(), 8),
            number in 0..50_u32,
        ) {
            let now = Timestamp::from_second(50).expect("a time");
            let mut fleet = BTreeMap::new();
            let mut overrides = BTreeMap::new();
            for ((of, share, observe, seconds), &here) in settings.iter().zip(&here) {
                let setting = Setting {
                    switch,
                    activity: of.map(activity),
                    share: Share(*share),
                    observe: *observe,
                    expires_at: seconds.map(|second| Timestamp::from_second(second).expect("a time")),
                };
                if here { &mut overrides } else { &mut fleet }.insert(setting.activity, setting);
            }
            let mut switches = Switches::new(fleet.values().cloned());
            for setting in overrides.values() {
                switches = switches.with_override(setting);
            }
            let counts = |setting: &&Setting| setting.expires_at.is_none_or(|at| now < at);
            for asked in [None, Some(activity(1)), Some(activity(2))] {
                let keys = if asked.is_some() { vec![None, asked] } else { vec![None] };
                let said: Vec<&Setting> = keys.iter()
                    .filter_map(|key| overrides.get(key).filter(counts).or_else(|| fleet.get(key).filter(counts)))
                    .collect();
                let verdicts = |observe| {
                    let of = said.iter().filter(move |setting| setting.observe == observe);
                    of.map(|setting| setting.share.covers(switch, &user(number))).collect::<Vec<bool>>()
                };
                let normal = switch.normal() == Share::ON;
                let decided = |verdicts: Vec<bool>| match (verdicts.is_empty(), switch.restricts_when_on()) {
                    (true, _) => normal,
                    (false, true) => verdicts.contains(&true),
                    (false, false) => !verdicts.contains(&false),
                };
                let expected = decided(verdicts(false));
                prop_assert_eq!(switches.is_on(switch, asked, &user(number), now), expected);
                let effect = match (expected != normal, decided(verdicts(true)) != normal) {
                    (true, _) => Some(Effect::Applied),
                    (false, true) => Some(Effect::Observed),
                    (false, false) => None,
                };
                prop_assert_eq!(switches.effect(switch, asked, &user(number), now), effect);
            }
        }
    }

    #[test]
    fn an_override_stands_for_one_setting_until_it_ends() {
        let until = Timestamp::from_second(100).expect("a time");
        let at = |second| Timestamp::from_second(second).expect("a time");
        let fleet = Switches::new([set(Switch::Draw, None, Share::OFF)]).as_of(7);
        let here = fleet.with_override(&Setting {
            expires_at: Some(until),
            ..set(Switch::Draw, None, Share::ON)
        });
        let on = |switches: &Switches, second| {
            switches.is_on(Switch::Draw, activity(1), &user(1), at(second))
        };
        assert!(on(&here, 99) && !on(&here, 100));
        let origins = |second| {
            here.current(at(second))
                .map(|(_, origin)| origin)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (origins(99), origins(100)),
            (vec![Origin::Here], vec![Origin::Fleet])
        );
        // What is read of the meta database afterwards leaves it alone, and so does what is older.
        let newer = Switches::new([set(Switch::ReadOnly, None, Share::ON)]).as_of(8);
        for switches in [here.newest(&newer), newer.newest(&here)] {
            assert!(on(&switches, 99) && switches.is_on(Switch::ReadOnly, None, &user(1), at(99)));
        }
        assert!(!on(&here.without_override((Switch::Draw, None)), 99));
    }

    #[test]
    fn without_an_activity_what_is_set_for_all_counts() {
        let now = Timestamp::UNIX_EPOCH;
        let setting = |activity, share| Setting {
            switch: Switch::Limits,
            activity,
            share,
            observe: false,
            expires_at: None,
        };
        let one_off = Switches::new([setting(Some(activity(1)), Share::OFF)]);
        assert!(one_off.is_on(Switch::Limits, None, &user(1), now));
        assert!(!one_off.is_on(Switch::Limits, activity(1), &user(1), now));
        for (all, expected) in [("off", false), ("0.01%", true), ("on", true)] {
            let switches = Switches::new([
                setting(None, share(all)),
                setting(Some(activity(1)), Share::OFF),
            ]);
            assert_eq!(
                switches.is_on_for_some(Switch::Limits, now),
                expected,
                "{all}"
            );
        }
        assert!(Switches::default().is_on_for_some(Switch::Limits, now));
        assert!(!Switches::default().is_on_for_some(Switch::ReadOnly, now));
    }

    #[test]
    fn what_has_expired_was_never_set() {
        let until = Timestamp::from_second(100).expect("a time");
        let setting = |activity, share, expires_at| Setting {
            switch: Switch::Draw,
            activity,
            share,
            observe: false,
            expires_at,
        };
        let switches = Switches::new([
            setting(None, Share::OFF, Some(until)),
            setting(Some(activity(1)), Share::ON, None),
        ]);
        let on = |second| {
            switches.is_on(
                Switch::Draw,
                activity(1),
                &user(1),
                Timestamp::from_second(second).expect("a time"),
            )
        };
        assert!(!on(99) && on(100));
    }

    #[test]
    fn values_are_read_and_shown() {
        for text in ["off", "30%", "observe off", "observe 0.5%"] {
            let (share, observe) = Setting::parse_value(text).expect("a value");
            let setting = Setting {
                switch: Switch::Draw,
                activity: None,
                share,
                observe,
                expires_at: None,
            };
            assert_eq!(setting.value(), text);
        }
        for text in ["observe", "observe  on", "on observe", "observed on"] {
            assert!(Setting::parse_value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_observed_counts_and_does_nothing() {
        let now = Timestamp::UNIX_EPOCH;
        let setting = |activity, share, observe| Setting {
            switch: Switch::Draw,
            activity,
            share,
            observe,
            expires_at: None,
        };
        let of = |switches: &Switches, number| {
            let on = switches.is_on(Switch::Draw, activity(number), &user(1), now);
            (
                on,
                switches.effect(Switch::Draw, activity(number), &user(1), now),
            )
        };
        assert_eq!(of(&Switches::default(), 1), (true, None));
        let observed = Switches::new([setting(None, Share::OFF, true)]);
        assert_eq!(of(&observed, 1), (true, Some(Effect::Observed)));
        // Beside one that is obeyed.
        let both = Switches::new([
            setting(None, Share::OFF, false),
            setting(Some(activity(2)), Share::ON, true),
        ]);
        assert_eq!(of(&both, 1), (false, Some(Effect::Applied)));
        assert_eq!(of(&both, 2), (false, Some(Effect::Applied)));
        let lifted = Switches::new([
            setting(None, Share::OFF, true),
            setting(Some(activity(2)), Share::ON, true),
        ]);
        assert_eq!(
            of(&lifted, 2),
            (true, Some(Effect::Observed)),
            "the stricter one would hold"
        );
        assert!(observed.is_on_for_some(Switch::Draw, now));
    }

    #[test]
    fn switches_that_were_read_earlier_do_not_undo_later_ones() {
        use crate::campaign::Catalogue;
        let now = Timestamp::UNIX_EPOCH;
        let of = |share| {
            [Setting {
                switch: Switch::Draw,
                activity: None,
                share,
                observe: false,
                expires_at: None,
            }]
        };
        let (older, newer) = (
            Switches::new(of(Share::ON)).as_of(1),
            Switches::new(of(Share::OFF)).as_of(2),
        );
        let catalogue = Catalogue::default().switched(&newer).switched(&older);
        assert!(
            !catalogue
                .switches()
                .is_on(Switch::Draw, None, &user(1), now)
        );
        let catalogue = Catalogue::default().switched(&older).switched(&newer);
        assert!(
            !catalogue
                .switches()
                .is_on(Switch::Draw, None, &user(1), now)
        );
    }
}
