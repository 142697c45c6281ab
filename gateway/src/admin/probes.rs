//! An address with health, readiness and metrics and nothing else, for probes and scrapers that
//! need no access to the admin API.
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;

use super::state::Admin;
use crate::edge::{Handler, HttpResponse, Peer};

/// What the address of probes serves.
pub struct Probes(pub Arc<Admin>);

impl Handler for Probes {
    async fn handle(&self, _: Peer, request: Request<Incoming>) -> HttpResponse {
        self.0.page(&request)
    }
}
