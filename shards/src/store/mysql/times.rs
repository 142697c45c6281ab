//! How long the server waits, as every session sets it.
use std::time::Duration;

/// A row lock is waited for this long, the shortest that both servers know: a lane that waits keeps
/// everybody waiting, and finds out who is held only afterwards. (MySQL looks once a second, and
/// may wait for two.)
pub(super) const LOCK_WAIT_SECONDS: u64 = 1;

/// The server closes a connection that nobody used for this long. Short, so that the locks of a
/// gateway whose machine has died are soon gone.
pub(super) const IDLE_SECONDS_MAX: u64 = 60;

/// After half of that it is made again rather than used: the server could close it just then.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(IDLE_SECONDS_MAX / 2);
