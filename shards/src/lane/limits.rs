//! Sizes and times of a lane.
use std::time::Duration;

/// Sizes of a lane. Room is counted in draws; a command that draws nothing takes the room of one.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Draws that may wait, whatever the lane's speed.
    pub queue_max: usize,
    /// No more draws may wait than the lane commits within this time.
    pub queue_target: Duration,
    /// Draws in one batch, or one command alone. A draw is at most about 4 KiB in the texts of its
    /// statements, so 1,024 of them are a quarter of the 16 MiB that MariaDB takes by default.
    pub batch_max: usize,
    /// While commands come together, a batch begins this long after the one before, or when enough
    /// draws wait, whichever is earlier. Zero: at once.
    pub linger: Duration,
}

/// How long callers wait.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// In the queue. A command that is older is answered, not executed.
    pub queue: Duration,
    /// For the answer of a command that was taken. After this its outcome is unknown.
    pub answer: Duration,
}
