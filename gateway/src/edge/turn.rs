//! One more turn for a connection that asks for it, without the way through the scheduler.
//!
//! A body that came with its head is handed over by hyper once it was asked for, in the next turn
//! of the connection's task. A task that wakes itself for that goes through the run queue, and
//! often wakes another thread on its way; here the same poll goes on instead.
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A connection that asks for more turns in a row than this waits for the scheduler.
const TURNS_MAX: usize = 4;

/// What this thread polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnState {
    /// No connection is polled.
    Outside,
    /// One is.
    Inside,
    /// One is, and asks for another turn.
    Asked,
}

thread_local! {
    static STATE: Cell<TurnState> = const { Cell::new(TurnState::Outside) };
}

/// Asks for another turn of the task that is polled: at once where that is a connection, else by
/// the scheduler. To be followed by `Poll::Pending`.
pub fn ask_again(context: &Context<'_>) {
    if STATE.get() == TurnState::Outside {
        context.waker().wake_by_ref();
    } else {
        STATE.set(TurnState::Asked);
    }
}

/// Polls a connection until it neither ends nor asks for another turn.
pub(super) fn poll<F: Future + ?Sized>(
    mut connection: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<F::Output> {
    for _ in 0..TURNS_MAX {
        let outer = STATE.replace(TurnState::Inside);
        let polled = connection.as_mut().poll(context);
        let asked = STATE.replace(outer) == TurnState::Asked;
        if polled.is_ready() || !asked {
            return polled;
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    /// Ends after it has asked this number of times.
    fn asking(times: usize) -> impl Future<Output = usize> {
        let mut asked = 0;
        poll_fn(move |context| {
            if asked == times {
                return Poll::Ready(asked);
            }
            asked += 1;
            ask_again(context);
            Poll::Pending
        })
    }

    #[test]
    fn a_future_that_asks_within_the_bound_ends_in_one_poll() {
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(
            poll(pin!(asking(TURNS_MAX - 1)), &mut context),
            Poll::Ready(TURNS_MAX - 1)
        );
        assert_eq!(poll(pin!(asking(TURNS_MAX)), &mut context), Poll::Pending);
        assert_eq!(STATE.get(), TurnState::Outside);
    }

    #[test]
    fn a_future_outside_of_a_connection_is_woken() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        assert_eq!(runtime.block_on(asking(9)), 9);
        // And so is a connection that asks too often.
        let mut connection = Box::pin(asking(3 * TURNS_MAX));
        let ended = runtime.block_on(poll_fn(|context| poll(connection.as_mut(), context)));
        assert_eq!(ended, 3 * TURNS_MAX);
    }
}
