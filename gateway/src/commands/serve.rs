//! `drawbridge serve`: builds the parts in order, serves, and takes them down in reverse.
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use market::document::Override;
use prometheus::Registry;
use shards::{Installation, InstallationError, Shards};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use super::announce::{Addresses, announce};
use super::fail;
use crate::admin::metrics::Scrape;
use crate::admin::refusals::Refusals;
use crate::admin::token::TokenStore;
use crate::admin::{Admin, Probes};
use crate::config::effective::Effective;
use crate::config::{Config, ConfigError, DrainConfig, LogConfig, WarningLevel, warnings};
use crate::desk::{Desk, DeskMetrics, DeskParts};
use crate::edge::{
    ConnectionBounds, ConnectionMetrics, ConnectionTimeouts, Drained, Handler, InRuntime, Listener,
    ListenerBounds, Stop, Tls, TrustedProxies, bind, on_own_thread,
};
use crate::fleet::kinds::{Breakers, Cooldowns, LimitOverrides, LogFilters, Reload, Rotation};
use crate::fleet::metrics::FleetMetrics;
use crate::fleet::registry::Obey;
use crate::fleet::{Fleet, Own, default_name};
use crate::http::{HttpApi, HttpApiConfig, HttpMetrics};
use crate::identity::Identity;
use crate::limits::RateLimits;
use crate::limits::metrics::LimitMetrics;
use crate::log_level::{LogFilter, LogLevel};
use crate::reload::{Parts, Reloader, Source};
use crate::reload_metrics::ReloadMetrics;
use crate::trace::AccessLog;

/// What a server without campaigns begins with.
const DEMO_CAMPAIGNS: [&str; 2] = [
    include_str!("../../../deploy/campaigns/100301.toml"),
    include_str!("../../../deploy/campaigns/100401.toml"),
];

/// A server that has room for fewer players than this is of no use.
const CONNECTIONS_MIN: usize = 64;

/// The embedded default's own token, in its data folder.
pub const TOKEN_FILE: &str = "admin-token";

/// Connections to the admin address, and to that of probes.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Connections of one address to each of them.
const ADMIN_CONNECTIONS_PER_ADDRESS_MAX: usize = 32;

/// A request that was sent before its sender could know of the stop arrives within this time after
/// draining has begun.
const LINGER: Duration = Duration::from_millis(250);

/// By the time the admin address stops there is little left to wait for.
const ADMIN_DRAIN: Duration = Duration::from_millis(100);

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

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on {address} ({key}): {error}")]
    Listen {
        address: SocketAddr,
        key: &'static str,
        error: std::io::Error,
    },
    #[error(
        "the system lends this process {lent} open files at most, {needed} are needed: {reserved} for storage and the \
         admin address, {players} for connections of players. Raise the hard limit: `ulimit -Hn 65536` in the shell \
         that starts it, LimitNOFILE=65536 in a systemd unit, --ulimit nofile=65536:65536 for a container"
    )]
    Descriptors {
        lent: u64,
        needed: u64,
        reserved: u64,
        players: u64,
    },
    #[error("the limit on open files cannot be read: {0}")]
    Limit(std::io::Error),
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error("admin token: {0}")]
    Token(String),
    #[error("admin.tls_certificate_file, admin.tls_key_file: {0}")]
    Tls(String),
    #[error("a thread for the admin address cannot be started: {0}")]
    Thread(std::io::Error),
    #[error("identity: {0}")]
    Identity(String),
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("signals cannot be heard: {0}")]
    Signals(std::io::Error),
    #[error("the runtime cannot be started: {0}")]
    Runtime(std::io::Error),
}

pub fn run(options: &ServeOptions) -> ExitCode {
    match start(options) {
        Ok(Ending::Clean) => ExitCode::SUCCESS,
        Ok(Ending::Cut) => ExitCode::from(CUT),
        Err(error) => fail(error),
    }
}

/// How a server that was told to stop has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// All that it had taken on is done.
    Clean,
    /// Something was not done by the deadline.
    Cut,
}

fn start(options: &ServeOptions) -> Result<Ending, ServeError> {
    let given = options.clone();
    let source = Source {
        file: options.config.clone(),
        options: Box::new(move || overrides(&given)),
    };
    let text = Config::text(source.file.as_deref())?;
    let (config, effective) = Config::of_text(&text, overrides(options))?;
    let log_level = Arc::new(LogLevel::new(
        &config.log.filter,
        log_to_stderr(&config.log),
    ));
    warn_of(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(serve(
        &config,
        Origin {
            source,
            effective,
            log_level,
        },
    ))
}

/// Says what a configuration allows that nobody may want.
fn warn_of(config: &Config) {
    for warning in warnings(config) {
        match warning.level() {
            WarningLevel::Warning => tracing::warn!("{warning}"),
            WarningLevel::Note => tracing::info!("{warning}"),
        }
    }
}

/// Where the configuration came from, and what of it is in force outside the server.
struct Origin {
    source: Source,
    effective: Effective,
    log_level: Arc<LogLevel>,
}

/// What the command line lays over file and environment.
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
async fn serve(config: &Config, origin: Origin) -> Result<Ending, ServeError> {
    let registry = Registry::new();
    let http = HttpMetrics::new(&registry)?;
    let in_flight_max = config.admission.in_flight_max;
    let at_the_desk = DeskMetrics::new(&registry, in_flight_max)?;
    // Before anybody can know that we are there, so that a stop is always a clean one.
    let mut signals = Signals::new()?;
    // Sockets first: a port in use must not cost a start of the shards.
    let listeners = listen(config, ConnectionMetrics::new(&registry)?).await?;
    let serving =
        Installation::serve(&config.storage, config.sizes, &registry, &DEMO_CAMPAIGNS).await?;
    let identity = Arc::new(Identity::new(&config.identity).map_err(ServeError::Identity)?);
    let limits = Arc::new(RateLimits::new(
        &config.limits,
        LimitMetrics::new(&registry)?,
    ));
    limits.keep_counted();
    let access = Arc::new(AccessLog::new(config.log.access_lines_per_second_max));
    let shards = serving.shards.clone();
    let tokens = tokens(config)?;
    let catalogue = shards.catalogue().clone();
    let Origin {
        source,
        effective,
        log_level,
    } = origin;
    let obeyed_log = log_level.clone();
    let metrics = ReloadMetrics::new(&registry)?;
    metrics.keys_read(&identity);
    let parts = Parts {
        identity: identity.clone(),
        limits: limits.clone(),
        shards: shards.clone(),
        access: access.clone(),
        log_level,
        tokens: tokens.clone(),
        admin_tls: listeners.admin_tls.clone(),
    };
    let reloader = Arc::new(Reloader::new(source, effective, parts, metrics));
    let obeyed = Obeyed {
        shards: &shards,
        limits: &limits,
        reloader: &reloader,
        log_level: &obeyed_log,
    };
    let fleet = Arc::new(fleet_of(
        config,
        &obeyed,
        listeners.admin.address(),
        FleetMetrics::new(&registry)?,
    ));
    let desk = Desk::new(DeskParts {
        shards: shards.clone(),
        identity,
        limits: limits.clone(),
        proxies: config.http.trusted_proxies.clone(),
        in_flight_max,
        metrics: at_the_desk,
    });
    let api = Arc::new(HttpApi::new(
        desk,
        listeners.public.stop(),
        api_config(config),
        http,
        access,
    ));
    let refusals = Refusals::new(&registry)?;
    let scrape = Scrape::new(registry, config.metrics.age_max);
    let admin = Arc::new(Admin::new(
        scrape,
        shards,
        limits,
        reloader.clone(),
        fleet.clone(),
        tokens,
        refusals,
    ));
    let addresses = (listeners.public.address(), listeners.admin.address());
    let probes = listeners
        .probes
        .as_ref()
        .and_then(|probes| probes.address().ok());
    let mut doors = Doors::open(listeners, api, &admin)?;
    let (stop_fleet, fleet_stops) = watch::channel(false);
    let obeying = tokio::spawn(fleet.clone().run(fleet_stops));
    admin.set_ready(true);
    if let (Ok(listen), Ok(admin)) = addresses {
        announce(
            config,
            &catalogue,
            Addresses {
                listen,
                admin,
                probes,
            },
        );
    }
    signals.stop(|| reload(&reloader, &fleet)).await;
    admin.set_ready(false);
    doors.close_after_answers();
    tracing::info!(grace = ?config.drain.grace, "not ready any more");
    let _ = timeout(config.drain.grace, signals.stop(|| ())).await;
    tracing::info!("draining");
    let deadline = Instant::now() + config.drain.deadline;
    let requests_cut = doors.drain_public().await;
    let drained = timeout_at(deadline, serving.drain()).await;
    if drained.is_err() {
        // Nothing that was answered is lost: what is cut off here was never answered.
        tracing::error!("the shards did not end before the deadline");
    }
    stop_fleet.send_replace(true);
    let _ = obeying.await;
    fleet.leave().await;
    doors.drain_admin().await;
    // With them go the last connections to the files.
    drop((reloader, admin, fleet));
    let ending = if requests_cut == 0 && drained.is_ok() {
        Ending::Clean
    } else {
        Ending::Cut
    };
    if let Ok(drained) = drained {
        drained.let_go().await;
    }
    tracing::info!(clean = ending == Ending::Clean, "stopped");
    Ok(ending)
}

/// What settings for all gateways change.
struct Obeyed<'a> {
    shards: &'a Arc<Shards>,
    limits: &'a Arc<RateLimits>,
    reloader: &'a Arc<Reloader>,
    log_level: &'a Arc<LogLevel>,
}

/// What this gateway obeys beside the configuration, and its place in the list of gateways.
fn fleet_of(
    config: &Config,
    obeyed: &Obeyed<'_>,
    admin: std::io::Result<SocketAddr>,
    metrics: FleetMetrics,
) -> Fleet {
    let Obeyed {
        shards,
        limits,
        reloader,
        log_level,
    } = *obeyed;
    let admin = admin.unwrap_or(config.http.admin);
    let name = config
        .gateway
        .name
        .clone()
        .unwrap_or_else(|| default_name(admin.port()));
    let scheme = if config.admin.tls.is_some() {
        "https://"
    } else {
        ""
    };
    let own = Own {
        name,
        admin: format!("{scheme}{admin}"),
    };
    let rotation = Arc::<Rotation>::default();
    let obeyers: Vec<Box<dyn Obey>> = vec![
        Box::new(Breakers(shards.clone())),
        Box::new(Cooldowns(limits.clone())),
        Box::new(LimitOverrides(limits.clone())),
        Box::new(LogFilters(log_level.clone())),
        Box::new(Reload(reloader.clone())),
        Box::new(rotation.clone()),
    ];
    let hashed = reloader.clone();
    Fleet::new(
        shards.clone(),
        own,
        Box::new(move || hashed.config_hash()),
        rotation,
        obeyers,
        metrics,
    )
}

/// A reload that nobody waits for: the log says what came of it.
fn reload(reloader: &Reloader, fleet: &Fleet) {
    fleet.reloaded(reloader.reload().is_ok_and(|reloaded| reloaded.is_whole()));
}

/// The sockets of a server.
struct Listeners {
    public: Listener,
    admin: Listener,
    admin_tls: Option<Arc<Tls>>,
    probes: Option<Listener>,
}

async fn listen(config: &Config, metrics: ConnectionMetrics) -> Result<Listeners, ServeError> {
    let http = &config.http;
    let failed = |address, key| {
        move |error| ServeError::Listen {
            address,
            key,
            error,
        }
    };
    let admin_tls = config
        .admin
        .tls
        .clone()
        .map(Tls::read)
        .transpose()
        .map_err(ServeError::Tls)?
        .map(Arc::new);
    let public = bind(http.listen, public_limits(config)?, metrics, None).await;
    let public = public.map_err(failed(http.listen, "http.listen"))?;
    let aside = async |address, tls, key| {
        let metrics = ConnectionMetrics::unregistered();
        bind(address, admin_limits(config), metrics, tls)
            .await
            .map_err(failed(address, key))
    };
    let admin = aside(http.admin, admin_tls.clone(), "http.admin").await?;
    let probes = match http.probes {
        Some(address) => Some(aside(address, None, "http.probes").await?),
        None => None,
    };
    Ok(Listeners {
        public,
        admin,
        admin_tls,
        probes,
    })
}

fn public_limits(config: &Config) -> Result<ListenerBounds, ServeError> {
    let DrainConfig { deadline, .. } = config.drain;
    let bounds = ConnectionBounds {
        connections_max: connections_max(config)?,
        connections_per_address_max: config.http.connections_per_address_max,
        exempt: config.http.trusted_proxies.clone(),
    };
    // The last third is kept for the shards, which commit what was taken on.
    Ok(ListenerBounds {
        bounds,
        timeouts: timeouts(config, LINGER),
        drain: deadline * 2 / 3,
    })
}

fn admin_limits(config: &Config) -> ListenerBounds {
    let bounds = ConnectionBounds {
        connections_max: ADMIN_CONNECTIONS_MAX,
        connections_per_address_max: ADMIN_CONNECTIONS_PER_ADDRESS_MAX,
        exempt: TrustedProxies::default(),
    };
    ListenerBounds {
        bounds,
        timeouts: timeouts(config, ADMIN_DRAIN / 2),
        drain: ADMIN_DRAIN,
    }
}

fn timeouts(config: &Config, linger: Duration) -> ConnectionTimeouts {
    let http = &config.http;
    ConnectionTimeouts {
        first_header: http.first_header_timeout.min(http.header_timeout),
        header: http.header_timeout,
        write: http.write_timeout,
        linger,
    }
}

/// A listener that serves.
struct Door<T> {
    stop: Stop,
    ended: T,
}

/// What ends when a listener on a thread of its own has drained.
type OwnThread = Door<oneshot::Receiver<std::io::Result<Drained>>>;

/// The listeners that serve: players on the server's threads, all others on threads of their own,
/// so that neither can keep the other waiting.
struct Doors {
    public: Door<JoinHandle<std::io::Result<Drained>>>,
    aside: Vec<OwnThread>,
}

impl Doors {
    fn open(
        listeners: Listeners,
        api: Arc<HttpApi>,
        admin: &Arc<Admin>,
    ) -> Result<Self, ServeError> {
        let Listeners {
            public,
            admin: operators,
            probes,
            ..
        } = listeners;
        let mut aside = vec![aside(
            "admin",
            operators,
            InRuntime::current(admin.clone()),
        )?];
        if let Some(probes) = probes {
            aside.push(self::aside("probes", probes, Probes(admin.clone()))?);
        }
        let public = Door {
            stop: public.stop(),
            ended: tokio::spawn(public.serve(api)),
        };
        Ok(Self { public, aside })
    }

    fn close_after_answers(&self) {
        self.public.stop.close_after_answers();
        self.aside
            .iter()
            .for_each(|door| door.stop.close_after_answers());
    }

    /// Answers how many requests were cut off.
    async fn drain_public(&mut self) -> usize {
        self.public.stop.drain();
        let drained = (&mut self.public.ended)
            .await
            .map_err(std::io::Error::other)
            .flatten();
        match drained {
            Ok(Drained { requests_cut: 0 }) => 0,
            Ok(Drained { requests_cut }) => {
                tracing::error!(
                    requests_cut,
                    "requests were cut off that did not end before the deadline"
                );
                requests_cut
            }
            Err(error) => {
                tracing::error!(%error, "players were not served to the end");
                1
            }
        }
    }

    async fn drain_admin(self) {
        self.aside.iter().for_each(|door| door.stop.drain());
        for door in self.aside {
            // Nothing depends on what they say now.
            let _ = door.ended.await;
        }
    }
}

fn aside(name: &str, listener: Listener, handler: impl Handler) -> Result<OwnThread, ServeError> {
    let stop = listener.stop();
    let ended =
        on_own_thread(name, listener.serve(Arc::new(handler))).map_err(ServeError::Thread)?;
    Ok(Door { stop, ended })
}

/// The bound on connections, lowered where the system lends too few file descriptors: a full
/// house must cost connections, never the files of the shards. Our own limit is raised to the
/// greatest that the system allows first.
fn connections_max(config: &Config) -> Result<usize, ServeError> {
    let wanted = config.http.connections_max;
    let lent = rlimit::increase_nofile_limit(u64::MAX).map_err(ServeError::Limit)?;
    let (reserved, players) = (
        descriptors_reserved(config),
        wanted.min(CONNECTIONS_MIN) as u64,
    );
    let needed = reserved + players;
    if lent < needed {
        return Err(ServeError::Descriptors {
            lent,
            needed,
            reserved,
            players,
        });
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
    let storage = config.storage.descriptors(&config.sizes);
    let aside = 1 + usize::from(config.http.probes.is_some());
    (OWN + aside * ADMIN_CONNECTIONS_MAX + storage) as u64
}

/// The tokens of the admin address. The embedded default makes one of its own.
fn tokens(config: &Config) -> Result<Arc<TokenStore>, ServeError> {
    let own = config
        .storage
        .folder()
        .map(|folder| folder.join(TOKEN_FILE));
    TokenStore::open(&config.admin, own)
        .map(Arc::new)
        .map_err(ServeError::Token)
}

fn api_config(config: &Config) -> HttpApiConfig {
    HttpApiConfig {
        body_max_bytes: config.http.body_max_bytes,
        body_timeout: config.http.body_timeout,
        statuses: config.http.always_200,
        language: config.http.language,
        origins: config.http.allowed_origins.clone(),
    }
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
fn log_to_stderr(log: &LogConfig) -> LogFilter {
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
