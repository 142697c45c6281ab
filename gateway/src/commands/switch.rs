//! `drawbridge switch list|set|history`: degrade switches, through a running server's admin address.
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use market::ActivityId;
use market::switches::{Share, Switch};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{NO, block_on, complain, fail, operator, say};
use crate::admin::token::Token;

/// A server that does not answer in this time is not there.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What to do with switches.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how the switches stand
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Set a switch on all gateways, within a second
    Set(Set),
    /// Show who set what, when and why, newest first
    History {
        #[command(flatten)]
        server: Server,
    },
}

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

/// A switch and its new state.
#[derive(Debug, Args)]
pub struct Set {
    /// draw, fallback_only, read_only, signin, exchange or limits
    switch: Switch,
    /// on, off, or for a share of the users: 30%
    value: Share,
    /// In this activity only
    #[arg(long)]
    activity: Option<ActivityId>,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    /// Only count what it would do; do nothing
    #[arg(long)]
    observe: bool,
    /// Why, for the record
    #[arg(long)]
    reason: String,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long)]
    who: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let lasts: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(lasts.as_secs()).ok().filter(|&seconds| seconds > 0).ok_or("expected at least a second".to_owned())
}

pub fn run(command: &Command) -> ExitCode {
    end(match command {
        Command::List { server } => block_on(server.get("/admin/switches")).map(|list| show(&list)),
        Command::Set(set) => block_on(set.send()).map(|list| show(&list)),
        Command::History { server } => block_on(server.get("/admin/switches/history")).map(|changes| past(&changes)),
    })
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

impl Set {
    async fn send(&self) -> Result<Value, ServerError> {
        let body = json!({
            "name": self.switch.name(),
            "value": self.value.to_string(),
            "activity": self.activity.map(ActivityId::get),
            "who": self.who.clone().unwrap_or_else(operator),
            "reason": self.reason,
            "forSeconds": self.lasts,
            "observe": self.observe,
        });
        self.server.call(Method::POST, "/admin/switches", body.to_string()).await
    }
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

pub(super) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn show(list: &Value) -> String {
    let mut lines = format!("{:<14} {:>10}  {:<14} {}\n", "switch", "activity", "value", "until");
    for setting in list["switches"].as_array().into_iter().flatten() {
        let activity = Some(text(setting, "activity")).filter(|text| !text.is_empty()).unwrap_or("all".to_owned());
        let (name, value, until) = (text(setting, "name"), value_of(setting), text(setting, "expiresAt"));
        let _ = writeln!(lines, "{}", format!("{name:<14} {activity:>10}  {value:<14} {until}").trim_end());
    }
    lines
}

/// As it is kept: `30%`, `observe 30%`.
fn value_of(setting: &Value) -> String {
    let observe = if setting["observe"] == json!(true) { "observe " } else { "" };
    format!("{observe}{}", text(setting, "value"))
}

fn past(history: &Value) -> String {
    let mut lines = String::new();
    for change in history["changes"].as_array().into_iter().flatten() {
        let field = |name| text(change, name);
        let activity = Some(field("activity")).filter(|text| !text.is_empty());
        let place = activity.map_or(String::new(), |activity| format!(" in activity {activity}"));
        let until = Some(field("expiresAt")).filter(|text| !text.is_empty());
        let until = until.map_or(String::new(), |until| format!(" until {until}"));
        let (at, name, before, value) = (field("at"), field("name"), field("before"), value_of(change));
        let _ =
            writeln!(lines, "{at} {name}{place}: {before} -> {value}{until} by {}: {}", field("who"), field("reason"));
    }
    lines
}
