//! One stock server, as this process knows it.
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::closing::CloseRequest;
use super::ledger::Registered;
use super::server::{Lost, Session, StockServer, Stranger, TakeRequest, Taken};
use super::trouble::ServerTrouble;
use crate::breaker::{Breaker, CallOutcome};
use crate::stock::StockUnavailable;
use crate::stock::ids::{Epoch, ServerId};
use crate::store::MismatchNotice;

/// One stock server, as this process knows it.
pub(crate) struct StockNode<S> {
    pub(crate) id: ServerId,
    pub(crate) server: S,
    /// The process that the meta database trusts, as last read.
    registered: ArcSwap<Registered>,
    closings: mpsc::Sender<CloseRequest>,
    /// Whether its units were found to be another cluster's.
    pub(crate) notice: MismatchNotice,
    trouble: ServerTrouble,
}

impl<S: StockServer> StockNode<S> {
    /// A node that trusts no process yet. Grants to close go to `closings`.
    pub(super) fn new(id: ServerId, server: S, closings: mpsc::Sender<CloseRequest>) -> Self {
        Self {
            id,
            server,
            registered: ArcSwap::from_pointee(Registered {
                epoch: Epoch(0),
                run_id: None,
            }),
            closings,
            notice: MismatchNotice::of(format!("redis-{id}")),
            trouble: ServerTrouble::default(),
        }
    }

    /// A session with the process that holds the units of the current epoch.
    pub(crate) async fn trusted_session(&self) -> Result<S::Session, StockUnavailable> {
        let session = self.find_session().await?;
        session.ok_or_else(|| self.lost())
    }

    /// The error of a server that has lost its units.
    pub(crate) fn lost(&self) -> StockUnavailable {
        StockUnavailable::Unavailable(format!("stock server {} has to be rebuilt", self.id))
    }

    /// A session with the process that holds the units of the current epoch; `None` where the
    /// server answers but does not hold these units.
    pub(crate) async fn find_session(&self) -> Result<Option<S::Session>, StockUnavailable> {
        let registered = self.registered.load_full();
        let is_trusted =
            |session: &S::Session| registered.run_id.as_deref() == Some(session.run_id());
        let kept = self.server.session().await?;
        if is_trusted(&kept) {
            return Ok(Some(kept));
        }
        // A connection that was made a while ago may lead to a process that has gone.
        kept.discard();
        let session = self.server.session().await?;
        Ok(Some(session).filter(is_trusted))
    }

    /// The current epoch, as last read.
    pub(super) fn known_epoch(&self) -> Epoch {
        self.registered.load().epoch
    }

    /// Finds out whose units the server holds, by what the meta database says of the server.
    pub(crate) async fn recognise(
        &self,
        session: &mut S::Session,
        registered: &Registered,
    ) -> Result<Result<(), Stranger>, StockUnavailable> {
        let known = registered.run_id.as_deref() == Some(session.run_id());
        let recognised = session.recognise(known.then_some(registered.epoch)).await?;
        self.notice.record(&recognised);
        Ok(recognised)
    }

    /// Finds out whose units the server holds, in a session of its own and by what was last read of
    /// the meta database.
    pub(crate) async fn recognise_now(&self) -> Result<Result<(), Stranger>, StockUnavailable> {
        let mut session = self.server.session().await?;
        let registered = self.registered.load_full();
        self.recognise(&mut session, &registered).await
    }

    /// Sets what the meta database says of this server.
    pub(crate) fn set_registered(&self, registered: Registered) {
        self.registered.store(Arc::new(registered));
    }

    /// Takes units, unless the server's breaker refuses the call.
    pub(super) async fn take(
        &self,
        request: &TakeRequest<'_>,
        breaker: &Breaker,
        deadline: Instant,
    ) -> Result<Taken, StockUnavailable> {
        let permit = breaker.admit().map_err(|_| {
            let last = self.trouble.last().unwrap_or_default();
            StockUnavailable::Unavailable(format!(
                "the breaker of stock server {} is open: {last}",
                self.id
            ))
        })?;
        let taking = async {
            match self.find_session().await? {
                Some(mut session) => session.take(request).await,
                None => Ok(Err(Lost)),
            }
        };
        let late = |_| {
            Err(StockUnavailable::Unavailable(
                "no answer in time".to_owned(),
            ))
        };
        let taken = timeout_at(deadline, taking).await.unwrap_or_else(late);
        permit.end(match &taken {
            // A server that has lost its units does answer.
            Ok(_) => CallOutcome::Answered,
            // That says nothing of the server, and no caller waited: the next dial finds out.
            Err(StockUnavailable::EndedAtOnce(_)) => CallOutcome::Uncounted,
            Err(_) => CallOutcome::Failed,
        });
        if let Ok(Ok(_)) = taken {
            // A server does not grant units of another cluster.
            self.notice.record(&Ok::<_, Stranger>(()));
        }
        let taken = taken.and_then(|answer| answer.map_err(|Lost| self.lost()));
        self.trouble.note(self.id, &taken);
        taken
    }

    /// Closes a grant soon, in the background.
    pub(super) fn close(&self, request: CloseRequest) {
        // A full queue is not an error: the sweeper finds grants that stay open.
        let _ = self.closings.try_send(request);
    }
}
