//! The cost of the parts of a draw, without sockets and stores: `make bench-micro`.
//!
//! Each bench is a pure computation with seeded inputs. For a bench with many draws, the items of
//! the report are draws.
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use divan::Bencher;
use divan::counter::ItemsCount;
use gateway::measured::{Endpoint, Limit, LimitConfig, LimitMetrics, Limits};
use jiff::Timestamp;
use market::batch::{Batch, Circumstances, Known, Supply, plan, settle};
use market::calendar::Day;
use market::campaign::{Campaign, Catalogue, Published, Turnout};
use market::chances::Account;
use market::draw::{DrawAsk, Drawer, decide};
use market::forecast::{Buffers, Forecast};
use market::odds::{Pool, Rate};
use market::random::CommandNumbers;
use market::switches::{Setting, Switch, Switches};
use market::{ActivityId, Ask, Command, DrawCount, OrderId, RequestId, UserId};
use router::SlotMap;
use testkit::random::seeded;

const LOAD: &str = include_str!("../../deploy/campaigns/load.toml");
/// Blacklist, weights and trees with locks.
const RULES: &str = include_str!("../../deploy/campaigns/100401.toml");

fn main() {
    divan::main();
}

fn noon() -> Timestamp {
    "2026-06-01T12:00:00+08:00".parse().expect("a time")
}

fn campaign(text: &str) -> Campaign {
    Campaign::parse(text).expect("a shipped campaign")
}

fn users(count: usize) -> Vec<UserId> {
    (0..count)
        .map(|number| UserId::new(&format!("u{number}")).expect("a user"))
        .collect()
}

/// The draw of one prize out of this many.
#[divan::bench(args = [10, 100, 1_000])]
fn alias_draw(bencher: Bencher, prizes: u32) {
    let rates: Vec<Rate> = (1..=prizes)
        .map(|number| format!("0.{number:06}").parse().expect("a rate"))
        .collect();
    let pool = Pool::new(&rates).expect("a pool");
    let mut random = seeded(1);
    bencher.bench_local(|| pool.draw(&mut random));
}

/// All rules of one draw: window, chances, chain, odds, tree. The user has made `used` draws.
#[divan::bench(args = [0, 5, 50])]
fn chain_and_tree(bencher: Bencher, used: u32) {
    let campaign = campaign(RULES);
    let user = &users(1)[0];
    let now = noon();
    let day = Day::of(now, &campaign.activity.time_zone);
    let account = Account {
        used,
        day,
        day_used: used,
        ..Account::new(campaign.chances)
    };
    let mut random = seeded(2);
    bencher.bench_local(|| {
        let decision = decide(
            &campaign,
            Drawer::not_listed(user),
            black_box(account),
            now,
            &mut random,
        )
        .expect("chances");
        decision.conclude(&campaign.strategy, true)
    });
}

/// A run of a forecast on one core: 20 draws of each of these users, under all rules.
#[divan::bench(args = [1_000, 100_000])]
fn forecast_run(bencher: Bencher, users: u32) {
    let turnout = Turnout::new(users, 20, 7).expect("a turnout");
    let forecast = Forecast::new(&campaign(RULES), turnout, 1);
    let mut buffers = Buffers::default();
    bencher
        .counter(ItemsCount::new(turnout.draws()))
        .bench_local(|| forecast.run(0, &mut buffers, |_| ()));
}

/// A user's shard and table.
#[divan::bench]
fn route(bencher: Bencher) {
    let map = SlotMap::even(1, 16, 4).expect("a map");
    bencher.bench_local(|| map.route(black_box("u8419370")));
}

/// The switches of a draw, while one of them is on for a share of the users.
#[divan::bench]
fn switches(bencher: Bencher) {
    let (share, observe) = Setting::parse_value("30%").expect("a share");
    let switches = Switches::new([Setting {
        switch: Switch::FallbackOnly,
        activity: None,
        share,
        observe,
        expires_at: None,
    }]);
    let user = &users(1)[0];
    let (activity, now) = (ActivityId::new(200_001).expect("an id"), noon());
    bencher.bench_local(|| {
        [Switch::ReadOnly, Switch::Draw, Switch::FallbackOnly]
            .map(|switch| switches.effect(switch, Some(activity), black_box(user), now))
    });
}

fn limits(per_second: &str) -> Limits {
    let limit = Some(Limit::new(
        per_second.parse().expect("a rate"),
        Some(NonZeroU32::MAX),
        false,
    ));
    let config = LimitConfig {
        gateway: limit,
        routes: vec![limit; Endpoint::ALL.len()],
        address: limit,
        user: limit,
        cooldown: None,
        keys_max: 1_000_000,
    };
    Limits::new(
        &config,
        LimitMetrics::new(&prometheus::Registry::new()).expect("metrics"),
    )
}

/// The limits of gateway, route and address, without refusals.
#[divan::bench]
fn limits_before_the_body(bencher: Bencher) {
    let limits = limits("1000000");
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    bencher.bench_local(|| limits.admit(Some(Endpoint::Draw), || black_box(address)));
}

/// The limit of users, which knows this many.
#[divan::bench(args = [1, 1_000, 100_000])]
fn limit_of_users(bencher: Bencher, known: usize) {
    let limits = limits("1000");
    let users = users(known);
    for user in &users {
        limits.admit_user(Endpoint::Draw, user).expect("a token");
    }
    let mut next = users.iter().cycle();
    bencher.bench_local(|| limits.admit_user(Endpoint::Draw, next.next().expect("it has no end")));
}

/// Gather, plan and settle a lane's batch of calls by different users.
#[divan::bench(args = [1, 16, 256])]
fn plan_and_settle(bencher: Bencher, calls: usize) {
    plan_and_settle_calls(bencher, calls, DrawCount::ONE);
}

/// The same with ten draws in each call.
#[divan::bench(args = [1, 16, 256])]
fn plan_and_settle_tens(bencher: Bencher, calls: usize) {
    plan_and_settle_calls(bencher, calls, DrawCount::MAX);
}

fn plan_and_settle_calls(bencher: Bencher, calls: usize, count: DrawCount) {
    let campaign = campaign(LOAD);
    let activity = campaign.activity.id;
    let chances = campaign.chances;
    let catalogue = Catalogue::new([Published {
        version: 1,
        campaign,
    }]);
    let (users, now) = (users(calls), noon());
    let keys: Vec<RequestId> = (0..calls)
        .map(|key| RequestId::new(&format!("{key:032x}")).expect("a key"))
        .collect();
    let mut random = seeded(3);
    let mut minted = 0;
    bencher
        .counter(ItemsCount::new(calls * usize::from(count.get())))
        .with_inputs(|| {
            let command = |(user, request): (&UserId, &RequestId)| Command {
                user: user.clone(),
                request: request.clone(),
                ask: Ask::Draw(DrawAsk { activity, count }),
            };
            let commands: Vec<_> = users.iter().zip(&keys).map(command).collect();
            let numbers: Vec<_> = (0..calls).map(|_| CommandNumbers::default()).collect();
            (commands, numbers)
        })
        .bench_local_values(|(commands, mut numbers)| {
            let batch = Batch::gather(commands, &catalogue, now);
            let known = Known {
                accounts: vec![Some(Account::new(chances)); batch.needs().accounts.len()],
                ..Known::nothing(batch.needs())
            };
            let around = Circumstances {
                catalogue: &catalogue,
                supply: &Supply::There,
                now,
            };
            let plan = plan(batch, known, &around, &mut numbers, &mut random);
            let granted = plan.wants().to_vec();
            settle(plan, &granted, |_, _| {
                minted += 1;
                OrderId::new(minted).expect("above 0")
            })
        });
}
