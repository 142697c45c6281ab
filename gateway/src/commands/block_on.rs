//! The runtimes of commands.
use std::future::Future;

use tokio::runtime::Builder;

/// Runs a short command to its end.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(work)
}

/// Runs a command to its end whose tasks are to work at once.
pub fn block_on_all_cores<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(work)
}
