//! Batches of draws and grants: what they make together, and what their halves make.
use std::collections::HashMap;

use proptest::prelude::*;
use router::{OrderNumbers, Run, Slot, nth_after};

use testkit::campaign::{in_state, with};
use testkit::random::Seeded;

use super::*;
use crate::call::{Call, MadeCall};
use crate::refusal::Refusal;

/// Users who draw, and get chances, under few keys.
fn any_command() -> impl Strategy<Value = Command> {
    (0_u8..4, 0_u8..6, 0_u8..6).prop_map(|(user, key, ask)| {
        let (user, key) = (format!("u{user}"), format!("k{key}"));
        match ask {
            0..4 => call(&user, &key, [1, 2, 3, 8][usize::from(ask)]),
            _ => grant(
                &user,
                &key,
                [1, u32::from(key.as_bytes()[1])][usize::from(ask) - 4],
            ),
        }
    })
}

/// A shard that has all units, and keeps the random numbers of commands as a lane does.
struct Shard {
    accounts: HashMap<AccountKey, Account>,
    calls: HashMap<(UserId, RequestId), MadeCall>,
    ids: OrderNumbers,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            accounts: HashMap::new(),
            calls: HashMap::new(),
            ids: OrderNumbers::new(Run::new(1).expect("a run")),
        }
    }
}

/// A command with its random numbers.
type Numbered = (Command, CommandNumbers);

fn numbered(commands: &[Command]) -> Vec<Numbered> {
    commands
        .iter()
        .map(|command| (command.clone(), CommandNumbers::default()))
        .collect()
}

impl Shard {
    /// Plans and settles a batch.
    fn settle(&mut self, commands: &mut [Numbered], source: &mut Seeded) -> Settlement {
        let own = commands.iter().map(|(command, _)| command.clone());
        let batch = gathered(&campaign().text(), own.collect());
        let Needs {
            accounts, calls, ..
        } = batch.needs();
        let known = Known {
            accounts: accounts
                .iter()
                .map(|key| self.accounts.get(key).copied())
                .collect(),
            calls: calls
                .iter()
                .map(|key| self.calls.get(key).cloned())
                .collect(),
            ..Known::default()
        };
        let around = Circumstances {
            catalogue: &catalogue(&campaign().text()),
            supply: &Supply::There,
            now: noon(),
        };
        let numbers = commands.iter_mut().map(|(_, numbers)| numbers);
        let plan = plan(batch, known, &around, numbers, source);
        let granted = plan.wants().to_vec();
        settle(plan, &granted, |_, user| {
            let number = self.ids.next(Slot::of(user.as_str()));
            number.and_then(OrderId::new).expect("an order id")
        })
    }

    /// Settles a batch and keeps its rows.
    fn commit(&mut self, commands: &mut [Numbered], source: &mut Seeded) -> Vec<CommandAnswer> {
        let settlement = self.settle(commands, source);
        let made_now = settlement.made_now().filter(|made| *made).count();
        assert_eq!(made_now, settlement.rows.made.len());
        let Settlement { answers, rows, .. } = settlement;
        let [new, changed] = written(&rows);
        for (key, account) in new {
            assert_eq!(self.accounts.insert(key, account), None, "it is new");
        }
        for (key, account) in changed {
            assert!(self.accounts.insert(key, account).is_some(), "it was there");
        }
        let mut answered = answers.iter().flatten();
        for made in rows.made {
            let key = (made.call.user.clone(), made.call.request.clone());
            let is_answered = answered.any(|answer| *answer == made.made);
            assert!(is_answered, "answers are in the order of calls");
            let earlier = self.calls.insert(key, made);
            assert_eq!(earlier, None, "a key has two calls");
        }
        answers
    }
}

/// What an answer says but for its ids, which are those of its try.
fn said(answer: &CommandAnswer) -> Result<Vec<(u32, u64, bool)>, Refusal> {
    Ok(match answer.clone()? {
        Made::Draws(orders) => orders
            .iter()
            .map(|order| (order.ordinal, order.award.get(), order.stocked))
            .collect(),
        Made::Recharges(orders) => orders
            .iter()
            .map(|order| (order.chances, 0, false))
            .collect(),
    })
}

proptest! {
    /// However a batch is halved after a try in vain, and in each half again: all commands get what
    /// they would have got.
    #[test]
    fn halves_make_what_the_whole_would_have_made(
        commands in prop::collection::vec(any_command(), 1..20),
        seed in any::<u64>(),
        parts in prop::collection::vec(1_usize..6, 1..20),
    ) {
        let mut source = seeded(seed);
        let mut commands = numbered(&commands);
        let tried = Shard::default().settle(&mut commands, &mut source);
        let (mut shard, mut halves) = (Shard::default(), Vec::new());
        let (mut rest, mut parts) = (commands.as_mut_slice(), parts.into_iter().cycle());
        while !rest.is_empty() {
            let length = parts.next().unwrap_or(1).min(rest.len());
            let (part, others) = std::mem::take(&mut rest).split_at_mut(length);
            shard.settle(part, &mut source);
            halves.extend(shard.commit(part, &mut source));
            rest = others;
        }
        let [tried, halves] = [tried.answers, halves].map(|answers| {
            answers.iter().map(said).collect::<Vec<_>>()
        });
        prop_assert_eq!(tried, halves);
    }

    /// What an account was granted is its welcome chances and its recharge orders; what it used is
    /// its orders; and each call says what it made: by the first id and the count all of it is
    /// found.
    #[test]
    fn accounts_are_explained_by_their_rows(
        batches in prop::collection::vec(prop::collection::vec(any_command(), 1..12), 1..4),
        seed in any::<u64>(),
    ) {
        let (mut shard, mut source) = (Shard::default(), seeded(seed));
        for commands in &batches {
            shard.commit(&mut numbered(commands), &mut source);
        }
        for ((user, _), account) in &shard.accounts {
            let (mut granted, mut used) = (9, 0);
            for ((_, request), MadeCall { call, made }) in
                shard.calls.iter().filter(|((of, _), _)| of == user)
            {
                prop_assert_eq!((&call.user, &call.request), (user, request));
                match made {
                    Made::Draws(orders) => {
                        used += u32::try_from(orders.len()).expect("few");
                        let made = orders.iter().map(|order| Some(order.id.get()));
                        let following = (0..call.made).map(|nth| nth_after(call.first_id.get(), nth));
                        prop_assert!(made.eq(following), "{:?}", orders);
                    }
                    Made::Recharges(orders) => {
                        granted += orders.iter().map(|order| order.chances).sum::<u32>();
                    }
                }
                let Call { first_id, made: count, .. } = call;
                prop_assert_eq!((*first_id, *count), (made.first_id(), made.count()));
            }
            prop_assert_eq!((account.granted, account.used), (granted, used));
        }
    }
}

#[test]
fn chances_that_are_given_can_be_drawn_by_the_next_command() {
    let used_up = |commands| {
        let batch = gathered(&campaign().text(), commands);
        let account = Account {
            used: 9,
            ..after(1).expect("an account")
        };
        let known = Known {
            accounts: vec![Some(account)],
            ..unknown(&batch, 0)
        };
        settle(
            planned(&campaign().text(), batch, known, &Supply::There),
            &[],
            minted(),
        )
        .answers
    };
    let refused = used_up(vec![call("u", "1", 1)]);
    assert_eq!(refused, [Err(Refusal::NoChancesLeft)]);
    let answers = used_up(vec![
        grant("u", "0", 2),
        call("u", "1", 2),
        call("u", "2", 1),
    ]);
    assert_eq!(orders(&answers[1]).len(), 2);
    assert_eq!(answers[2], Err(Refusal::NoChancesLeft));
}

#[test]
fn chances_are_given_after_the_end_but_only_where_something_is_published() {
    let closed = in_state(&campaign().text(), "close");
    let given = settled(&closed, vec![grant("u", "k", 3)], 0, 0, &Supply::There);
    let [new, _] = written(&given.rows);
    assert_eq!(new[0].1.granted, 12, "the welcome chances too");
    assert_eq!((new[0].1.used, new[0].1.day), (0, Day::NEVER));
    let other = with(&campaign().text(), "id = 1\nname", "id = 2\nname");
    let refused = settled(&other, vec![grant("u", "k", 3)], 0, 0, &Supply::There);
    assert_eq!(refused.answers, [Err(Refusal::ActivityUnknown)]);
    assert!(refused.rows.is_empty());
}

#[test]
fn an_account_is_never_given_more_than_it_holds() {
    let grants = vec![grant("u", "1", 3), grant("u", "2", 1), grant("u", "3", 2)];
    let batch = gathered(&campaign().text(), grants);
    let full = Account {
        granted: u32::MAX - 3,
        ..after(1).expect("an account")
    };
    let known = Known {
        accounts: vec![Some(full)],
        ..unknown(&batch, 0)
    };
    let plan = planned(&campaign().text(), batch, known, &Supply::There);
    let settlement = settle(plan, &[], minted());
    assert!(settlement.answers[0].is_ok());
    assert_eq!(
        settlement.answers[1..],
        [const { Err(Refusal::TooManyChances) }; 2]
    );
    let [_, changed] = written(&settlement.rows);
    assert_eq!(changed[0].1.granted, u32::MAX);
}
