//! Which of several settings holds.
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
    let on =
        |switches: &Switches, number| switches.is_on(Switch::Draw, activity(number), &user(1), now);
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
    /// For all settings in any order, a user may do exactly what the strictest setting allows.
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
        for wanted in [None, Some(activity(1)), Some(activity(2))] {
            let keys = if wanted.is_some() { vec![None, wanted] } else { vec![None] };
            let found: Vec<&Setting> = keys.iter()
                .filter_map(|key| overrides.get(key).filter(counts).or_else(|| fleet.get(key).filter(counts)))
                .collect();
            let states = |observe| {
                let of = found.iter().filter(move |setting| setting.observe == observe);
                of.map(|setting| setting.share.covers(switch, &user(number))).collect::<Vec<bool>>()
            };
            let normal = switch.is_normally_on();
            let decided = |states: Vec<bool>| match (states.is_empty(), switch.restricts_when_on()) {
                (true, _) => normal,
                (false, true) => states.contains(&true),
                (false, false) => !states.contains(&false),
            };
            let expected = decided(states(false));
            prop_assert_eq!(switches.is_on(switch, wanted, &user(number), now), expected);
            let effect = match (expected != normal, decided(states(true)) != normal) {
                (true, _) => Some(Effect::Applied),
                (false, true) => Some(Effect::Observed),
                (false, false) => None,
            };
            prop_assert_eq!(switches.effect(switch, wanted, &user(number), now), effect);
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
    // A later read of the meta database keeps it, and so does an older one.
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
