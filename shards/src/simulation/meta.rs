//! The meta database. Each call is one request, and one transaction when it has landed. Everything
//! that changes epochs or totals locks the rows of the stock servers, so these transactions run one
//! after the other. Each is one step here.
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use market::batch::StockItem;
use router::Run;

use super::fault::Fault;
use super::tables::Counts;
use super::wire::{Link, pause, send};
use super::world::{World, WorldState};
use crate::lane::Runs;
use crate::stock::cluster::ledger::{Delivery, PendingWithdrawal, Registered};
use crate::stock::cluster::{MetaLedger, Spread};
use crate::stock::{Epoch, ServerId};
use crate::store::StoreError;

/// A row of `stock_operation`.
#[derive(Debug, Clone)]
struct Operation {
    item: StockItem,
    units: u64,
    /// A withdrawal that has not ended yet.
    waits: bool,
}

/// A row of `stock_delivery`.
#[derive(Debug, Clone)]
struct DeliveryRow {
    epoch: Epoch,
    units: u64,
    done: bool,
}

/// What the meta database holds.
pub(super) struct MetaTables {
    spread: Spread,
    runs: u32,
    servers: BTreeMap<ServerId, Registered>,
    /// `stock_segment`.
    pub(super) totals: Counts,
    operations: BTreeMap<u64, Operation>,
    deliveries: BTreeMap<(u64, ServerId), DeliveryRow>,
}

impl MetaTables {
    pub(super) fn new(spread: Spread) -> Self {
        let servers = (1..=spread.servers).map(|id| {
            (
                ServerId(id),
                Registered {
                    epoch: Epoch(0),
                    run_id: None,
                },
            )
        });
        Self {
            spread,
            runs: 0,
            servers: servers.collect(),
            totals: BTreeMap::new(),
            operations: BTreeMap::new(),
            deliveries: BTreeMap::new(),
        }
    }

    pub(super) fn epoch(&self, server: ServerId) -> Epoch {
        self.servers[&server].epoch
    }

    pub(super) fn registered(&self, server: ServerId) -> Registered {
        self.servers[&server].clone()
    }

    fn server(&mut self, server: ServerId) -> &mut Registered {
        self.servers.get_mut(&server).expect("there are no others")
    }

    pub(super) fn total_of(&self, item: StockItem) -> u64 {
        self.totals
            .iter()
            .filter(|((of, _), _)| *of == item)
            .map(|(_, units)| units)
            .sum()
    }

    /// What is not done yet: additions and withdrawals.
    pub(super) fn waiting(&self) -> usize {
        self.deliveries.values().filter(|row| !row.done).count()
            + self
                .operations
                .values()
                .filter(|operation| operation.waits)
                .count()
    }

    fn operate(&mut self, item: StockItem, units: u64, waits: bool) -> u64 {
        let id = self.operations.len() as u64 + 1;
        self.operations.insert(id, Operation { item, units, waits });
        id
    }

    /// Records an addition: its units count from now on.
    pub(super) fn add(&mut self, item: StockItem, units: u64) {
        let id = self.operate(item, units, false);
        let spread = self.spread;
        for (segment, units) in spread.share(units) {
            *self.totals.entry((item, segment)).or_default() += units;
        }
        for (&server, registered) in &self.servers {
            let here = spread
                .share(units)
                .filter(|(segment, _)| spread.server_of(*segment) == server);
            let units = here.map(|(_, units)| units).sum();
            let row = DeliveryRow {
                epoch: registered.epoch,
                units,
                done: false,
            };
            self.deliveries.insert((id, server), row);
        }
    }

    /// Records that units are to be withdrawn.
    pub(super) fn ask_withdrawal(&mut self, item: StockItem, units: u64) {
        self.operate(item, units, true);
    }

    fn raise_epoch(
        &mut self,
        server: ServerId,
        seen: Epoch,
    ) -> (Epoch, Vec<(StockItem, u16, u64)>) {
        let row = self.server(server);
        row.epoch = Epoch(row.epoch.max(seen).0 + 1);
        let epoch = row.epoch;
        let here = |&(&(_, segment), _): &(&(StockItem, u16), &u64)| {
            self.spread.server_of(segment) == server
        };
        let total = |(&(item, segment), &units): (&(StockItem, u16), &u64)| (item, segment, units);
        (epoch, self.totals.iter().filter(here).map(total).collect())
    }

    fn register(&mut self, server: ServerId, epoch: Epoch, run_id: String) -> bool {
        let row = self.server(server);
        let current = row.epoch == epoch;
        if current {
            row.run_id = Some(run_id);
        }
        current
    }

    fn deliveries(&self, server: ServerId) -> Vec<Delivery> {
        let waiting = self
            .deliveries
            .iter()
            .filter(|((_, of), row)| *of == server && !row.done);
        let delivery = |(&(operation, server), row): (&(u64, ServerId), &DeliveryRow)| {
            let Operation { item, units, .. } = self.operations[&operation];
            Delivery {
                operation,
                server,
                epoch: row.epoch,
                item,
                units,
            }
        };
        waiting.map(delivery).collect()
    }

    fn waiting_withdrawals(&self) -> Vec<(u64, Operation)> {
        self.operations
            .iter()
            .filter(|(_, operation)| operation.waits)
            .map(|(&id, o)| (id, o.clone()))
            .collect()
    }

    fn given(&self, operation: u64) -> Vec<(ServerId, u64)> {
        let range = self
            .deliveries
            .range((operation, ServerId(0))..(operation + 1, ServerId(0)));
        range
            .map(|(&(_, server), row)| (server, row.units))
            .collect()
    }
}

impl WorldState {
    fn note_withdrawn(
        &mut self,
        operation: u64,
        item: StockItem,
        server: ServerId,
        epoch: Epoch,
        taken: &[(u16, u64)],
    ) -> bool {
        let late = self.fault == Some(Fault::NoteLate);
        let known = self.meta.deliveries.contains_key(&(operation, server));
        if known || self.meta.epoch(server) != epoch && !late {
            return false;
        }
        let units = taken.iter().map(|(_, units)| units).sum();
        self.meta.deliveries.insert(
            (operation, server),
            DeliveryRow {
                epoch,
                units,
                done: true,
            },
        );
        for &(segment, units) in taken {
            match self.meta.totals.get_mut(&(item, segment)) {
                Some(total) if *total >= units => *total -= units,
                _ => {
                    self.violate(|| format!("operation {operation} withdrew more than there was of segment {segment}"));
                }
            }
        }
        self.check_totals();
        true
    }
}

/// The meta database as a gateway has it.
#[derive(Clone)]
pub(super) struct FakeMeta {
    world: Arc<World>,
    link: Link,
}

impl FakeMeta {
    pub(super) fn new(world: Arc<World>, gateway: usize) -> Self {
        Self {
            world,
            link: Link::Meta(gateway),
        }
    }

    /// Sends a request that reads or changes everything at one moment.
    pub(super) async fn at_once<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut WorldState) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let world = self.world.clone();
        Ok(send(
            &self.world,
            self.link,
            async move { act(&mut world.state()) },
        )
        .await?)
    }
}

impl Runs for FakeMeta {
    fn claim(&self) -> Pin<Box<dyn Future<Output = Result<Option<Run>, StoreError>> + Send + '_>> {
        Box::pin(async {
            let number = self.at_once(|state| {
                state.meta.runs += 1;
                state.meta.runs
            });
            Ok(Run::new(number.await?))
        })
    }
}

impl MetaLedger for FakeMeta {
    async fn registered(&self, server: ServerId) -> Result<Registered, StoreError> {
        self.at_once(move |state| state.meta.registered(server))
            .await
    }

    async fn raise_epoch(
        &self,
        server: ServerId,
        seen: Epoch,
    ) -> Result<(Epoch, Vec<(StockItem, u16, u64)>), StoreError> {
        self.at_once(move |state| {
            let (epoch, totals) = state.meta.raise_epoch(server, seen);
            state.note("raise", || format!("{server} to {epoch}"));
            (epoch, totals)
        })
        .await
    }

    async fn register(
        &self,
        server: ServerId,
        epoch: Epoch,
        run_id: &str,
    ) -> Result<(), StoreError> {
        let run_id = run_id.to_owned();
        self.at_once(move |state| {
            let done = state.meta.register(server, epoch, run_id.clone());
            state.note("register", || format!("{run_id} for {epoch}: {done}"));
        })
        .await
    }

    async fn deliveries(&self, server: ServerId) -> Result<Vec<Delivery>, StoreError> {
        self.at_once(move |state| state.meta.deliveries(server))
            .await
    }

    async fn delivered(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let key = (delivery.operation, delivery.server);
        self.at_once(move |state| {
            state.note("delivered", || format!("{key:?}"));
            if let Some(row) = state.meta.deliveries.get_mut(&key) {
                row.done = true;
            }
        })
        .await
    }

    async fn withdrawals(&self) -> Result<Vec<PendingWithdrawal>, StoreError> {
        let world = self.world.clone();
        // One statement for the list and one for each on it.
        let reading = async move {
            let waiting = world.state().meta.waiting_withdrawals();
            let mut pending = Vec::new();
            for (operation, Operation { item, units, .. }) in waiting {
                let hop = world.state().dice.hop();
                pause(hop).await;
                let given = world.state().meta.given(operation);
                pending.push(PendingWithdrawal {
                    operation,
                    item,
                    units,
                    given,
                });
            }
            pending
        };
        Ok(send(&self.world, self.link, reading).await?)
    }

    async fn note_withdrawn(
        &self,
        withdrawal: &PendingWithdrawal,
        server: ServerId,
        epoch: Epoch,
        taken: &[(u16, u64)],
    ) -> Result<bool, StoreError> {
        let (operation, item, taken) = (withdrawal.operation, withdrawal.item, taken.to_vec());
        self.at_once(move |state| {
            let noted = state.note_withdrawn(operation, item, server, epoch, &taken);
            state.note("withdrawn", || {
                format!("{operation} from {server} in {epoch}, {taken:?}: {noted}")
            });
            noted
        })
        .await
    }

    async fn end_withdrawal(&self, operation: u64) -> Result<(), StoreError> {
        self.at_once(move |state| {
            state.note("withdrawal ended", || operation.to_string());
            if let Some(operation) = state.meta.operations.get_mut(&operation) {
                operation.waits = false;
            }
        })
        .await
    }
}
