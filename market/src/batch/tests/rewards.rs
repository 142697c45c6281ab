//! What rewards leave out, and what they obey.
use testkit::campaign::{Award, CampaignFile};

use super::*;
use crate::campaign::Published;
use crate::chances::Chances;
use crate::draw::Promise;
use crate::ids::{Behaviour, BusinessNumber};
use crate::points::{Amount, Points, PointsAccount};
use crate::refusal::Refusal;
use crate::reward::RewardAsk;
use crate::rewarding::Offers;
use crate::sign_in::{SignIn, SignInAsk};
use crate::switches::{Setting, Share, Switch, Switches};

/// Two activities that give a chance and a point for a sign-in, and a point for a payment.
fn two() -> Catalogue {
    let reward = |what: &str, gives: &str| format!("[[reward]]\nbehavior = \"{what}\"\n{gives}");
    let point = "kind = \"points\"\npoints = \"1\"";
    let file = |activity: u64| {
        let chance = format!("kind = \"chances\"\nsku = {activity}");
        let sku = format!("[[sku]]\nid = {activity}\nstock = 9\nprice_minor = 5\nchances = 1");
        CampaignFile::one_award(activity)
            .between("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
            .section(&sku)
            .section(&reward("sign", &chance))
            .section(&reward("sign", point))
            .section(&reward("pay", point))
            .text()
    };
    Catalogue::new([1, 2].map(|activity| Published {
        version: 1,
        campaign: Campaign::parse(&file(activity)).expect("a valid campaign"),
    }))
}

/// The same with a switch that was set for the second activity.
fn switched(switch: Switch, share: Share) -> Catalogue {
    let setting = Setting {
        switch,
        activity: ActivityId::new(2),
        share,
        observe: false,
        expires_at: None,
    };
    two().switched(&Switches::new([setting]).as_of(1))
}

fn user() -> UserId {
    UserId::new("u").expect("a user")
}

fn sign_in() -> Command {
    command("u", "day", Ask::SignIn(SignInAsk { activity: None }))
}

fn report() -> Command {
    let ask = RewardAsk {
        behaviour: Behaviour::new("pay").expect("a word"),
        number: BusinessNumber::new("1").expect("a number"),
    };
    let (user, request) = (user(), ask.request());
    Command {
        user,
        request,
        ask: Ask::Reward(ask),
    }
}

/// What one command is answered by a user who has this of everything.
fn answered(
    catalogue: &Catalogue,
    command: Command,
    account: Option<Account>,
    points: Option<PointsAccount>,
) -> CommandAnswer {
    let batch = Batch::gather(vec![command], catalogue, noon());
    let needs = batch.needs();
    let known = Known {
        accounts: vec![account; needs.accounts.len()],
        points: vec![points; needs.points.len()],
        ..Known::nothing(needs)
    };
    let around = Circumstances {
        catalogue,
        supply: &Supply::There,
        now: noon(),
    };
    let plan = plan(
        batch,
        known,
        &around,
        &mut [CommandNumbers::default()],
        &mut seeded(3),
    );
    let granted = plan.wants().to_vec();
    settle(plan, &granted, minted()).answers.remove(0)
}

/// What a command gave: activity, chances, hundredths of a point.
fn given(answer: &CommandAnswer) -> Vec<(u64, u32, i64)> {
    let orders = answer.as_ref().map_or(&[][..], Made::recharges);
    let of = |order: &crate::recharge::RechargeOrder| {
        let activity = order.activity.expect("an activity").get();
        let points = order.points.map_or(0, Amount::hundredths);
        (activity, order.chances, points)
    };
    orders.iter().map(of).collect()
}

#[test]
fn what_a_full_account_has_no_room_for_is_left_out() {
    let full_of_chances = Some(Account::new(Chances {
        welcome: u32::MAX,
        month_limit: 1,
        day_limit: 1,
    }));
    let full_of_points = Some(PointsAccount {
        balance: Points::MAX,
        entries: 1,
        frozen: false,
    });
    let signed = |account, points| answered(&two(), sign_in(), account, points);
    let all = [(1, 1, 0), (1, 0, 100), (2, 1, 0), (2, 0, 100)];
    assert_eq!(given(&signed(None, None)), all);
    let chances = signed(None, full_of_points);
    assert_eq!(given(&chances), [(1, 1, 0), (2, 1, 0)]);
    let points = signed(full_of_chances, None);
    assert_eq!(given(&points), [(1, 0, 100), (2, 0, 100)]);
    // Where nothing is left, the first reason is the answer.
    let neither = signed(full_of_chances, full_of_points);
    assert_eq!(neither, Err(Refusal::TooManyChances));
    let reported = answered(&two(), report(), None, full_of_points);
    assert_eq!(reported, Err(Refusal::TooManyPoints));
}

#[test]
fn an_activity_that_is_switched_off_rewards_nothing_and_the_others_do() {
    let signed = |catalogue: &Catalogue| given(&answered(catalogue, sign_in(), None, None));
    let reported = |catalogue: &Catalogue| given(&answered(catalogue, report(), None, None));
    let first = [(1, 1, 0), (1, 0, 100)];
    let both = [(1, 0, 100), (2, 0, 100)];
    let signin = switched(Switch::Signin, Share::OFF);
    assert_eq!(signed(&signin), first);
    assert_eq!(reported(&signin), both);
    let rewards = switched(Switch::Rewards, Share::OFF);
    assert_eq!(signed(&rewards).len(), 4);
    assert_eq!(reported(&rewards), both[..1]);
    let read_only = switched(Switch::ReadOnly, Share::ON);
    assert_eq!(signed(&read_only), first);
    assert_eq!(reported(&read_only), both[..1]);
}

#[test]
fn offers_name_the_switch_that_keeps_an_activity_back() {
    let of = |catalogue: &Catalogue, behaviour: &str, only: Option<u64>| {
        let behaviour = Behaviour::new(behaviour).expect("a word");
        let only = only.and_then(ActivityId::new);
        let offers = Offers::of(catalogue, &behaviour, only, &user(), noon());
        (offers.any, offers.kept_back, offers.refused_by())
    };
    let all = (true, None, None);
    assert_eq!(of(&two(), "pay", None), all);
    assert_eq!(of(&two(), "nothing", None), (false, None, None));
    for (switch, share, behaviour, other) in [
        (Switch::Signin, Share::OFF, "sign", "pay"),
        (Switch::Rewards, Share::OFF, "pay", "sign"),
    ] {
        let catalogue = switched(switch, share);
        let off = Some(switch);
        assert_eq!(of(&catalogue, behaviour, None), (true, off, None));
        assert_eq!(of(&catalogue, behaviour, Some(2)), (false, off, off));
        assert_eq!(of(&catalogue, behaviour, Some(1)), all);
        assert_eq!(of(&catalogue, other, None), all);
    }
    let catalogue = switched(Switch::ReadOnly, Share::ON);
    let off = Some(Switch::ReadOnly);
    for behaviour in ["sign", "pay"] {
        assert_eq!(of(&catalogue, behaviour, None), (true, off, None));
        assert_eq!(of(&catalogue, behaviour, Some(2)), (false, off, off));
    }
}

#[test]
fn a_sign_in_is_used_up_when_each_activity_that_may_reward_it_has() {
    let today = SignIn::default().on(Day::from_number(20_260_601));
    let today = today.expect("a first day");
    let is_used_up = |catalogue: &Catalogue, signed: &[u64]| {
        let last = |activity: ActivityId| {
            let is_signed = signed.contains(&activity.get());
            if is_signed { today } else { SignIn::default() }
        };
        let ask = SignInAsk { activity: None };
        ask.is_used_up(&user(), catalogue, noon(), last)
    };
    assert!(!is_used_up(&two(), &[]) && !is_used_up(&two(), &[1]));
    assert!(is_used_up(&two(), &[1, 2]));
    // One that is kept back may still be signed in to, later.
    for catalogue in [
        switched(Switch::Signin, Share::OFF),
        switched(Switch::ReadOnly, Share::ON),
    ] {
        assert!(!is_used_up(&catalogue, &[]));
        assert!(is_used_up(&catalogue, &[1]), "as the lane would answer");
    }
    let nothing = catalogue(&campaign().text());
    assert!(is_used_up(&nothing, &[]), "no activity rewards it");
}

#[test]
fn a_command_weighs_what_it_usually_makes() {
    let weight = |catalogue: &Catalogue, command: &Command| command.weight(catalogue, noon);
    assert_eq!(weight(&two(), &sign_in()), 4);
    assert_eq!(weight(&two(), &report()), 2);
    let activity = ActivityId::new(2);
    let one = command("u", "day", Ask::SignIn(SignInAsk { activity }));
    assert_eq!(weight(&two(), &one), 2);
    let off = switched(Switch::Signin, Share::OFF);
    assert_eq!((weight(&off, &sign_in()), weight(&off, &one)), (2, 1));
    let pay = "[[reward]]\nbehavior = \"pay\"\nkind = \"points\"\npoints = 1";
    let published = catalogue(&campaign().section(pay).text());
    assert_eq!(weight(&published, &report()), 1);
    assert_eq!(weight(&published, &sign_in()), 1, "nothing to give");
    assert_eq!(weight(&published, &call("u", "k", 7)), 7);
    assert_eq!(weight(&published, &grant("u", "k", 99)), 1);
}

#[test]
fn prizes_of_a_trial_promise_nothing() {
    let file = |trial: bool| {
        let file = CampaignFile::new(1)
            .between("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
            .chances(9, 9, 9)
            .award(
                Award::new(1, "points", "0.5")
                    .setting("key", "\"user_credit_random\"")
                    .setting("config", "\"1,2\""),
            )
            .award(Award::new(2, "mug", "0.5").setting("key", "\"mail\""));
        if trial {
            file.setting("trial_of", "9").setting("testers", "[\"u\"]")
        } else {
            file
        }
    };
    let promises = |trial: bool| {
        let text = file(trial).text();
        let settled = settled(&text, vec![call("u", "k", 9)], 0, 9, &Supply::There);
        let paid = settled.rows.entries.len();
        let orders = orders(&settled.answers[0]).iter();
        let promises: Vec<_> = orders.map(|order| order.promise).collect();
        (promises, paid)
    };
    let (real, paid) = promises(false);
    assert!(real.contains(&Some(Promise::Delivery)), "{real:?}");
    let of_points = |promise: &&Option<Promise>| matches!(promise, Some(Promise::Points(_)));
    let won = real.iter().filter(of_points).count();
    assert!(won > 0 && won == paid, "{real:?}");
    assert_eq!(promises(true), (vec![Some(Promise::Nothing); 9], 0));
}
