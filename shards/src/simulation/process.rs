//! A stock server: the scripts in `lua/` verb by verb, and what can happen to its processes.
use std::collections::BTreeMap;

use market::batch::StockItem;
use tokio::time::Instant;

use super::fault::Fault;
use super::tables::Counts;
use super::world::WorldState;
use crate::grant::GrantId;
use crate::stock::cluster::Spread;
use crate::stock::cluster::server::{
    Addition, Closing, Lost, OpenGrant, Reset, ServerStock, Stranger, TakeRequest, Taken,
};
use crate::stock::{Epoch, Part, Receipt, ServerId};

/// Whose units a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cluster {
    Ours,
    /// Another cluster that is configured to use the same server.
    Another,
}

/// The hash `PREFIX:stock`.
#[derive(Debug, Clone)]
struct Stock {
    cluster: Cluster,
    epoch: Epoch,
    left: Counts,
    /// `operation:ID`: what a withdrawal took.
    operations: BTreeMap<u64, Vec<(u16, u64)>>,
}

/// The note of an open grant.
#[derive(Debug, Clone)]
struct Note {
    shard: u16,
    since: Instant,
    parts: Vec<Part>,
}

/// The hash `PREFIX:grants`.
#[derive(Debug, Clone)]
struct Grants {
    cluster: Cluster,
    epoch: Epoch,
    open: BTreeMap<GrantId, Note>,
}

/// All that a process holds.
#[derive(Debug, Clone, Default)]
struct Memory {
    stock: Option<Stock>,
    grants: Option<Grants>,
}

/// One process of a server.
pub(super) struct Process {
    server: ServerId,
    fault: Option<Fault>,
    memory: Memory,
    /// Only for [`Fault::GiveBackTwice`]: grants that were closed.
    closed: BTreeMap<GrantId, Vec<Part>>,
}

/// One server: the process that serves now, one that was left behind, and the copy that a fail-over
/// would restore.
pub(super) struct Server {
    pub(super) id: ServerId,
    fault: Option<Fault>,
    /// The number of the process that serves now.
    now: u64,
    processes: BTreeMap<u64, Process>,
    /// A gateway that still reaches the process that was left behind, and only that one.
    cut_off: Option<(usize, u64)>,
    copy: Memory,
}

impl Server {
    pub(super) fn new(id: ServerId, fault: Option<Fault>) -> Self {
        let mut server = Self {
            id,
            fault,
            now: 0,
            processes: BTreeMap::new(),
            cut_off: None,
            copy: Memory::default(),
        };
        server.begin(Memory::default());
        server
    }

    /// A new process replaces all others.
    fn begin(&mut self, memory: Memory) {
        self.processes.clear();
        self.cut_off = None;
        self.now += 1;
        let process = Process {
            server: self.id,
            fault: self.fault,
            memory,
            closed: BTreeMap::new(),
        };
        self.processes.insert(self.now, process);
    }

    fn run_id(&self, process: u64) -> String {
        let process = if self.fault == Some(Fault::NoInc) {
            0
        } else {
            process
        };
        format!("{}.{process}", self.id)
    }

    /// Which process a gateway reaches, and its name.
    pub(super) fn greet(&self, gateway: usize) -> (u64, String) {
        let reached = self
            .cut_off
            .filter(|(cut_off, _)| *cut_off == gateway)
            .map_or(self.now, |(_, process)| process);
        (reached, self.run_id(reached))
    }

    /// A process that still runs.
    pub(super) fn running(&mut self, process: u64) -> Option<&mut Process> {
        self.processes.get_mut(&process)
    }

    /// The name of the process that serves now.
    pub(super) fn run_id_now(&self) -> String {
        self.run_id(self.now)
    }

    /// The process that serves now.
    pub(super) fn process(&mut self) -> &mut Process {
        self.processes
            .get_mut(&self.now)
            .expect("one serves always")
    }

    /// The process dies and starts again, empty.
    pub(super) fn crash(&mut self) {
        self.begin(Memory::default());
    }

    pub(super) fn flush_all(&mut self) {
        self.process().memory = Memory::default();
    }

    /// Loses one of its two keys.
    pub(super) fn lose_key(&mut self, first: bool) {
        let memory = &mut self.process().memory;
        if first {
            memory.stock = None;
        } else {
            memory.grants = None;
        }
    }

    /// A replica catches up.
    pub(super) fn replicate(&mut self) {
        self.copy = self.process().memory.clone();
    }

    /// The replica takes over with what it has. The process before it may live on: its sessions
    /// too, and one gateway may reach nothing else.
    pub(super) fn fail_over(&mut self, cut_off: Option<usize>) {
        let before = self
            .processes
            .remove(&self.now)
            .map(|process| (self.now, process));
        self.begin(self.copy.clone());
        if let (Some(gateway), Some((number, process))) = (cut_off, before) {
            self.processes.insert(number, process);
            self.cut_off = Some((gateway, number));
        }
    }

    /// Another cluster begins to use the server, which is empty.
    pub(super) fn intrude(&mut self, epoch: Epoch, left: &[(StockItem, u16, u64)]) {
        self.flush_all();
        let _done = self.process().reset_as(Cluster::Another, epoch, left);
    }

    /// An operator removes from the server what is not ours.
    pub(super) fn evict(&mut self) {
        if self.process().stranger(Cluster::Ours).is_some() {
            self.flush_all();
        }
    }

    /// No gateway reaches a process that was left behind any more: it becomes a replica.
    pub(super) fn heal(&mut self) {
        self.evict();
        let now = self.now;
        self.processes.retain(|&number, _| number == now);
        self.cut_off = None;
    }
}

impl Process {
    fn breaks(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// `whole.lua`: both hashes, while they are of one epoch and ours.
    fn whole(&mut self) -> Result<(&mut Stock, &mut Grants), Lost> {
        if self.stranger(Cluster::Ours).is_some() {
            return Err(Lost);
        }
        match (&mut self.memory.stock, &mut self.memory.grants) {
            (Some(stock), Some(grants)) if stock.epoch == grants.epoch => Ok((stock, grants)),
            _ => Err(Lost),
        }
    }

    /// The epoch, what is left, and how many grants are open.
    pub(super) fn snapshot(&mut self) -> Result<(Epoch, Counts, usize), Lost> {
        let (stock, grants) = self.whole()?;
        Ok((stock.epoch, stock.left.clone(), grants.open.len()))
    }

    /// `take.lua`; `None` when the grant is known.
    pub(super) fn take(&mut self, wish: &Wish, spread: Spread) -> Result<Option<Taken>, Lost> {
        let id = self.server;
        let (stock, grants) = self.whole()?;
        if grants.open.contains_key(&wish.grant) {
            return Ok(None);
        }
        let segments: Vec<u16> = spread.segments_on(id).collect();
        let (mut parts, mut undelivered) = (Vec::new(), Vec::new());
        for &(item, mut want) in &wish.wants {
            let mut delivered = true;
            for turn in 0..segments.len() {
                let segment = segments[(usize::from(wish.place) + turn) % segments.len()];
                if want == 0 {
                    break;
                }
                let left = stock.left.get(&(item, segment));
                delivered &= left.is_some();
                let count = u32::try_from(left.copied().unwrap_or(0))
                    .unwrap_or(u32::MAX)
                    .min(want);
                want -= count;
                if count > 0 {
                    parts.push(Part {
                        server: id,
                        item,
                        segment,
                        count,
                    });
                }
            }
            if want > 0 && !delivered {
                undelivered.push(item);
            }
        }
        if !undelivered.is_empty() {
            return Ok(Some(Taken::Undelivered(undelivered)));
        }
        for Part {
            item,
            segment,
            count,
            ..
        } in &parts
        {
            *stock
                .left
                .get_mut(&(*item, *segment))
                .expect("it was there") -= u64::from(*count);
        }
        if !parts.is_empty() {
            let note = Note {
                shard: wish.shard,
                since: Instant::now(),
                parts: parts.clone(),
            };
            grants.open.insert(wish.grant, note);
        }
        Ok(Some(Taken::Granted(stock.epoch, parts)))
    }

    /// `close.lua`.
    pub(super) fn close(&mut self, closings: &[Closing]) -> Result<Epoch, Lost> {
        let twice = self.breaks(Fault::GiveBackTwice);
        let mut closed = std::mem::take(&mut self.closed);
        let (stock, grants) = self.whole()?;
        for Closing { grant, used } in closings {
            let again = || {
                closed
                    .get(grant)
                    .filter(|_| twice && used.is_empty())
                    .cloned()
            };
            let Some(parts) = grants
                .open
                .remove(grant)
                .map(|note| note.parts)
                .or_else(again)
            else {
                continue;
            };
            for part in &parts {
                let same = |used: &&Part| used.item == part.item && used.segment == part.segment;
                let used = used.iter().find(same).map_or(0, |used| used.count);
                let unused = u64::from(part.count.saturating_sub(used));
                *stock.left.entry((part.item, part.segment)).or_default() += unused;
            }
            closed.insert(*grant, parts);
        }
        let epoch = stock.epoch;
        self.closed = closed;
        Ok(epoch)
    }

    /// `look.lua`.
    pub(super) fn look(&mut self) -> Result<ServerStock, Lost> {
        let (stock, grants) = self.whole()?;
        let open = |(&grant, note): (&GrantId, &Note)| OpenGrant {
            grant,
            shard: note.shard,
            age: note.since.elapsed(),
            parts: note.parts.clone(),
        };
        let open = grants.open.iter().map(open).collect();
        Ok(ServerStock {
            epoch: stock.epoch,
            left: stock.left.clone(),
            open,
        })
    }

    /// The refusal that `cluster` gets where the units are not its own.
    fn stranger(&self, cluster: Cluster) -> Option<Stranger> {
        let held = self.memory.stock.as_ref().map(|stock| stock.cluster);
        let held = held
            .into_iter()
            .chain(self.memory.grants.as_ref().map(|grants| grants.cluster));
        let strange =
            held.into_iter().any(|held| held != cluster) && !self.breaks(Fault::NoIdentity);
        strange.then(|| Stranger("another cluster's".to_owned()))
    }

    /// `recognise.lua`.
    pub(super) fn recognise(&self) -> Result<(), Stranger> {
        self.stranger(Cluster::Ours).map_or(Ok(()), Err)
    }

    /// `reset.lua`.
    pub(super) fn reset(&mut self, epoch: Epoch, left: &[(StockItem, u16, u64)]) -> Reset {
        self.reset_as(Cluster::Ours, epoch, left)
    }

    fn reset_as(
        &mut self,
        cluster: Cluster,
        epoch: Epoch,
        left: &[(StockItem, u16, u64)],
    ) -> Reset {
        if let Some(stranger) = self.stranger(cluster) {
            return Reset::Stranger(stranger);
        }
        if let Ok((stock, _)) = self.whole()
            && stock.epoch >= epoch
        {
            return Reset::Ahead(stock.epoch);
        }
        let left = left
            .iter()
            .map(|&(item, segment, units)| ((item, segment), units))
            .collect();
        self.memory.stock = Some(Stock {
            cluster,
            epoch,
            left,
            operations: BTreeMap::new(),
        });
        self.memory.grants = Some(Grants {
            cluster,
            epoch,
            open: BTreeMap::new(),
        });
        Reset::Done
    }

    /// `add.lua`.
    pub(super) fn add(&mut self, addition: &Addition) -> Result<Epoch, Lost> {
        let (twice, late) = (self.breaks(Fault::AddTwice), self.breaks(Fault::AddLate));
        let (stock, _) = self.whole()?;
        let now = stock.epoch == addition.epoch || late && stock.epoch > addition.epoch;
        if now
            && (stock
                .operations
                .insert(addition.operation, Vec::new())
                .is_none()
                || twice)
        {
            for &(segment, units) in &addition.segments {
                *stock.left.entry((addition.item, segment)).or_default() += units;
            }
        }
        Ok(stock.epoch)
    }

    /// `withdraw.lua`.
    pub(super) fn withdraw(
        &mut self,
        (operation, epoch): (u64, Epoch),
        (item, units): (StockItem, u64),
        spread: Spread,
    ) -> Result<(Epoch, Vec<(u16, u64)>), Lost> {
        let id = self.server;
        let (twice, late) = (
            self.breaks(Fault::WithdrawTwice),
            self.breaks(Fault::WithdrawLate),
        );
        let (stock, _) = self.whole()?;
        if stock.epoch != epoch && !late {
            return Ok((stock.epoch, Vec::new()));
        }
        if let Some(taken) = stock.operations.get(&operation).filter(|_| !twice) {
            return Ok((stock.epoch, taken.clone()));
        }
        let mut want = units;
        let mut taken = Vec::new();
        for segment in spread.segments_on(id) {
            let Some(left) = stock.left.get_mut(&(item, segment)) else {
                continue;
            };
            let got = want.min(*left);
            *left -= got;
            want -= got;
            if got > 0 {
                taken.push((segment, got));
            }
        }
        stock.operations.insert(operation, taken.clone());
        Ok((stock.epoch, taken))
    }
}

/// The units that a lane wants.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) grant: GrantId,
    shard: u16,
    place: u16,
    wants: Vec<(StockItem, u32)>,
}

impl Wish {
    pub(super) fn of(asking: &TakeRequest<'_>) -> Self {
        let TakeRequest {
            grant,
            shard,
            lane,
            wants,
        } = *asking;
        Self {
            grant,
            shard,
            place: lane,
            wants: wants
                .iter()
                .map(|units| (units.item, units.count))
                .collect(),
        }
    }
}

impl WorldState {
    /// Only for [`Fault::SettleFirst`].
    pub(super) fn close_everywhere(&mut self, grant: GrantId, receipt: &Receipt) {
        for server in &mut self.servers {
            let used = receipt
                .used
                .iter()
                .filter(|part| part.server == server.id)
                .copied()
                .collect();
            // A server that is lost has no grants either.
            let _ = server.process().close(&[Closing { grant, used }]);
        }
    }
}
