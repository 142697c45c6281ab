//! Job `withdraw` of the embedded default: withdrawals from stock in memory.
//!
//! The units leave the stock first and the total after it. If the process dies in between, the next
//! one rebuilds the stock and does the withdrawal again. While it is unknown whether the total has
//! fallen, the units stay out of the stock: otherwise they could be issued twice.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use market::batch::StockItem;
use tokio::sync::Mutex;

use super::{Job, JobError, Round};
use crate::meta::{Meta, Withdrawal};
use crate::stock::MemoryStock;
use crate::store::{Database, SqliteFile, StoreError};

/// The job. The follower takes turns with it: no totals are brought to the stock while it is
/// unknown whether a withdrawal is recorded.
pub(crate) struct WithdrawFromMemory(pub(crate) Arc<Mutex<Withdrawals<Meta<SqliteFile>>>>);

impl Job for WithdrawFromMemory {
    const NAME: &'static str = "withdraw";
    const EVERY: Duration = Duration::from_millis(500);

    async fn round(&mut self) -> Result<Round, JobError> {
        self.0.lock().await.run().await?;
        // One that fails is an error, and the others wait.
        Ok(Round::leaving(0))
    }
}

/// The records of withdrawals.
pub(crate) trait Records: Send + Sync {
    /// Those that wait, the oldest first.
    fn waiting(&self) -> impl Future<Output = Result<Vec<Withdrawal>, StoreError>> + Send;
    /// Records that `units` were withdrawn. After an error it is unknown whether that is recorded.
    fn note(&self, id: u64, units: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Whether it is recorded. No transaction is running that could still record it.
    fn is_noted(&self, id: u64) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

impl<D: Database> Records for Meta<D> {
    async fn waiting(&self) -> Result<Vec<Withdrawal>, StoreError> {
        self.stock_operations().waiting_withdrawals().await
    }

    async fn note(&self, id: u64, units: u64) -> Result<(), StoreError> {
        self.stock_operations().record_withdrawn(id, units).await
    }

    async fn is_noted(&self, id: u64) -> Result<bool, StoreError> {
        Ok(self
            .stock_operations()
            .applied_for_good(id)
            .await?
            .is_some())
    }
}

/// Withdrawals from one stock.
pub(crate) struct Withdrawals<M> {
    records: M,
    stock: Arc<MemoryStock>,
    in_doubt: Option<InDoubtWithdrawal>,
}

/// Units that left the stock for a withdrawal that may or may not be recorded.
#[derive(Debug, Clone, Copy)]
struct InDoubtWithdrawal {
    id: u64,
    item: StockItem,
    units: u64,
}

impl<M: Records> Withdrawals<M> {
    pub(crate) fn new(records: M, stock: Arc<MemoryStock>) -> Self {
        Self {
            records,
            stock,
            in_doubt: None,
        }
    }

    /// Does the waiting withdrawals.
    pub(crate) async fn run(&mut self) -> Result<(), StoreError> {
        self.resolve().await?;
        for Withdrawal { id, item, units } in self.records.waiting().await? {
            let units = self.stock.withdraw(item, units);
            self.in_doubt = Some(InDoubtWithdrawal { id, item, units });
            match self.records.note(id, units).await {
                Ok(()) => self.in_doubt = None,
                Err(error) if self.resolve().await? => {
                    tracing::warn!(%error, id, "a withdrawal was recorded although its commit was not confirmed");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Finds out whether the withdrawal in doubt, if there is one, is recorded. Must come before
    /// totals are brought to the stock: they would bring its units back.
    pub(crate) async fn resolve(&mut self) -> Result<bool, StoreError> {
        let Some(InDoubtWithdrawal { id, item, units }) = self.in_doubt else {
            return Ok(true);
        };
        let noted = self.records.is_noted(id).await?;
        if !noted {
            self.stock.put_back(item, units);
        }
        self.in_doubt = None;
        Ok(noted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use market::{ActivityId, AwardId};

    use super::*;

    /// How the next use goes wrong.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fault {
        /// It is recorded, but the answer is lost.
        Lost,
        /// It is not recorded.
        Undone,
        /// The records cannot be read.
        Unavailable,
    }

    #[derive(Debug, Default)]
    struct Book {
        waiting: BTreeMap<u64, u64>,
        faults: Vec<Fault>,
        total: u64,
    }

    #[derive(Debug, Clone, Default)]
    struct Books(Arc<Mutex<Book>>);

    impl Books {
        fn fails(&self, with: &[Fault]) -> Option<Fault> {
            let faults = &mut self.0.lock().expect("nothing panics here").faults;
            let next = *faults.first()?;
            with.contains(&next).then(|| faults.remove(0))
        }
    }

    fn item() -> StockItem {
        StockItem::award(
            ActivityId::new(1).expect("id"),
            AwardId::new(1).expect("id"),
        )
    }

    fn unavailable<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable("planted".to_owned()))
    }

    impl Records for Books {
        async fn waiting(&self) -> Result<Vec<Withdrawal>, StoreError> {
            let book = self.0.lock().expect("nothing panics here");
            Ok(book
                .waiting
                .iter()
                .map(|(&id, &units)| Withdrawal {
                    id,
                    item: item(),
                    units,
                })
                .collect())
        }

        async fn note(&self, id: u64, units: u64) -> Result<(), StoreError> {
            let fault = self.fails(&[Fault::Lost, Fault::Undone]);
            if fault != Some(Fault::Undone) {
                let mut book = self.0.lock().expect("nothing panics here");
                book.waiting.remove(&id).expect("it waits");
                book.total -= units;
            }
            if fault.is_some() {
                unavailable()
            } else {
                Ok(())
            }
        }

        async fn is_noted(&self, id: u64) -> Result<bool, StoreError> {
            if self.fails(&[Fault::Unavailable]).is_some() {
                return unavailable();
            }
            Ok(!self
                .0
                .lock()
                .expect("nothing panics here")
                .waiting
                .contains_key(&id))
        }
    }

    /// Ten units of which four are withdrawn. Returns what is left and the total after each round
    /// of the follower, which stops at a failure.
    async fn rounds<const COUNT: usize>(faults: &[Fault]) -> [(u64, u64); COUNT] {
        let book = Book {
            waiting: [(1, 4)].into(),
            faults: faults.to_vec(),
            total: 10,
        };
        let books = Books(Arc::new(Mutex::new(book)));
        let stock = Arc::new(MemoryStock::default());
        stock.set_total(item(), 10);
        let mut withdrawals = Withdrawals::new(books.clone(), stock.clone());
        let mut seen = [(0, 0); COUNT];
        for round in &mut seen {
            if withdrawals.resolve().await.is_ok() {
                stock.set_total(item(), books.0.lock().expect("nothing panics here").total);
                let _ = withdrawals.run().await;
            }
            *round = (
                stock.snapshots()[0].left,
                books.0.lock().expect("nothing panics here").total,
            );
        }
        seen
    }

    #[tokio::test]
    async fn a_withdrawal_that_was_recorded_without_an_answer_is_not_put_back() {
        assert_eq!(rounds(&[]).await, [(6, 6)]);
        assert_eq!(rounds(&[Fault::Lost]).await, [(6, 6), (6, 6)]);
    }

    #[tokio::test]
    async fn one_that_was_not_recorded_is_put_back_and_done_again() {
        assert_eq!(rounds(&[Fault::Undone]).await, [(10, 10), (6, 6)]);
    }

    #[tokio::test]
    async fn until_it_is_known_the_units_stay_off_the_node() {
        use Fault::{Lost, Unavailable, Undone};
        assert_eq!(
            rounds(&[Lost, Unavailable, Unavailable]).await,
            [(6, 6), (6, 6), (6, 6)]
        );
        assert_eq!(
            rounds(&[Undone, Unavailable, Unavailable]).await,
            [(6, 10), (6, 10), (6, 6)]
        );
    }
}
