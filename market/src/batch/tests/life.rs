//! The states of an activity: which of them can be drawn from, and what earlier calls get.
use super::*;
use crate::batch::CommandAnswer;
use crate::call::MadeCall;
use crate::campaign::{Halt, Halts};
use crate::refusal::Refusal;

/// The answer to one command under a catalogue, `earlier` having been made under its key.
fn answered(
    catalogue: &Catalogue,
    now: Timestamp,
    command: Command,
    earlier: Option<MadeCall>,
) -> CommandAnswer {
    let around = Circumstances {
        catalogue,
        supply: &Supply::There,
        now,
    };
    let batch = Batch::gather(vec![command], catalogue, now);
    let known = Known {
        calls: vec![earlier],
        ..unknown(&batch, 0)
    };
    let mut numbers = [CommandNumbers::default()];
    let plan = plan(batch, known, &around, &mut numbers, &mut seeded(1));
    let granted = plan.wants().to_vec();
    settle(plan, &granted, minted()).answers.remove(0)
}

fn halted(halt: Halt) -> Catalogue {
    catalogue(&campaign().text()).halted(&Halts::from_iter([(activity(), halt)]))
}

#[test]
fn each_state_has_its_refusal() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let open = catalogue(&campaign().text());
    let draft = catalogue(&campaign().text().replace("\"open\"", "\"draft\""));
    let (paused, closed) = (halted(Halt::Paused), halted(Halt::Closed));
    let not_open = Some(Refusal::ActivityNotOpen);
    for (catalogue, now, refusal) in [
        (&open, noon(), None),
        (&open, at("2026-01-01T00:00:00Z"), None),
        (
            &open,
            at("2025-12-31T23:59:59.999Z"),
            Some(Refusal::ActivityNotBegun),
        ),
        (
            &open,
            at("2027-01-01T00:00:00Z"),
            Some(Refusal::ActivityOver),
        ),
        (&draft, noon(), not_open),
        (&draft, at("2025-01-01T00:00:00Z"), not_open),
        (&paused, noon(), not_open),
        (&paused, at("2028-01-01T00:00:00Z"), not_open),
        (&closed, noon(), not_open),
    ] {
        let answer = answered(catalogue, now, call("u", "k", 1), None);
        assert_eq!(answer.err(), refusal, "at {now}");
        let granted = answered(catalogue, now, grant("u", "k", 1), None);
        assert!(granted.is_ok(), "operators give chances in every state");
    }
}

#[test]
fn an_earlier_call_is_answered_after_a_pause_and_a_close() {
    let made = settled(
        &campaign().text(),
        vec![call("u", "k", 2)],
        0,
        9,
        &Supply::There,
    );
    let earlier = &made.rows.made[0];
    for halt in [Halt::Paused, Halt::Closed] {
        let again = answered(
            &halted(halt),
            noon(),
            call("u", "k", 2),
            Some(earlier.clone()),
        );
        assert_eq!(again, made.answers[0], "{halt:?}");
    }
}

#[test]
fn only_testers_draw_from_a_trial_and_need_not_wait() {
    let of = |state: &str| {
        let file = campaign()
            .setting("trial_of", "9")
            .setting("testers", "[\"u\"]");
        catalogue(&file.text().replace("\"open\"", &format!("{state:?}")))
    };
    let [early, late] = ["2025-06-01T00:00:00Z", "2027-06-01T00:00:00Z"]
        .map(|text| text.parse::<Timestamp>().expect("a time"));
    let not_open = Some(Refusal::ActivityNotOpen);
    for (state, now, tester, other) in [
        ("open", early, None, Some(Refusal::ActivityNotBegun)),
        ("draft", early, None, not_open),
        ("draft", noon(), None, not_open),
        ("open", noon(), None, not_open),
        (
            "open",
            late,
            Some(Refusal::ActivityOver),
            Some(Refusal::ActivityOver),
        ),
        ("close", noon(), not_open, not_open),
    ] {
        let catalogue = of(state);
        for (user, refusal) in [("u", tester), ("v", other)] {
            let answer = answered(&catalogue, now, call(user, "k", 1), None);
            assert_eq!(answer.err(), refusal, "{user}, {state} at {now}");
        }
    }
    let paused = of("open").halted(&Halts::from_iter([(activity(), Halt::Paused)]));
    let answer = answered(&paused, noon(), call("u", "k", 1), None);
    assert_eq!(answer.err(), not_open);
    // Testers of a file that is no trial wait like everybody.
    let file = campaign().setting("testers", "[\"u\"]").text();
    let answer = answered(&catalogue(&file), early, call("u", "k", 1), None);
    assert_eq!(answer.err(), Some(Refusal::ActivityNotBegun));
}

#[test]
fn a_stage_of_a_closed_activity_is_free() {
    let stage = "[[stage]]\nchannel = \"c\"\nsource = \"s\"";
    let text = |id| CampaignFile::one_award(id).section(stage).text();
    let published = |id: u64| Published {
        version: 1,
        campaign: Campaign::parse(&text(id)).expect("a campaign"),
    };
    let alone = Catalogue::new([published(1)]);
    let (second, shown) = (published(2).campaign, &published(1).campaign.stages[0]);
    assert_eq!(alone.conflicts(&second).len(), 1);
    let paused = alone.halted(&Halts::from_iter([(activity(), Halt::Paused)]));
    assert_eq!(paused.conflicts(&second).len(), 1);
    let closed = Halts::from_iter([(activity(), Halt::Closed)]);
    assert_eq!(alone.halted(&closed).conflicts(&second), []);
    assert_eq!(alone.halted(&closed).stage(shown), Some(activity()));
    let both = Catalogue::new([published(1), published(2)]);
    assert_eq!(both.stage(shown), Some(activity()));
    let other = ActivityId::new(2);
    assert_eq!(both.halted(&closed).stage(shown), other);
}
