//! The same users, moments and random numbers through batches, as lanes execute them.
use std::collections::HashMap;

use super::super::run::numbers;
use super::*;
use crate::batch::{Batch, Circumstances, Known, Supply, plan, settle};
use crate::campaign::{Catalogue, Published};
use crate::chances::Account;
use crate::command::draw::{DrawAsk, DrawCount, Order, Rule};
use crate::command::{Ask, Command, Made};
use crate::ids::{OrderId, RequestId};
use crate::random::{CommandNumbers, Randomness};
use crate::units::StockItem;

const DEMO: &str = include_str!("../../../../deploy/campaigns/100301.toml");

/// What lanes made of a run.
#[derive(Default)]
struct Executed {
    orders: Vec<Order>,
    refused: Vec<(Refusal, u64)>,
}

/// Executes a run: one batch for each draw, in the order of the forecast.
fn execute(forecast: &Forecast, number: u32) -> Executed {
    let mut random = numbers(forecast.seed(), number);
    let (campaign, turnout) = (forecast.campaign(), forecast.turnout());
    let catalogue = Catalogue::new([Published {
        version: 1,
        campaign: campaign.clone(),
    }]);
    let activity = campaign.activity.id;
    let limited = campaign.strategy.awards.iter().filter_map(|award| {
        let item = StockItem::award(activity, award.id);
        Some((item, award.count?))
    });
    let mut stock: HashMap<StockItem, u64> = limited.collect();
    let users = turnout.users() as usize;
    let mut accounts: Vec<Option<Account>> = vec![None; users];
    let limits = campaign.strategy.user_limits().len();
    let mut given: Vec<Vec<Option<u32>>> = vec![vec![None; limits]; users];
    let mut order: Vec<usize> = (0..users).collect();
    let mut executed = Executed::default();
    for draw in 0..turnout.draws() {
        let turn = usize::try_from(draw).expect("small") % users;
        let others = random.below((users - turn) as u64);
        order.swap(turn, turn + usize::try_from(others).expect("small"));
        let user = order[turn];
        let day = draw * u64::from(turnout.days()) / turnout.draws();
        let now = forecast.moment(u32::try_from(day).expect("small"));
        let command = Command {
            user: forecast.user(user).clone(),
            request: RequestId::new(&draw.to_string()).expect("a key"),
            ask: Ask::Draw(DrawAsk {
                activity,
                count: DrawCount::ONE,
            }),
        };
        let batch = Batch::gather(vec![command], &catalogue, now);
        let known = Known {
            accounts: vec![accounts[user]],
            user_awards: given[user].clone(),
            ..Known::nothing(batch.needs())
        };
        let around = Circumstances {
            catalogue: &catalogue,
            supply: &Supply::There,
            now,
        };
        let mut own = [CommandNumbers::default()];
        let plan = plan(batch, known, &around, &mut own, &mut random);
        let mut granted = plan.wants().to_vec();
        for units in &mut granted {
            let left = stock[&units.item];
            units.count = units.count.min(u32::try_from(left).unwrap_or(u32::MAX));
        }
        let settled = settle(plan, &granted, |_, _| {
            OrderId::new(draw + 1).expect("above 0")
        });
        for units in settled.used {
            *stock.get_mut(&units.item).expect("limited") -= u64::from(units.count);
        }
        for (_, account) in settled.rows.accounts.written_rows() {
            accounts[user] = Some(*account);
        }
        for ((.., award), now) in settled.rows.user_awards.written_rows() {
            let mut limits = campaign.strategy.user_limits().iter();
            let nth = limits.position(|limit| campaign.strategy.award(limit.award).id == *award);
            given[user][nth.expect("it has a limit")] = Some(*now);
        }
        match &settled.answers[0] {
            Ok(Made::Draws(orders)) => executed.orders.extend(orders.iter().cloned()),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => match executed
                .refused
                .iter_mut()
                .find(|(known, _)| known == refusal)
            {
                Some((_, count)) => *count += 1,
                None => executed.refused.push((*refusal, 1)),
            },
        }
    }
    executed
}

fn assert_same(forecast: &Forecast, number: u32) {
    let figures = run(forecast, number).figures;
    let Executed { orders, refused } = execute(forecast, number);
    assert_eq!(
        (figures.made, &figures.refused),
        (orders.len() as u64, &refused)
    );
    for (award, counts) in forecast
        .campaign()
        .strategy
        .awards
        .iter()
        .zip(&figures.awards)
    {
        let of = |counts: &dyn Fn(&Order) -> bool| {
            let orders = orders.iter().filter(|order| order.award == award.id);
            orders.filter(|order| counts(order)).count() as u64
        };
        assert_eq!(counts.given, of(&|_| true), "award {}", award.id);
        assert_eq!(counts.as_fallback, of(&|order| order.rule == Rule::Luck));
        let issued = of(&|order| order.stocked || award.count.is_none());
        assert_eq!(counts.issued, issued, "award {}", award.id);
    }
}

#[test]
fn a_run_is_what_lanes_make_of_the_same_draws() {
    // Each of the three kinds of prizes runs out, locks open, listed users draw.
    let text = DEMO
        .replacen("count = 100\n", "count = 7\n", 5)
        .replacen("welcome = 100 ", "welcome = 25 ", 1)
        .replacen("day_limit = 100\n", "day_limit = 6\n", 1);
    let campaign = Campaign::parse(&text).expect("a valid campaign");
    let forecast = Forecast::new(&campaign, turnout(60, 30, 6), 11);
    let figures = run(&forecast, 0).figures;
    assert!(figures.awards.iter().any(|award| award.gone > 0));
    assert!(figures.awards.iter().any(|award| award.locked > 0));
    assert!(figures.guarantees[0].reached == 57 && !figures.refused.is_empty());
    for number in 0..3 {
        assert_same(&forecast, number);
    }
    let small = super::forecast(&locked(30, 2).chances(9, 4, 8), turnout(20, 12, 5));
    assert_same(&small, 0);
}

#[test]
fn limits_for_one_user_are_those_of_lanes() {
    let limited = |id, rate: &str, most: u32| {
        Award::new(id, "prize", rate).setting("per_user", &most.to_string())
    };
    let file = CampaignFile::new(7)
        .weight(6, &[1, 3])
        .award(limited(1, "0.5", 2).count(90, "locked"))
        .award(Award::new(2, "points", "0.2"))
        .award(limited(3, "0.3", 1).setting("tree", "\"stock\""))
        .award(Award::luck())
        .tree(Tree::locked("locked", 2, CampaignFile::LUCK, None))
        .tree(Tree::stock("stock", CampaignFile::LUCK, None));
    let forecast = super::forecast(&file, turnout(60, 20, 4));
    let figures = run(&forecast, 0).figures;
    let [mug, _, voucher, _] = &figures.awards[..] else {
        panic!("{figures:?}");
    };
    assert!(mug.locked > 0 && mug.gone > 0 && mug.limited > 0);
    assert!(voucher.limited > 0 && voucher.given == 60, "{voucher:?}");
    for number in 0..3 {
        assert_same(&forecast, number);
    }
}
