//! What a campaign file counts becomes stock, once.
use std::collections::BTreeMap;

use jiff::Timestamp;
use market::batch::StockItem;
use market::campaign::Campaign;

use super::publication::counts;
use super::stock_operations::{StockChange, insert_operation};
use crate::store::{Database, StoreError};

/// Makes the items of a campaign stock that are not, within a transaction. Returns how many there
/// were.
pub(super) async fn stock_items<D: Database>(
    connection: &mut D::Connection,
    campaign: &Campaign,
    version: u32,
    stocked: &BTreeMap<StockItem, u64>,
    (who, now): (&str, Timestamp),
) -> Result<usize, StoreError> {
    let mut new = 0;
    for (item, units) in counts(campaign).filter(|(item, _)| !stocked.contains_key(item)) {
        let change = StockChange {
            item,
            units,
            who: who.to_owned(),
            why: format!("version {version}"),
        };
        insert_operation::<D>(connection, "publish", &change, Some(units), now).await?;
        new += 1;
    }
    Ok(new)
}
