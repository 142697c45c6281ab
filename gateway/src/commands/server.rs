//! A running server as commands see it: asked and told through its admin address.
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{NO, complain, fail, say};
use crate::admin::text::printable;
use crate::admin::token::Token;

/// A server that does not answer in this time is not there.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug, Args)]
pub struct Server {
    /// Its admin address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8092")]
    admin: Uri,
    /// The file with its token
    #[arg(long, value_name = "FILE", default_value = "data/admin-token")]
    token_file: PathBuf,
}

/// Why a server was not obeyed or asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    #[error("{0}")]
    Refused(String),
    #[error("token: {0}")]
    Token(String),
    #[error("--admin: expected an address such as http://127.0.0.1:8092")]
    Address,
    #[error("{address}: {why}")]
    Server { address: String, why: String },
}

impl Server {
    pub(super) async fn get(&self, path: &str) -> Result<Value, ServerError> {
        self.call(Method::GET, path, String::new()).await
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: String) -> Result<Value, ServerError> {
        let authority = self.admin.authority().ok_or(ServerError::Address)?;
        let address = authority.to_string();
        let token = Token::read(&self.token_file).map_err(ServerError::Token)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &address)
            .header(AUTHORIZATION, format!("Bearer {}", token.secret()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| ServerError::Address)?;
        let failed = |why: String| ServerError::Server { address: address.clone(), why };
        let answer = timeout(TIMEOUT, exchange(&address, request)).await;
        let (status, body) = answer.map_err(|_| failed("no answer in time".to_owned()))?.map_err(&failed)?;
        let body: Value = serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
        match status {
            StatusCode::OK => Ok(body),
            status if status.is_client_error() => Err(ServerError::Refused(text(&body, "error"))),
            _ => Err(failed(text(&body, "error"))),
        }
    }
}

/// One request on a connection of its own.
pub(super) async fn exchange(address: &str, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

/// Says what a server answered.
pub(super) fn end(result: Result<String, ServerError>) -> ExitCode {
    match result {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(ServerError::Refused(why)) => {
            complain(format_args!("drawbridge: {why}\n"));
            ExitCode::from(NO)
        }
        Err(error) => fail(error),
    }
}

/// A time such as `10m`, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let lasts: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(lasts.as_secs()).ok().filter(|&seconds| seconds > 0).ok_or("expected at least a second".to_owned())
}

/// An answer as JSON, or as people read it.
pub(super) fn json_or(json: bool, answer: &Value, show: impl FnOnce(&Value) -> String) -> String {
    if json { format!("{answer:#}\n") } else { show(answer) }
}

/// A field of an answer as text; empty when it is not there. What would do something to the terminal
/// is shown as an escape: others have written it.
pub(super) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => printable(text).into_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
