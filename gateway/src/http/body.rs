//! A request's body: read once, within bounds.
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use crate::answer::Code;
use crate::edge::ask_again;

/// The body of a request.
pub struct RequestBody {
    /// `None` once reading has begun.
    incoming: Option<Incoming>,
    /// All of it was read, or there is none.
    is_over: bool,
    bytes_max: usize,
}

impl RequestBody {
    /// A body of at most `bytes_max` bytes.
    pub fn new(incoming: Incoming, bytes_max: usize) -> Self {
        let is_over = incoming.is_end_stream();
        Self {
            incoming: Some(incoming),
            is_over,
            bytes_max,
        }
    }

    /// Reads it, within `time`, or until `cut_off` ends.
    pub async fn read(
        &mut self,
        time: Duration,
        cut_off: impl Future<Output = ()>,
    ) -> Result<Bytes, Code> {
        let Some(incoming) = self.incoming.take().filter(|_| !self.is_over) else {
            return Ok(Bytes::new());
        };
        let mut reading = pin!(joined(Limited::new(incoming, self.bytes_max)));
        let read = if let Some(read) = at_hand(reading.as_mut()).await {
            read
        } else {
            tokio::select! {
                read = timeout(time, reading.as_mut()) => read.map_err(|_| Code::BodyTooSlow)?,
                () = cut_off => return Err(Code::BodyTooSlow),
            }
        };
        self.is_over = read.is_ok();
        // A caller that has gone, or that broke the protocol, does not read this answer.
        read.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Code::BodyTooLarge
            } else {
                Code::IllegalParameter
            }
        })
    }

    /// Drops what was not read; returns whether the connection certainly ends with this answer. Of
    /// a body that was never read hyper takes what is at hand, and adds `Connection: close` by
    /// itself when that is not all of it. It finds out when it gets a turn before the answer.
    pub async fn finish(self) -> bool {
        let Self {
            incoming, is_over, ..
        } = self;
        let is_unread = incoming.is_some();
        drop(incoming);
        if !is_over && is_unread {
            yield_once().await;
        }
        !is_over && !is_unread
    }
}

/// Gives the task of this connection one turn.
async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        ask_again(context);
        Poll::Pending
    })
    .await;
}

/// Returns the output of `future` if it is ready at the second poll. Most bodies come with their
/// head, and hyper hands them over after the first poll: a timer would be made and dropped for
/// nothing.
async fn at_hand<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut second = false;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if second => Poll::Ready(None),
        Poll::Pending => {
            second = true;
            ask_again(context);
            Poll::Pending
        }
    })
    .await
}

/// Returns the bytes of a body, copied together unless they come as one frame. Frames of one byte
/// take forty times as much memory as their bytes, so tiny chunks that are kept would take
/// gigabytes.
async fn joined(
    mut body: Limited<Incoming>,
) -> Result<Bytes, <Limited<Incoming> as hyper::body::Body>::Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if bytes.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}
