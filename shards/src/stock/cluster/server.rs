//! What a stock server can do, whatever it is: the verbs of the protocol, no decisions.
//!
//! A [`Session`] is a connection to one process of a server. It never reconnects by itself, so
//! its `run_id` says for good whose answers it brings. Each verb is atomic on the server, and may
//! have happened although its answer was lost.
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use market::batch::{Prize, Units};

use crate::grant::GrantId;
use crate::stock::{Epoch, Part, StockUnavailable};

/// How a prize's units are spread: its segments, numbered from 0, lie on the servers in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Segments of each prize; fixed at the first start.
    pub segments: u16,
    /// Servers; fixed at the first start.
    pub servers: u8,
}

impl Spread {
    /// The server on which a segment lies.
    pub(crate) fn server_of(self, segment: u16) -> crate::stock::ServerId {
        let turn = segment % u16::from(self.servers);
        crate::stock::ServerId(u8::try_from(turn).expect("fewer than 256 servers") + 1)
    }

    /// The segments of each prize on one server.
    pub(crate) fn segments_on(
        self,
        server: crate::stock::ServerId,
    ) -> impl Iterator<Item = u16> + Clone {
        let first = u16::from(server.0) - 1;
        (first..self.segments).step_by(usize::from(self.servers))
    }

    /// Units, spread over the segments as evenly as can be.
    pub(crate) fn share(self, units: u64) -> impl Iterator<Item = (u16, u64)> {
        let segments = u64::from(self.segments);
        (0..self.segments).map(move |segment| {
            let rest = u64::from(u64::from(segment) < units % segments);
            (segment, units / segments + rest)
        })
    }
}

/// A grant that a lane asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asking<'a> {
    pub(crate) grant: GrantId,
    /// The shard whose lane asks: where the grant's outcome is decided.
    pub(crate) shard: u16,
    /// Which of the server's segments is asked first.
    pub(crate) place: u16,
    pub(crate) wants: &'a [Units],
}

/// A grant that is over, and what its orders took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) grant: GrantId,
    pub(crate) used: Vec<Part>,
}

/// A grant that a server holds open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenGrant {
    pub(crate) grant: GrantId,
    pub(crate) shard: u16,
    pub(crate) age: Duration,
    pub(crate) parts: Vec<Part>,
}

/// All of a server's stock at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) epoch: Epoch,
    pub(crate) left: BTreeMap<(Prize, u16), u64>,
    pub(crate) open: Vec<OpenGrant>,
}

/// Units that one operation adds to a server's segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addition {
    pub(crate) operation: u64,
    /// The epoch that the operation was recorded under: a later one has counted it.
    pub(crate) epoch: Epoch,
    pub(crate) prize: Prize,
    pub(crate) segments: Vec<(u16, u64)>,
}

/// The answer of a server that has lost what it knew: it must be rebuilt before it is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// The server holds units that are not this cluster's; says whose, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stranger(pub(crate) String);

/// What became of an attempt to begin a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reset {
    /// It has begun.
    Done,
    /// It has not: the server is in this epoch already.
    Ahead(Epoch),
    /// It has not: what is there belongs to somebody else.
    Stranger(Stranger),
}

/// What a server answers to who asks for units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// What it granted, and under which epoch.
    Granted(Epoch, Vec<Part>),
    /// Nothing: some units of these prizes are still on their way to it.
    Undelivered(Vec<Prize>),
}

/// The answer of a server, if it comes.
pub(crate) type Answer<T> = Result<Result<T, Lost>, StockUnavailable>;

/// A stock server.
pub(crate) trait StockServer: Send + Sync + 'static {
    type Session: Session;

    /// A session with the process that serves now.
    fn session(&self) -> impl Future<Output = Result<Self::Session, StockUnavailable>> + Send;
}

/// A connection to one process of a stock server. After an error it must not be used again.
pub(crate) trait Session: Send {
    /// Names the process; another one after each restart.
    fn run_id(&self) -> &str;

    /// Ends the session, and sees to it that none goes through a connection that is kept: it may
    /// lead to a process that has gone.
    fn discard(self);

    /// Grants up to the wanted units, less only where there is no more. The grant id must be new.
    fn take(&mut self, asking: &Asking<'_>) -> impl Future<Output = Answer<Taken>> + Send;

    /// Closes grants that are still open; what was not used goes back. Answers the epoch: what
    /// was granted under it or before is not open any more.
    fn close(&mut self, closings: &[Closing]) -> impl Future<Output = Answer<Epoch>> + Send;

    /// Everything there is.
    fn look(&mut self) -> impl Future<Output = Answer<Look>> + Send;

    /// Finds out whose the units are that the server holds. Those that do not say so, because an
    /// older version wrote them, become this cluster's when they are of the epoch that is
    /// `registered` for this very process.
    fn recognise(
        &mut self,
        registered: Option<Epoch>,
    ) -> impl Future<Output = Result<Result<(), Stranger>, StockUnavailable>> + Send;

    /// Begins a new epoch with these units and no open grants; does nothing in that epoch or a
    /// later one, and nothing to units that are somebody else's.
    fn reset(
        &mut self,
        epoch: Epoch,
        left: &[(Prize, u16, u64)],
    ) -> impl Future<Output = Result<Reset, StockUnavailable>> + Send;

    /// Adds an operation's units, once, in the epoch it was recorded under. Answers the epoch.
    fn add(&mut self, addition: &Addition) -> impl Future<Output = Answer<Epoch>> + Send;

    /// Takes up to `units` of a prize unavailable for good, once per operation and only in this epoch: a
    /// request that comes late must not take again what an earlier epoch has given. Answers the
    /// epoch and what each segment gave, the same when asked again; nothing in another epoch.
    fn withdraw(
        &mut self,
        operation: u64,
        epoch: Epoch,
        prize: Prize,
        units: u64,
    ) -> impl Future<Output = Answer<(Epoch, Vec<(u16, u64)>)>> + Send;
}
