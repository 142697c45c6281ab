//! The listeners while they serve, and how they drain.
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::error::ServeError;
use super::listen::Listeners;
use crate::admin::{Admin, Probes};
use crate::commands::held_folder::AddressFile;
use crate::edge::{DrainedListener, Handler, InRuntime, Listener, ListenerStop, on_own_thread};
use crate::http::HttpApi;

/// A listener that serves.
struct Door<T> {
    stop: ListenerStop,
    ended: T,
}

/// A listener on a thread of its own.
type OwnThread = Door<oneshot::Receiver<std::io::Result<DrainedListener>>>;

/// The listeners that serve: players on the server's threads, all others on threads of their own,
/// so that neither delays the other.
pub(super) struct Doors {
    public: Door<JoinHandle<std::io::Result<DrainedListener>>>,
    aside: Vec<OwnThread>,
    /// Commands find the admin address in it until that has drained.
    _address: Option<AddressFile>,
}

impl Doors {
    pub(super) fn open(
        listeners: Listeners,
        api: Arc<HttpApi>,
        admin: &Arc<Admin>,
        address: Option<AddressFile>,
    ) -> Result<Self, ServeError> {
        let Listeners {
            public,
            admin: operators,
            probes,
            ..
        } = listeners;
        let mut aside = vec![aside(
            "admin",
            operators,
            InRuntime::current(admin.clone()),
        )?];
        if let Some(probes) = probes {
            aside.push(self::aside("probes", probes, Probes(admin.clone()))?);
        }
        let public = Door {
            stop: public.stop(),
            ended: tokio::spawn(public.serve(api)),
        };
        Ok(Self {
            public,
            aside,
            _address: address,
        })
    }

    /// Each connection ends after its next response.
    pub(super) fn close_after_answers(&self) {
        self.public.stop.close_after_answers();
        self.aside
            .iter()
            .for_each(|door| door.stop.close_after_answers());
    }

    /// Ends the listener of players. Returns how many requests were cut off.
    pub(super) async fn drain_public(&mut self) -> usize {
        self.public.stop.drain();
        let drained = (&mut self.public.ended)
            .await
            .map_err(std::io::Error::other)
            .flatten();
        match drained {
            Ok(DrainedListener { requests_cut: 0 }) => 0,
            Ok(DrainedListener { requests_cut }) => {
                tracing::error!(
                    requests_cut,
                    "requests were cut off that did not end before the deadline"
                );
                requests_cut
            }
            Err(error) => {
                tracing::error!(%error, "players were not served to the end");
                1
            }
        }
    }

    /// Ends the others.
    pub(super) async fn drain_admin(self) {
        self.aside.iter().for_each(|door| door.stop.drain());
        for door in self.aside {
            // Their results no longer matter.
            let _ = door.ended.await;
        }
    }
}

fn aside(name: &str, listener: Listener, handler: impl Handler) -> Result<OwnThread, ServeError> {
    let stop = listener.stop();
    let ended =
        on_own_thread(name, listener.serve(Arc::new(handler))).map_err(ServeError::Thread)?;
    Ok(Door { stop, ended })
}
