//! A row of the table of endpoints: paths, methods and parameters, whose data it is about, and how
//! it answers.
use std::pin::Pin;

use hyper::Method;
use market::{DrawCount, RequestId, UserId};

use super::fields::{FieldName, Fields};
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::{CallerCheck, Desk};
use crate::identity::Caller;

/// A path, and the number of draws that it stands for by itself.
pub type Path = (&'static str, Option<DrawCount>);

/// A row of the table of endpoints.
pub struct Route {
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// Below the base of all paths. The first one is the documented name, the others are aliases.
    pub paths: &'static [Path],
    /// The methods that it takes, besides OPTIONS.
    pub methods: Methods,
    /// Its parameters; each may come from the query, a form or a JSON object.
    pub takes: &'static [FieldName],
    /// Whose data it is about.
    pub about: About,
    /// How it answers.
    pub serve: Serve,
}

/// The methods that a path takes, besides OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// It changes something: POST.
    Change,
    /// It reads: GET, HEAD, POST.
    Read,
    /// It is a page: GET, HEAD.
    Show,
    /// It takes all of them, to say the same to each.
    Any,
}

impl Methods {
    /// For the header `Allow`.
    pub const fn allowed(self) -> &'static str {
        match self {
            Methods::Change => "POST, OPTIONS",
            Methods::Read => "GET, HEAD, POST, OPTIONS",
            Methods::Show => "GET, HEAD, OPTIONS",
            Methods::Any => "*",
        }
    }

    /// Whether a method is one of them.
    pub fn allow(self, method: &Method) -> bool {
        match self {
            Methods::Change => method == Method::POST,
            Methods::Read => [Method::GET, Method::HEAD, Method::POST].contains(method),
            Methods::Show => [Method::GET, Method::HEAD].contains(method),
            Methods::Any => true,
        }
    }
}

/// Whose data an endpoint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A user's: the caller must be that user, and there is a path that ends in `_by_token` too.
    User,
    /// No particular user's: the caller does not matter.
    NoUser,
    /// That of users whom an application names: the caller must be that application.
    App,
}

/// How an endpoint answers.
#[derive(Clone, Copy)]
pub enum Serve {
    /// It changes something under a key, which each answer names. When no answer comes the change
    /// may have been made; the same call under the same key gets the answer of the first one.
    Command(for<'a> fn(&'a Desk, &'a EndpointRequest<'a>, RequestId) -> Serving<'a>),
    /// It changes something that its parameters themselves name, so it needs no key: the same call
    /// again gets the answer of the first one.
    Report(for<'a> fn(&'a Desk, &'a EndpointRequest<'a>) -> Serving<'a>),
    /// It reads from a shard. It changes nothing, so a caller or a proxy may send it again.
    Read(for<'a> fn(&'a Desk, &'a EndpointRequest<'a>) -> Serving<'a>),
    /// It reads from memory.
    Look(fn(&Desk, &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure>),
}

/// The work of an endpoint. Boxed: otherwise each request's future would have the size of the
/// largest endpoint's, and would be copied several times on its way.
pub type Serving<'a> = Pin<Box<dyn Future<Output = Result<EndpointAnswer, Failure>> + Send + 'a>>;

/// What an endpoint answers.
pub enum EndpointAnswer {
    /// JSON, in the envelope.
    Json {
        /// The envelope's `data`.
        data: Data,
        /// Draws that it holds, for the access log.
        draws: usize,
    },
    /// The page.
    Page,
    /// What pages may send.
    Preflight,
}

impl From<Data> for EndpointAnswer {
    fn from(data: Data) -> Self {
        Self::Json { data, draws: 0 }
    }
}

impl Route {
    /// Whether it changes something.
    pub const fn is_command(&self) -> bool {
        matches!(self.serve, Serve::Command(_) | Serve::Report(_))
    }

    /// Whether its calls have a key, which each answer names.
    pub const fn has_key(&self) -> bool {
        matches!(self.serve, Serve::Command(_))
    }
}

/// Where a request's method and path lead.
#[derive(Clone, Copy)]
pub struct RoutedCall {
    /// To which endpoint.
    pub route: &'static Route,
    /// By a path for callers who are known by their token.
    pub by_token: bool,
    /// The number of draws that the path stands for, if it does.
    pub count: Option<DrawCount>,
}

impl RoutedCall {
    /// How much must be known of the caller.
    pub const fn caller(self) -> CallerCheck {
        match (self.route.about, self.by_token) {
            (About::NoUser, _) => CallerCheck::NoUser,
            (About::App, _) => CallerCheck::App,
            (About::User, false) => CallerCheck::User,
            (About::User, true) => CallerCheck::UserByToken,
        }
    }
}

/// A request as an endpoint gets it.
pub struct EndpointRequest<'a> {
    /// Where it leads.
    pub call: RoutedCall,
    /// Who calls.
    pub caller: Caller,
    /// The parameters that the endpoint takes.
    pub fields: Fields<'a>,
}

impl EndpointRequest<'_> {
    /// The user that it is about.
    pub fn user(&self) -> Result<UserId, Failure> {
        self.fields.user(&self.caller)
    }

    /// The user that a read is about, within that user's limits.
    pub fn reading_user(&self, desk: &Desk) -> Result<UserId, Failure> {
        let user = self.user()?;
        let (endpoint, activity) = (self.call.route.endpoint, self.fields.known_activity());
        desk.admit_user(endpoint, &user, activity, jiff::Timestamp::now())?;
        Ok(user)
    }
}
