//! How many units are left now, as a gateway tells its callers.
//!
//! Stock in memory is read at once. The servers of a cluster are read at most twice a second and
//! only when there are requests, however many: the first that finds the last reading too old begins
//! the next one, and all wait for it together, but not for long. While the servers do not answer the
//! last known number stands, with its age, and no request waits.
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use market::batch::StockItem;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::memory::MemoryStock;

/// How old a reading may be. Together with the time of a reading it stays below a second.
const AGE_MAX: Duration = Duration::from_millis(500);

/// How long callers wait for a reading that is under way. An answer must not wait for the stock.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// How long one reading may take.
const READING_MAX: Duration = Duration::from_secs(2);

/// What is left of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// So many units could be taken.
    Units {
        /// How many.
        units: u64,
        /// How long ago that was.
        age: Duration,
    },
    /// Nothing is known of it yet.
    Unknown,
}

impl Left {
    /// The units, where they are known.
    pub fn units(self) -> Option<u64> {
        match self {
            Self::Units { units, .. } => Some(units),
            Self::Unknown => None,
        }
    }
}

/// Units by item.
pub(crate) type LeftUnits = HashMap<StockItem, u64>;

/// Reads how many units of each item can be taken now. Returns why it could not.
pub(crate) trait ReadLeft: Send + Sync + 'static {
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<LeftUnits, String>> + Send + '_>>;
}

/// What is left, for this gateway's answers.
#[derive(Clone)]
pub(crate) enum LiveStock {
    /// Of stock in memory.
    Memory(Arc<MemoryStock>),
    /// Of stock on servers.
    Servers(Arc<LiveServers>),
}

impl LiveStock {
    /// What is left of an item, as far as it is known now. Never waits.
    pub(crate) fn left(&self, item: StockItem) -> Left {
        match self {
            Self::Memory(stock) => stock.left(item).map_or(Left::Unknown, |units| Left::Units {
                units,
                age: Duration::ZERO,
            }),
            Self::Servers(servers) => servers.left(item),
        }
    }

    /// Sees to it that what [`LiveStock::left`] returns is of this moment. Waits for a fifth of a
    /// second at most; what is known stays as it is when no reading comes in that time.
    pub(crate) async fn refresh(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Servers(servers) => servers.refresh().await,
        }
    }
}

/// What is left on stock servers.
pub(crate) struct LiveServers {
    servers: Box<dyn ReadLeft>,
    last: watch::Sender<Readings>,
}

/// The last readings.
#[derive(Clone, Default)]
struct Readings {
    /// The last one that succeeded, and when it began.
    known: Option<(Instant, Arc<LeftUnits>)>,
    /// When the last one began.
    begun: Option<Instant>,
    under_way: bool,
    /// Whether the last one that ended has failed.
    failed: bool,
}

impl Readings {
    /// Whether another one is due: the last one began so long ago, and has ended.
    fn is_due(&self, now: Instant) -> bool {
        !self.under_way && self.begun.is_none_or(|begun| now - begun >= AGE_MAX)
    }
}

impl LiveServers {
    pub(crate) fn new(servers: impl ReadLeft) -> Arc<Self> {
        Arc::new(Self {
            servers: Box::new(servers),
            last: watch::Sender::default(),
        })
    }

    fn left(&self, item: StockItem) -> Left {
        let last = self.last.borrow();
        let Some((begun, units)) = &last.known else {
            return Left::Unknown;
        };
        units
            .get(&item)
            .map_or(Left::Unknown, |&units| Left::Units {
                units,
                age: begun.elapsed(),
            })
    }

    async fn refresh(self: &Arc<Self>) {
        let mut readings = self.last.subscribe();
        let (mut begins, mut failing) = (false, false);
        self.last.send_if_modified(|last| {
            (begins, failing) = (last.is_due(Instant::now()), last.failed);
            if begins {
                (last.begun, last.under_way) = (Some(Instant::now()), true);
            }
            // No caller waits for the beginning.
            false
        });
        if begins {
            // A task of its own: the caller may go away.
            tokio::spawn(self.clone().read());
        }
        if failing {
            return;
        }
        let ended = readings.wait_for(|last| !last.under_way);
        // Too late or not, what is known is answered.
        let _ = timeout(WAIT_MAX, ended).await;
    }

    async fn read(self: Arc<Self>) {
        let begun = Instant::now();
        let read = timeout(READING_MAX, self.servers.read()).await;
        let read = read.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        self.last.send_modify(|last| {
            (last.under_way, last.failed) = (false, read.is_err());
            match read {
                Ok(units) => last.known = Some((begun, Arc::new(units))),
                Err(why) => tracing::debug!(why, "what is left in stock could not be read"),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use futures_util::future::join_all;
    use market::{ActivityId, AwardId, SkuId};

    use super::*;

    /// Servers on which as many units are left as they were read.
    #[derive(Default)]
    struct Script {
        readings: AtomicU64,
        fails: AtomicBool,
        hangs: AtomicBool,
    }

    struct Scripted(Arc<Script>);

    impl ReadLeft for Scripted {
        fn read(&self) -> Pin<Box<dyn Future<Output = Result<LeftUnits, String>> + Send + '_>> {
            Box::pin(async {
                let reading = self.0.readings.fetch_add(1, Ordering::Relaxed) + 1;
                if self.0.hangs.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                if self.0.fails.load(Ordering::Relaxed) {
                    return Err("down".to_owned());
                }
                Ok(HashMap::from([(mug(), reading)]))
            })
        }
    }

    fn activity() -> ActivityId {
        ActivityId::new(1).expect("id")
    }

    fn mug() -> StockItem {
        StockItem::award(activity(), AwardId::new(101).expect("id"))
    }

    fn live() -> (Arc<Script>, LiveStock) {
        let script = Arc::<Script>::default();
        let servers = LiveServers::new(Scripted(script.clone()));
        (script, LiveStock::Servers(servers))
    }

    const fn units(units: u64, age: Duration) -> Left {
        Left::Units { units, age }
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_cost_one_reading() {
        let (script, stock) = live();
        assert_eq!(stock.left(mug()), Left::Unknown);
        join_all((0..1_000).map(|_| stock.refresh())).await;
        assert_eq!(stock.left(mug()), units(1, Duration::ZERO));
        let just_before = AGE_MAX.saturating_sub(Duration::from_millis(1));
        tokio::time::advance(just_before).await;
        stock.refresh().await;
        assert_eq!(script.readings.load(Ordering::Relaxed), 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        join_all((0..1_000).map(|_| stock.refresh())).await;
        assert_eq!(stock.left(mug()), units(2, Duration::ZERO));
        assert_eq!(script.readings.load(Ordering::Relaxed), 2);
        let sku = StockItem::sku(activity(), SkuId::new(101).expect("id"));
        assert_eq!(stock.left(sku), Left::Unknown, "the award is no sku");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_without_callers() {
        let (script, stock) = live();
        stock.refresh().await;
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(script.readings.load(Ordering::Relaxed), 1);
        stock.refresh().await;
        assert_eq!(stock.left(mug()), units(2, Duration::ZERO));
    }

    /// Lets a reading end that no caller waits for.
    async fn read_in_the_background() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_known_number_stands_while_servers_fail() {
        let (script, stock) = live();
        stock.refresh().await;
        script.fails.store(true, Ordering::Relaxed);
        for second in 1..=3 {
            tokio::time::advance(Duration::from_secs(1)).await;
            stock.refresh().await;
            read_in_the_background().await;
            let age = Duration::from_secs(second);
            assert_eq!(stock.left(mug()), units(1, age));
        }
        assert_eq!(script.readings.load(Ordering::Relaxed), 4);
        script.fails.store(false, Ordering::Relaxed);
        tokio::time::advance(AGE_MAX).await;
        stock.refresh().await;
        read_in_the_background().await;
        assert_eq!(stock.left(mug()), units(5, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_holds_callers_for_a_moment_only() {
        let (script, stock) = live();
        script.hangs.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        stock.refresh().await;
        assert_eq!(begun.elapsed(), WAIT_MAX);
        assert_eq!(stock.left(mug()), Left::Unknown);
        script.hangs.store(false, Ordering::Relaxed);
        tokio::time::sleep(READING_MAX).await;
        let begun = Instant::now();
        stock.refresh().await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "the last reading failed");
        read_in_the_background().await;
        assert_eq!(stock.left(mug()), units(2, Duration::ZERO));
    }

    #[tokio::test]
    async fn stock_in_memory_is_read_at_once() {
        let memory = Arc::new(MemoryStock::default());
        let stock = LiveStock::Memory(memory.clone());
        assert_eq!(stock.left(mug()), Left::Unknown);
        memory.set_total(mug(), 3);
        assert_eq!(stock.left(mug()), units(3, Duration::ZERO));
    }
}
