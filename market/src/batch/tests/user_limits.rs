//! Prizes of which one user gets a few at most.
use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use testkit::random::Seeded;

use super::*;
use crate::command::draw::{Order, Rule};
use crate::ids::AwardId;

/// At most two mugs for each user, which run out, and one voucher, which does not. Each fourth draw
/// is guaranteed a mug, and one user always gets the voucher.
fn limited() -> CampaignFile {
    CampaignFile::new(1)
        .between("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
        .chances(1_000, 1_000, 1_000)
        .blacklist(VOUCHER, &["u3"])
        .weight(4, &[MUG])
        .award(
            Award::new(MUG, "mug", "0.4")
                .count(10, "stock")
                .setting("per_user", "2"),
        )
        .award(Award::new(2, "points", "0.3"))
        .award(
            Award::new(VOUCHER, "voucher", "0.3")
                .setting("tree", "\"locked\"")
                .setting("per_user", "1"),
        )
        .award(Award::luck())
        .tree(Tree::stock("stock", CampaignFile::LUCK, Some("1,100")))
        .tree(Tree::locked("locked", 1, CampaignFile::LUCK, None))
}

const MUG: u64 = 1;
const VOUCHER: u64 = 3;

/// How many of an award a user may have.
fn most(award: u64) -> u32 {
    match award {
        MUG => 2,
        VOUCHER => 1,
        _ => u32::MAX,
    }
}

fn key(user: &str, award: u64) -> UserAwardKey {
    let award = AwardId::new(award).expect("an id");
    (UserId::new(user).expect("a user"), activity(), award)
}

/// What a shard has of all users.
struct Stored {
    accounts: HashMap<AccountKey, Account>,
    given: HashMap<UserAwardKey, u32>,
    orders: Vec<Order>,
}

/// Everything about an order but for its ids: user, ordinal, award, rule, whether it took a unit, config.
type Drawn = (UserId, u32, AwardId, Rule, bool, Option<Arc<str>>);

/// What a batch asked the stock for, and what its orders took.
#[derive(Debug, PartialEq)]
struct Mugs {
    wanted: u32,
    used: u32,
}

impl Stored {
    fn empty() -> Self {
        Self {
            accounts: HashMap::new(),
            given: HashMap::new(),
            orders: Vec::new(),
        }
    }

    /// Commits a batch, with so many mugs in stock.
    fn commit(
        &mut self,
        commands: &mut [(Command, CommandNumbers)],
        mugs: u32,
        source: &mut Seeded,
    ) -> Mugs {
        let catalogue = catalogue(&limited().text());
        let own = commands.iter().map(|(command, _)| command.clone());
        let batch = Batch::gather(own.collect(), &catalogue, noon());
        let needs = batch.needs();
        let accounts = needs.accounts.iter();
        let given = needs.user_awards.iter();
        let known = Known {
            accounts: accounts
                .map(|key| self.accounts.get(key).copied())
                .collect(),
            user_awards: given.map(|key| self.given.get(key).copied()).collect(),
            ..Known::nothing(needs)
        };
        let around = Circumstances {
            catalogue: &catalogue,
            supply: &Supply::There,
            now: noon(),
        };
        let numbers = commands.iter_mut().map(|(_, numbers)| numbers);
        let plan = plan(batch, known, &around, numbers, source);
        let mut granted = plan.wants().to_vec();
        let wanted = granted.iter().map(|units| units.count).sum();
        for units in &mut granted {
            units.count = units.count.min(mugs);
        }
        let Settlement { rows, used, .. } = settle(plan, &granted, minted());
        for (key, account) in rows.accounts.written_rows() {
            self.accounts.insert(key.clone(), *account);
        }
        for (key, given) in rows.user_awards.written_rows() {
            self.given.insert(key.clone(), *given);
        }
        self.orders.extend(rows.orders().cloned());
        let used = used.iter().map(|units| units.count).sum();
        Mugs { wanted, used }
    }

    fn has(&self, user: &str, award: u64) -> u32 {
        self.given.get(&key(user, award)).copied().unwrap_or(0)
    }

    /// The orders of a user with this award.
    fn orders_of(&self, user: &str, award: u64) -> u32 {
        let orders = self.orders.iter();
        let orders =
            orders.filter(|order| order.user.as_str() == user && order.award.get() == award);
        u32::try_from(orders.count()).expect("few")
    }

    fn drawn(&self) -> Vec<Drawn> {
        let order = |order: &Order| {
            let user = order.user.clone();
            let (config, rule) = (order.config.clone(), order.rule);
            (
                user,
                order.ordinal,
                order.award,
                rule,
                order.stocked,
                config,
            )
        };
        self.orders.iter().map(order).collect()
    }
}

const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];

/// Calls of four users for one draw up to ten.
fn any_calls() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let count = prop_oneof![Just(1_u8), Just(2), Just(3), Just(10)];
    prop::collection::vec((0..USERS.len(), count), 1..6)
}

/// The calls of the batch of a number, each under a key of its own.
fn calls(batch: usize, calls: &[(usize, u8)]) -> Vec<(Command, CommandNumbers)> {
    let call = |(nth, &(user, count)): (usize, &(usize, u8))| {
        let command = call(USERS[user], &format!("{batch}-{nth}"), count);
        (command, CommandNumbers::default())
    };
    calls.iter().enumerate().map(call).collect()
}

proptest! {
    /// Whatever users draw and the stock answers, nobody has more than one may have, and the counts
    /// are those of the orders.
    #[test]
    fn nobody_has_more_than_one_may_have(
        batches in prop::collection::vec((any_calls(), 0_u32..6), 1..6),
        seed in any::<u64>(),
    ) {
        let (mut stored, mut source) = (Stored::empty(), seeded(seed));
        for (number, (batch, mugs)) in batches.iter().enumerate() {
            let room: u32 = USERS.iter().map(|user| most(MUG) - stored.has(user, MUG)).sum();
            let asked = stored.commit(&mut calls(number, batch), *mugs, &mut source);
            prop_assert!(asked.wanted <= room, "{} mugs for {room} places", asked.wanted);
            prop_assert!(asked.used <= *mugs);
            for user in USERS {
                for award in [MUG, VOUCHER] {
                    let given = stored.has(user, award);
                    prop_assert_eq!(given, stored.orders_of(user, award));
                    prop_assert!(given <= most(award));
                }
            }
        }
        let counted = stored.given.keys().all(|(.., award)| [MUG, VOUCHER].contains(&award.get()));
        prop_assert!(counted, "what has no limit is not counted");
    }

    /// Nobody loses a prize because of the draws beside one's own: together they get what they would
    /// get one after the other.
    #[test]
    fn a_batch_gives_what_its_calls_would_get_alone(batch in any_calls(), mugs in 0_u32..8, seed in any::<u64>()) {
        let (mut together, mut alone) = (Stored::empty(), Stored::empty());
        let (mut source, mut commands) = (seeded(seed), calls(0, &batch));
        let used = together.commit(&mut commands, mugs, &mut source).used;
        let mut left = mugs;
        for command in commands.chunks_mut(1) {
            left -= alone.commit(command, left, &mut source).used;
        }
        prop_assert_eq!(together.drawn(), alone.drawn());
        prop_assert_eq!(&together.given, &alone.given);
        prop_assert_eq!(used, mugs - left);
    }
}

#[test]
fn a_call_for_ten_asks_for_no_more_than_its_user_gets() {
    let (mut stored, mut source) = (Stored::empty(), seeded(3));
    let tens = [(0, 10), (0, 10), (1, 10)];
    let asked = stored.commit(&mut calls(0, &tens), 9, &mut source);
    assert_eq!(asked, Mugs { wanted: 4, used: 4 });
    let has = ["u0", "u1"].map(|user| (stored.has(user, MUG), stored.has(user, VOUCHER)));
    assert_eq!(has, [(2, 1), (2, 1)]);
    let luck = stored
        .orders
        .iter()
        .filter(|order| order.rule == Rule::Luck);
    assert!(luck.count() > 5, "what they draw besides is the fallback");
    let asked = stored.commit(&mut calls(1, &tens), 9, &mut source);
    assert_eq!(asked, Mugs { wanted: 0, used: 0 }, "they have them");
}

#[test]
fn a_unit_that_was_not_there_does_not_count() {
    let (mut stored, mut source) = (Stored::empty(), seeded(3));
    stored.commit(&mut calls(0, &[(0, 10)]), 0, &mut source);
    assert_eq!((stored.has("u0", MUG), stored.orders_of("u0", MUG)), (0, 0));
    stored.commit(&mut calls(1, &[(0, 10)]), 1, &mut source);
    assert_eq!((stored.has("u0", MUG), stored.orders_of("u0", MUG)), (1, 1));
}

#[test]
fn who_has_more_than_a_lower_limit_keeps_them_and_gets_no_more() {
    let (mut stored, mut source) = (Stored::empty(), seeded(3));
    stored.given.insert(key("u0", MUG), 5);
    let asked = stored.commit(&mut calls(0, &[(0, 10)]), 9, &mut source);
    assert_eq!(asked, Mugs { wanted: 0, used: 0 });
    assert_eq!((stored.has("u0", MUG), stored.orders_of("u0", MUG)), (5, 0));
}

#[test]
fn the_same_call_again_counts_once() {
    let commands = vec![call("u", "k", 10), call("u", "k", 10)];
    let text = limited().text();
    let first = settled(&text, commands, 0, 9, &Supply::There);
    assert_eq!(first.answers[0], first.answers[1]);
    let written = |rows: &Rows| {
        let rows = rows.user_awards.written_rows();
        let mut rows: Vec<_> = rows.map(|(key, given)| (key.clone(), *given)).collect();
        rows.sort();
        rows
    };
    let has = [(key("u", MUG), 2), (key("u", VOUCHER), 1)];
    assert_eq!(written(&first.rows), has);
    // Later it is found, and changes nothing.
    let batch = gathered(&text, vec![call("u", "k", 10)]);
    let known = Known {
        calls: vec![first.rows.made.first().cloned()],
        user_awards: vec![Some(2), Some(1)],
        ..unknown(&batch, 9)
    };
    let again = settle(planned(&text, batch, known, &Supply::There), &[], minted());
    assert_eq!(again.answers[0], first.answers[0]);
    assert_eq!(written(&again.rows), []);
}

#[test]
fn a_refused_call_leaves_what_it_would_have_got_to_the_next() {
    // The first call is refused for its last draw.
    let text = limited().chances(9, 9, 9).text();
    let calls = vec![call("u", "k", 10), call("u", "l", 9)];
    let settlement = settled(&text, calls, 0, 9, &Supply::There);
    assert!(settlement.answers[0].is_err());
    let mugs = orders(&settlement.answers[1]).iter();
    assert_eq!(mugs.filter(|order| order.award.get() == MUG).count(), 2);
}

#[test]
fn campaigns_without_such_prizes_need_nothing_more() {
    let batch = gathered(&campaign().text(), vec![call("u", "k", 10)]);
    assert!(batch.needs().user_awards.is_empty());
    let batch = gathered(
        &limited().text(),
        vec![call("u", "k", 10), call("u", "l", 1)],
    );
    assert_eq!(
        batch.needs().user_awards,
        [key("u", MUG), key("u", VOUCHER)]
    );
    let batch = gathered(&limited().text(), vec![grant("u", "k", 1)]);
    assert!(batch.needs().user_awards.is_empty());
}
