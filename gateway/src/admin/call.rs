//! A request to a path that needs a token.
use hyper::Request;
use hyper::body::Incoming;

use super::token::AdminCaller;

/// A request whose caller is known and may make it.
pub(super) struct AdminCall {
    /// Who makes it.
    pub(super) caller: AdminCaller,
    /// What stands behind the question mark; empty without one.
    pub(super) query: String,
    /// The request, with its body unread.
    pub(super) request: Request<Incoming>,
}
