//! The breakers of a process, by name.
use super::guard::BreakerKind;
use super::metrics::BreakerMetrics;
use super::mode::{BreakerCommand, BreakerStatus};
use super::permit::Breaker;
use super::settings::BreakerSettings;
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
        settings: BreakerSettings,
        shards: u16,
        stock_servers: u8,
        metrics: &BreakerMetrics,
    ) -> Self {
        let breaker =
            |name: String, kind| Breaker::new(metrics.breaker(&name), name, kind, settings);
        Self {
            shards: (0..shards)
                .map(|shard| breaker(format!("shard-{shard}"), BreakerKind::Shard))
                .collect(),
            stock_servers: (1..=stock_servers)
                .map(|server| breaker(format!("redis-{server}"), BreakerKind::StockServer))
                .collect(),
        }
    }

    /// The status of all breakers.
    pub fn list(&self) -> Vec<BreakerStatus> {
        self.all().map(Breaker::status).collect()
    }

    /// Whether there is a breaker of this name.
    pub fn has(&self, name: &str) -> bool {
        self.all().any(|breaker| breaker.name() == name)
    }

    /// The status of one of them.
    pub fn status(&self, name: &str) -> Option<BreakerStatus> {
        self.all()
            .find(|breaker| breaker.name() == name)
            .map(Breaker::status)
    }

    /// Replaces the settings of all breakers. Their states do not change.
    pub fn replace(&self, settings: BreakerSettings) {
        self.all().for_each(|breaker| breaker.replace(settings));
    }

    /// Ends what was forced for a time that is over.
    pub(crate) fn end_expired(&self) {
        self.all().for_each(Breaker::end_expired);
    }

    /// Obeys a command of operators, at once.
    pub fn obey(&self, name: &str, command: &BreakerCommand) -> Result<(), UnknownBreaker> {
        self.all()
            .find(|breaker| breaker.name() == name)
            .ok_or(UnknownBreaker)?
            .obey(command);
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
