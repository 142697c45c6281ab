//! The body of an answer: all bytes at once, or a stream of chunks.
//!
//! Draws and reads have all their bytes at once, and cost no allocation here. The other form is for
//! answers that go on for a while, such as server-sent events.
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// Chunks of a stream that its connection has not taken yet; sending more waits.
const CHUNKS_MAX: usize = 16;

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it; `None` once it was taken, or when there is none.
    Whole(Option<Bytes>),
    /// What comes over a channel, until that is closed. Boxed: such answers are few, and the
    /// others need no room for it.
    Stream(Box<BodyStream>),
}

/// A body that comes over a channel.
pub struct BodyStream {
    chunks: mpsc::Receiver<Bytes>,
    /// Whether it is cut off when it ends now.
    cut_off: Arc<AtomicBool>,
    /// What must last as long as the body.
    lasts: Option<Box<dyn Send + Sync>>,
}

/// Sends the chunks of a body.
#[derive(Debug)]
pub struct ChunkSender {
    chunks: mpsc::Sender<Bytes>,
    cut_off: Arc<AtomicBool>,
}

impl ChunkSender {
    /// Sends a chunk, when there is room for it. Fails once the caller has gone.
    pub async fn send(&self, chunk: Bytes) -> Result<(), CutOff> {
        self.chunks.send(chunk).await.map_err(|_| CutOff)
    }

    /// Waits until the caller has gone, as far as that shows without sending anything.
    pub async fn closed(&self) {
        self.chunks.closed().await;
    }

    /// From now on the body is whole only when [`ChunkSender::end`] says so. When the sender is
    /// dropped before that, whatever the reason, the connection closes without the mark of the
    /// end, and the reader notices.
    pub fn must_end(&self) {
        self.cut_off.store(true, Ordering::Release);
    }

    /// Ends the body, which is whole.
    pub fn end(self) {
        self.cut_off.store(false, Ordering::Release);
    }
}

/// A body ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body was cut off")]
pub struct CutOff;

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl AnswerBody {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self::Whole(None)
    }

    /// A body that ends when its sender is dropped. Sending fails once the caller has gone.
    pub fn stream() -> (ChunkSender, Self) {
        let (chunks, received) = mpsc::channel(CHUNKS_MAX);
        let cut_off = Arc::new(AtomicBool::new(false));
        let stream = BodyStream {
            chunks: received,
            cut_off: cut_off.clone(),
            lasts: None,
        };
        let sender = ChunkSender { chunks, cut_off };
        (sender, Self::Stream(Box::new(stream)))
    }

    /// Keeps `value` for as long as the body streams. A whole body is handed over with its head, so
    /// it drops the value at once.
    pub fn keep_while_streaming<T: Send + Sync + 'static>(&mut self, value: impl FnOnce() -> T) {
        if let Self::Stream(stream) = self {
            stream.lasts = Some(Box::new(value()));
        }
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let polled = match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Stream(stream) => match stream.chunks.poll_recv(context) {
                Poll::Ready(None) if stream.cut_off.load(Ordering::Acquire) => {
                    return Poll::Ready(Some(Err(CutOff)));
                }
                polled => polled,
            },
        };
        polled.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_whole_body_is_one_frame_of_a_known_length() {
        let body = AnswerBody::from(Bytes::from_static(b"abc"));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
        let read = body.collect().await.expect("it cannot fail").to_bytes();
        assert_eq!(read, "abc");
        for empty in [AnswerBody::empty(), AnswerBody::from(Bytes::new())] {
            assert!(empty.is_end_stream() && empty.size_hint().exact() == Some(0));
        }
    }

    #[tokio::test]
    async fn a_stream_goes_on_until_its_sender_is_dropped() {
        let (sender, mut body) = AnswerBody::stream();
        let lasting = Arc::new(());
        body.keep_while_streaming(|| lasting.clone());
        assert!(!body.is_end_stream() && body.size_hint().exact().is_none());
        for chunk in ["a", "b"] {
            sender.send(Bytes::from(chunk)).await.expect("it is read");
            let frame = body.frame().await.expect("a frame").expect("no error");
            assert_eq!(frame.into_data().expect("data"), chunk);
        }
        assert_eq!(Arc::strong_count(&lasting), 2);
        drop(sender);
        assert!(body.frame().await.is_none());
        drop(body);
        assert_eq!(Arc::strong_count(&lasting), 1);
    }

    #[tokio::test]
    async fn a_stream_that_must_end_and_does_not_is_an_error() {
        for ends in [true, false] {
            let (sender, mut body) = AnswerBody::stream();
            sender.must_end();
            sender.send(Bytes::from("a")).await.expect("it is read");
            if ends {
                sender.end();
            } else {
                drop(sender);
            }
            assert!(body.frame().await.expect("a frame").is_ok());
            let error = body.frame().await.and_then(Result::err);
            assert_eq!(error, Some(CutOff).filter(|_| !ends));
        }
    }

    #[tokio::test]
    async fn a_whole_body_keeps_nothing() {
        let mut body = AnswerBody::from(Bytes::from_static(b"abc"));
        body.keep_while_streaming(|| panic!("nothing streams"));
    }
}
