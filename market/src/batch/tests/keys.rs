//! Keys: whom a repeat is answered by, and which calls are none.
use proptest::prelude::*;

use super::*;
use crate::batch::plan::PlannedCommand;
use crate::refusal::Refusal;

/// Whether each command of a batch was refused, is made, or is the same as another one.
fn holders(plan: &Plan) -> Vec<Option<usize>> {
    let holder = |(index, command): (usize, &PlannedCommand)| match command {
        PlannedCommand::Allowed(_) => Some(index),
        PlannedCommand::SameAs(holder) => Some(*holder),
        PlannedCommand::Refused(_) | PlannedCommand::Differs { .. } | PlannedCommand::Replay(_) => {
            None
        }
    };
    plan.planned.iter().enumerate().map(holder).collect()
}

fn planned_new(commands: Vec<Command>) -> Plan {
    let batch = gathered(&campaign().text(), commands);
    let known = unknown(&batch, 0);
    planned(&campaign().text(), batch, known, &Supply::There)
}

/// A call for one draw, two, or more than the day allows; or one chance, or two.
fn any_command() -> impl Strategy<Value = Command> {
    (0_u8..3, 0_u8..3, 0_u8..5).prop_map(|(user, key, ask)| {
        let (user, key) = (format!("u{user}"), format!("k{key}"));
        match ask {
            0..3 => call(&user, &key, [1, 2, 8][usize::from(ask)]),
            _ => grant(&user, &key, u32::from(ask) - 2),
        }
    })
}

proptest! {
    /// Few users and keys, so that most commands repeat another one; calls for 8 are refused.
    #[test]
    fn the_first_command_that_is_not_refused_holds_its_key(
        commands in prop::collection::vec(any_command(), 1..40),
    ) {
        let holders = holders(&planned_new(commands.clone()));
        for (index, command) in commands.iter().enumerate() {
            let same = |&earlier: &usize| {
                (&commands[earlier].user, &commands[earlier].request)
                    == (&command.user, &command.request)
            };
            let first =
                (0..index).filter(same).find(|&earlier| holders[earlier] == Some(earlier));
            match first {
                Some(first) if commands[first].ask == command.ask => {
                    prop_assert_eq!(holders[index], Some(first));
                }
                Some(_) => prop_assert_eq!(holders[index], None, "another call has the key"),
                None => prop_assert!(holders[index].is_none_or(|holder| holder == index)),
            }
        }
    }
}

#[test]
fn a_flood_of_one_refused_key_is_looked_at_once_each() {
    // Compared with all before it each of these would take a minute in all.
    let flood = vec![call("u", "k", 8); 200_000];
    assert!(holders(&planned_new(flood)).iter().all(Option::is_none));
}

#[test]
fn what_a_refused_or_repeated_command_is_answered_it_has_not_made() {
    let (first, again) = (grant("u", "k", 1), grant("u", "k", 1));
    let commands = vec![
        first,
        again,
        call("u", "k", 1),
        call("u", "l", 8),
        call("v", "k", 2),
    ];
    let settlement = settled(&campaign().text(), commands, 0, 9, &Supply::There);
    let made: Vec<bool> = settlement.made_now().collect();
    assert_eq!(made, [true, false, false, false, true]);
}

/// What `again` is answered after `first` was made under the same key.
fn answered_after(first: Command, again: Command) -> (CommandAnswer, CommandAnswer) {
    let made = settled(&partial(), vec![first], 0, 9, &Supply::There);
    let earlier = made.rows.made[0].clone();
    let around = Circumstances {
        catalogue: &catalogue(&partial()),
        supply: &Supply::There,
        now: "2030-01-01T00:00:00Z".parse().expect("a time"),
    };
    let batch = gathered(&partial(), vec![again]);
    let known = Known {
        accounts: vec![after(7); batch.needs().accounts.len()],
        calls: vec![Some(earlier)],
        ..Known::default()
    };
    let mut numbers = [CommandNumbers::default()];
    let plan = plan(batch, known, &around, &mut numbers, &mut seeded(1));
    let mut settlement = settle(plan, &[], |_, _| unreachable!("nothing is made"));
    assert!(settlement.rows.is_empty());
    (made.answers[0].clone(), settlement.answers.remove(0))
}

/// The same in another activity.
fn elsewhere(command: Command) -> Command {
    let activity = ActivityId::new(2).expect("an id");
    let ask = match command.ask {
        Ask::Draw(ask) => Ask::Draw(DrawAsk { activity, ..ask }),
        Ask::Grant(ask) => Ask::Grant(GrantAsk { activity, ..ask }),
        other => other,
    };
    Command { ask, ..command }
}

#[test]
fn an_earlier_call_is_known_by_what_it_asked_for() {
    for first in [call("u", "k", 10), grant("u", "k", 7)] {
        let (made, again) = answered_after(first.clone(), first.clone());
        assert_eq!(
            again, made,
            "although it made less, and the activity has ended"
        );
        let (_, refused) = answered_after(first.clone(), elsewhere(first));
        assert_eq!(refused, Err(Refusal::RequestActivityDiffers));
    }
    let refused = |first, again| {
        answered_after(first, again)
            .1
            .expect_err("it is another call")
    };
    let [draw, grant] = [call("u", "k", 10), grant("u", "k", 10)];
    assert_eq!(
        refused(draw.clone(), call("u", "k", 7)),
        Refusal::RequestCountDiffers
    );
    assert_eq!(
        refused(grant.clone(), super::grant("u", "k", 7)),
        Refusal::RequestIdReused
    );
    assert_eq!(
        refused(draw.clone(), grant.clone()),
        Refusal::RequestIdReused
    );
    assert_eq!(refused(grant, draw), Refusal::RequestIdReused);
}
