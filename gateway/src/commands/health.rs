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

use crate::admin::text::printable;

use super::server::{ServerError, exchange};
use super::{NO, block_on, complain, fail, say};

/// Health checks come every few seconds: one that takes longer has its answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Which server.
#[derive(Debug, Args)]
pub struct Options {
    /// Its admin address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8092")]
    admin: Uri,
}

pub fn run(options: &Options) -> ExitCode {
    match block_on(options.ask()) {
        Ok((StatusCode::OK, _)) => {
            say("ready\n");
            ExitCode::SUCCESS
        }
        // It says so itself, and why.
        Ok((status, body)) => match std::str::from_utf8(&body).map(str::trim_end) {
            Ok(why) if why.starts_with("not ready: ") => refuse(printable(why)),
            _ => refuse(format_args!("not ready: {status}")),
        },
        // Who does not answer is not ready either: that is an answer.
        Err(error @ ServerError::Server { .. }) => refuse(error),
        Err(error) => fail(error),
    }
}

fn refuse(why: impl std::fmt::Display) -> ExitCode {
    complain(format_args!("drawbridge: {why}\n"));
    ExitCode::from(NO)
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
