//! `drawbridge serve`: builds the parts in order, serves, and takes them down in reverse.
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use market::document::Override;
use prometheus::Registry;
use shards::Metrics;
use shards::embedded::{Embedded, Folder, FolderError, Held, StartError};
use shards::meta::PublishError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::fail;
use crate::admin::Admin;
use crate::api::{Api, Bounds};
use crate::config::{Config, ConfigError, Log};
use crate::edge::{Limits, Listener, bind};
use crate::metrics::HttpMetrics;

/// What a server without campaigns begins with.
const DEMO_CAMPAIGNS: [&str; 2] =
    [include_str!("../../../deploy/campaigns/100301.toml"), include_str!("../../../deploy/campaigns/100401.toml")];

/// Connections to the admin address.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Options of `serve`; each is a key of the config file and an environment variable too.
#[derive(Debug, Args)]
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
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Start(#[from] StartError),
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
    let given = [
        ("storage.data", &options.data, "--data"),
        ("http.listen", &options.listen, "--listen"),
        ("http.admin", &options.admin, "--admin"),
    ];
    let given = given
        .into_iter()
        .filter_map(|(path, value, option)| value.as_ref().map(|value| Override::option(path, value, option)));
    let config = Config::load(options.config.as_deref(), given.collect())?;
    log_to_stderr(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    runtime.block_on(serve(&config))
}

/// The life of a server.
async fn serve(config: &Config) -> Result<(), ServeError> {
    let registry = Registry::new();
    let http = HttpMetrics::new(&registry)?;
    // Sockets first: a port in use must not cost a start of the shards.
    let (public, admin) = listen(config, &http)?;
    let embedded = open(config, Metrics::new(&registry)?).await?;
    let api = Arc::new(Api::new(embedded.shards.clone(), bounds(config), http));
    let admin_pages = Arc::new(Admin::new(registry, embedded.shards.clone()));
    let (stop_public, public_stops) = watch::channel(false);
    let (stop_admin, admin_stops) = watch::channel(false);
    let addresses = (public.address(), admin.address());
    let pages = admin_pages.clone();
    let admin = tokio::spawn(admin.serve(
        move |request| {
            let pages = pages.clone();
            async move { pages.handle(&request) }
        },
        admin_stops,
    ));
    let public = tokio::spawn(public.serve(
        move |request| {
            let api = api.clone();
            async move { api.handle(request).await }
        },
        public_stops,
    ));
    admin_pages.set_ready(true);
    if let (Ok(listen), Ok(admin)) = addresses {
        announce(config, listen, admin);
    }
    wait_for_stop().await?;
    tracing::info!("draining");
    admin_pages.set_ready(false);
    stop_public.send_replace(true);
    let _ = public.await;
    embedded.drain().await;
    stop_admin.send_replace(true);
    let _ = admin.await;
    tracing::info!("stopped");
    Ok(())
}

fn listen(config: &Config, metrics: &HttpMetrics) -> Result<(Listener, Listener), ServeError> {
    let http = &config.http;
    let limits = |connections_max, drain| Limits { connections_max, header_timeout: http.header_timeout, drain };
    let public = limits(http.connections_max, config.drain);
    // By the time the admin address stops there is nothing left to wait for.
    let admin = limits(ADMIN_CONNECTIONS_MAX, Duration::from_millis(200));
    let failed = |address, key| move |error| ServeError::Listen { address, key, error };
    let public = bind(http.listen, public, Some(metrics.connections())).map_err(failed(http.listen, "http.listen"))?;
    let admin = bind(http.admin, admin, None).map_err(failed(http.admin, "http.admin"))?;
    Ok((public, admin))
}

async fn open(config: &Config, metrics: Metrics) -> Result<Embedded, ServeError> {
    let held = Folder::create(&config.data)?.hold().await?;
    publish_demo(&held).await?;
    Ok(held.start(config.embedded, metrics).await?)
}

/// A server that has no campaign yet gets something to play with.
async fn publish_demo(held: &Held) -> Result<(), ServeError> {
    let meta = held.meta();
    if meta.versions().await.map_err(StartError::from)?.is_empty() {
        meta.publish(&DEMO_CAMPAIGNS, "drawbridge serve", Timestamp::now()).await?;
    }
    Ok(())
}

fn bounds(config: &Config) -> Bounds {
    Bounds {
        body_max_bytes: config.http.body_max_bytes,
        body_timeout: config.http.body_timeout,
        in_flight_max: config.admission.in_flight_max,
        always_200: config.http.always_200,
    }
}

/// Where to go, for whoever has just started it.
fn announce(config: &Config, listen: SocketAddr, admin: SocketAddr) {
    let text = format!(
        "drawbridge serves draws on http://{listen}/ (health and metrics on http://{admin}/metrics)\n\
         data in {}\n\
         try: curl -s http://{listen}/api/v1/raffle/activity/draw -H 'Content-Type: application/json' \
         -d '{{\"userId\":\"u1\",\"activityId\":100301}}'\n",
        config.data.display()
    );
    // Nobody may be reading; that is no reason to stop.
    let _ = std::io::stdout().write_all(text.as_bytes());
    tracing::info!(%listen, %admin, "ready");
}

async fn wait_for_stop() -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn log_to_stderr(log: &Log) {
    let filter = tracing_subscriber::EnvFilter::new(&log.filter);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if log.json {
        logs.json().init();
    } else {
        logs.init();
    }
}
