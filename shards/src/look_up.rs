//! Looks users' rows up in stored data, beside whatever serves it.
use market::campaign::Catalogue;
use market::chances::Account;
use market::{ActivityId, Order, UserId};
use router::SlotMap;

use crate::cluster::Installation;
use crate::embedded::Folder;
use crate::error::ReadError;
use crate::reads::{Found, OrderKey, Question, ReadLimits, Reader, Reads};
use crate::store::{Access, StoreError};

/// The readers of all shards, and what is published.
pub struct LookUp {
    map: SlotMap,
    readers: Vec<Box<dyn Reads>>,
    catalogue: Catalogue,
}

impl LookUp {
    /// A user's orders.
    pub async fn orders(&self, user: &UserId, key: OrderKey) -> Result<Vec<Order>, ReadError> {
        Ok(self
            .ask(user, Question::Order(user.clone(), key))
            .await?
            .orders)
    }

    /// A user's chances in an activity; `None` when the user has never drawn there.
    pub async fn account(
        &self,
        user: &UserId,
        activity: ActivityId,
    ) -> Result<Option<Account>, ReadError> {
        Ok(self
            .ask(user, Question::Account(user.clone(), activity))
            .await?
            .account)
    }

    /// What is published.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    async fn ask(&self, user: &UserId, question: Question) -> Result<Found, ReadError> {
        let route = self.map.route(user.as_str());
        let shard = usize::from(route.shard().get());
        self.readers[shard].ask(route.table(), question).await
    }
}

impl Folder {
    /// Looks users up in this folder. Fails where no server has ever begun to serve from it.
    pub async fn look_up(&self, limits: ReadLimits) -> Result<LookUp, StoreError> {
        let meta = self.meta_for_reading();
        let Some((version, shards, tables)) = meta.slot_map().await? else {
            return Err(StoreError::Data(
                "no server has served from this data folder yet".to_owned(),
            ));
        };
        let map = SlotMap::even(version, shards, tables)
            .map_err(|error| StoreError::Data(error.to_string()))?;
        let reader = |shard| -> Box<dyn Reads> {
            Box::new(Reader::new(self.shard(shard, Access::Read), &map, limits))
        };
        let readers = (0..map.shards()).map(reader).collect();
        Ok(LookUp {
            readers,
            catalogue: meta.catalogue().await?,
            map,
        })
    }
}

impl Installation {
    /// Looks users up in this cluster.
    pub async fn look_up(&self, limits: ReadLimits) -> Result<LookUp, StoreError> {
        let map = self.map().clone();
        let reader = |shard: &_| -> Box<dyn Reads> {
            Box::new(Reader::new(Clone::clone(shard), &map, limits))
        };
        let readers = self.shards().iter().map(reader).collect();
        Ok(LookUp {
            readers,
            catalogue: self.meta().catalogue().await?,
            map,
        })
    }
}
