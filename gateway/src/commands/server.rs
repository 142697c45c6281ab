//! A running server as commands see it, through its admin address.
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Once;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::time::timeout;

use super::admin_address::AdminAddress;
use super::block_on::block_on;
use super::output::{complain, fail, refuse, say};
use crate::admin::token::AdminToken;
use crate::text::printable;

/// How long to wait for a server's response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug, Args)]
pub struct AdminServer {
    #[command(flatten)]
    admin: AdminAddress,
    /// The file with its token
    #[arg(long, value_name = "FILE", default_value = "data/admin-token")]
    token_file: PathBuf,
}

/// Which server to read, and how to print the result.
#[derive(Debug, Args)]
pub struct ReadOptions {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: AdminServer,
}

impl ReadOptions {
    /// Prints what a path returns; as JSON only the list in it.
    pub(super) fn show_list(&self, path: &str, list: &str, show: fn(&Value) -> String) -> ExitCode {
        let answer = block_on(self.server.get(path));
        end(answer.map(|answer| {
            if self.json {
                format!("{}\n", answer[list])
            } else {
                show(&answer)
            }
        }))
    }

    /// Prints what a path returns.
    pub(super) fn show(&self, path: &str, show: fn(&Value) -> String) -> ExitCode {
        end(block_on(self.server.get(path)).map(|answer| json_or(self.json, &answer, show)))
    }
}

/// Why a request to a server failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    #[error("{0}")]
    Refused(String),
    #[error(
        "token: {0}; --token-file FILE names another one: DATA/admin-token is the embedded default's own"
    )]
    Token(String),
    #[error("{address}: {why}")]
    Server { address: String, why: String },
}

impl AdminServer {
    /// The server at an address.
    pub(super) fn at(address: &str, token_file: PathBuf) -> Result<Self, &'static str> {
        let admin = AdminAddress::of(address)?;
        Ok(Self { admin, token_file })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, ServerError> {
        self.call(Method::GET, path, String::new()).await
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Value, ServerError> {
        let token = AdminToken::read(&self.token_file).map_err(ServerError::Token)?;
        self.warn_of_listeners();
        let failed = |why: String| ServerError::Server {
            address: self.admin.to_string(),
            why,
        };
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header(HOST, self.admin.authority())
            .header(AUTHORIZATION, format!("Bearer {}", token.secret()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| failed(error.to_string()))?;
        let answer = timeout(TIMEOUT, self.admin.exchange(request)).await;
        let (status, body) = answer
            .map_err(|_| failed(no_answer(&method)))?
            .map_err(&failed)?;
        let body = json_of_admin(status, &body).map_err(&failed)?;
        match status {
            StatusCode::OK => Ok(body),
            status if status.is_client_error() => Err(ServerError::Refused(text(&body, "error"))),
            _ => Err(failed(text(&body, "error"))),
        }
    }

    /// Warns once that the token can be read on its way.
    fn warn_of_listeners(&self) {
        static WARNED: Once = Once::new();
        if self.admin.is_overheard() {
            WARNED.call_once(|| {
                complain(format_args!(
                    "drawbridge: warning: the token travels unencrypted to {}; give that server admin.tls_certificate_file \
                     and use https:// with --ca-file\n",
                    self.admin
                ));
            });
        }
    }
}

/// A server that takes that long may still carry the request out.
fn no_answer(method: &Method) -> String {
    let done = if method == Method::GET {
        ""
    } else {
        ": it is not known whether it was done, or will be"
    };
    format!("no answer within {} s{done}", TIMEOUT.as_secs())
}

/// The response of an admin address; the error says what else answered.
fn json_of_admin(status: StatusCode, body: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice(body) {
        Ok(body) if is_players_answer(&body) => Err(NOT_THE_PLAYERS_ADDRESS.to_owned()),
        Ok(body) => Ok(body),
        Err(_) => Err(format!(
            "this is no admin address: it answers {status} without JSON"
        )),
    }
}

/// Help for a caller who gave the players' address.
pub(super) const NOT_THE_PLAYERS_ADDRESS: &str = "players draw here; --admin takes the server's admin address: \
                                                  http.admin of its configuration, http://127.0.0.1:8092 by default";

/// Whether this is the envelope of responses to players.
pub(super) fn is_players_answer(body: &Value) -> bool {
    body["code"].is_string() && body["info"].is_string()
}

/// Prints what a server returned.
pub(super) fn end(result: Result<String, ServerError>) -> ExitCode {
    match result {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(ServerError::Refused(why)) => refuse(why),
        Err(error) => fail(error),
    }
}

/// A time such as `10m`, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, &'static str> {
    let lasts = text
        .parse::<SignedDuration>()
        .ok()
        .and_then(|lasts| u64::try_from(lasts.as_secs()).ok());
    lasts
        .filter(|&seconds| seconds > 0)
        .ok_or("expected a time of at least one second, such as 90s, 10m or 2h")
}

/// A response as JSON, or formatted for people.
pub(super) fn json_or(json: bool, answer: &Value, show: impl FnOnce(&Value) -> String) -> String {
    if json {
        format!("{answer:#}\n")
    } else {
        show(answer)
    }
}

/// A field of a response as a string; empty when it is missing. Others have written it, so what
/// could affect a terminal is shown as an escape.
pub(super) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => printable(text).into_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
