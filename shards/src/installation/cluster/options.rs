//! The parts of a cluster.
use router::{MapError, SlotMap};

use crate::stock::cluster::RedisOptions;
use crate::stock::spread::Spread;
use crate::store::{DatabaseRole, Layout, MysqlDatabase};

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The meta database.
    pub meta: MysqlDatabase,
    /// The shards, in their order.
    pub shards: Vec<MysqlDatabase>,
    /// Tables in each shard; fixed by the first `migrate`.
    pub tables: u16,
    /// The stock servers, in their order.
    pub redis: Vec<RedisOptions>,
    /// Segments of each prize; fixed by the first `migrate`.
    pub segments: u16,
}

/// How users and units are spread.
pub(super) fn layout(map: &SlotMap, spread: Spread) -> Layout {
    let Spread { segments, servers } = spread;
    Layout {
        shards: map.shards(),
        tables: map.tables(),
        servers,
        segments,
    }
}

impl ClusterOptions {
    pub(super) fn map(&self, version: u32) -> Result<SlotMap, MapError> {
        SlotMap::even(
            version,
            u16::try_from(self.shards.len()).unwrap_or(u16::MAX),
            self.tables,
        )
    }

    pub(super) fn spread(&self) -> Spread {
        Spread {
            segments: self.segments,
            servers: u8::try_from(self.redis.len()).unwrap_or(u8::MAX),
        }
    }

    /// The name of a database in the configuration.
    pub(super) fn name(&self, role: DatabaseRole) -> String {
        match role {
            DatabaseRole::Meta => format!("meta database ({:?})", self.meta),
            DatabaseRole::Shard(number) => match self.shards.get(usize::from(number)) {
                Some(database) => format!("shard {number} ({database:?})"),
                None => format!("shard {number}"),
            },
        }
    }

    /// The file descriptors that a gateway needs with `readers` reading connections per shard.
    pub(crate) fn descriptors(&self, reads: usize, spare: usize) -> usize {
        let redis = self.redis.iter();
        let redis: usize = redis.map(|redis| redis.connections_max as usize + 1).sum();
        self.shards.len() * (usize::from(self.tables) + reads + spare) + redis + spare
    }
}
