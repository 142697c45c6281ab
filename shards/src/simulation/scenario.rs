//! What a seed may choose: the size of a run and how bad its weather is.
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use market::batch::StockItem;
use market::campaign::{Campaign, Catalogue, Published};
use market::chances::Chances;
use market::{ActivityId, AwardId, Behaviour, Points, SkuId};
use testkit::campaign::{Award, CampaignFile, Tree};

use super::dice::Dice;
use super::disasters::Disaster;
use super::wire::Mishap;
use crate::stock::cluster::Spread;

/// Shards of every run.
pub(super) const SHARDS: u16 = 2;

/// Gateways of every run: two, so that every job has two holders and every user two writers.
pub(super) const GATEWAYS: usize = 2;

/// Chances of both activities.
pub(super) const CHANCES: Chances = Chances {
    welcome: 5,
    day_limit: 3,
    month_limit: 4,
};

/// Two limited items and one without limit: draws are refused while the stock is unavailable, and
/// calls are all or nothing. One limited item: draws get the luck award while the stock is
/// unavailable, and calls make as many draws as there are chances. In each activity there is a prize
/// of which a user gets a few at most.
fn campaigns() -> [CampaignFile; 2] {
    let of_chances = |file: CampaignFile| {
        let Chances {
            welcome,
            day_limit,
            month_limit,
        } = CHANCES;
        file.chances(welcome, day_limit, month_limit)
            .award(
                Award::luck()
                    .setting("key", "\"user_credit_random\"")
                    .setting("config", "\"1,100\""),
            )
            .tree(Tree::stock("tree", CampaignFile::LUCK, Some("1,100")))
            .section("[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = \"20.50\"")
    };
    let refuses = CampaignFile::new(1)
        .named("refuses")
        .award(Award::new(1, "prize", "0.5").count(1, "tree"))
        .award(Award::new(2, "other prize", "0.4").count(1, "tree"))
        .award(
            Award::new(3, "for all", "0.1")
                .setting("tree", "\"tree\"")
                .setting("per_user", "1"),
        );
    let falls_back = CampaignFile::new(2)
        .named("falls back")
        .falling_back()
        .partial()
        .award(
            Award::new(4, "prize", "1")
                .count(1, "tree")
                .setting("per_user", "2"),
        )
        .section("[[sku]]\nid = 4\nstock = 1\nprice_minor = 3000\nchances = 2")
        .section("[[reward]]\nbehavior = \"sign\"\nkind = \"chances\"\nsku = 4")
        .section("[[reward]]\nbehavior = \"pay\"\nkind = \"chances\"\nsku = 4");
    [refuses, falls_back].map(of_chances)
}

/// The activities that are drawn in.
pub(super) fn activities() -> [ActivityId; 2] {
    [1, 2].map(|number| ActivityId::new(number).expect("an id"))
}

/// Whether calls in an activity make all of their draws or none.
pub(super) fn is_all_or_nothing(activity: ActivityId) -> bool {
    activity == activities()[0]
}

/// The items whose stock is limited. All draws of the last one's activity want it. A sku has the
/// same number as an award.
pub(super) fn items() -> [StockItem; 4] {
    let [refuses, falls_back] = activities();
    let award = |activity, award| StockItem::award(activity, AwardId::new(award).expect("an id"));
    [
        award(refuses, 1),
        award(refuses, 2),
        StockItem::sku(falls_back, sku()),
        award(falls_back, 4),
    ]
}

/// The prizes of which a user gets a few at most, and how many.
pub(super) fn user_limits() -> [(ActivityId, AwardId, u32); 2] {
    let [refuses, falls_back] = activities();
    let award = |award| AwardId::new(award).expect("an id");
    [(refuses, award(3), 1), (falls_back, award(4), 2)]
}

/// The sku that is on sale, and whose units rewards give.
pub(super) fn sku() -> SkuId {
    SkuId::new(4).expect("an id")
}

/// What a unit of it costs.
pub(super) fn price() -> Points {
    Points::from_hundredths(3_000).expect("an amount")
}

/// The behaviour that another system reports.
pub(super) fn behaviour() -> Behaviour {
    Behaviour::new("pay").expect("a word")
}

/// What all lanes draw from.
pub(super) fn catalogue() -> Arc<ArcSwap<Catalogue>> {
    static PARSED: OnceLock<Arc<Catalogue>> = OnceLock::new();
    let parsed = PARSED.get_or_init(|| {
        let published = |file: CampaignFile| Published {
            version: 1,
            campaign: Campaign::parse(&file.text()).expect("a valid campaign"),
        };
        Arc::new(Catalogue::new(campaigns().map(published)))
    });
    Arc::new(ArcSwap::new(parsed.clone()))
}

/// How many requests in a thousand go wrong, by their receiver.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Storm {
    pub(super) shards: u64,
    pub(super) servers: u64,
    pub(super) meta: u64,
}

/// The sizes of one run.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) spread: Spread,
    /// Tables of each shard, each with a lane of its own.
    pub(super) tables: u16,
    /// Players, and the users that they are.
    pub(super) players: u64,
    pub(super) users: u64,
    /// Calls of each player.
    pub(super) calls: u64,
    /// How often operators give a user chances.
    pub(super) gifts: u64,
    /// How long the bad weather lasts.
    pub(super) trouble: Duration,
    /// How many requests in a thousand go wrong meanwhile.
    pub(super) storm: Storm,
    pub(super) mishaps: Vec<Mishap>,
    pub(super) disasters: u64,
    /// Which of them there are. Few kinds many times find more than all of them once.
    pub(super) kinds: Vec<Disaster>,
    /// Stock operations, and how many in a thousand are withdrawals.
    pub(super) operations: u64,
    pub(super) withdrawals: u64,
    /// For how many lost connections in a thousand the database notices late.
    pub(super) missed_late: u64,
    /// In how many batches of a thousand a gateway stands still.
    pub(super) standstills: u64,
    /// Whether nothing else goes wrong. Then users who have nothing to do with it are answered
    /// soon.
    pub(super) only_standstills: bool,
    /// The longest pauses of jobs.
    pub(super) reconcile_ms_max: u64,
    pub(super) reclaim_ms_max: u64,
    /// How old receipts become before the job reads them.
    pub(super) receipts_kept: Duration,
    /// Units of each item at the beginning; none of an item that is published later.
    pub(super) units: [u64; 4],
    /// Draws of one batch.
    pub(super) batch_max: usize,
}

/// What a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    /// Anything.
    Any,
    /// Commits that are not confirmed, while their shards become unavailable and return.
    InDoubt,
    /// Units that are added and withdrawn while servers lose theirs.
    Operations,
    /// Gateways that are left alone with a process that was replaced.
    SplitBrain,
    /// Another cluster on the same servers.
    Intruders,
    /// Gateways that stand still with a batch half done.
    Frozen,
    /// Gateways whose clocks are very wrong.
    Clocks,
}

impl Scenario {
    /// The sizes of a run about `theme`, or about anything.
    pub(super) fn of(dice: &mut Dice, theme: Option<Theme>) -> Self {
        let mut scenario = Self::any(dice);
        let themes = [
            Theme::Any,
            Theme::Any,
            Theme::Any,
            Theme::Any,
            Theme::InDoubt,
            Theme::Operations,
            Theme::SplitBrain,
            Theme::Intruders,
            Theme::Frozen,
        ];
        let drawn = themes[dice.place(themes.len())];
        match theme.unwrap_or(drawn) {
            Theme::Any => {}
            Theme::InDoubt => {
                scenario.kinds = vec![Disaster::ShardUnavailable, Disaster::ShardHeld];
                scenario.mishaps = vec![Mishap::Unanswered, Mishap::Unanswered, Mishap::Late];
                scenario.storm = Storm {
                    shards: 100,
                    servers: 100,
                    meta: 20,
                };
                scenario.reclaim_ms_max = 300;
            }
            Theme::Operations => {
                scenario.kinds = vec![Disaster::FlushAll, Disaster::KeyLost, Disaster::ServerHeld];
                scenario.mishaps = vec![Mishap::Late];
                scenario.storm = Storm {
                    shards: 20,
                    servers: 100,
                    meta: 100,
                };
                scenario.operations = 8;
            }
            Theme::SplitBrain => {
                scenario.kinds = vec![Disaster::SplitBrain];
                scenario.mishaps = vec![Mishap::Lost, Mishap::Late];
                scenario.storm = Storm {
                    shards: 0,
                    servers: 200,
                    meta: 0,
                };
                scenario.reclaim_ms_max = 300;
                scenario.receipts_kept = Duration::from_millis(300);
                scenario.units = scenario.units.map(|units| 2 * units);
            }
            Theme::Intruders => {
                scenario.kinds = vec![Disaster::Intruder];
                scenario.storm = Storm {
                    shards: 0,
                    servers: 50,
                    meta: 0,
                };
            }
            Theme::Frozen => {
                scenario.storm = Storm::default();
                scenario.disasters = 0;
                scenario.standstills = 100;
                scenario.only_standstills = true;
            }
            Theme::Clocks => {
                scenario.kinds = vec![Disaster::ClockWrong];
                scenario.disasters = 8;
                scenario.storm = Storm::default();
            }
        }
        scenario
    }

    fn any(dice: &mut Dice) -> Self {
        let servers = u8::try_from(dice.between(1, 2)).expect("small");
        let users = dice.between(4, 7);
        let segments = u16::from(servers) * u16::try_from(dice.between(1, 2)).expect("small");
        Self {
            spread: Spread { segments, servers },
            tables: u16::try_from(dice.between(1, 2)).expect("small"),
            players: users + dice.below(users),
            users,
            calls: dice.between(2, 4),
            gifts: dice.below(4),
            trouble: dice.millis(6_000, 12_000),
            storm: Storm {
                shards: rate(dice),
                servers: rate(dice),
                meta: rate(dice),
            },
            mishaps: some_of(dice, &Mishap::ALL),
            disasters: dice.below(13),
            kinds: some_of(dice, &Disaster::ALL),
            operations: dice.below(7),
            withdrawals: [200, 500, 900][dice.place(3)],
            missed_late: [0, 300, 800][dice.place(3)],
            standstills: [0, 10, 60][dice.place(3)],
            only_standstills: false,
            reconcile_ms_max: [500, 1_200, 3_000][dice.place(3)],
            reclaim_ms_max: [300, 3_000][dice.place(2)],
            receipts_kept: Duration::from_millis([300, 2_000][dice.place(2)]),
            units: [
                dice.between(2, 12),
                dice.between(1, 8),
                dice.between(1, 9),
                dice.below(9),
            ],
            batch_max: dice.place(6) + 1,
        }
    }
}

/// One to four of these, one perhaps more than once.
fn some_of<T: Copy>(dice: &mut Dice, all: &[T]) -> Vec<T> {
    let count = dice.between(1, 4);
    (0..count).map(|_| all[dice.place(all.len())]).collect()
}

fn rate(dice: &mut Dice) -> u64 {
    [0, 20, 60, 120][dice.place(4)]
}
