//! What a stock server does, on Redis or in the simulation: the verbs of the protocol, without
//! decisions.
//!
//! A [`Session`] is a connection to one process of a server. It never reconnects by itself, so all
//! its answers come from the process of its `run_id`. Each verb is atomic on the server, and may
//! have happened although its answer was lost.
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use market::batch::{StockItem, Units};

use crate::grant::GrantId;
use crate::stock::StockUnavailable;
use crate::stock::grants::Part;
use crate::stock::ids::Epoch;

/// A lane's request for units.
#[derive(Debug, Clone)]
pub(crate) struct TakeRequest<'a> {
    pub(crate) grant: GrantId,
    /// The shard of the lane, which decides the grant's outcome.
    pub(crate) shard: u16,
    /// The lane's number: decides which of the server's segments gives units first.
    pub(crate) lane: u16,
    pub(crate) wants: &'a [Units],
}

/// A grant to close, and the units that its orders took.
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
pub(crate) struct ServerStock {
    pub(crate) epoch: Epoch,
    pub(crate) left: BTreeMap<(StockItem, u16), u64>,
    pub(crate) open: Vec<OpenGrant>,
}

/// The units that one operation adds to a server's segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addition {
    pub(crate) operation: u64,
    /// The epoch under which the operation was recorded. Later epochs have counted it.
    pub(crate) epoch: Epoch,
    pub(crate) item: StockItem,
    pub(crate) segments: Vec<(u16, u64)>,
}

/// The answer of a server that has lost its units. It must be rebuilt before it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// The server holds units that are not this cluster's. The message says whose, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stranger(pub(crate) String);

/// The outcome of an attempt to begin a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reset {
    /// The epoch has begun.
    Done,
    /// It has not: the server is in this epoch already.
    Ahead(Epoch),
    /// It has not: the units on the server are not this cluster's.
    Stranger(Stranger),
}

/// The answer to a request for units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// What the server granted, and under which epoch.
    Granted(Epoch, Vec<Part>),
    /// Nothing: some units of these items were not delivered to the server yet.
    Undelivered(Vec<StockItem>),
}

/// The answer of a server, or why none came.
pub(crate) type ServerAnswer<T> = Result<Result<T, Lost>, StockUnavailable>;

/// A stock server.
pub(crate) trait StockServer: Send + Sync + 'static {
    type Session: Session;

    /// A session with the process that serves now.
    fn session(&self) -> impl Future<Output = Result<Self::Session, StockUnavailable>> + Send;
}

/// A connection to one process of a stock server. After an error it must not be used again.
pub(crate) trait Session: Send {
    /// The id of the process; a new one after each restart.
    fn run_id(&self) -> &str;

    /// Ends the session. Later sessions do not use connections that are kept now, because these may
    /// lead to a process that has gone.
    fn discard(self);

    /// Grants the wanted units, or fewer where there are no more. The grant id must be new.
    fn take(
        &mut self,
        request: &TakeRequest<'_>,
    ) -> impl Future<Output = ServerAnswer<Taken>> + Send;

    /// Closes grants that are still open; unused units go back. Returns the epoch: of these grants,
    /// none that was made under it or an earlier one is open any more.
    fn close(&mut self, closings: &[Closing]) -> impl Future<Output = ServerAnswer<Epoch>> + Send;

    /// Reads everything on the server.
    fn look(&mut self) -> impl Future<Output = ServerAnswer<ServerStock>> + Send;

    /// Finds out whose units the server holds. Units of an older version do not say whose they are.
    /// They become this cluster's if their epoch is the one that is `registered` for this process.
    fn recognise(
        &mut self,
        registered: Option<Epoch>,
    ) -> impl Future<Output = Result<Result<(), Stranger>, StockUnavailable>> + Send;

    /// Begins a new epoch with these units and no open grants. Does nothing in that epoch or a
    /// later one, and nothing to units that are not this cluster's.
    fn reset(
        &mut self,
        epoch: Epoch,
        left: &[(StockItem, u16, u64)],
    ) -> impl Future<Output = Result<Reset, StockUnavailable>> + Send;

    /// Adds an operation's units once, in the epoch under which it was recorded. Returns the
    /// current epoch.
    fn add(&mut self, addition: &Addition) -> impl Future<Output = ServerAnswer<Epoch>> + Send;

    /// Removes up to `units` of an item for good, once per operation and only in this epoch: a late
    /// request must not take again what an earlier epoch has given. Returns the current epoch and
    /// what each segment gave. A repeat returns the same; in another epoch nothing is given.
    fn withdraw(
        &mut self,
        operation: u64,
        epoch: Epoch,
        item: StockItem,
        units: u64,
    ) -> impl Future<Output = ServerAnswer<(Epoch, Vec<(u16, u64)>)>> + Send;
}
