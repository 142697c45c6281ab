//! An address with health, readiness and metrics and nothing else: for those who must reach these
//! and need not reach more.
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;

use super::Admin;
use crate::edge::{Handler, HttpResponse, Peer};

/// What the probes' address answers.
pub struct Probes(pub Arc<Admin>);

impl Handler for Probes {
    async fn handle(&self, _: Peer, request: Request<Incoming>) -> HttpResponse {
        self.0.page(&request)
    }
}
