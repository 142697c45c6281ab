//! How users are spread over shards and tables: fixed at the first start.
use router::SlotMap;

use super::columns::{NOTHING, json};
use super::statements::statements;
use super::topic::topic;
use crate::store::{Columns, Database, StoreError};

statements! {
    /// Statements on the layout.
    LayoutStatements in "layout" {
        /// How users are spread.
        read_slot_map,
        /// Fixes how users are spread.
        insert_slot_map,
    }
}

topic! {
    /// The layout of an installation.
    LayoutRecord,
    /// Its layout.
    layout
}

impl<D: Database> LayoutRecord<'_, D> {
    const SQL: &'static LayoutStatements = LayoutStatements::of::<D>();

    /// Version, shards and tables of the slot map; `None` before the first start.
    pub async fn slot_map(&self) -> Result<Option<(u32, u16, u16)>, StoreError> {
        let rows = self.0.rows(Self::SQL.read_slot_map, NOTHING).await?;
        rows.first()
            .map(|row| Ok((row.number(0)?, row.number(1)?, row.number(2)?)))
            .transpose()
    }

    /// Fixes the slot map, at the first start. Conflicts when it is fixed already.
    pub async fn fix_slot_map(&self, map: &SlotMap) -> Result<(), StoreError> {
        let row = json(&(map.version(), map.shards(), map.tables()));
        self.0
            .execute(Self::SQL.insert_slot_map, &row)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::testing::{fresh, over_each_database};

    async fn the_layout_is_fixed_once<D: Database>(database: D) {
        let meta = fresh(database).await;
        assert_eq!(meta.layout().slot_map().await, Ok(None));
        let map = SlotMap::even(1, 4, 8).expect("a map");
        meta.layout().fix_slot_map(&map).await.expect("fixed");
        assert_eq!(meta.layout().slot_map().await, Ok(Some((1, 4, 8))));
        let again = meta.layout().fix_slot_map(&map).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }

    over_each_database!(the_layout_is_fixed_once);
}
