//! Timeouts of the server, as each session sets them.
use std::time::Duration;

/// The wait for a row lock, the shortest that both servers have: a lane that waits delays all its
/// callers, and learns only afterwards whose rows are held. (MySQL checks once a second, and may
/// wait for two.)
pub(super) const LOCK_WAIT_SECONDS: u64 = 1;

/// The server closes a connection that idled for this long. Short, so that the locks of a gateway
/// whose machine has died are soon released.
pub(super) const IDLE_SECONDS_MAX: u64 = 60;

/// After half of that a connection is replaced, not used: the server could close it just then.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(IDLE_SECONDS_MAX / 2);
