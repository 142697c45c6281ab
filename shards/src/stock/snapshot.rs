//! How the stock of a prize stands.
use market::batch::Prize;

/// One prize's stock at one moment: `total = left + open + issued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Which prize.
    pub prize: Prize,
    /// Units there are in all.
    pub total: u64,
    /// Units to be taken.
    pub left: u64,
    /// Units under open grants.
    pub open: u64,
    /// Units in orders.
    pub issued: u64,
}
