//! What can be asked of a shard, and what is found.
use market::chances::Account;
use market::points::{PointsAccount, PointsEntry};
use market::sign_in::SignIn;
use market::{ActivityId, Order, OrderId, UserId};

use super::orders::{FoundPage, OrderKey, OrdersPage, PageSize};
use super::recharges::{FoundRecharges, RechargesPage};
use crate::store::StoreError;

/// A question to one shard.
#[derive(Debug, Clone)]
pub(crate) enum ReadQuestion {
    Account(UserId, ActivityId),
    Points(UserId),
    Ledger(UserId, LedgerPage),
    SignIns(UserId),
    Order(UserId, OrderKey),
    Page(UserId, OrdersPage),
    Recharges(UserId, RechargesPage),
    OrderOfAnyone(OrderId),
}

/// Which entries of a user's ledger: a page of them, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerPage {
    /// At most so many.
    pub size: PageSize,
    /// Those with a smaller number than this one.
    pub before: Option<u64>,
}

/// The answer: an account, or orders.
#[derive(Debug, Default)]
pub(crate) struct FoundRecords {
    pub(crate) account: Option<Account>,
    pub(crate) points: Option<PointsAccount>,
    /// The newest first; one more than the page has, where there are more.
    pub(crate) entries: Vec<PointsEntry>,
    pub(crate) sign_ins: Vec<(ActivityId, SignIn)>,
    /// In the order in which they were drawn.
    pub(crate) orders: Vec<Order>,
    /// `None` also where the page's beginning is not known.
    pub(crate) page: Option<FoundPage>,
    /// The same.
    pub(crate) recharges: Option<FoundRecharges>,
}

/// What is found for a question, or why it cannot be known.
pub(super) type Found = Result<FoundRecords, StoreError>;

impl FoundRecords {
    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        let (page, recharges) = (self.page.as_ref(), self.recharges.as_ref());
        self.account.is_none()
            && self.points.is_none()
            && self.entries.is_empty()
            && self.sign_ins.is_empty()
            && self.orders.is_empty()
            && page.is_none_or(|page| page.orders.is_empty())
            && recharges.is_none_or(|page| page.orders.is_empty())
    }
}
