//! A timer of the kernel instead of the runtime's, whose steps of a millisecond would be most of a
//! fast server's latency.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Sleeps one sleep at a time.
#[derive(Debug)]
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// Needs a runtime around it.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        #[expect(
            deprecated,
            reason = "unsound for types that change their descriptor; an OwnedFd keeps its own"
        )]
        AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?).map(Self)
    }

    pub(super) async fn sleep(&self, length: Duration) -> io::Result<()> {
        const NEVER_AGAIN: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // Zero would be no alarm at all.
        let length = if length.is_zero() {
            Duration::from_nanos(1)
        } else {
            length
        };
        let alarm = Timespec::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let alarm = Itimerspec {
            it_interval: NEVER_AGAIN,
            it_value: alarm,
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &alarm)?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut expirations = [0; 8];
            match ready
                .try_io(|timer| rustix::io::read(timer, &mut expirations).map_err(io::Error::from))
            {
                Ok(read) => return read.map(drop),
                Err(_not_yet) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[tokio::test]
    async fn it_never_wakes_early_and_can_be_used_again() {
        let timer = Timer::new().expect("a timer");
        for us in [0, 1, 300, 2_000] {
            let length = Duration::from_micros(us);
            let before = Instant::now();
            timer.sleep(length).await.expect("slept");
            assert!(before.elapsed() >= length);
        }
    }
}
