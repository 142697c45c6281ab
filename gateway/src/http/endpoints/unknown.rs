//! There is nothing at the path of a request.
use crate::answer::{Code, Endpoint};
use crate::http::route::{About, Methods, Route, Serve};

/// Any path that no other endpoint has. Requests to it go through the same steps, so they are
/// counted, logged and limited as calls are.
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Unknown,
    paths: &[],
    methods: Methods::Any,
    takes: &[],
    about: About::NoUser,
    serve: Serve::Look(|_, _| Err(Code::PathUnknown.into())),
};
