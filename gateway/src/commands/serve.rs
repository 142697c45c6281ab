//! `drawbridge serve`: builds the parts in order, serves, and takes them down in reverse.
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use market::document::Override;
use prometheus::Registry;
use shards::cluster::{Cluster, ClusterError};
use shards::embedded::{Embedded, Folder, FolderError, Held, StartError};
use shards::meta::PublishError;
use shards::{ClusterMetrics, Metrics, Shards};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use super::{fail, say};
use crate::admin::Admin;
use crate::admin::token::{Token, Tokens};
use crate::api::{Api, ApiConfig};
use crate::config::{Config, ConfigError, Level, Log, Storage, warnings};
use crate::edge::{Limits, Listener, bind};
use crate::identity::Identity;
use crate::limits;
use crate::limits::metrics::LimitMetrics;
use crate::metrics::HttpMetrics;
use crate::reload::{LogFilter, Parts, Reloader, Source};
use crate::trace::AccessLog;

/// What a server without campaigns begins with.
const DEMO_CAMPAIGNS: [&str; 2] =
    [include_str!("../../../deploy/campaigns/100301.toml"), include_str!("../../../deploy/campaigns/100401.toml")];

/// A server that has room for fewer players than this is of no use.
const CONNECTIONS_MIN: usize = 64;

/// The embedded default's own token, in its data folder.
pub const TOKEN_FILE: &str = "admin-token";

/// Connections to the admin address.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Options of `serve`; each is a key of the config file and an environment variable too.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The config file [env: DRAWBRIDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder; `storage.data` in the config file [env: DRAWBRIDGE_STORAGE_DATA] [default: ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where players draw; `http.listen` [env: DRAWBRIDGE_HTTP_LISTEN] [default: 127.0.0.1:8091]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Health and metrics; `http.admin` [env: DRAWBRIDGE_HTTP_ADMIN] [default: 127.0.0.1:8092]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on {address} ({key}): {error}")]
    Listen { address: SocketAddr, key: &'static str, error: std::io::Error },
    #[error(
        "the system lends this process {lent} open files at most, {needed} are needed: {reserved} for storage and the \
         admin address, {players} for connections of players. Raise the hard limit: `ulimit -Hn 65536` in the shell \
         that starts it, LimitNOFILE=65536 in a systemd unit, --ulimit nofile=65536:65536 for a container"
    )]
    Descriptors { lent: u64, needed: u64, reserved: u64, players: u64 },
    #[error("the limit on open files cannot be read: {0}")]
    Limit(std::io::Error),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("admin token: {0}")]
    Token(String),
    #[error("identity: {0}")]
    Identity(String),
    #[error("the demo campaigns cannot be published: {0}")]
    Demo(#[from] PublishError),
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("signals cannot be heard: {0}")]
    Signals(std::io::Error),
    #[error("the runtime cannot be started: {0}")]
    Runtime(std::io::Error),
}

pub fn run(options: &Options) -> ExitCode {
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn start(options: &Options) -> Result<(), ServeError> {
    let given = options.clone();
    let source = Source { file: options.config.clone(), options: Box::new(move || overrides(&given)) };
    let text = Config::text(source.file.as_deref())?;
    let config = Config::of_text(&text, overrides(options))?;
    let log_filter = log_to_stderr(&config.log);
    warn_of(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    runtime.block_on(serve(&config, Origin { source, text, log_filter }))
}

/// Says what a configuration allows that nobody may want.
fn warn_of(config: &Config) {
    for warning in warnings(config) {
        match warning.level() {
            Level::Warning => tracing::warn!("{warning}"),
            Level::Note => tracing::info!("{warning}"),
        }
    }
}

/// Where the configuration came from, and what of it is in force outside the server.
struct Origin {
    source: Source,
    text: String,
    log_filter: LogFilter,
}

/// What the command line lays over file and environment.
fn overrides(options: &Options) -> Vec<Override> {
    let given = [
        ("storage.data", &options.data, "--data"),
        ("http.listen", &options.listen, "--listen"),
        ("http.admin", &options.admin, "--admin"),
    ];
    let given = given
        .into_iter()
        .filter_map(|(path, value, option)| value.as_ref().map(|value| Override::option(path, value, option)));
    given.collect()
}

/// The life of a server.
async fn serve(config: &Config, origin: Origin) -> Result<(), ServeError> {
    let registry = Registry::new();
    let http = HttpMetrics::new(&registry)?;
    // Before anybody can know that we are there, so that a stop is always a clean one.
    let mut signals = Signals::new()?;
    // Sockets first: a port in use must not cost a start of the shards.
    let (public, admin) = listen(config, &http)?;
    let running = open(config, &registry).await?;
    let identity = Arc::new(Identity::new(&config.identity).map_err(ServeError::Identity)?);
    let limits = Arc::new(limits::Limits::new(&config.limits, LimitMetrics::new(&registry)?));
    let access = Arc::new(AccessLog::new(config.log.access_lines_per_second_max));
    let shards = running.shards().clone();
    let Origin { source, text, log_filter } = origin;
    let parts = Parts {
        identity: identity.clone(),
        limits: limits.clone(),
        shards: shards.clone(),
        access: access.clone(),
        log_filter,
    };
    let reloader = Arc::new(Reloader::new(source, &text, parts));
    let proxies = config.http.trusted_proxies.clone();
    let api = Arc::new(Api::new(shards.clone(), identity, limits.clone(), proxies, api_config(config), http, access));
    let admin_pages = Arc::new(Admin::new(registry, shards, limits, reloader.clone(), tokens(config)?));
    let (stop_public, public_stops) = watch::channel(false);
    let (stop_admin, admin_stops) = watch::channel(false);
    let addresses = (public.address(), admin.address());
    let admin = tokio::spawn(admin.serve(admin_pages.clone(), admin_stops));
    let public = tokio::spawn(public.serve(api, public_stops));
    admin_pages.set_ready(true);
    if let (Ok(listen), Ok(admin)) = addresses {
        announce(config, listen, admin);
    }
    signals.stop(|| reload(&reloader)).await;
    admin_pages.set_ready(false);
    tracing::info!(grace = ?config.drain.grace, "not ready any more");
    let _ = timeout(config.drain.grace, signals.stop(|| ())).await;
    tracing::info!("draining");
    let deadline = Instant::now() + config.drain.deadline;
    stop_public.send_replace(true);
    let _ = public.await;
    let drained = timeout_at(deadline, running.drain()).await;
    if drained.is_err() {
        // Nothing that was answered is lost: what is cut off here was never answered.
        tracing::error!("the shards did not end before the deadline");
    }
    stop_admin.send_replace(true);
    let _ = admin.await;
    // With them go the last connections to the files.
    drop((reloader, admin_pages));
    if let Ok(Some(held)) = drained {
        held.let_go().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// A reload that nobody waits for: the log says what came of it.
fn reload(reloader: &Reloader) {
    if let Err(error) = reloader.reload() {
        tracing::error!(error, "the configuration was not read anew: all stays as it was");
    }
}

fn listen(config: &Config, metrics: &HttpMetrics) -> Result<(Listener, Listener), ServeError> {
    let http = &config.http;
    let limits = |connections_max, drain| Limits {
        connections_max,
        header_timeout: http.header_timeout,
        write_timeout: http.write_timeout,
        drain,
    };
    let public = limits(connections_max(config)?, config.drain.deadline);
    // By the time the admin address stops there is nothing left to wait for.
    let admin = limits(ADMIN_CONNECTIONS_MAX, Duration::from_millis(200));
    let failed = |address, key| move |error| ServeError::Listen { address, key, error };
    let public = bind(http.listen, public, Some(metrics.connections())).map_err(failed(http.listen, "http.listen"))?;
    let admin = bind(http.admin, admin, None).map_err(failed(http.admin, "http.admin"))?;
    Ok((public, admin))
}

/// The bound on connections, lowered where the system lends too few file descriptors: a full
/// house must cost connections, never the files of the shards. Our own limit is raised to the
/// greatest that the system allows first.
fn connections_max(config: &Config) -> Result<usize, ServeError> {
    let wanted = config.http.connections_max;
    let lent = rlimit::increase_nofile_limit(u64::MAX).map_err(ServeError::Limit)?;
    let (reserved, players) = (descriptors_reserved(config), wanted.min(CONNECTIONS_MIN) as u64);
    let needed = reserved + players;
    if lent < needed {
        return Err(ServeError::Descriptors { lent, needed, reserved, players });
    }
    let room = usize::try_from(lent - reserved).unwrap_or(usize::MAX);
    if room < wanted {
        tracing::warn!(
            wanted,
            room,
            "too few file descriptors for http.connections_max; raise the hard limit (ulimit -Hn, LimitNOFILE)"
        );
    }
    Ok(wanted.min(room))
}

/// File descriptors for everything but public connections.
fn descriptors_reserved(config: &Config) -> u64 {
    /// Sockets that listen, the log, the runtime, and what is opened for a moment.
    const OWN: usize = 64;
    /// A SQLite connection has its file and two beside it.
    const FILES: usize = 3;
    /// Jobs, and connections that are made while others end.
    const SPARE: usize = 8;
    let reads = config.sizes.reads.connections_max;
    let storage = match &config.storage {
        Storage::Embedded(embedded) => FILES * (usize::from(embedded.shards) * (1 + reads) + SPARE),
        Storage::Cluster(options) => {
            let redis: usize = options.redis.iter().map(|redis| redis.connections_max as usize + 1).sum();
            options.shards.len() * (usize::from(options.tables) + reads + SPARE) + redis + SPARE
        }
    };
    (OWN + ADMIN_CONNECTIONS_MAX + storage) as u64
}

/// The storage that serves.
enum Running {
    Embedded(Embedded),
    Cluster(Cluster),
}

impl Running {
    fn shards(&self) -> &Arc<Shards> {
        match self {
            Running::Embedded(embedded) => &embedded.shards,
            Running::Cluster(cluster) => &cluster.shards,
        }
    }

    /// Ends everything; a data folder is still held.
    async fn drain(self) -> Option<Held> {
        match self {
            Running::Embedded(embedded) => Some(embedded.drain().await),
            Running::Cluster(cluster) => {
                cluster.drain().await;
                None
            }
        }
    }
}

async fn open(config: &Config, registry: &Registry) -> Result<Running, ServeError> {
    let metrics = Metrics::new(registry)?;
    match &config.storage {
        Storage::Embedded(embedded) => {
            let held = Folder::create(&embedded.data)?.hold().await?;
            publish_demo(&held).await?;
            Ok(Running::Embedded(held.start(embedded.options(config.sizes), metrics).await?))
        }
        Storage::Cluster(options) => {
            let (cluster, jobs) = (options.open().await?, ClusterMetrics::new(registry)?);
            Ok(Running::Cluster(cluster.start(config.sizes, metrics, jobs).await?))
        }
    }
}

/// The tokens of the admin address. The embedded default makes one of its own.
fn tokens(config: &Config) -> Result<Tokens, ServeError> {
    let read = |path: &Option<PathBuf>| path.as_deref().map(Token::read).transpose().map_err(ServeError::Token);
    let operator = match (&config.admin.token_file, &config.storage) {
        (None, Storage::Embedded(embedded)) => {
            Some(Token::read_or_make(&embedded.data.join(TOKEN_FILE)).map_err(ServeError::Token)?)
        }
        (file, _) => read(file)?,
    };
    Ok(Tokens { operator, viewer: read(&config.admin.viewer_token_file)? })
}

/// A server that has no campaign yet gets something to play with.
async fn publish_demo(held: &Held) -> Result<(), ServeError> {
    let meta = held.meta();
    // Every publication raises the revision.
    if meta.revision().await.map_err(StartError::from)? == 0 {
        meta.publish(&DEMO_CAMPAIGNS, "drawbridge serve", Timestamp::now()).await?;
    }
    Ok(())
}

fn api_config(config: &Config) -> ApiConfig {
    ApiConfig {
        body_max_bytes: config.http.body_max_bytes,
        body_timeout: config.http.body_timeout,
        in_flight_max: config.admission.in_flight_max,
        statuses: config.http.always_200,
        language: config.http.language,
        origins: config.http.allowed_origins.clone(),
    }
}

/// Where to go, for whoever has just started it.
fn announce(config: &Config, listen: SocketAddr, admin: SocketAddr) {
    let text = format!(
        "drawbridge serves draws on http://{listen}/ (health and metrics on http://{admin}/metrics)\n\
         {}\n\
         try: curl -s http://{listen}/api/v1/raffle/activity/draw -H 'Content-Type: application/json' \
         -d '{{\"userId\":\"u1\",\"activityId\":100301}}'\n",
        match &config.storage {
            Storage::Embedded(embedded) => format!("data in {}", embedded.data.display()),
            Storage::Cluster(cluster) =>
                format!("{} shards, {} stock servers", cluster.shards.len(), cluster.redis.len()),
        }
    );
    say(text);
    tracing::info!(%listen, %admin, "ready");
}

/// The signals that a server obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Nobody waits for it: because it is heard, a file that may not grow is an error of whoever
    /// writes it and not the end of the process.
    _file_too_large: Signal,
}

/// The signal's number, on all systems that we run on.
const SIGXFSZ: i32 = 25;

impl Signals {
    fn new() -> Result<Self, ServeError> {
        let listen = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            _file_too_large: listen(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Waits for a stop, and reloads whenever SIGHUP asks for it.
    async fn stop(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}

/// Starts the log. Its filter can be changed later.
fn log_to_stderr(log: &Log) -> LogFilter {
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&log.filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if log.json {
        let logs = logs.json().with_filter_reloading();
        let filter = changeable(logs.reload_handle());
        logs.init();
        filter
    } else {
        let logs = logs.with_filter_reloading();
        let filter = changeable(logs.reload_handle());
        logs.init();
        filter
    }
}

fn changeable<S: 'static>(handle: Handle<EnvFilter, S>) -> LogFilter {
    Box::new(move |filter| {
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}
