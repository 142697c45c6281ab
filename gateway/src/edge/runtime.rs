//! Listeners that must respond whatever the others do. Each has a thread and a runtime of its own,
//! and its handler works in the runtime of the server.
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::handler::{Handler, HttpResponse};
use super::peer::Peer;

/// Runs work on a thread of its own. The receiver gets its output, or nothing where it panicked.
pub fn on_own_thread<W>(name: &str, work: W) -> io::Result<oneshot::Receiver<W::Output>>
where
    W: Future<Output: Send> + Send + 'static,
{
    let (started, starts) = std::sync::mpsc::channel();
    let (ends, ended) = oneshot::channel();
    let run = move || {
        // Built here, because within the server's runtime another one cannot be dropped.
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error))),
        };
        // The receiver may have gone.
        let _ = started.send(Ok(()));
        let _ = ends.send(runtime.block_on(work));
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)?;
    starts
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread ended")))?;
    Ok(ended)
}

/// A handler on another thread whose requests are answered with the tasks, timers and sockets of
/// the server's runtime: what it opens there is used by others, and must not end with that thread.
pub struct InRuntime<H> {
    handler: Arc<H>,
    runtime: Handle,
}

impl<H> InRuntime<H> {
    /// A handler in this runtime.
    pub fn current(handler: Arc<H>) -> Self {
        Self {
            handler,
            runtime: Handle::current(),
        }
    }
}

impl<H: Handler> Handler for InRuntime<H> {
    fn handle(
        &self,
        peer: Peer,
        request: Request<Incoming>,
    ) -> impl Future<Output = HttpResponse> + Send {
        let mut within = {
            let _entered = self.runtime.enter();
            Within {
                work: Some(Box::pin(self.handler.handle(peer, request))),
                runtime: &self.runtime,
            }
        };
        poll_fn(move |context| {
            let _entered = within.runtime.enter();
            within
                .work
                .as_mut()
                .expect("it is dropped last")
                .as_mut()
                .poll(context)
        })
    }
}

/// Work that is in a runtime when it is dropped, too.
struct Within<'a, W> {
    work: Option<Pin<Box<W>>>,
    runtime: &'a Handle,
}

impl<W> Drop for Within<'_, W> {
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
        self.work = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn work_runs_on_its_thread_and_its_output_comes_back() {
        let name = on_own_thread("aside", async {
            tokio::task::yield_now().await;
            std::thread::current().name().map(str::to_owned)
        });
        assert_eq!(
            name.expect("a thread")
                .await
                .expect("its output")
                .as_deref(),
            Some("aside")
        );
    }
}
