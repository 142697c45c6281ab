//! Points, exchange, sign-in and rewards in batches.
use std::num::NonZeroU32;

use testkit::campaign::{Award, CampaignFile, Tree};

use super::*;
use crate::adjust::{PointsAsk, PointsChange};
use crate::campaign::Published;
use crate::draw::{Order, Promise};
use crate::exchange::ExchangeAsk;
use crate::ids::{Behaviour, BusinessNumber, SkuId};
use crate::points::{Amount, Points, PointsAccount, PointsEntry, Trade};
use crate::recharge::{RechargeKind, RechargeOrder};
use crate::refusal::Refusal;
use crate::reward::RewardAsk;
use crate::sign_in::{SignIn, SignInAsk};

/// Two activities. The first sells two chances for 30 points, gives one chance and 10 points for a
/// sign-in, 5 more on each third day, and pays from 1 to 2 points for each draw.
fn platform() -> Catalogue {
    let shop = "[[sku]]\nid = 7\nstock = 9\nprice_minor = 3000\nchances = 2";
    let chance = "[[reward]]\nbehavior = \"sign\"\nkind = \"chances\"\nsku = 7";
    let points = "[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = \"10\"";
    let streak = "[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = \"5\"\nstreak = 3";
    let pay = "[[reward]]\nbehavior = \"pay\"\nkind = \"points\"\npoints = \"0.01\"";
    let file = |activity| {
        CampaignFile::new(activity)
            .between("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
            .chances(9, 7, 8)
            .tree(Tree::stock("tree", CampaignFile::LUCK, Some("1,2")))
    };
    let paying = Award::luck()
        .setting("key", "\"user_credit_random\"")
        .setting("config", "\"1,2\"");
    let first = file(1)
        .award(Award::new(2, "mug", "1").count(1, "tree"))
        .award(paying);
    let first = [shop, chance, points, streak, pay]
        .iter()
        .fold(first, |file, section| file.section(section));
    let second = CampaignFile::one_award(2)
        .between("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
        .chances(9, 7, 8)
        .section("[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = \"1.5\"");
    Catalogue::new([first, second].map(|file| Published {
        version: 1,
        campaign: Campaign::parse(&file.text()).expect("a valid campaign"),
    }))
}

fn sku() -> SkuId {
    SkuId::new(7).expect("an id")
}

fn points(hundredths: u64) -> Points {
    Points::from_hundredths(hundredths).expect("an amount")
}

fn exchange(request: &str) -> Command {
    command("u", request, Ask::Exchange(ExchangeAsk { sku: sku() }))
}

fn sign_in(request: &str, activity: Option<u64>) -> Command {
    let activity = activity.map(|number| ActivityId::new(number).expect("an id"));
    command("u", request, Ask::SignIn(SignInAsk { activity }))
}

fn report(number: &str) -> Command {
    let ask = RewardAsk {
        behaviour: Behaviour::new("pay").expect("a word"),
        number: BusinessNumber::new(number).expect("a number"),
    };
    Command {
        user: UserId::new("u").expect("a user"),
        request: ask.request(),
        ask: Ask::Reward(ask),
    }
}

fn change(request: &str, change: PointsChange) -> Command {
    command("u", request, Ask::Points(PointsAsk { change }))
}

/// What is stored of the only user.
#[derive(Clone, Copy)]
struct User {
    balance: u64,
    last_sign_in: Option<SignIn>,
    /// Units of the sku.
    units: u32,
}

impl User {
    const POOR: Self = Self {
        balance: 0,
        last_sign_in: None,
        units: 9,
    };

    /// One batch of the user's commands.
    fn batch(self, commands: Vec<Command>) -> Settlement {
        let catalogue = platform();
        let batch = Batch::gather(commands, &catalogue, noon());
        let account = PointsAccount {
            balance: points(self.balance),
            entries: 4,
            frozen: false,
        };
        let needs = batch.needs();
        let known = Known {
            points: vec![
                Some(account).filter(|account| !account.balance.is_zero());
                needs.points.len()
            ],
            sign_ins: vec![self.last_sign_in; needs.sign_ins.len()],
            ..Known::nothing(needs)
        };
        let around = Circumstances {
            catalogue: &catalogue,
            supply: &Supply::There,
            now: noon(),
        };
        let mut numbers: Vec<_> = (batch.commands().iter())
            .map(|_| CommandNumbers::default())
            .collect();
        let plan = plan(batch, known, &around, &mut numbers, &mut seeded(3));
        let mut granted = plan.wants().to_vec();
        for units in &mut granted {
            let there = if units.item == StockItem::sku(activity(), sku()) {
                self.units
            } else {
                2
            };
            units.count = units.count.min(there);
        }
        let settled = settle(plan, &granted, minted());
        self.adds_up(&settled);
        settled
    }

    /// Entries are numbered on, and each has the balance after it; the last is the account's.
    fn adds_up(self, settled: &Settlement) {
        let (mut number, mut balance) = if self.balance == 0 {
            (0, 0)
        } else {
            (4, self.balance)
        };
        for entry in &settled.rows.entries {
            number += 1;
            balance = balance
                .checked_add_signed(entry.amount.hundredths())
                .expect("not below 0");
            assert_eq!((entry.number, entry.balance), (number, points(balance)));
        }
        for (_, account) in settled.rows.points.written_rows() {
            assert_eq!(
                (account.entries, account.balance),
                (number, points(balance))
            );
        }
        let sold = settled
            .rows
            .made
            .iter()
            .flat_map(|made| made.made.recharges());
        let sold = sold.filter(|order| order.kind.sku().is_some()).count();
        let used = settled
            .used
            .iter()
            .filter(|units| units.item.good.award().is_none());
        assert_eq!(used.map(|units| units.count).sum::<u32>() as usize, sold);
    }
}

fn recharges(answer: &CommandAnswer) -> &[RechargeOrder] {
    answer.as_ref().map_or(&[], |made| made.recharges())
}

fn amounts(entries: &[PointsEntry]) -> Vec<(Trade, i64)> {
    let amount = |entry: &PointsEntry| (entry.trade, entry.amount.hundredths());
    entries.iter().map(amount).collect()
}

/// What the user may draw in the first activity, in all.
fn granted(settled: &Settlement) -> u32 {
    let mut accounts = settled.rows.accounts.written_rows();
    accounts
        .find(|((_, of), _)| *of == activity())
        .map_or(9, |(_, account)| account.granted)
}

#[test]
fn a_purchase_takes_points_and_a_unit_and_gives_chances() {
    let user = User {
        balance: 3_100,
        ..User::POOR
    };
    let settled = user.batch(vec![exchange("1")]);
    let [order] = recharges(&settled.answers[0]) else {
        panic!("{:?}", settled.answers)
    };
    assert_eq!(order.kind, RechargeKind::Exchange(sku()));
    assert_eq!(
        (order.chances, order.points),
        (2, Some(Amount::take(points(3_000))))
    );
    assert_eq!(granted(&settled), 11, "the welcome chances too");
    assert_eq!(
        settled.rows.entries[0].business,
        BusinessNumber::of_order(order.id)
    );
    assert_eq!(amounts(&settled.rows.entries), [(Trade::Exchange, -3_000)]);
}

#[test]
fn as_many_purchases_are_made_as_there_are_points() {
    let user = User {
        balance: 9_500,
        ..User::POOR
    };
    let settled = user.batch((0..5).map(|number| exchange(&number.to_string())).collect());
    let made = settled
        .answers
        .iter()
        .filter(|answer| answer.is_ok())
        .count();
    assert_eq!(made, 3);
    assert_eq!(
        settled.answers[3..],
        [const { Err(Refusal::PointsShort) }; 2]
    );
    assert_eq!(granted(&settled), 15);
}

#[test]
fn another_call_under_the_key_of_a_purchase_that_is_refused_is_undecided() {
    let user = User {
        balance: 3_500,
        ..User::POOR
    };
    let draw = call("u", "2", 1);
    let settled = user.batch(vec![
        exchange("1"),
        exchange("2"),
        draw.clone(),
        exchange("2"),
        call("u", "1", 1),
    ]);
    assert!(settled.answers[0].is_ok());
    for same in [1, 3] {
        assert_eq!(settled.answers[same], Err(Refusal::PointsShort));
    }
    // The first key has its call; the second is free for the draw.
    assert_eq!(settled.undecided, [2]);
    assert_eq!(settled.answers[4], Err(Refusal::RequestIdReused));
    assert!(user.batch(vec![draw]).answers[0].is_ok());
}

#[test]
fn what_is_sold_out_takes_no_points() {
    let user = User {
        balance: 9_500,
        units: 1,
        ..User::POOR
    };
    let settled = user.batch(vec![exchange("1"), exchange("2")]);
    assert!(settled.answers[0].is_ok());
    assert_eq!(settled.answers[1], Err(Refusal::SkuSoldOut));
    assert_eq!(amounts(&settled.rows.entries), [(Trade::Exchange, -3_000)]);
    let nothing = User { units: 0, ..user }.batch(vec![exchange("1")]);
    assert!(nothing.rows.is_empty() && nothing.rows.entries.is_empty());
}

#[test]
fn a_sign_in_is_rewarded_once_a_day_in_each_activity() {
    let settled = User::POOR.batch(vec![
        sign_in("1", None),
        sign_in("2", None),
        sign_in("1", None),
    ]);
    let given = recharges(&settled.answers[0]);
    let places: Vec<_> = given
        .iter()
        .map(|order| order.activity.map(ActivityId::get))
        .collect();
    assert_eq!(places, [Some(1), Some(1), Some(2)]);
    assert_eq!(settled.answers[1], Err(Refusal::NothingToReward));
    assert_eq!(settled.answers[2], settled.answers[0], "the same key");
    assert_eq!(
        amounts(&settled.rows.entries),
        [(Trade::Reward, 1_000), (Trade::Reward, 150)]
    );
    assert_eq!(granted(&settled), 11);
    assert_eq!(settled.rows.sign_ins.new_rows().count(), 2);
    let today = SignIn {
        day: Day::from_number(20_260_601),
        streak: 2,
    };
    let later = User {
        last_sign_in: Some(today),
        ..User::POOR
    };
    assert_eq!(
        later.batch(vec![sign_in("3", None)]).answers,
        [Err(Refusal::NothingToReward)]
    );
}

#[test]
fn a_sign_in_in_one_activity_leaves_the_others() {
    let settled = User::POOR.batch(vec![sign_in("1", Some(2)), sign_in("2", None)]);
    assert_eq!(recharges(&settled.answers[0]).len(), 1);
    let rest: Vec<_> = recharges(&settled.answers[1])
        .iter()
        .map(|order| order.activity)
        .collect();
    assert_eq!(rest, [Some(activity()); 2]);
    let unknown = User::POOR.batch(vec![sign_in("1", Some(3))]);
    assert_eq!(unknown.answers, [Err(Refusal::ActivityUnknown)]);
}

#[test]
fn the_third_day_in_a_row_gives_more() {
    let yesterday = |streak| SignIn {
        day: Day::from_number(20_260_531),
        streak,
    };
    let on = |last| {
        User {
            last_sign_in: Some(last),
            ..User::POOR
        }
        .batch(vec![sign_in("1", Some(1))])
    };
    let third = on(yesterday(2));
    let streaks: Vec<_> = recharges(&third.answers[0])
        .iter()
        .map(|order| {
            order
                .kind
                .reward()
                .and_then(|reward| reward.streak)
                .map(NonZeroU32::get)
        })
        .collect();
    assert_eq!(streaks, [None, None, Some(3)]);
    assert_eq!(recharges(&on(yesterday(3)).answers[0]).len(), 2);
}

#[test]
fn a_reward_whose_units_are_gone_is_left_out() {
    let none = User {
        units: 0,
        ..User::POOR
    };
    let settled = none.batch(vec![sign_in("1", Some(1))]);
    let given = recharges(&settled.answers[0]);
    assert!(given.len() == 1 && given[0].chances == 0, "{given:?}");
    assert_eq!(settled.rows.sign_ins.new_rows().count(), 1);
}

#[test]
fn a_reported_behaviour_is_rewarded_once_for_its_number() {
    let settled = User::POOR.batch(vec![report("1"), report("2"), report("1")]);
    assert_eq!(settled.answers[2], settled.answers[0]);
    assert_eq!(amounts(&settled.rows.entries), [(Trade::Reward, 1); 2]);
}

#[test]
fn points_of_a_prize_are_paid_with_the_draw() {
    let user = User {
        balance: 2_900,
        ..User::POOR
    };
    let settled = user.batch(vec![call("u", "1", 7), exchange("2")]);
    let orders = orders(&settled.answers[0]);
    let paid: Vec<Points> = orders.iter().filter_map(Order::points).collect();
    assert!(
        paid.iter()
            .all(|paid| (100..=200).contains(&paid.hundredths())),
        "{paid:?}"
    );
    assert!(paid.len() < orders.len(), "a mug is no points prize");
    let entered: Vec<_> = settled
        .rows
        .entries
        .iter()
        .map(|entry| entry.business.clone())
        .collect();
    let of_orders = orders.iter().filter(|order| order.points().is_some());
    assert_eq!(
        entered,
        of_orders
            .map(|order| BusinessNumber::of_order(order.id))
            .collect::<Vec<_>>()
    );
    assert!(
        orders
            .iter()
            .any(|order| order.promise == Some(Promise::Nothing))
    );
    // Sent together, the purchase may come before the draws.
    assert_eq!(settled.answers[1], Err(Refusal::PointsShort));
}

#[test]
fn nothing_is_taken_from_a_frozen_account() {
    let user = User {
        balance: 9_500,
        ..User::POOR
    };
    let settled = user.batch(vec![
        change("1", PointsChange::Freeze),
        exchange("2"),
        change("3", PointsChange::Take(points(1))),
        change("4", PointsChange::Add(points(1))),
    ]);
    assert_eq!(
        settled.answers[1..3],
        [const { Err(Refusal::PointsFrozen) }; 2]
    );
    assert!(settled.answers[0].is_ok() && settled.answers[3].is_ok());
    let thawed = user.batch(vec![
        change("1", PointsChange::Freeze),
        change("2", PointsChange::Unfreeze),
        exchange("3"),
    ]);
    assert!(
        thawed.answers.iter().all(Result::is_ok),
        "{:?}",
        thawed.answers
    );
}

#[test]
fn a_key_belongs_to_one_amount_and_one_sku() {
    let add = |hundredths| change("k", PointsChange::Add(points(hundredths)));
    let settled = User::POOR.batch(vec![add(5), add(6), add(5), exchange("k")]);
    let reused = Err(Refusal::RequestIdReused);
    assert_eq!(settled.answers[1], reused);
    assert_eq!(settled.answers[2], settled.answers[0]);
    assert_eq!(settled.answers[3], reused);
    assert!(
        add(5)
            .ask
            .would_make(settled.answers[0].as_ref().expect("made"))
    );
    assert!(
        !add(6)
            .ask
            .would_make(settled.answers[0].as_ref().expect("made"))
    );
}

/// Needs that are the same in all, and not by command: a draw needs points once its prizes pay some.
#[test]
fn other_campaigns_are_noticed_by_what_each_command_needs() {
    let commands = || vec![call("u", "1", 1), change("2", PointsChange::Freeze)];
    let gather = |catalogue: &Catalogue| Batch::gather(commands(), catalogue, noon());
    let (before, after) = (gather(&catalogue(&campaign().text())), gather(&platform()));
    assert_eq!(before.needs(), after.needs());
    assert!(!before.needs_the_same_as(&after));
    assert!(after.needs_the_same_as(&gather(&platform())));
    // The same rows, and more rewards: more ids are needed.
    let pay = "[[reward]]\nbehavior = \"pay\"\nkind = \"points\"\npoints = \"1\"";
    let sku = "[[sku]]\nid = 7\nstock = 9\nprice_minor = 1\nchances = 2";
    let more = "[[reward]]\nbehavior = \"pay\"\nkind = \"chances\"\nsku = 7";
    let rewarding = |sections: &[&str]| {
        let file = sections
            .iter()
            .fold(campaign(), |file, section| file.section(section));
        Batch::gather(vec![report("1")], &catalogue(&file.text()), noon())
    };
    let (one, two) = (rewarding(&[pay]), rewarding(&[pay, sku, more]));
    assert_eq!(one.needs(), two.needs());
    assert!(!one.needs_the_same_as(&two));
}
