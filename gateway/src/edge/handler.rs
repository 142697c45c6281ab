//! What answers the requests of a listener.
use std::future::Future;

use hyper::body::Incoming;
use hyper::{Request, Response};

use super::body::AnswerBody;
use super::peer::Peer;

/// An answer as it goes to the connection.
pub type HttpResponse = Response<AnswerBody>;

/// What answers the requests of a listener.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request that came over a connection from `peer`.
    fn handle(
        &self,
        peer: Peer,
        request: Request<Incoming>,
    ) -> impl Future<Output = HttpResponse> + Send;
}
