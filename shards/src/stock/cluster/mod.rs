//! Stock on servers of its own: how lanes take units there, and the jobs that keep servers and
//! databases of one mind.
//!
//! The total of a prize is split into segments, spread over independent servers. A batch takes
//! its units under a grant; its shard notes the grant in the batch's own transaction, and only
//! while the server's epoch on that shard is the one that granted. So
//!
//! * units that a server forgot are never issued twice: a rebuild raises the epoch on all shards
//!   before it counts what they issued (`rebuild.rs`);
//! * units of a batch that died come back: a grant that stays open is made void on its shard, and
//!   only then returned (`sweep.rs`);
//! * the shards keep a grant's row, its receipt, only for as long as the grant may be open on a
//!   server: the lane that closed it deletes the row in one of its next batches, and what dead
//!   lanes left is found by a job (`reclaim.rs`). What was issued stands in counters meanwhile,
//!   which the batches write themselves;
//! * units are added and withdrawn once (`deliver.rs`).
//!
//! Every job stays correct when several processes run it at once, stop half-way, or act on what
//! they read a while ago.
mod deliver;
pub(crate) mod ledger;
mod rebuild;
mod reclaim;
mod reconcile;
mod redis;
pub(crate) mod server;
mod snapshot;
mod sql_meta;
mod sql_shard;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use market::batch::{Prize, Units};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

pub(crate) use self::deliver::{Withdrawn, deliver, withdraw};
use self::ledger::Registered;
pub(crate) use self::ledger::{MetaLedger, ShardLedger};
pub(crate) use self::rebuild::{ReconcileError, rebuild};
pub(crate) use self::reclaim::{Reclaimed, reclaim};
pub(crate) use self::reconcile::{Reconciled, reconcile};
pub use self::redis::RedisOptions;
pub(crate) use self::redis::RedisServer;
use self::server::{Asking, Closing, Lost, Session, StockServer, Stranger, Taken};
pub(crate) use self::snapshot::{issued, snapshots};
pub(crate) use self::sql_meta::SqlMetaLedger;
pub(crate) use self::sql_shard::SqlShardLedger;
use super::grants::{Granted, Part};
use super::ids::{Epoch, ServerId};
pub use super::spread::Spread;
use super::{Stock, StockUnavailable};
use crate::breaker::{Breaker, Breakers, CallOutcome};
use crate::grant::GrantId;
use crate::store::Notice;

/// A prize that was found sold out is not asked for again for this long; what comes back to the
/// node is then found within this time.
const SOLD_OUT_REMEMBERED: Duration = Duration::from_millis(900);

/// What one taking may cost, whatever becomes of it: a batch asks twice at most, within a second.
const TAKE_MAX: Duration = Duration::from_millis(490);

/// Grants that wait to be closed. What does not fit is found by the sweeper.
const CLOSINGS_MAX: usize = 10_000;

/// Grants closed in one call.
const CLOSINGS_AT_ONCE: usize = 256;

/// Receipts of closed grants that wait for their lane's next batch. What does not fit is found by
/// `reclaim`.
const CLOSED_MAX: usize = 4_096;

/// Receipts that one batch deletes: not in each batch, because the statement costs more than its
/// rows, and a few rows that stay for some batches longer cost nothing.
const CLOSED_MIN: usize = 32;
const CLOSED_AT_ONCE: usize = 256;

/// Grants of one lane that are closed wherever they were open.
#[derive(Debug, Default)]
struct ClosedGrants(Mutex<VecDeque<GrantId>>);

impl ClosedGrants {
    fn add(&self, grant: GrantId) {
        let mut grants = lock(&self.0);
        if grants.len() < CLOSED_MAX {
            grants.push_back(grant);
        }
    }

    /// Some of them, where there are at least so many.
    fn take(&self, min: usize) -> Vec<GrantId> {
        let mut grants = lock(&self.0);
        let count = grants.len().min(CLOSED_AT_ONCE);
        if count < min {
            Vec::new()
        } else {
            grants.drain(..count).collect()
        }
    }
}

/// A grant with a receipt that is being closed on several servers.
#[derive(Debug)]
struct BeingClosed {
    grant: GrantId,
    /// The servers that gave what it used and have not said yet that it is closed, with the epochs
    /// that they gave it under.
    missing: Mutex<BTreeMap<ServerId, Epoch>>,
    closed: Arc<ClosedGrants>,
}

impl BeingClosed {
    /// A server says that nothing is open there that was granted in this epoch or before.
    fn heard(&self, server: ServerId, now: Epoch) {
        let mut missing = lock(&self.missing);
        if missing.get(&server).is_some_and(|epoch| now >= *epoch) {
            missing.remove(&server);
            if missing.is_empty() {
                self.closed.add(self.grant);
            }
        }
    }
}

/// What a server has to be told of a grant, and who wants to know that it was.
struct Errand {
    closing: Closing,
    told: Option<Arc<BeingClosed>>,
}

/// One server, as this process sees it.
pub(crate) struct StockNode<S> {
    pub(crate) id: ServerId,
    pub(crate) server: S,
    /// Whom the meta database trusts, as far as we know.
    registered: ArcSwap<Registered>,
    closings: mpsc::Sender<Errand>,
    /// Whether its units were found to be another cluster's.
    pub(crate) notice: Notice,
    trouble: Trouble,
}

impl<S: StockServer> StockNode<S> {
    /// A session with the process that holds the units of the current epoch.
    pub(crate) async fn trusted_session(&self) -> Result<S::Session, StockUnavailable> {
        let session = self.find_session().await?;
        session.ok_or_else(|| self.lost())
    }

    pub(crate) fn lost(&self) -> StockUnavailable {
        StockUnavailable::Unavailable(format!("stock server {} has to be rebuilt", self.id))
    }

    /// The same; `None` where the server answers but does not hold these units.
    pub(crate) async fn find_session(&self) -> Result<Option<S::Session>, StockUnavailable> {
        let registered = self.registered.load_full();
        let is_trusted =
            |session: &S::Session| registered.run_id.as_deref() == Some(session.run_id());
        let kept = self.server.session().await?;
        if is_trusted(&kept) {
            return Ok(Some(kept));
        }
        // A connection that was made a while ago may lead to a process that has gone.
        kept.discard();
        let session = self.server.session().await?;
        Ok(Some(session).filter(is_trusted))
    }

    /// The current epoch, as far as we know.
    fn known_epoch(&self) -> Epoch {
        self.registered.load().epoch
    }

    /// Finds out whose the units are that the server holds, given what the meta database says of
    /// it.
    pub(crate) async fn recognise(
        &self,
        session: &mut S::Session,
        registered: &Registered,
    ) -> Result<Result<(), Stranger>, StockUnavailable> {
        let known = registered.run_id.as_deref() == Some(session.run_id());
        let recognised = session.recognise(known.then_some(registered.epoch)).await?;
        self.notice.heard(&recognised);
        Ok(recognised)
    }

    /// The same, in a session of its own and by what is known of the meta database.
    pub(crate) async fn recognise_now(&self) -> Result<Result<(), Stranger>, StockUnavailable> {
        let mut session = self.server.session().await?;
        let registered = self.registered.load_full();
        self.recognise(&mut session, &registered).await
    }

    /// Brings what the meta database says of this server.
    pub(crate) fn set_registered(&self, registered: Registered) {
        self.registered.store(Arc::new(registered));
    }

    /// Takes units, unless the server's breaker says that it does not answer.
    async fn take(
        &self,
        asking: &Asking<'_>,
        breaker: &Breaker,
        deadline: Instant,
    ) -> Result<Taken, StockUnavailable> {
        let permit = breaker.admit().map_err(|_| {
            let last = self.trouble.last().unwrap_or_default();
            StockUnavailable::Unavailable(format!(
                "the breaker of stock server {} is open: {last}",
                self.id
            ))
        })?;
        let taking = async {
            match self.find_session().await? {
                Some(mut session) => session.take(asking).await,
                None => Ok(Err(Lost)),
            }
        };
        let late = |_| {
            Err(StockUnavailable::Unavailable(
                "no answer in time".to_owned(),
            ))
        };
        let taken = timeout_at(deadline, taking).await.unwrap_or_else(late);
        permit.end(match &taken {
            // A server that has lost its units does answer.
            Ok(_) => CallOutcome::Answered,
            // That says nothing of the server, and nobody had to wait: who dials it next finds out.
            Err(StockUnavailable::EndedAtOnce(_)) => CallOutcome::Uncounted,
            Err(_) => CallOutcome::Failed,
        });
        if let Ok(Ok(_)) = taken {
            // Units of another cluster are never granted.
            self.notice.heard(&Ok::<_, Stranger>(()));
        }
        let taken = taken.and_then(|answer| answer.map_err(|Lost| self.lost()));
        self.trouble.note(self.id, &taken);
        taken
    }

    /// Closes a grant some time soon.
    fn close(&self, errand: Errand) {
        // A full queue is not an error: the sweeper finds what stays open.
        let _ = self.closings.try_send(errand);
    }
}

/// What is wrong with a server as lanes see it: said when it changes, not for each batch.
#[derive(Debug, Default)]
struct Trouble(Mutex<Option<String>>);

impl Trouble {
    fn last(&self) -> Option<String> {
        lock(&self.0).clone()
    }

    fn note(&self, server: ServerId, taken: &Result<Taken, StockUnavailable>) {
        let why = match taken {
            Ok(_) => None,
            // It is tried once more.
            Err(StockUnavailable::EndedAtOnce(_)) => return,
            Err(error) => Some(error.to_string()),
        };
        if !self.change(why.clone()) {
            return;
        }
        if let Some(why) = why {
            tracing::warn!(%server, why, "lanes get no units of a stock server");
        } else {
            tracing::info!(%server, "lanes get units of the stock server again");
        }
    }

    /// Remembers what is wrong now; whether something else was wrong before.
    fn change(&self, why: Option<String>) -> bool {
        let mut last = lock(&self.0);
        let changed = *last != why;
        *last = why;
        changed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stock of a cluster.
pub(crate) struct ClusterStock<S> {
    nodes: Vec<Arc<StockNode<S>>>,
    /// Prizes of which nothing was left a moment ago.
    sold_out: Mutex<HashMap<Prize, Instant>>,
}

impl<S: StockServer> ClusterStock<S> {
    /// The stock on these servers, in the order of their numbers, and the tasks that close
    /// grants in the background; they end when the stock is dropped.
    pub(crate) fn new(servers: Vec<S>) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let mut nodes = Vec::new();
        let mut tasks = Vec::new();
        for (id, server) in (1..=ServerId::MAX).zip(servers) {
            let (closings, queue) = mpsc::channel(CLOSINGS_MAX);
            let registered = ArcSwap::from_pointee(Registered {
                epoch: Epoch(0),
                run_id: None,
            });
            let notice = Notice::of(format!("redis-{id}"));
            let (id, trouble) = (ServerId(id), Trouble::default());
            let node = Arc::new(StockNode {
                id,
                server,
                registered,
                closings,
                notice,
                trouble,
            });
            tasks.push(tokio::spawn(close_grants(Arc::downgrade(&node), queue)));
            nodes.push(node);
        }
        (
            Arc::new(Self {
                nodes,
                sold_out: Mutex::default(),
            }),
            tasks,
        )
    }

    /// The servers.
    pub(crate) fn nodes(&self) -> &[Arc<StockNode<S>>] {
        &self.nodes
    }

    /// The stock as one lane takes from it.
    pub(crate) fn for_lane(
        self: &Arc<Self>,
        shard: u16,
        lane: u16,
        breakers: &Arc<Breakers>,
    ) -> LaneStock<S> {
        let (breakers, closed) = (breakers.clone(), Arc::default());
        LaneStock {
            stock: self.clone(),
            shard,
            lane,
            breakers,
            closed,
            closed_min: CLOSED_MIN,
        }
    }

    /// Forgets what was sold out: units may have come.
    pub(crate) fn look_again(&self) {
        lock(&self.sold_out).clear();
    }

    fn is_sold_out(&self, prize: Prize) -> bool {
        lock(&self.sold_out)
            .get(&prize)
            .is_some_and(|&until| Instant::now() < until)
    }

    /// The nodes in the order in which a lane asks them.
    fn nodes_from(&self, lane: u16) -> impl Iterator<Item = &Arc<StockNode<S>>> {
        let home = usize::from(lane) % self.nodes.len();
        self.nodes[home..].iter().chain(&self.nodes[..home])
    }

    fn node(&self, id: ServerId) -> &StockNode<S> {
        &self.nodes[usize::from(id.0) - 1]
    }

    /// Closes a grant everywhere; `told` hears of it where it was used.
    fn close_all(
        &self,
        grant: GrantId,
        granted: &Granted,
        used: &[Part],
        told: Option<&Arc<BeingClosed>>,
    ) {
        for &server in granted.epochs.keys() {
            let used = used
                .iter()
                .filter(|part| part.server == server)
                .copied()
                .collect();
            self.node(server).close(Errand {
                closing: Closing { grant, used },
                told: told.cloned(),
            });
        }
        if used.len() < granted.parts.len() || used != granted.parts {
            self.look_again();
        }
    }
}

/// What is left to be done of a taking, and what came of it so far.
struct Taking {
    wants: Vec<Units>,
    granted: Granted,
    /// Prizes of which units are still on their way somewhere.
    undelivered: BTreeSet<Prize>,
    /// Why a server could not be asked.
    unavailable: Option<StockUnavailable>,
    /// Servers whose answer was cut off: they may have granted something.
    cut_off: Vec<ServerId>,
}

impl Taking {
    /// Hears what a server answered.
    fn hear(&mut self, server: ServerId, taken: Result<Taken, StockUnavailable>) {
        match taken {
            Ok(Taken::Granted(epoch, parts)) => self.grant(server, epoch, parts),
            Ok(Taken::Undelivered(prizes)) => self.undelivered.extend(prizes),
            Err(error) => {
                if matches!(error, StockUnavailable::EndedAtOnce(_)) {
                    self.cut_off.push(server);
                }
                // One that would fail again decides.
                if !matches!(self.unavailable, Some(StockUnavailable::Unavailable(_))) {
                    self.unavailable = Some(error);
                }
            }
        }
    }

    fn grant(&mut self, server: ServerId, epoch: Epoch, parts: Vec<Part>) {
        for part in &parts {
            for want in self
                .wants
                .iter_mut()
                .filter(|want| want.prize == part.prize)
            {
                want.count = want.count.saturating_sub(part.count);
            }
        }
        self.wants.retain(|want| want.count > 0);
        if !parts.is_empty() {
            self.granted.epochs.insert(server, epoch);
            self.granted.parts.extend(parts);
        }
    }

    /// Why more than was granted may be there; `None` when all was granted that is.
    fn failure(&self) -> Option<StockUnavailable> {
        if self.wants.is_empty() {
            return None;
        }
        let wanted = |prize: &&Prize| self.wants.iter().any(|want| want.prize == **prize);
        let undelivered: Vec<Prize> = self.undelivered.iter().filter(wanted).copied().collect();
        // Nobody knows whether the server that is unavailable has what is missing.
        self.unavailable
            .clone()
            .or((!undelivered.is_empty()).then_some(StockUnavailable::Undelivered(undelivered)))
    }
}

/// The stock as one lane takes from it.
pub(crate) struct LaneStock<S> {
    stock: Arc<ClusterStock<S>>,
    shard: u16,
    /// Lanes begin at segments of their own.
    lane: u16,
    breakers: Arc<Breakers>,
    /// Whose receipts can go.
    closed: Arc<ClosedGrants>,
    /// How many of them a batch waits for.
    closed_min: usize,
}

impl<S: StockServer> LaneStock<S> {
    /// Has receipts go one by one: a short run would else never see one go.
    #[cfg(test)]
    pub(crate) fn one_by_one(self) -> Self {
        Self {
            closed_min: 1,
            ..self
        }
    }

    /// A grant that is about to be closed and has a receipt, if it used anything.
    fn being_closed(
        &self,
        grant: GrantId,
        granted: &Granted,
        used: &[Part],
    ) -> Option<Arc<BeingClosed>> {
        let gave = |server: &ServerId| used.iter().any(|part| part.server == *server);
        let missing: BTreeMap<_, _> = granted
            .epochs
            .iter()
            .filter(|(server, _)| gave(server))
            .map(|(&server, &epoch)| (server, epoch))
            .collect();
        let closed = self.closed.clone();
        (!missing.is_empty()).then(|| {
            Arc::new(BeingClosed {
                grant,
                missing: Mutex::new(missing),
                closed,
            })
        })
    }

    /// Asks one node.
    async fn ask(
        &self,
        node: &StockNode<S>,
        grant: GrantId,
        wants: &[Units],
        deadline: Instant,
    ) -> Result<Taken, StockUnavailable> {
        let asking = Asking {
            grant,
            shard: self.shard,
            place: self.lane,
            wants,
        };
        node.take(&asking, self.breakers.stock_server(node.id), deadline)
            .await
    }

    /// Gives back what a taking that failed was granted, and waits for it: the batch may be about
    /// to ask again, and must not find its own units missing.
    async fn return_now(&self, grant: GrantId, taking: &Taking, deadline: Instant) {
        for &id in taking.granted.epochs.keys().chain(&taking.cut_off) {
            let (node, closing) = (
                self.stock.node(id),
                Closing {
                    grant,
                    used: Vec::new(),
                },
            );
            let closings = std::slice::from_ref(&closing);
            let closed = async { node.trusted_session().await?.close(closings).await };
            if !matches!(timeout_at(deadline, closed).await, Ok(Ok(_))) {
                node.close(Errand {
                    closing,
                    told: None,
                });
            }
        }
        self.stock.look_again();
    }
}

impl<S: StockServer> Stock for LaneStock<S> {
    async fn take(&self, grant: GrantId, wants: &[Units]) -> Result<Granted, StockUnavailable> {
        let stock = &self.stock;
        let deadline = Instant::now() + TAKE_MAX;
        let mut taking = Taking {
            wants: wants
                .iter()
                .filter(|want| !stock.is_sold_out(want.prize))
                .copied()
                .collect(),
            granted: Granted::default(),
            undelivered: BTreeSet::new(),
            unavailable: None,
            cut_off: Vec::new(),
        };
        for node in stock.nodes_from(self.lane) {
            if taking.wants.is_empty() {
                break;
            }
            let taken = self.ask(node, grant, &taking.wants, deadline).await;
            let Ok(Taken::Undelivered(prizes)) = &taken else {
                taking.hear(node.id, taken);
                continue;
            };
            // It has noted and given nothing at all, though it may have the others.
            let is_there = |want: &&Units| !prizes.contains(&want.prize);
            let others: Vec<Units> = taking.wants.iter().filter(is_there).copied().collect();
            taking.hear(node.id, taken);
            if !others.is_empty() {
                let taken = self.ask(node, grant, &others, deadline).await;
                taking.hear(node.id, taken);
            }
        }
        if let Some(error) = taking.failure() {
            self.return_now(grant, &taking, deadline).await;
            return Err(error);
        }
        let until = Instant::now() + SOLD_OUT_REMEMBERED;
        lock(&stock.sold_out).extend(taking.wants.iter().map(|want| (want.prize, until)));
        Ok(taking.granted)
    }

    fn settle(&self, grant: GrantId, granted: &Granted, used: &[Part]) {
        let told = self.being_closed(grant, granted, used);
        self.stock.close_all(grant, granted, used, told.as_ref());
    }

    fn give_back(&self, grant: GrantId, granted: &Granted) {
        self.stock.close_all(grant, granted, &[], None);
    }

    fn closed(&self) -> Vec<GrantId> {
        self.closed.take(self.closed_min)
    }
}

/// Closes grants, many at a time, until nobody can send any more.
async fn close_grants<S: StockServer>(
    node: std::sync::Weak<StockNode<S>>,
    mut queue: mpsc::Receiver<Errand>,
) {
    let mut errands = Vec::with_capacity(CLOSINGS_AT_ONCE);
    while queue.recv_many(&mut errands, CLOSINGS_AT_ONCE).await > 0 {
        let Some(node) = node.upgrade() else { return };
        let (closings, told): (Vec<Closing>, Vec<_>) = errands
            .drain(..)
            .map(|Errand { closing, told }| (closing, told))
            .unzip();
        let closed = async { node.trusted_session().await?.close(&closings).await }.await;
        match closed {
            Ok(Ok(epoch)) => told
                .iter()
                .flatten()
                .for_each(|told| told.heard(node.id, epoch)),
            Ok(Err(Lost)) => tracing::debug!(
                grants = closings.len(),
                "open grants were lost with their server"
            ),
            Err(error) => {
                tracing::debug!(%error, grants = closings.len(), "open grants are left to the sweeper");
            }
        }
    }
}
