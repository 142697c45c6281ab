//! `drawbridge chances grant`: gives a user chances.
//!
//! Only lanes write users' rows. Where a server holds the data folder, its lane executes the
//! command. Where none does, and beside the gateways of a cluster, this process starts a lane for
//! the user's rows, which ends with the command.
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use hyper::Method;
use market::grant::ChanceCount;
use market::random::Randomness;
use market::{ActivityId, RequestId, UserId};
use serde_json::Value;
use shards::installation::FolderError;
use shards::{CommandError, Installation, InstallationError, OsRandom, Serving};
use tokio::time::sleep;

use super::arguments::{IfGiven, request, user};
use super::block_on::block_on;
use super::held_folder::{forget_server, server_of};
use super::output::{fail, refuse, say};
use super::record::{AttributionOptions, operator};
use super::run_command::RunCommand;
use super::server::{AdminServer, ServerError, json_or, text};
use super::storage::StorageArguments;
use crate::admin::endpoints::chances::{ChancesError, ChancesGiven, ChancesRequest};
use crate::admin::token::{AdminCaller, Role};
use crate::config::{Config, ConfigError};

const PATH: &str = "/admin/chances";

/// How often a folder is looked at that another process holds: a server that is starting, or
/// another command.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

const AFTER_HELP: &str = "A server that holds the data folder executes the command. With --admin or --token-file the \
                          server there executes it, whatever its installation is.";

/// What to do with chances.
#[derive(Debug, Subcommand)]
pub enum ChancesCommand {
    /// Give a user chances; the same request id again changes nothing
    Grant(GrantOptions),
}

/// Chances for a user.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GrantOptions {
    /// The user's id
    #[arg(value_parser = user)]
    user: UserId,
    /// The activity
    activity: ActivityId,
    /// How many chances, 1 to 1,000,000
    #[arg(value_name = "N")]
    chances: ChanceCount,
    /// The idempotency key [default: a new one]
    #[arg(long, value_name = "K", value_parser = request)]
    request_id: Option<RequestId>,
    #[command(flatten)]
    record: AttributionOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
    /// Give the command to this server
    #[command(flatten)]
    server: IfGiven<AdminServer>,
}

/// Why no chances are known to be given.
#[derive(Debug, thiserror::Error)]
enum GrantError {
    /// A rule refuses them, or a field is wrong.
    #[error("{0}")]
    Refused(String),
    /// The command could not be executed.
    #[error("{0}")]
    NotExecuted(String),
    /// They may be given or not.
    #[error("{0}")]
    Unknown(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl RunCommand for ChancesCommand {
    fn storage(&self) -> Option<&StorageArguments> {
        let Self::Grant(grant) = self;
        grant.server.0.is_none().then_some(&grant.storage)
    }

    fn run(&self) -> ExitCode {
        let ChancesCommand::Grant(grant) = self;
        let key = grant.request_id.clone().unwrap_or_else(new_key);
        match block_on(grant.carry_out(&key)) {
            Ok(given) => {
                say(json_or(grant.json, &given, show));
                ExitCode::SUCCESS
            }
            Err(GrantError::Refused(why) | GrantError::Server(ServerError::Refused(why))) => {
                refuse(why)
            }
            Err(
                error @ (GrantError::Unknown(_) | GrantError::Server(ServerError::Server { .. })),
            ) => fail(format_args!(
                "{error}\ngive the same command again with --request-id {}: it gives no more than once",
                key.as_str()
            )),
            Err(error) => fail(error),
        }
    }
}

impl GrantOptions {
    async fn carry_out(&self, key: &RequestId) -> Result<Value, GrantError> {
        let request = ChancesRequest {
            user_id: self.user.as_str().to_owned(),
            activity_id: self.activity.get(),
            chances: self.chances.get().into(),
            reason: self.record.reason.clone(),
            request_id: key.as_str().to_owned(),
            who: Some(self.record.who()),
        };
        if let Some(server) = &self.server.0 {
            return hand_over(server, &request).await;
        }
        let config = self.storage.load()?;
        for _ in 0..TRIES {
            match Installation::serve_user(&config.storage, config.sizes, &self.user).await {
                Ok(serving) => return in_own_lane(&config, serving, request).await,
                Err(InstallationError::Folder(FolderError::Held(_))) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(server) = server_of(&config).map_err(GrantError::NotExecuted)? {
                return hand_over(&server, &request).await;
            }
            sleep(PAUSE).await;
        }
        Err(GrantError::NotExecuted(
            "another process holds the data folder, and no server's admin address is in it: try again, or name the \
             server: --admin URL"
                .to_owned(),
        ))
    }
}

/// Has a server execute the command.
async fn hand_over(server: &AdminServer, request: &ChancesRequest) -> Result<Value, GrantError> {
    let body = serde_json::to_string(request).expect("plain values");
    Ok(server.call(Method::POST, PATH, body).await?)
}

/// Executes the command in the lane of this process, and ends the lane.
async fn in_own_lane(
    config: &Config,
    serving: Serving,
    request: ChancesRequest,
) -> Result<Value, GrantError> {
    if let Some(folder) = config.storage.folder() {
        forget_server(folder);
    }
    let given = give(&serving, request).await;
    serving.drain().await.let_go().await;
    let given = given?;
    Ok(serde_json::to_value(given).expect("plain values"))
}

async fn give(serving: &Serving, request: ChancesRequest) -> Result<ChancesGiven, GrantError> {
    let caller = AdminCaller {
        name: operator(),
        role: Role::Operator,
        is_person: false,
    };
    let request = request.checked(&caller).map_err(GrantError::Refused)?;
    let given = request.give(&serving.shards).await;
    given.map_err(|error| {
        let why = request.explain(error);
        match error {
            ChancesError::Command(CommandError::Refused(_)) => GrantError::Refused(why),
            ChancesError::Command(CommandError::OutcomeUnknown) => GrantError::Unknown(why),
            _ => GrantError::NotExecuted(why),
        }
    })
}

/// A key of 128 random bits.
fn new_key() -> RequestId {
    let mut random = OsRandom::default();
    let digits = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
    RequestId::new(&digits).expect("hexadecimal digits are visible")
}

fn show(given: &Value) -> String {
    let total = match given["totalGranted"].as_u64() {
        Some(total) => format!("{total} are granted in all"),
        None => "the account cannot be read just now".to_owned(),
    };
    let (chances, activity) = (text(given, "chances"), text(given, "activityId"));
    let done = if given["repeated"] == true {
        format!("nothing to do: {chances} chances in activity {activity} were granted earlier")
    } else {
        format!("granted {chances} chances in activity {activity}")
    };
    format!(
        "{done}; {total}\nrecharge order {}, request id {}\n",
        text(given, "rechargeOrderId"),
        text(given, "requestId")
    )
}
