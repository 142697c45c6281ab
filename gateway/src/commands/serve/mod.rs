//! `drawbridge serve`: builds the parts in order, serves, and takes them down in reverse.
mod assemble;
mod descriptors;
mod doors;
mod error;
mod listen;
mod log;
mod signals;
mod stop;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use prometheus::Registry;
use settings::Override;
use shards::Installation;

use self::assemble::{ConfigOrigin, ServerParts, assemble};
use self::doors::Doors;
use self::error::ServeError;
use self::listen::listen;
use self::log::Log;
use self::signals::Signals;
use self::stop::{RunningServer, ServerEnding};
use super::announce::announce;
use super::held_folder::AddressFile;
use super::output::fail;
use super::run_command::RunCommand;
use crate::config::{Config, WarningLevel, warnings};
use crate::desk::DeskMetrics;
use crate::edge::ConnectionMetrics;
use crate::http::HttpMetrics;
use crate::log_level::LogLevel;
use crate::reload::ConfigSource;

/// The campaigns of a server that has none.
const DEMO_CAMPAIGNS: [&str; 2] = [
    include_str!("../../../../deploy/campaigns/100301.toml"),
    include_str!("../../../../deploy/campaigns/100401.toml"),
];

/// The exit code of a server that ended with something undone.
const CUT: u8 = 3;

/// Options of `serve`; each is a key of the config file and an environment variable too.
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// The config file [env: DRAWBRIDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder; `storage.data` in the config file [env: DRAWBRIDGE_STORAGE_DATA] [default:
    /// ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where players draw; `http.listen` [env: DRAWBRIDGE_HTTP_LISTEN] [default: 127.0.0.1:8091]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Health and metrics; `http.admin` [env: DRAWBRIDGE_HTTP_ADMIN] [default: 127.0.0.1:8092]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
}

impl RunCommand for ServeOptions {
    fn run(&self) -> ExitCode {
        match start(self) {
            Ok(ServerEnding::Clean) => ExitCode::SUCCESS,
            Ok(ServerEnding::Cut) => ExitCode::from(CUT),
            Err(error) => fail(error),
        }
    }
}

fn start(options: &ServeOptions) -> Result<ServerEnding, ServeError> {
    let given = options.clone();
    let source = ConfigSource {
        file: options.config.clone(),
        options: Box::new(move || overrides(&given)),
    };
    let text = Config::text(source.file.as_deref())?;
    let (config, effective) = Config::of_text(&text, overrides(options))?;
    // Dropped last: it writes what is left of the log, before an error is printed.
    let (log, filter) = Log::to_stderr(&config.log).map_err(ServeError::Log)?;
    let log_level = Arc::new(LogLevel::new(&config.log.filter, filter));
    log_warnings(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let origin = ConfigOrigin {
        source,
        effective,
        log_level,
    };
    runtime.block_on(serve(&config, origin, &log))
}

/// Logs what a configuration allows that may not be intended.
fn log_warnings(config: &Config) {
    for warning in warnings(config) {
        match warning.level() {
            WarningLevel::Warning => tracing::warn!("{warning}"),
            WarningLevel::Note => tracing::info!("{warning}"),
        }
    }
}

/// The options of the command line, which override file and environment.
fn overrides(options: &ServeOptions) -> Vec<Override> {
    let given = [
        ("storage.data", &options.data, "--data"),
        ("http.listen", &options.listen, "--listen"),
        ("http.admin", &options.admin, "--admin"),
    ];
    let given = given.into_iter().filter_map(|(path, value, option)| {
        value
            .as_ref()
            .map(|value| Override::option(path, value, option))
    });
    given.collect()
}

/// The life of a server.
async fn serve(
    config: &Config,
    origin: ConfigOrigin,
    log: &Log,
) -> Result<ServerEnding, ServeError> {
    let registry = Registry::new();
    log.register(&registry)?;
    let http = HttpMetrics::new(&registry)?;
    let desk = DeskMetrics::new(&registry, config.admission.in_flight_max)?;
    // Before anything shows that the server is there, so that a stop is always a clean one.
    let signals = Signals::new()?;
    // Sockets before storage: a port in use must not cost a start of the shards.
    let listeners = listen(config, ConnectionMetrics::new(&registry)?).await?;
    let storage =
        Installation::serve(&config.storage, config.sizes, &registry, &DEMO_CAMPAIGNS).await?;
    let shards = storage.shards.clone();
    let catalogue = shards.catalogue().clone();
    let parts = assemble(config, origin, (registry, http, desk), shards, &listeners)?;
    let addresses = listeners.addresses();
    let ServerParts {
        api,
        admin,
        reloader,
        fleet,
    } = parts;
    let address = addresses.and_then(|addresses| AddressFile::write(config, addresses.admin));
    let doors = Doors::open(listeners, api, &admin, address)?;
    let server = RunningServer::begin(doors, (admin, reloader, fleet), storage);
    if let Some(addresses) = addresses {
        announce(config, &catalogue, addresses);
    }
    Ok(server.until_stopped(signals, config.drain).await)
}
