//! The breakers of a process, by name.
use super::guard::Kind;
use super::metrics::BreakerMetrics;
use super::mode::{Order, Status};
use super::permit::Breaker;
use super::settings::Settings;
use crate::stock::ids::ServerId;

/// The breakers of a process.
pub struct Breakers {
    shards: Vec<Breaker>,
    /// By server, from number 1 on.
    stock_servers: Vec<Breaker>,
}

/// There is no breaker of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no breaker of this name")]
pub struct UnknownBreaker;

impl Breakers {
    /// Breakers for shards from 0 on and stock servers from 1 on.
    pub(crate) fn new(
        settings: Settings,
        shards: u16,
        stock_servers: u8,
        metrics: &BreakerMetrics,
    ) -> Self {
        let breaker =
            |name: String, kind| Breaker::new(metrics.breaker(&name), name, kind, settings);
        Self {
            shards: (0..shards)
                .map(|shard| breaker(format!("shard-{shard}"), Kind::Shard))
                .collect(),
            stock_servers: (1..=stock_servers)
                .map(|server| breaker(format!("redis-{server}"), Kind::StockServer))
                .collect(),
        }
    }

    /// How all breakers stand.
    pub fn list(&self) -> Vec<Status> {
        self.all().map(Breaker::status).collect()
    }

    /// Whether there is a breaker of this name.
    pub fn has(&self, name: &str) -> bool {
        self.all().any(|breaker| breaker.name() == name)
    }

    /// How one of them stands.
    pub fn status(&self, name: &str) -> Option<Status> {
        self.all()
            .find(|breaker| breaker.name() == name)
            .map(Breaker::status)
    }

    /// Lets all breakers decide by other settings from now on. How they stand does not change.
    pub fn replace(&self, settings: Settings) {
        self.all().for_each(|breaker| breaker.replace(settings));
    }

    /// Notices that time has passed: what was forced for a while may be over.
    pub(crate) fn look(&self) {
        self.all().for_each(Breaker::look);
    }

    /// Does what operations say, at once.
    pub fn order(&self, name: &str, order: &Order) -> Result<(), UnknownBreaker> {
        self.all()
            .find(|breaker| breaker.name() == name)
            .ok_or(UnknownBreaker)?
            .order(order);
        Ok(())
    }

    pub(crate) fn shard(&self, shard: usize) -> &Breaker {
        &self.shards[shard]
    }

    pub(crate) fn stock_server(&self, server: ServerId) -> &Breaker {
        &self.stock_servers[usize::from(server.0) - 1]
    }

    fn all(&self) -> impl Iterator<Item = &Breaker> {
        self.shards.iter().chain(&self.stock_servers)
    }
}
