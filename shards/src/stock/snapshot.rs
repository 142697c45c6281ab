//! The stock of one item at one moment.
use market::batch::StockItem;

/// One item's stock at one moment: `total = left + open + issued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The item.
    pub item: StockItem,
    /// All units.
    pub total: u64,
    /// Units that can be taken.
    pub left: u64,
    /// Units under open grants.
    pub open: u64,
    /// Units in orders.
    pub issued: u64,
}
