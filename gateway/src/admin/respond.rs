//! Bodies of requests and responses of the admin address.
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use shards::ReadError;
use shards::store::StoreError;
use tokio::time::timeout;

use crate::answer::whole_seconds;
use crate::edge::{AnswerBody, HttpResponse};

const BODY_BYTES_MAX: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the JSON of a body; the error says what is wrong with it.
pub(super) async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, String> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let Ok(Ok(body)) = timeout(BODY_TIMEOUT, body).await else {
        return Err("the body is too large or too slow".to_owned());
    };
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}

pub(super) fn meta_unavailable(error: &StoreError) -> HttpResponse {
    tracing::error!(%error, "the meta database cannot be asked");
    fault(
        StatusCode::SERVICE_UNAVAILABLE,
        "the meta database, which knows this, is unavailable",
    )
}

pub(super) fn shard_unavailable(error: ReadError) -> HttpResponse {
    fault(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}

pub(super) fn too_many_wrong_tokens(wait: Duration) -> HttpResponse {
    let mut refusal = fault(
        StatusCode::TOO_MANY_REQUESTS,
        "too many wrong tokens came from this address: wait",
    );
    refusal
        .headers_mut()
        .insert(RETRY_AFTER, whole_seconds(wait).into());
    refusal
}

/// The response for a path that does not exist.
pub(super) fn no_path(paths: &[&str]) -> HttpResponse {
    fault(StatusCode::NOT_FOUND, &format!("try {}", paths.join(", ")))
}

/// The response for a method that a path does not take, with the methods that it takes.
pub(super) fn no_method(allowed: &[&str]) -> HttpResponse {
    let allowed = allowed.join(", ");
    let mut refusal = fault(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("this path does not take this method; it takes {allowed}"),
    );
    let allowed = HeaderValue::try_from(allowed).expect("methods are visible ASCII");
    refusal.headers_mut().insert(ALLOW, allowed);
    refusal
}

pub(super) fn fault(status: StatusCode, why: &str) -> HttpResponse {
    json(status, serde_json::json!({ "error": why }).to_string())
}

pub(super) fn json(status: StatusCode, body: String) -> HttpResponse {
    let mut response = Response::new(AnswerBody::from(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    let mut response = Response::new(AnswerBody::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
