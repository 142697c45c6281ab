//! A shard of four tables, and what tests put into it.
use std::sync::Arc;

use jiff::Timestamp;
use market::batch::{AccountKey, Batch, Known, Rows, Settlement, StockItem, Units};
use market::calendar::Day;
use market::campaign::Catalogue;
use market::chances::Account;
use market::draw::{DrawAsk, Promise, Rule};
use market::{
    ActivityId, Ask, AwardId, Command, DrawCount, MadeCall, Order, OrderId, RequestId, UserId,
};
use router::{OrderNumbers, Run, ShardId, Slot, SlotMap};

use crate::grant::GrantId;
use crate::stock::grants::{Part, Receipt};
use crate::stock::ids::{Epoch, ServerId};
use crate::store::tables::issued::IssuedStatements;
use crate::store::{
    Access, CallKeys, Columns, CommitVerdict, Connection, Database, InDoubtBatch, OnLock,
    PersistError, ShardStore, SqlShard, SqliteFile, StoreError, migrate_shard,
};

pub(crate) const TABLES: u16 = 4;

/// A shard of four tables, and makers of what goes in.
pub(crate) struct Bench<D: Database> {
    pub(crate) database: D,
    pub(crate) store: SqlShard<D>,
    pub(crate) numbers: OrderNumbers,
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::new(text).expect("a user")
}

pub(crate) fn activity() -> ActivityId {
    ActivityId::new(100_301).expect("an id")
}

pub(crate) fn account(used: u32) -> Account {
    Account {
        granted: 100,
        used,
        day: Day::from_number(20_261_121),
        day_used: used,
        month_used: used,
    }
}

pub(crate) fn draw(name: &str, key: &str) -> Command {
    let ask = DrawAsk {
        activity: activity(),
        count: DrawCount::ONE,
    };
    Command {
        user: user(name),
        request: RequestId::new(key).expect("a key"),
        ask: Ask::Draw(ask),
    }
}

pub(crate) fn gather(calls: &[(&str, &str)]) -> Batch {
    let commands = calls.iter().map(|(name, key)| draw(name, key));
    Batch::gather(
        commands.collect(),
        &Catalogue::default(),
        Timestamp::UNIX_EPOCH,
    )
}

impl<D: Database> Bench<D> {
    pub(crate) async fn new(database: D) -> Self {
        migrate_shard(&database, TABLES)
            .await
            .expect("a fresh shard");
        Self::of_run(database, 1)
    }

    /// Another lane on a shard that is there. Each run has ids of its own.
    pub(crate) fn of_run(database: D, run: u32) -> Self {
        let store = SqlShard::new(database.clone(), map(), ShardId::new(0), 0..TABLES);
        Self {
            database,
            store,
            numbers: OrderNumbers::new(Run::new(run).expect("a run")),
        }
    }

    pub(crate) fn order(&mut self, name: &str, key: &str) -> Order {
        let id = self
            .numbers
            .next(Slot::of(name))
            .and_then(OrderId::new)
            .expect("an order id");
        Order {
            id,
            user: user(name),
            request: RequestId::new(key).expect("a key"),
            seq: 0,
            asked: DrawCount::ONE,
            activity: activity(),
            version: 3,
            ordinal: 7,
            day: Day::from_number(20_261_121),
            award: AwardId::new(101).expect("an id"),
            award_title: Arc::from("随机积分 \"1\" \\ '; --"),
            award_index: 8,
            rule: Rule::Luck,
            stocked: true,
            promise: Some(Promise::Delivery),
            config: None,
            created_at: Timestamp::from_millisecond(1_795_000_000_123).expect("a time"),
        }
    }

    /// New accounts and orders of these calls, one unit of award 101 for each.
    pub(crate) fn settlement(&mut self, calls: &[(&str, &str)]) -> Settlement {
        let made: Vec<MadeCall> = calls
            .iter()
            .map(|(name, key)| MadeCall::of_orders([self.order(name, key)]))
            .collect();
        let new = |(name, _): &(&str, &str)| ((user(name), activity()), None, Some(account(1)));
        let item = StockItem::award(activity(), AwardId::new(101).expect("an id"));
        Settlement {
            undecided: Vec::new(),
            answers: Vec::new(),
            used: vec![Units {
                item,
                count: u32::try_from(made.len()).expect("few"),
            }],
            rows: Rows {
                made,
                accounts: calls.iter().map(new).collect(),
                ..Rows::default()
            },
        }
    }

    /// Begins a batch, reads what it needs and looks for its calls; waits for rows that others have
    /// locked.
    pub(crate) async fn prefetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        self.begin(batch, CallKeys::LookUp).await
    }

    /// Begins a batch that makes sure of its keys in this way.
    pub(crate) async fn begin(
        &mut self,
        batch: &Batch,
        keys: CallKeys,
    ) -> Result<Known, StoreError> {
        let fetched = self.store.prefetch(batch, keys, OnLock::Wait, true).await;
        fetched.map(|fetched| fetched.known)
    }

    pub(crate) async fn persist(
        &mut self,
        grant: u64,
        settlement: &Settlement,
    ) -> Result<(), PersistError> {
        self.prefetch(&gather(&[])).await?;
        self.store
            .persist(GrantId(grant), settlement, &receipt::<D>(settlement))
            .await
    }

    /// Has users `a` and `b` draw once, and then `a` once more: its account is changed.
    pub(crate) async fn draw_and_draw_again(&mut self) {
        let first = self.settlement(&[("a", "1"), ("b", "1")]);
        self.persist(1, &first).await.expect("persisted");
        let mut second = self.settlement(&[("a", "2")]);
        change_all(&mut second, account(2));
        self.persist(2, &second).await.expect("persisted");
    }

    pub(crate) async fn verdict(
        &mut self,
        grant: u64,
        settlement: &Settlement,
    ) -> Result<CommitVerdict, StoreError> {
        self.store.verdict(&in_doubt(grant, settlement)).await
    }

    pub(crate) async fn issued(&self) -> i64 {
        let mut connection = self.database.connect().await.expect("a connection");
        let rows = connection
            .rows(IssuedStatements::of(&D::DIALECT).read, "[]")
            .await
            .expect("rows");
        rows.first()
            .map_or(0, |row| row.integer(3).expect("a count"))
    }
}

/// A batch whose commit was sent.
pub(crate) fn in_doubt(grant: u64, settlement: &Settlement) -> InDoubtBatch {
    InDoubtBatch {
        grant: GrantId(grant),
        call: settlement.rows.made[0].call.clone(),
        issues: !settlement.used.is_empty(),
    }
}

/// The orders of earlier calls.
pub(crate) fn orders_of(known: &Known) -> Vec<Vec<Order>> {
    let of_call = |call: &Option<MadeCall>| {
        let orders = call.as_ref().map(|call| call.made.orders().to_vec());
        orders.unwrap_or_default()
    };
    known.calls.iter().map(of_call).collect()
}

/// Has a settlement change its accounts to this, instead of adding them.
pub(crate) fn change_all(settlement: &mut Settlement, now: Account) {
    let accounts = settlement.rows.accounts.written_rows();
    let changed = |(key, _): (&AccountKey, _)| (key.clone(), Some(account(0)), Some(now));
    settlement.rows.accounts = accounts.map(changed).collect();
}

/// Units out of the stock that goes with the database: memory beside SQLite, servers beside others.
pub(crate) fn receipt<D: Database>(settlement: &Settlement) -> Receipt {
    let server = if D::DIALECT.lane_per_table {
        ServerId(1)
    } else {
        ServerId::NONE
    };
    let part = |units: &Units| Part {
        server,
        item: units.item,
        segment: 0,
        count: units.count,
    };
    let epochs = (server != ServerId::NONE).then_some((server, Epoch(0)));
    Receipt {
        used: settlement.used.iter().map(part).collect(),
        epochs: epochs.into_iter().collect(),
        ..Receipt::default()
    }
}

/// The number of a user's table.
pub(crate) fn table_of(name: &str) -> u16 {
    map().route(name).table().get()
}

pub(crate) fn map() -> SlotMap {
    SlotMap::even(1, 1, TABLES).expect("a map")
}

/// Calls of different users, each made whole.
pub(crate) fn calls_for<D: Database>(
    bench: &mut Bench<D>,
    calls: &[(&str, &str, u8)],
) -> Settlement {
    let names: Vec<(&str, &str)> = calls.iter().map(|&(name, key, _)| (name, key)).collect();
    let mut settlement = bench.settlement(&names);
    for (made, &(name, key, asked)) in settlement.rows.made.iter_mut().zip(calls) {
        let asked = DrawCount::new(asked).expect("a count");
        let order = |seq| Order {
            seq,
            asked,
            ..bench.order(name, key)
        };
        *made = MadeCall::of_orders((0..asked.get()).map(order).collect::<Vec<_>>());
    }
    settlement.used[0].count = u32::try_from(settlement.rows.orders().count()).expect("few");
    settlement
}

/// Changes what a settlement has drawn, and its calls with it.
pub(crate) fn change_orders(settlement: &mut Settlement, change: impl Fn(&mut Order)) {
    for made in &mut settlement.rows.made {
        let mut changed = made.made.orders().to_vec();
        changed.iter_mut().for_each(&change);
        *made = MadeCall::of_orders(changed);
    }
}

pub(crate) fn sqlite() -> (tempfile::TempDir, SqliteFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = SqliteFile {
        path: folder.path().join("shard-0.sqlite"),
        access: Access::Create,
    };
    (folder, file)
}
