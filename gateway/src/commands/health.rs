//! `drawbridge health`: is the server ready? For the health checks of containers, which have no
//! other program to ask with.
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use tokio::time::timeout;

use super::arguments::admin_address;
use super::server::{ServerError, exchange};
use super::{block_on, fail, refuse, say};

/// Health checks come every few seconds: one that takes longer has its answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Which server.
#[derive(Debug, Args)]
pub struct Options {
    /// Its admin address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8092", value_parser = admin_address)]
    admin: Uri,
}

pub fn run(options: &Options) -> ExitCode {
    match block_on(options.ask()) {
        Ok((StatusCode::OK, _)) => {
            say("ready\n");
            ExitCode::SUCCESS
        }
        Ok((StatusCode::NOT_FOUND, _)) => refuse(format_args!(
            "{} has no /readyz: it is not the admin address of a server (http.admin); players' and probes' addresses are \
             others",
            options.admin
        )),
        // It says so itself, and why.
        Ok((status, body)) => match std::str::from_utf8(&body).map(str::trim_end) {
            Ok(why) if why.starts_with("not ready: ") => refuse(why),
            _ => refuse(format_args!("not ready: {status}")),
        },
        // Who does not answer is not ready either: that is an answer.
        Err(error @ ServerError::Server { .. }) => refuse(error),
        Err(error) => fail(error),
    }
}

impl Options {
    async fn ask(&self) -> Result<(StatusCode, Bytes), ServerError> {
        let address = self.admin.authority().ok_or(ServerError::Address)?.to_string();
        let request = Request::get("/readyz").header(HOST, &address).body(Full::new(Bytes::new()));
        let request = request.map_err(|_| ServerError::Address)?;
        let answer = timeout(TIMEOUT, exchange(&address, request)).await.unwrap_or(Err("no answer in time".to_owned()));
        answer.map_err(|why| ServerError::Server { address, why })
    }
}
