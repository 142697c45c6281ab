//! `drawbridge health`: whether a server is ready. For the health checks of containers, which have
//! no other HTTP client.
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use tokio::time::timeout;

use super::admin_address::AdminAddress;
use super::block_on::block_on;
use super::output::{fail, refuse, say};
use super::run_command::RunCommand;
use super::server::{NOT_THE_PLAYERS_ADDRESS, ServerError, is_players_answer};
use crate::text::printable;

/// Health checks come every few seconds: a server that takes longer is not ready.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Which server.
#[derive(Debug, Args)]
pub struct HealthOptions {
    #[command(flatten)]
    admin: AdminAddress,
}

impl RunCommand for HealthOptions {
    fn run(&self) -> ExitCode {
        match block_on(self.ask()) {
            Ok((StatusCode::OK, _)) => {
                say("ready\n");
                ExitCode::SUCCESS
            }
            Ok((_, body))
                if serde_json::from_slice(&body).is_ok_and(|body| is_players_answer(&body)) =>
            {
                fail(format_args!("{}: {NOT_THE_PLAYERS_ADDRESS}", self.admin))
            }
            // The body says why.
            Ok((status, body)) => match std::str::from_utf8(&body).map(str::trim_end) {
                Ok(why)
                    if ["not ready: ", "out of rotation "]
                        .iter()
                        .any(|begin| why.starts_with(begin)) =>
                {
                    refuse(printable(why))
                }
                _ => refuse(format_args!("not ready: {status}")),
            },
            // A server that does not answer is not ready either.
            Err(error @ ServerError::Server { .. }) => refuse(error),
            Err(error) => fail(error),
        }
    }
}

impl HealthOptions {
    async fn ask(&self) -> Result<(StatusCode, Bytes), ServerError> {
        let request = Request::get("/readyz")
            .header(HOST, self.admin.authority())
            .body(Full::new(Bytes::new()));
        let request = request.expect("a host and a path");
        let answer = timeout(TIMEOUT, self.admin.exchange(request)).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        answer.map_err(|why| ServerError::Server {
            address: self.admin.to_string(),
            why,
        })
    }
}
