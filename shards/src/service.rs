//! The shards as the gateway sees them: one call per command, whatever lies beneath.
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use market::batch::Draw;
use market::campaign::Catalogue;
use market::chances::Account;
use market::{ActivityId, Order, UserId};
use router::{Route, SlotMap};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::lane::{Entrance, Patience};
use crate::metrics::Metrics;
use crate::reads::{Found, OrderKey, Question, Reads};
use crate::shares::Shares;
use crate::store::StoreError;
use crate::switches::{PastChange, SwitchChange, SwitchStore};
use crate::{DrawError, ReadError};

/// The lanes and readers of all shards, and the campaigns they follow.
pub struct Shards {
    pub(crate) map: SlotMap,
    /// By shard, or by shard and table where each table has a lane of its own.
    pub(crate) lanes: Vec<Entrance>,
    pub(crate) lane_per_table: bool,
    pub(crate) readers: Vec<Box<dyn Reads>>,
    pub(crate) shares: Shares,
    pub(crate) catalogue: Arc<ArcSwap<Catalogue>>,
    pub(crate) switches: Arc<dyn SwitchStore>,
    pub(crate) patience: Patience,
    pub(crate) metrics: Metrics,
    pub(crate) stop: watch::Sender<bool>,
    /// The lanes' tasks, until somebody waits for their end.
    pub(crate) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Shards {
    /// Makes a draw and answers once it is committed.
    pub async fn draw(&self, draw: Draw) -> Result<Arc<Order>, DrawError> {
        let route = self.route(&draw.user);
        let _place = self.shares.enter(route.shard()).ok_or(DrawError::QueueFull)?;
        self.lanes[self.lane_index(route)].submit(draw)?.answer(self.patience).await
    }

    /// A user's chances in an activity; `None` when the user has never drawn there.
    pub async fn account(&self, user: &UserId, activity: ActivityId) -> Result<Option<Account>, ReadError> {
        Ok(self.ask(user, Question::Account(user.clone(), activity)).await?.account)
    }

    /// A draw that was made earlier.
    pub async fn order(&self, user: &UserId, key: OrderKey) -> Result<Option<Order>, ReadError> {
        Ok(self.ask(user, Question::Order(user.clone(), key)).await?.order)
    }

    /// The campaigns and switches of the moment.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// Sets a switch; this process obeys at once, others within a second.
    pub async fn set_switch(&self, change: &SwitchChange) -> Result<(), StoreError> {
        self.switches.set(change, Timestamp::now()).await?;
        let switches = self.switches.switches().await?;
        self.catalogue.rcu(|catalogue| catalogue.switched(switches.clone()));
        Ok(())
    }

    /// The latest changes of switches, newest first.
    pub async fn switch_changes(&self) -> Result<Vec<PastChange>, StoreError> {
        self.switches.changes().await
    }

    /// Brings the gauges up to date, for a scrape.
    pub fn observe(&self) {
        let lanes_per_shard = self.lanes.len() / usize::from(self.map.shards());
        for (shard, lanes) in self.lanes.chunks(lanes_per_shard).enumerate() {
            let sum =
                |each: fn(&Entrance) -> usize| i64::try_from(lanes.iter().map(each).sum::<usize>()).unwrap_or(i64::MAX);
            let shard = shard.to_string();
            self.metrics.queue_commands.with_label_values(&[&shard]).set(sum(Entrance::waiting));
            self.metrics.queue_bound_commands.with_label_values(&[&shard]).set(sum(Entrance::bound));
        }
    }

    /// Takes no more draws, commits what is queued and ends the lanes.
    pub async fn drain(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a lane did not end as it should");
            }
        }
    }

    fn lane_index(&self, route: Route) -> usize {
        if self.lane_per_table {
            shard_index(route) * usize::from(self.map.tables()) + usize::from(route.table().get())
        } else {
            shard_index(route)
        }
    }

    fn route(&self, user: &UserId) -> Route {
        self.map.route(user.as_str())
    }

    async fn ask(&self, user: &UserId, question: Question) -> Result<Found, ReadError> {
        let route = self.route(user);
        let _place = self.shares.enter(route.shard()).ok_or(ReadError::QueueFull)?;
        self.readers[shard_index(route)].ask(route.table(), question).await
    }
}

fn shard_index(route: Route) -> usize {
    route.shard().get().into()
}
