//! A change of a user's rows, which only lanes write. Where a server holds the data folder, its
//! lane executes the command. Where none does, and beside the gateways of a cluster, this process
//! starts a lane for the user's rows, which ends with the command.
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hyper::Method;
use market::random::Randomness;
use market::{RequestId, UserId};
use serde::Serialize;
use serde_json::Value;
use shards::installation::FolderError;
use shards::{CommandError, Installation, InstallationError, OsRandom, Serving, Shards};
use tokio::time::sleep;

use super::arguments::{IfGiven, request};
use super::block_on::block_on;
use super::held_folder::{forget_server, server_of};
use super::output::{fail, refuse, say};
use super::record::{AttributionOptions, operator};
use super::server::{AdminServer, ServerError, json_or};
use super::storage::StorageArguments;
use crate::admin::token::{AdminCaller, Role};
use crate::admin::user_change::UserChangeError;
use crate::config::{Config, ConfigError};

/// How often a folder is looked at that another process holds: a server that is starting, or
/// another command.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// What is said of where the command is executed.
pub(super) const AFTER_HELP: &str = "A server that holds the data folder executes the command. With --admin or --token-file the \
                                     server there executes it, whatever its installation is.";

/// What all changes of a user's rows have in common.
#[derive(Debug, Args)]
pub struct UserChangeOptions {
    /// The idempotency key [default: a new one]
    #[arg(long, value_name = "K", value_parser = request)]
    request_id: Option<RequestId>,
    #[command(flatten)]
    pub(super) record: AttributionOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
    /// Give the command to this server
    #[command(flatten)]
    server: IfGiven<AdminServer>,
}

/// A change as the admin address takes it.
pub(super) trait ChangeRequest: Serialize {
    /// Where servers take it.
    const PATH: &'static str;

    /// Executes it in a lane of this process. The error says what is wrong and what helps.
    fn execute(
        self,
        caller: &AdminCaller,
        shards: &Shards,
    ) -> impl Future<Output = Result<Value, NotChanged>>;
}

/// Why nothing is known to be changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotChanged {
    /// A rule refuses it, or a field is wrong.
    #[error("{0}")]
    Refused(String),
    /// The command could not be executed.
    #[error("{0}")]
    NotExecuted(String),
    /// It may be made or not.
    #[error("{0}")]
    Unknown(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl NotChanged {
    /// Of an error of the lane, with what is said about it.
    pub(super) fn new(error: UserChangeError, why: String) -> Self {
        match error {
            UserChangeError::Command(CommandError::Refused(_)) => Self::Refused(why),
            UserChangeError::Command(CommandError::OutcomeUnknown) => Self::Unknown(why),
            _ => Self::NotExecuted(why),
        }
    }
}

impl UserChangeOptions {
    /// The installation whose files are opened.
    pub(super) fn opened_storage(&self) -> Option<&StorageArguments> {
        self.server.0.is_none().then_some(&self.storage)
    }

    /// Has the change of a user made that `request_for` a key makes, and prints what came of it.
    pub(super) fn run<R: ChangeRequest>(
        &self,
        user: &UserId,
        request_for: impl FnOnce(&RequestId) -> R,
        show: fn(&Value) -> String,
    ) -> ExitCode {
        let key = self.request_id.clone().unwrap_or_else(new_key);
        match block_on(self.carry_out(user, request_for(&key))) {
            Ok(changed) => {
                say(json_or(self.json, &changed, show));
                ExitCode::SUCCESS
            }
            Err(NotChanged::Refused(why) | NotChanged::Server(ServerError::Refused(why))) => {
                refuse(why)
            }
            Err(
                error @ (NotChanged::Unknown(_) | NotChanged::Server(ServerError::Server { .. })),
            ) => fail(format_args!(
                "{error}\ngive the same command again with --request-id {}: it is executed no more than once",
                key.as_str()
            )),
            Err(error) => fail(error),
        }
    }

    async fn carry_out<R: ChangeRequest>(
        &self,
        user: &UserId,
        request: R,
    ) -> Result<Value, NotChanged> {
        if let Some(server) = &self.server.0 {
            return hand_over(server, &request).await;
        }
        let config = self.storage.load()?;
        for _ in 0..TRIES {
            match Installation::serve_user(&config.storage, config.sizes, user).await {
                Ok(serving) => return in_own_lane(&config, serving, request).await,
                Err(InstallationError::Folder(FolderError::Held(_))) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(server) = server_of(&config).map_err(NotChanged::NotExecuted)? {
                return hand_over(&server, &request).await;
            }
            sleep(PAUSE).await;
        }
        Err(NotChanged::NotExecuted(
            "another process holds the data folder, and no server's admin address is in it: try again, or name the \
             server: --admin URL"
                .to_owned(),
        ))
    }
}

/// Has a server execute the command.
async fn hand_over<R: ChangeRequest>(
    server: &AdminServer,
    request: &R,
) -> Result<Value, NotChanged> {
    let body = serde_json::to_string(request).expect("plain values");
    Ok(server.call(Method::POST, R::PATH, body).await?)
}

/// Executes the command in the lane of this process, and ends the lane.
async fn in_own_lane<R: ChangeRequest>(
    config: &Config,
    serving: Serving,
    request: R,
) -> Result<Value, NotChanged> {
    if let Some(folder) = config.storage.folder() {
        forget_server(folder);
    }
    let caller = AdminCaller {
        name: operator(),
        role: Role::Operator,
        is_person: false,
    };
    let changed = request.execute(&caller, &serving.shards).await;
    serving.drain().await.let_go().await;
    changed
}

/// A key of 128 random bits.
fn new_key() -> RequestId {
    let mut random = OsRandom::default();
    let digits = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
    RequestId::new(&digits).expect("hexadecimal digits are visible")
}
