//! How far an audit has come, for a progress line.
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts that only grow, to be read while the audit runs.
#[derive(Debug, Default)]
pub struct AuditProgress {
    tables: AtomicU64,
    tables_done: AtomicU64,
    orders: AtomicU64,
}

impl AuditProgress {
    /// Table pairs in all; 0 before that is known.
    pub fn tables(&self) -> u64 {
        self.tables.load(Ordering::Relaxed)
    }

    /// Table pairs that were checked.
    pub fn tables_done(&self) -> u64 {
        self.tables_done.load(Ordering::Relaxed)
    }

    /// Orders that were read.
    pub fn orders(&self) -> u64 {
        self.orders.load(Ordering::Relaxed)
    }

    /// An audit begins; a second one may follow a repair.
    pub(super) fn begin(&self, tables: usize) {
        self.tables.store(tables as u64, Ordering::Relaxed);
        self.tables_done.store(0, Ordering::Relaxed);
        self.orders.store(0, Ordering::Relaxed);
    }

    pub(super) fn table_done(&self) {
        self.tables_done.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn orders_read(&self, orders: usize) {
        self.orders.fetch_add(orders as u64, Ordering::Relaxed);
    }
}
