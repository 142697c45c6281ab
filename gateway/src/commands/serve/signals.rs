//! The signals of a server: two that stop it, one that reloads its configuration.
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::ServeError;

/// The signals that a server obeys.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Never waited for. Receiving it makes a file that may not grow an error of its writer and not
    /// the end of the process.
    _file_too_large: Signal,
}

/// The number of SIGXFSZ on all systems that the program runs on.
const SIGXFSZ: i32 = 25;

impl Signals {
    /// Receives them from now on.
    pub(super) fn new() -> Result<Self, ServeError> {
        let listen = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            _file_too_large: listen(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Waits for a stop, and reloads at each SIGHUP.
    pub(super) async fn stop(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}
