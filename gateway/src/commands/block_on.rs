//! The runtime of short commands.
use std::future::Future;

/// Runs a short command to its end.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime can be started").block_on(work)
}
