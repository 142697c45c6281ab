//! A request before its body is read.
use hyper::HeaderMap;
use jiff::Timestamp;

use crate::answer::Endpoint;
use crate::edge::Peer;
use crate::identity::Caller;
use crate::identity::apps::AppClaim;
use crate::limits::UnprovenCall;

/// What is known of a request by its head.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// What it is for.
    pub endpoint: Endpoint,
    /// Whether its caller matters.
    pub caller: CallerCheck,
    /// The other end of its connection.
    pub peer: Peer,
    /// The headers, in which proxies and tokens say who calls.
    pub headers: &'a HeaderMap,
    /// When it came.
    pub at: Timestamp,
}

/// How much must be known of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerCheck {
    /// Nothing: the endpoint is about no user.
    NoUser,
    /// Who it is, as the server is configured to know.
    User,
    /// The same, and what the request itself says is not enough.
    UserByToken,
    /// Which application it is. It signs the body too.
    App,
}

/// Who calls, as far as the head of a request says.
#[derive(Debug)]
pub enum Claim {
    /// The caller.
    Caller(Caller),
    /// An application, which the body must prove. It is counted until then.
    App(AppClaim, UnprovenCall),
}
