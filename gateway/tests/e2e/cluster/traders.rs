//! Users who sign in, buy chances and are rewarded for payments beside the draws: each call several
//! times, and many calls of one user at once. They ask again for what they got no answer to. At the end what is stored is what
//! was answered.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::random::SplitMix64;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::client::PASSING;
use crate::support::cluster::SETTLED;
use crate::support::{Cluster, Connection, Envelope, Request, shop};

/// The activity that they trade in. Its prizes are points.
pub const ACTIVITY: u64 = 200_005;

const SKU: u64 = 9_905;

/// Calls of one user that are sent at once. One of each deal is sent twice.
const AT_ONCE: u64 = 10;

const PAUSE: Duration = Duration::from_millis(60);

/// An answer that takes longer is not waited for.
const ANSWERED_MAX: Duration = Duration::from_secs(3);

/// Its campaign file.
pub fn campaign() -> String {
    format!(
        r#"format = 1

[activity]
id = {ACTIVITY}
name = "Trade"
begins_at = 2020-01-01T00:00:00+08:00
ends_at = 2100-01-01T00:00:00+08:00
state = "open"
time_zone = "Asia/Shanghai"

[chances]
welcome = 100000
day_limit = 100000
month_limit = 100000

[[sku]]
id = {SKU}
stock = 100000
price_minor = 70
chances = 1

[[reward]]
behavior = "sign"
kind = "chances"
sku = {SKU}

[[reward]]
behavior = "sign"
kind = "points"
points = "10"

[[reward]]
behavior = "openai_pay"
kind = "points"
points = "0.50"

[strategy]
id = {ACTIVITY}

[[award]]
id = 101
title = "points"
sort = 1
rate = 1
key = "user_credit_random"
config = "0.01,2"
"#
    )
}

/// Lets the gateways of a cluster accept reports of payments.
pub async fn accept_reports(cluster: &Cluster) {
    let key = cluster.file("shop.key", shop::KEY);
    for gateway in cluster.gateway_names() {
        let app = format!("[[app]]\nid = \"shop\"\nkey_files = [{key:?}]\n");
        cluster.reconfigure(&gateway, &app).await;
    }
}

/// A call that moves points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Trade {
    user: String,
    key: String,
    deal: Deal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Deal {
    SignIn,
    Purchase,
    Payment,
}

impl Deal {
    /// One of a user's calls at once.
    const fn of(number: u64) -> Self {
        match number {
            0 | 1 => Self::SignIn,
            2 | 3 => Self::Payment,
            _ => Self::Purchase,
        }
    }

    /// Refusals for good: a second sign-in of the day, and a purchase without points. A refused
    /// purchase may be asked for again.
    fn may_be_refused_with(self, code: &str) -> bool {
        match self {
            Self::SignIn => code == "0003",
            Self::Purchase => code == "ERR_CREDIT_001",
            Self::Payment => false,
        }
    }

    /// That of a row of results; `None` for the chances of a sign-in, which has points too.
    fn of_row(row: &Value) -> Option<Self> {
        match (row["kind"].as_str()?, row["behaviour"].as_str()) {
            ("credit_pay_trade", _) => Some(Self::Purchase),
            (_, Some("sign")) => (!row["points"].is_null()).then_some(Self::SignIn),
            (_, Some(_)) => Some(Self::Payment),
            _ => None,
        }
    }
}

impl Trade {
    fn request(&self) -> Request {
        let user = &self.user;
        let request = match self.deal {
            Deal::Payment => return shop::signed(&shop::report(user, "openai_pay", &self.key)),
            Deal::Purchase => {
                let body = json!({"userId": user, "sku": SKU});
                Request::json("activity/credit_pay_exchange_sku", &body)
            }
            Deal::SignIn => {
                let path = "activity/calendar_sign_rebate";
                Request::new(
                    "POST",
                    &format!("{path}?userId={user}&activityId={ACTIVITY}"),
                )
            }
        };
        request.header("Idempotency-Key", &*self.key)
    }
}

/// The users, and what they know.
#[derive(Debug)]
pub struct Traders {
    doors: Vec<SocketAddr>,
    users: Vec<String>,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    answers: HashMap<Trade, Envelope>,
    refused: usize,
    unanswered: Vec<Trade>,
}

/// Users who trade until they are stopped.
#[derive(Debug)]
pub struct Trading {
    traders: Arc<Traders>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Traders {
    /// Begins to trade.
    pub fn start(doors: Vec<SocketAddr>, users: Vec<String>, seed: u64) -> Trading {
        let traders = Arc::new(Self {
            doors,
            users,
            ledger: Mutex::default(),
        });
        let stop = watch::Sender::new(false);
        let task = tokio::spawn(traders.clone().trade(seed, stop.subscribe()));
        Trading {
            traders,
            stop,
            task,
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no panic while it was held")
    }

    async fn trade(self: Arc<Self>, seed: u64, stop: watch::Receiver<bool>) {
        let (mut random, mut under_way) = (SplitMix64::new(seed ^ 5), JoinSet::new());
        let mut round = 0_u64;
        while !*stop.borrow() {
            round += 1;
            let mut below =
                |bound: usize| usize::try_from(random.below(bound as u64)).expect("a place");
            let user = self.users[below(self.users.len())].clone();
            let again = std::mem::take(&mut self.ledger().unanswered);
            let fresh = (0..AT_ONCE).map(|number| Trade {
                user: user.clone(),
                key: format!("{seed:x}-trade-{round}-{number}"),
                deal: Deal::of(number),
            });
            let fresh: Vec<Trade> = fresh.collect();
            let twice = [fresh[0].clone(), fresh[2].clone(), fresh[4].clone()];
            for trade in fresh.into_iter().chain(twice).chain(again) {
                let door = below(self.doors.len());
                under_way.spawn(self.clone().attempt(trade, door));
            }
            sleep(PAUSE).await;
            while let Some(done) = under_way.try_join_next() {
                done.expect("an attempt");
            }
        }
        under_way.join_all().await;
    }

    /// Asks once.
    async fn attempt(self: Arc<Self>, trade: Trade, door: usize) {
        let asked = timeout(ANSWERED_MAX, self.exchange(&trade, door)).await;
        let mut ledger = self.ledger();
        match asked.ok().flatten() {
            Some(answer) if answer.code == "0000" => {
                let before = ledger
                    .answers
                    .entry(trade)
                    .or_insert_with(|| answer.clone());
                assert_eq!(answer.body, before.body, "two answers for one key");
            }
            Some(answer) if trade.deal.may_be_refused_with(&answer.code) => {
                ledger.refused += 1;
            }
            other => {
                let passes = |answer: &Envelope| PASSING.contains(&&*answer.code);
                assert!(other.as_ref().is_none_or(passes), "{trade:?}: {other:?}");
                if !ledger.answers.contains_key(&trade) {
                    ledger.unanswered.push(trade);
                }
            }
        }
    }

    /// `None` where the outcome is not known.
    async fn exchange(&self, trade: &Trade, door: usize) -> Option<Envelope> {
        let mut connection = Connection::open(self.doors[door]).await.ok()?;
        let response = connection.exchange(&trade.request()).await.ok()?;
        Some(response.envelope())
    }

    /// Asks for all that was not answered, until it is.
    async fn answer_all(self: &Arc<Self>) {
        let begun = Instant::now();
        loop {
            let unanswered = std::mem::take(&mut self.ledger().unanswered);
            if unanswered.is_empty() {
                return;
            }
            let left = unanswered.len();
            assert!(begun.elapsed() < SETTLED, "{left} trades are not answered");
            for (place, trade) in unanswered.into_iter().enumerate() {
                self.clone().attempt(trade, place % self.doors.len()).await;
            }
            sleep(PAUSE).await;
        }
    }

    /// How many deals were answered; by user.
    fn answered(&self) -> HashMap<(String, Deal), u64> {
        let mut answered = HashMap::new();
        for trade in self.ledger().answers.keys() {
            *answered
                .entry((trade.user.clone(), trade.deal))
                .or_default() += 1;
        }
        answered
    }
}

impl Trading {
    /// Stops, and checks that what is stored is what was answered: no purchase and no reward more,
    /// and none less. The audit checks what belongs together.
    pub async fn settle(self, cluster: &Cluster) {
        self.stop.send_replace(true);
        self.task.await.expect("the traders' checks hold");
        self.traders.answer_all().await;
        let answered = self.traders.answered();
        let refused = self.traders.ledger().refused;
        println!(
            "{} users traded, {refused} trades were refused",
            answered.len()
        );
        assert!(answered.len() > 10 && refused > 10, "too little happened");
        let activity = ACTIVITY.to_string();
        let words = [
            "results",
            &activity,
            "--kind",
            "recharges",
            "--format",
            "ndjson",
        ];
        let mut stored: HashMap<(String, Deal), u64> = HashMap::new();
        for line in cluster.run(&words).await.ok().lines() {
            let row: Value = serde_json::from_str(line).expect("JSON");
            let user = row["userId"].as_str().expect("a user").to_owned();
            if let Some(deal) = Deal::of_row(&row) {
                *stored.entry((user, deal)).or_default() += 1;
            }
        }
        assert_eq!(stored, answered);
    }
}
