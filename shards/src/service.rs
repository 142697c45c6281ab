//! The shards as the gateway uses them: one call per command, for every back end.
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use market::batch::StockItem;
use market::campaign::{Campaign, Catalogue};
use market::chances::Account;
use market::draw::DrawAsk;
use market::points::{PointsAccount, PointsEntry};
use market::sign_in::SignIn;
use market::{ActivityId, Command, Made, Order, OrderId, Orders, RequestId, TypedAsk, UserId};
use router::{Route, SlotMap};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::breaker::{BreakerPermit, BreakerRefusal, Breakers, CallOutcome};
use crate::error::{CommandError, ReadError};
use crate::jobs::{JobStatus, Jobs};
use crate::lane::{Entrance, Timeouts};
use crate::meta::{
    AuditEntry, ChangeError, FleetChange, FleetSetting, Followed, Following, Gateway,
    GatewayReport, InstalledMeta, PastSwitchChange, ReportOutcome, SwitchChange, SwitchTo,
};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::reads::{
    FoundPage, FoundRecharges, FoundRecords, LedgerPage, OrderKey, OrdersPage, ReadQuestion, Reads,
    RechargesPage,
};
use crate::results::versions::Versions;
use crate::results::{Effort, Results, ResultsFilter, walks};
use crate::shares::Shares;
use crate::stock::Left;
use crate::stock::live::LiveStock;
use crate::store::StoreError;

/// The lanes and readers of all shards, and the campaigns they follow.
pub struct Shards {
    pub(crate) map: SlotMap,
    /// By shard, or by shard and table when each table has a lane of its own.
    pub(crate) lanes: Vec<Entrance>,
    /// The index of the first of them: a process that executes one user's commands has only that
    /// user's lane.
    pub(crate) first_lane: usize,
    pub(crate) lane_per_table: bool,
    pub(crate) readers: Vec<Box<dyn Reads>>,
    pub(crate) shares: Shares,
    pub(crate) catalogue: Arc<ArcSwap<Catalogue>>,
    pub(crate) meta: InstalledMeta,
    pub(crate) live_stock: LiveStock,
    /// Notifies the other gateways that the meta database has changed. Nothing depends on it: they
    /// read it twice a second.
    pub(crate) announce_change: Box<dyn Fn() + Send + Sync>,
    pub(crate) following: Arc<Following>,
    pub(crate) timeouts: Timeouts,
    pub(crate) breakers: Arc<Breakers>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) metrics: Metrics,
    pub(crate) stop: watch::Sender<bool>,
    /// The lanes' tasks, until a caller waits for their end.
    pub(crate) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Shards {
    /// Makes the draws of a call. Returns when they are committed.
    pub async fn draw(
        &self,
        user: UserId,
        request: RequestId,
        ask: DrawAsk,
    ) -> Result<Orders, CommandError> {
        Ok(self.execute_ask(user, request, ask).await?.0)
    }

    /// Executes what is asked for. Returns what was made when it is committed, and whether an
    /// earlier call under the same key made it.
    pub async fn execute_ask<A: TypedAsk>(
        &self,
        user: UserId,
        request: RequestId,
        ask: A,
    ) -> Result<(A::Made, bool), CommandError> {
        let ask = ask.into();
        let CarriedOut { made, is_repeat } = self.carry_out(Command { user, request, ask }).await?;
        // A key that has another kind is refused as reused, so only rows changed by hand lead here.
        let made = A::made(made).ok_or(CommandError::DataRefused)?;
        Ok((made, is_repeat))
    }

    /// Executes a command. Returns when it is committed.
    pub async fn execute(&self, command: Command) -> Result<Made, CommandError> {
        Ok(self.carry_out(command).await?.made)
    }

    /// The same, and returns whether an earlier call under the same key made the answer.
    pub async fn carry_out(&self, command: Command) -> Result<CarriedOut, CommandError> {
        let route = self.route(&command.user);
        let mut permit = self.breakers.shard(shard_index(route)).admit()?;
        let carried_out = self.enqueue(route, command, &mut permit).await;
        permit.end(verdict_of_command(&carried_out));
        carried_out
    }

    async fn enqueue(
        &self,
        route: Route,
        command: Command,
        permit: &mut BreakerPermit<'_>,
    ) -> Result<CarriedOut, CommandError> {
        let _place = self
            .shares
            .enter(route.shard())
            .ok_or(CommandError::QueueFull)?;
        let mut pending = self.lanes[self.lane_index(route)].submit(command)?;
        let answer = pending.answer(self.timeouts).await;
        // Waiting in the queue does not make a shard slow: under overload all commands wait there.
        // Nor do the locks of other processes.
        permit.waited(pending.queued() + pending.held_up());
        Ok(CarriedOut {
            made: answer?,
            is_repeat: !pending.made_now(),
        })
    }

    /// A user's chances in an activity; `None` when the user has never drawn there.
    pub async fn account(
        &self,
        user: &UserId,
        activity: ActivityId,
    ) -> Result<Option<Account>, ReadError> {
        Ok(self
            .ask(user, ReadQuestion::Account(user.clone(), activity))
            .await?
            .account)
    }

    /// A user's points; `None` for a user who never had any.
    pub async fn points(&self, user: &UserId) -> Result<Option<PointsAccount>, ReadError> {
        let found = self.ask(user, ReadQuestion::Points(user.clone())).await?;
        Ok(found.points)
    }

    /// A page of the entries of a user's ledger, the newest first, and whether there are more.
    pub async fn ledger(
        &self,
        user: &UserId,
        page: LedgerPage,
    ) -> Result<(Vec<PointsEntry>, bool), ReadError> {
        let question = ReadQuestion::Ledger(user.clone(), page);
        let mut entries = self.ask(user, question).await?.entries;
        let more = entries.len() > page.size.get();
        entries.truncate(page.size.get());
        Ok((entries, more))
    }

    /// When a user last signed in, by activity.
    pub async fn sign_ins(&self, user: &UserId) -> Result<Vec<(ActivityId, SignIn)>, ReadError> {
        let found = self.ask(user, ReadQuestion::SignIns(user.clone())).await?;
        Ok(found.sign_ins)
    }

    /// Earlier draws, in the order in which they were made.
    pub async fn orders(&self, user: &UserId, key: OrderKey) -> Result<Vec<Order>, ReadError> {
        Ok(self
            .ask(user, ReadQuestion::Order(user.clone(), key))
            .await?
            .orders)
    }

    /// An order of any user; its id carries the user's slot. None where there is none.
    pub async fn order_of_anyone(&self, order: OrderId) -> Result<Vec<Order>, ReadError> {
        let route = self.map.route_slot(router::slot_of(order.get()));
        let found = self.ask_at(route, ReadQuestion::OrderOfAnyone(order));
        Ok(found.await?.orders)
    }

    /// A page of a user's draws, the newest first; `None` when it is to begin behind a draw that
    /// the user has not made there.
    pub async fn orders_page(
        &self,
        user: &UserId,
        page: OrdersPage,
    ) -> Result<Option<FoundPage>, ReadError> {
        Ok(self
            .ask(user, ReadQuestion::Page(user.clone(), page))
            .await?
            .page)
    }

    /// A page of what a user was given or has bought beside prizes, the newest first; `None` when
    /// it is to begin behind a recharge order that is not the user's.
    pub async fn recharges_page(
        &self,
        user: &UserId,
        page: RechargesPage,
    ) -> Result<Option<FoundRecharges>, ReadError> {
        let question = ReadQuestion::Recharges(user.clone(), page);
        Ok(self.ask(user, question).await?.recharges)
    }

    /// What was made, over all shards, read beside the draws.
    pub fn results(&self, filter: ResultsFilter, effort: Effort) -> Results<'_> {
        let walks = walks(&self.map, |shard, table| {
            self.readers[usize::from(shard)].walk(table, effort.rows_max)
        });
        Results::new(walks, filter, effort, &self.meta)
    }

    /// The version of the campaign under which an order was drawn, if it can be read.
    pub async fn version_of(&self, order: &Order) -> Result<Option<Arc<Campaign>>, StoreError> {
        Versions::new(&self.meta, Some(order.activity))
            .of_order(order)
            .await
    }

    /// Each item's total: what was published and added, less what was withdrawn.
    pub async fn stock_totals(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        self.meta.totals().await
    }

    /// What was left of each item when a running server last said so.
    pub async fn stock_last_left(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        self.meta.last_left().await
    }

    /// How many units of a limited item can be taken, as far as this gateway knows. Never waits and
    /// never fails: while the stock is unavailable the last known number stands, with its age.
    pub fn left(&self, item: StockItem) -> Left {
        self.live_stock.left(item)
    }

    /// All units of a limited item, as this gateway last read it: what was published and added, less
    /// what was withdrawn.
    pub fn stock_total(&self, item: StockItem) -> Option<u64> {
        self.following.total(item)
    }

    /// Sees to it that [`Shards::left`] knows the present. Its cost does not grow with the calls.
    /// Waits for a fifth of a second at most.
    pub async fn refresh_left(&self) {
        self.live_stock.refresh().await;
    }

    /// The present campaigns and switches, for short use only.
    pub fn catalogue(&self) -> Guard<Arc<Catalogue>> {
        self.catalogue.load()
    }

    /// Changes a switch. This process obeys at once, others within a second. Returns the revision
    /// of the change.
    pub async fn change_switch(&self, change: &SwitchChange) -> Result<u64, ChangeError> {
        let changed = self.meta.change_switch(change, Timestamp::now()).await;
        self.announce();
        let revision = changed?;
        // It is set. If it cannot be read back now, this process follows later, as all others do.
        if let Ok(switches) = self.meta.switches().await {
            self.catalogue
                .rcu(|catalogue| catalogue.switched(&switches));
        }
        Ok(revision)
    }

    /// Changes a switch on this process alone, until its end. A setting replaces that of all
    /// gateways; clearing it makes that one hold again.
    pub fn override_switch(&self, to: &SwitchTo) {
        self.catalogue.rcu(|catalogue| {
            let switches = catalogue.switches();
            catalogue.switched(&match to {
                SwitchTo::Set(setting) => switches.with_override(setting),
                SwitchTo::Cleared(key) => switches.without_override(*key),
            })
        });
    }

    /// Changes what all gateways obey. Returns the revision of the change.
    pub async fn change_fleet(&self, change: &FleetChange) -> Result<u64, ChangeError> {
        let changed = self.meta.change_fleet(change, Timestamp::now()).await;
        self.announce();
        changed
    }

    /// Makes this process and the others read the meta database at once. Also after a failure: a
    /// change that was not confirmed may have been made.
    fn announce(&self) {
        (self.announce_change)();
        self.following.changed.notify_one();
    }

    /// The settings for all gateways, also expired ones.
    pub async fn fleet_settings(&self) -> Result<Vec<FleetSetting>, StoreError> {
        self.meta.fleet_settings().await
    }

    /// These settings, each time they are read.
    pub fn followed(&self) -> watch::Receiver<Followed> {
        self.following.subscribe()
    }

    /// Reports for the list of gateways. The first report of a process replaces the gateway that
    /// had the name.
    pub async fn report(
        &self,
        report: &GatewayReport,
        first: bool,
    ) -> Result<ReportOutcome, StoreError> {
        self.meta.report(report, first).await
    }

    /// The gateways that are not gone, by name.
    pub async fn gateways(&self) -> Result<Vec<Gateway>, StoreError> {
        self.meta.gateways().await
    }

    /// Removes a gateway from the list, if it is this instance.
    pub async fn remove_gateway(&self, name: &str, instance: &str) -> Result<(), StoreError> {
        self.meta.remove_gateway(name, instance).await
    }

    /// The latest changes of switches, newest first.
    pub async fn switch_changes(&self) -> Result<Vec<PastSwitchChange>, StoreError> {
        self.meta.switch_changes().await
    }

    /// Reasons why this process can make no draw.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The breakers before shards and stock servers.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// Adds an operator's action on this process to the audit log. While the meta database is
    /// unavailable it goes into the log only: an action that helps now must not wait for its
    /// record.
    pub async fn note(&self, who: &str, what: String, detail: String, why: &str) {
        let entry = AuditEntry {
            at: Timestamp::now(),
            who: who.to_owned(),
            what,
            detail,
            why: why.to_owned(),
        };
        if let Err(error) = self.meta.add_audit_entry(&entry).await {
            // Without the detail: it may be a user id.
            let AuditEntry { who, what, why, .. } = &entry;
            tracing::warn!(%error, who, what, why, "an operator's action is recorded in this log only");
        }
    }

    /// The latest entries, newest first.
    pub async fn audit_log(&self) -> Result<Vec<AuditEntry>, StoreError> {
        self.meta.audit_log().await
    }

    /// The random name of this process among all gateways.
    pub fn instance(&self) -> &str {
        self.jobs.instance()
    }

    /// The periodic jobs of this process, by name.
    pub fn jobs(&self) -> Vec<JobStatus> {
        self.jobs.list()
    }

    /// Updates the gauges for a scrape.
    pub fn observe(&self) {
        self.breakers.end_expired();
        let lanes_per_shard = self.lanes.len() / usize::from(self.map.shards());
        for (shard, lanes) in self.lanes.chunks(lanes_per_shard.max(1)).enumerate() {
            let sum = |each: fn(&Entrance) -> usize| {
                i64::try_from(lanes.iter().map(each).sum::<usize>()).unwrap_or(i64::MAX)
            };
            let shard = shard.to_string();
            self.metrics
                .queue_draws
                .with_label_values(&[&shard])
                .set(sum(Entrance::waiting));
            self.metrics
                .queue_bound_draws
                .with_label_values(&[&shard])
                .set(sum(Entrance::bound));
        }
    }

    /// Takes no more commands, commits what is queued and ends the lanes.
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
        lane_of(route, &self.map, self.lane_per_table) - self.first_lane
    }

    fn route(&self, user: &UserId) -> Route {
        self.map.route(user.as_str())
    }

    async fn ask(&self, user: &UserId, question: ReadQuestion) -> Result<FoundRecords, ReadError> {
        self.ask_at(self.route(user), question).await
    }

    async fn ask_at(
        &self,
        route: Route,
        question: ReadQuestion,
    ) -> Result<FoundRecords, ReadError> {
        let permit = self.breakers.shard(shard_index(route)).admit()?;
        let _place = self
            .shares
            .enter(route.shard())
            .ok_or(ReadError::QueueFull)?;
        let found = self.readers[shard_index(route)]
            .ask(route.table(), question)
            .await;
        permit.end(verdict_of_read(&found));
        found
    }
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedOut {
    /// Its answer.
    pub made: Made,
    /// Whether an earlier call under the same key made it, and this one changed nothing.
    pub is_repeat: bool,
}

/// The index of the lane that writes a user's rows, among the lanes of all shards.
pub(crate) fn lane_of(route: Route, map: &SlotMap, lane_per_table: bool) -> usize {
    if lane_per_table {
        shard_index(route) * usize::from(map.tables()) + usize::from(route.table().get())
    } else {
        shard_index(route)
    }
}

/// What the result of a command means for its shard's breaker. Only a shard that did not answer is
/// a failure. For a refusal by a rule the shard was read. An unavailable stock is the fault of
/// another server, locked rows are that of another process, and a clock was read to be compared. A
/// command that did not reach the shard means nothing.
pub(crate) fn verdict_of_command<T>(made: &Result<T, CommandError>) -> CallOutcome {
    match made {
        Ok(_)
        | Err(
            CommandError::Refused(_)
            | CommandError::DataRefused
            | CommandError::Held
            | CommandError::ClocksDiffer { .. },
        ) => CallOutcome::Answered,
        // A command that is too old waited for a batch that the shard did not finish.
        Err(
            CommandError::ShardUnavailable | CommandError::OutcomeUnknown | CommandError::TooOld,
        ) => CallOutcome::Failed,
        Err(
            CommandError::QueueFull | CommandError::Stopping | CommandError::BreakerOpen { .. },
        ) => CallOutcome::Uncounted,
    }
}

fn verdict_of_read(found: &Result<FoundRecords, ReadError>) -> CallOutcome {
    match found {
        Ok(_) | Err(ReadError::RowUnreadable) => CallOutcome::Answered,
        Err(ReadError::ShardUnavailable) => CallOutcome::Failed,
        Err(ReadError::QueueFull | ReadError::BreakerOpen { .. }) => CallOutcome::Uncounted,
    }
}

impl From<BreakerRefusal> for CommandError {
    fn from(BreakerRefusal { retry_after }: BreakerRefusal) -> Self {
        CommandError::BreakerOpen { retry_after }
    }
}

impl From<BreakerRefusal> for ReadError {
    fn from(BreakerRefusal { retry_after }: BreakerRefusal) -> Self {
        ReadError::BreakerOpen { retry_after }
    }
}

fn shard_index(route: Route) -> usize {
    route.shard().get().into()
}
