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
//! * the shards do not keep a row per batch for ever: settled grants are added to counters
//!   (`roll_up.rs`);
//! * units are added and withdrawn once (`deliver.rs`).
//!
//! Every job stays correct when several processes run it at once, stop half-way, or act on what
//! they read a while ago.
mod deliver;
pub(crate) mod ledger;
mod rebuild;
mod redis;
mod roll_up;
pub(crate) mod server;
mod sql;
mod sweep;
mod tend;
#[cfg(test)]
pub(in crate::stock) mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use market::batch::{Prize, Units};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use self::deliver::{deliver, withdraw};
use self::ledger::Registered;
pub(crate) use self::ledger::{MetaLedger, ShardLedger};
pub(crate) use self::rebuild::{TendError, rebuild};
pub use self::redis::RedisOptions;
pub(crate) use self::redis::RedisServer;
pub(crate) use self::roll_up::roll_up;
pub(crate) use self::server::Session;
pub use self::server::Spread;
use self::server::{Asking, Closing, Lost, StockServer};
pub(crate) use self::sql::{Lease, SqlMetaLedger, SqlShardLedger, record_addition};
pub(crate) use self::tend::{Tended, tend};
use super::{Epoch, Granted, Part, ServerId, Stock, StockAway};
use crate::breaker::{Breaker, Breakers, Verdict};
use crate::store::GrantId;

/// A prize that was found sold out is not asked for again for this long; what comes back to the
/// shelf is then found within this time.
const SOLD_OUT_REMEMBERED: Duration = Duration::from_millis(900);

/// Grants that wait to be closed. What does not fit is found by the sweeper.
const CLOSINGS_MAX: usize = 10_000;

/// Grants closed in one call.
const CLOSINGS_AT_ONCE: usize = 256;

/// One server, as this process sees it.
pub(crate) struct Shelf<S> {
    pub(crate) id: ServerId,
    pub(crate) server: S,
    /// Whom the meta database trusts, as far as we know.
    registered: ArcSwap<Registered>,
    closings: mpsc::Sender<Closing>,
}

impl<S: StockServer> Shelf<S> {
    /// A session with the process that holds the units of the current epoch.
    pub(crate) async fn trusted_session(&self) -> Result<S::Session, StockAway> {
        let session = self.find_session().await?;
        session.ok_or_else(|| StockAway(format!("stock server {} has to be rebuilt", self.id)))
    }

    /// The same; `None` where the server answers but does not hold these units.
    async fn find_session(&self) -> Result<Option<S::Session>, StockAway> {
        let registered = self.registered.load_full();
        let is_trusted = |session: &S::Session| registered.run_id.as_deref() == Some(session.run_id());
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

    /// Brings what the meta database says of this server.
    pub(crate) fn set_registered(&self, registered: Registered) {
        self.registered.store(Arc::new(registered));
    }

    /// Takes units, unless the server's breaker says that it does not answer.
    async fn take(&self, asking: &Asking<'_>, breaker: &Breaker) -> Result<(Epoch, Vec<Part>), StockAway> {
        let permit =
            breaker.admit().map_err(|_| StockAway(format!("the breaker of stock server {} is open", self.id)))?;
        let taken = async {
            match self.find_session().await? {
                Some(mut session) => session.take(asking).await,
                None => Ok(Err(Lost)),
            }
        };
        let taken = taken.await;
        // A server that has lost its units does answer.
        permit.judge(if taken.is_ok() { Verdict::Answered } else { Verdict::Failed });
        taken?.map_err(|Lost| StockAway(format!("stock server {} has to be rebuilt", self.id)))
    }

    /// Closes a grant some time soon.
    fn close(&self, closing: Closing) {
        // A full queue is not an error: the sweeper finds what stays open.
        let _ = self.closings.try_send(closing);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stock of a cluster.
pub(crate) struct ClusterStock<S> {
    shelves: Vec<Arc<Shelf<S>>>,
    /// Prizes of which nothing was left a moment ago.
    sold_out: Mutex<HashMap<Prize, Instant>>,
}

impl<S: StockServer> ClusterStock<S> {
    /// The stock on these servers, in the order of their numbers, and the tasks that close
    /// grants in the background; they end when the stock is dropped.
    pub(crate) fn new(servers: Vec<S>) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let mut shelves = Vec::new();
        let mut tasks = Vec::new();
        for (id, server) in (1..=ServerId::MAX).zip(servers) {
            let (closings, queue) = mpsc::channel(CLOSINGS_MAX);
            let registered = ArcSwap::from_pointee(Registered { epoch: Epoch(0), run_id: None });
            let shelf = Arc::new(Shelf { id: ServerId(id), server, registered, closings });
            tasks.push(tokio::spawn(close_grants(Arc::downgrade(&shelf), queue)));
            shelves.push(shelf);
        }
        (Arc::new(Self { shelves, sold_out: Mutex::default() }), tasks)
    }

    /// The servers.
    pub(crate) fn shelves(&self) -> &[Arc<Shelf<S>>] {
        &self.shelves
    }

    /// The stock as one lane takes from it.
    pub(crate) fn for_lane(self: &Arc<Self>, shard: u16, lane: u16, breakers: &Arc<Breakers>) -> LaneStock<S> {
        LaneStock { stock: self.clone(), shard, lane, breakers: breakers.clone() }
    }

    /// Forgets what was sold out: units may have come.
    pub(crate) fn look_again(&self) {
        lock(&self.sold_out).clear();
    }

    fn is_sold_out(&self, prize: Prize) -> bool {
        lock(&self.sold_out).get(&prize).is_some_and(|&until| Instant::now() < until)
    }

    /// The shelves in the order in which a lane asks them.
    fn shelves_from(&self, lane: u16) -> impl Iterator<Item = &Arc<Shelf<S>>> {
        let home = usize::from(lane) % self.shelves.len();
        self.shelves[home..].iter().chain(&self.shelves[..home])
    }

    fn shelf(&self, id: ServerId) -> &Shelf<S> {
        &self.shelves[usize::from(id.0) - 1]
    }

    fn close_all(&self, grant: GrantId, granted: &Granted, used: &[Part]) {
        for &server in granted.epochs.keys() {
            let used = used.iter().filter(|part| part.server == server).copied().collect();
            self.shelf(server).close(Closing { grant, used });
        }
        if used.len() < granted.parts.len() || used != granted.parts {
            self.look_again();
        }
    }
}

/// The stock as one lane takes from it.
pub(crate) struct LaneStock<S> {
    stock: Arc<ClusterStock<S>>,
    shard: u16,
    /// Lanes begin at segments of their own.
    lane: u16,
    breakers: Arc<Breakers>,
}

impl<S: StockServer> LaneStock<S> {
    /// Takes what is still wanted from one shelf.
    async fn take_from(
        &self,
        shelf: &Shelf<S>,
        grant: GrantId,
        wants: &mut Vec<Units>,
        granted: &mut Granted,
    ) -> Result<(), StockAway> {
        let asking = Asking { grant, shard: self.shard, place: self.lane, wants };
        let (epoch, parts) = shelf.take(&asking, self.breakers.stock_server(shelf.id)).await?;
        for part in &parts {
            for want in wants.iter_mut().filter(|want| want.prize == part.prize) {
                want.count = want.count.saturating_sub(part.count);
            }
        }
        wants.retain(|want| want.count > 0);
        if !parts.is_empty() {
            granted.epochs.insert(shelf.id, epoch);
            granted.parts.extend(parts);
        }
        Ok(())
    }
}

impl<S: StockServer> Stock for LaneStock<S> {
    async fn take(&self, grant: GrantId, wants: &[Units]) -> Result<Granted, StockAway> {
        let stock = &self.stock;
        let mut wants: Vec<Units> = wants.iter().filter(|want| !stock.is_sold_out(want.prize)).copied().collect();
        let mut granted = Granted::default();
        let mut away = None;
        for shelf in stock.shelves_from(self.lane) {
            if wants.is_empty() {
                break;
            }
            if let Err(error) = self.take_from(shelf, grant, &mut wants, &mut granted).await {
                away = Some(error);
            }
        }
        match away {
            // Nobody knows whether the server that is away has what is missing.
            Some(error) if !wants.is_empty() => {
                stock.close_all(grant, &granted, &[]);
                Err(error)
            }
            _ => {
                let until = Instant::now() + SOLD_OUT_REMEMBERED;
                lock(&stock.sold_out).extend(wants.iter().map(|want| (want.prize, until)));
                Ok(granted)
            }
        }
    }

    fn settle(&self, grant: GrantId, granted: &Granted, used: &[Part]) {
        self.stock.close_all(grant, granted, used);
    }

    fn give_back(&self, grant: GrantId, granted: &Granted) {
        self.stock.close_all(grant, granted, &[]);
    }
}

/// Closes grants, many at a time, until nobody can send any more.
async fn close_grants<S: StockServer>(shelf: std::sync::Weak<Shelf<S>>, mut queue: mpsc::Receiver<Closing>) {
    let mut closings = Vec::with_capacity(CLOSINGS_AT_ONCE);
    while queue.recv_many(&mut closings, CLOSINGS_AT_ONCE).await > 0 {
        let Some(shelf) = shelf.upgrade() else { return };
        let closed = async { shelf.trusted_session().await?.close(&closings).await }.await;
        if let Err(error) = closed {
            tracing::debug!(%error, grants = closings.len(), "open grants are left to the sweeper");
        }
        closings.clear();
    }
}
