//! A stock server as gateways have it: sessions with one process each, and requests that travel.
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use market::batch::StockItem;

use super::fault::Fault;
use super::process::{Process, Wish};
use super::wire::{Link, Silence, send};
use super::world::World;
use crate::stock::cluster::server::{
    Addition, Closing, Lost, Reset, ServerStock, Session, StockServer, Stranger, TakeRequest, Taken,
};
use crate::stock::{Epoch, StockUnavailable};

/// A connection to one process.
#[derive(Debug, Clone)]
struct Connection {
    process: u64,
    run_id: String,
}

/// A server as one gateway reaches it.
pub(super) struct FakeServer {
    world: Arc<World>,
    gateway: usize,
    place: usize,
    /// A connection that is not in use. Its process may have ended since.
    idle: Arc<Mutex<Option<Connection>>>,
}

impl FakeServer {
    pub(super) fn new(world: Arc<World>, gateway: usize, place: usize) -> Self {
        Self {
            world,
            gateway,
            place,
            idle: Arc::default(),
        }
    }
}

impl StockServer for FakeServer {
    type Session = FakeSession;

    async fn session(&self) -> Result<FakeSession, StockUnavailable> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            let (world, gateway, place) = (self.world.clone(), self.gateway, self.place);
            let greet = async move {
                let (process, run_id) = world.state().servers[place].greet(gateway);
                Connection { process, run_id }
            };
            send(&self.world, Link::Server(self.place), greet).await?
        };
        let (world, place, idle) = (self.world.clone(), self.place, self.idle.clone());
        Ok(FakeSession {
            world,
            place,
            connection,
            broken: false,
            idle,
        })
    }
}

/// A connection in use.
pub(super) struct FakeSession {
    world: Arc<World>,
    place: usize,
    connection: Connection,
    broken: bool,
    idle: Arc<Mutex<Option<Connection>>>,
}

impl FakeSession {
    /// Runs a script. It ends with the process that it was sent to.
    async fn run<T: Debug + Send + 'static>(
        &mut self,
        event: &'static str,
        script: impl FnOnce(&mut Process) -> T + Send + 'static,
    ) -> Result<T, StockUnavailable> {
        let (world, place, process) = (self.world.clone(), self.place, self.connection.process);
        // A connection that is dropped half-way must not be used again.
        self.broken = true;
        let landing = async move {
            let mut state = world.state();
            let answer = state.servers[place].running(process).map(script);
            state.note(event, || format!("{}.{process}: {answer:?}", place + 1));
            answer
        };
        let ended = || StockUnavailable::EndedAtOnce("the connection was lost".to_owned());
        let answer = match send(&self.world, Link::Server(self.place), landing).await {
            Err(Silence::Refused) => return Err(ended()),
            answer => answer?,
        };
        self.broken = answer.is_none();
        answer.ok_or_else(ended)
    }

    async fn take_once(
        &mut self,
        wish: Wish,
    ) -> Result<Result<Option<Taken>, Lost>, StockUnavailable> {
        let spread = self.world.scenario.spread;
        Ok(self
            .run("take", move |process| {
                (process.take(&wish, spread), wish.grant)
            })
            .await?
            .0)
    }
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        if !self.broken {
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(self.connection.clone());
        }
    }
}

impl Session for FakeSession {
    fn run_id(&self) -> &str {
        &self.connection.run_id
    }

    fn discard(mut self) {
        self.broken = true;
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    async fn take(
        &mut self,
        asking: &TakeRequest<'_>,
    ) -> Result<Result<Taken, Lost>, StockUnavailable> {
        let wish = Wish::of(asking);
        let mut taken = self.take_once(wish.clone()).await;
        if taken.is_err() && self.world.breaks(Fault::ReuseId) {
            taken = self.take_once(wish).await;
        }
        match taken? {
            Ok(Some(taken)) => Ok(Ok(taken)),
            Ok(None) => Err(StockUnavailable::Unavailable(
                "the grant id was used before".to_owned(),
            )),
            Err(Lost) => Ok(Err(Lost)),
        }
    }

    async fn close(
        &mut self,
        closings: &[Closing],
    ) -> Result<Result<Epoch, Lost>, StockUnavailable> {
        let closings = self.world.state().closed_as(closings);
        let flatters = self.world.breaks(Fault::CloseFlatters);
        let closed = self
            .run("close", move |process| (process.close(&closings), closings))
            .await?
            .0;
        Ok(if flatters {
            closed.map(|_| Epoch(u64::MAX))
        } else {
            closed
        })
    }

    async fn look(&mut self) -> Result<Result<ServerStock, Lost>, StockUnavailable> {
        let mut look = self.run("look", Process::look).await?;
        if self.world.breaks(Fault::NoBehind)
            && let Ok(look) = &mut look
        {
            let state = self.world.state();
            look.epoch = look
                .epoch
                .max(state.meta.epoch(state.servers[self.place].id));
        }
        Ok(look)
    }

    async fn recognise(
        &mut self,
        _registered: Option<Epoch>,
    ) -> Result<Result<(), Stranger>, StockUnavailable> {
        // Here every hash says whose it is.
        let recognised = self.run("recognise", |process| process.recognise()).await?;
        if recognised.is_err() {
            self.world.state().note("stranger", String::new);
        }
        Ok(recognised)
    }

    async fn reset(
        &mut self,
        epoch: Epoch,
        left: &[(StockItem, u16, u64)],
    ) -> Result<Reset, StockUnavailable> {
        let left = left.to_vec();
        Ok(self
            .run("reset", move |process| {
                (process.reset(epoch, &left), epoch, left)
            })
            .await?
            .0)
    }

    async fn add(&mut self, addition: &Addition) -> Result<Result<Epoch, Lost>, StockUnavailable> {
        let addition = addition.clone();
        Ok(self
            .run("add", move |process| (process.add(&addition), addition))
            .await?
            .0)
    }

    async fn withdraw(
        &mut self,
        operation: u64,
        epoch: Epoch,
        item: StockItem,
        units: u64,
    ) -> Result<Result<(Epoch, Vec<(u16, u64)>), Lost>, StockUnavailable> {
        let spread = self.world.scenario.spread;
        let script = move |process: &mut Process| {
            (
                process.withdraw((operation, epoch), (item, units), spread),
                operation,
            )
        };
        Ok(self.run("withdraw", script).await?.0)
    }
}
