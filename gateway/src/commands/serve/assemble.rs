//! The parts of a server between its storage and its listeners, built in the order in which they
//! need each other.
use std::net::SocketAddr;
use std::sync::Arc;

use prometheus::Registry;
use shards::Shards;

use super::error::ServeError;
use super::listen::Listeners;
use crate::admin::Admin;
use crate::admin::metrics::Scrape;
use crate::admin::refusals::Refusals;
use crate::admin::token::TokenStore;
use crate::commands::held_folder::TOKEN_FILE;
use crate::config::Config;
use crate::config::effective::EffectiveConfig;
use crate::desk::{Desk, DeskMetrics, DeskParts};
use crate::fleet::kinds::{
    BreakerObeyer, CooldownObeyer, LimitObeyer, LogObeyer, ReloadObeyer, RotationObeyer,
};
use crate::fleet::metrics::FleetMetrics;
use crate::fleet::registry::Obeyer;
use crate::fleet::{Fleet, GatewayIdentity, default_name};
use crate::http::{HttpApi, HttpApiConfig, HttpMetrics};
use crate::identity::Identity;
use crate::identity::apps::Apps;
use crate::limits::RateLimits;
use crate::limits::metrics::LimitMetrics;
use crate::log_level::LogLevel;
use crate::reload::{ConfigSource, ReloadMetrics, ReloadParts, Reloader};
use crate::trace::AccessLog;

/// Where the configuration came from, and the parts of it that are in force outside the server.
pub(super) struct ConfigOrigin {
    pub(super) source: ConfigSource,
    pub(super) effective: EffectiveConfig,
    pub(super) log_level: Arc<LogLevel>,
}

/// What the listeners serve, and what works beside them.
pub(super) struct ServerParts {
    pub(super) api: Arc<HttpApi>,
    pub(super) admin: Arc<Admin>,
    pub(super) reloader: Arc<Reloader>,
    pub(super) fleet: Arc<Fleet>,
}

/// Builds the parts.
pub(super) fn assemble(
    config: &Config,
    origin: ConfigOrigin,
    (registry, http, desk): (Registry, HttpMetrics, DeskMetrics),
    shards: Arc<Shards>,
    listeners: &Listeners,
) -> Result<ServerParts, ServeError> {
    let identity = Arc::new(Identity::new(&config.identity).map_err(ServeError::Identity)?);
    let apps = Arc::new(Apps::new(&config.apps).map_err(ServeError::Identity)?);
    let limits = Arc::new(RateLimits::new(
        &config.limits,
        LimitMetrics::new(&registry)?,
    ));
    limits.keep_counted();
    let access = Arc::new(AccessLog::new(config.log.access_lines_per_second_max));
    let tokens = tokens(config)?;
    let metrics = ReloadMetrics::new(&registry)?;
    metrics.keys_read(&identity);
    let ConfigOrigin {
        source,
        effective,
        log_level,
    } = origin;
    let reloaded = ReloadParts {
        identity: identity.clone(),
        apps: apps.clone(),
        limits: limits.clone(),
        shards: shards.clone(),
        access: access.clone(),
        log_level: log_level.clone(),
        tokens: tokens.clone(),
        admin_tls: listeners.admin_tls.clone(),
    };
    let reloader = Arc::new(Reloader::new(source, effective, reloaded, metrics));
    let obeyed = Obeyed {
        shards: &shards,
        limits: &limits,
        reloader: &reloader,
        log_level: &log_level,
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
        apps,
        limits: limits.clone(),
        proxies: config.http.trusted_proxies.clone(),
        in_flight_max: config.admission.in_flight_max,
        metrics: desk,
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
    Ok(ServerParts {
        api,
        admin,
        reloader,
        fleet,
    })
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

/// The parts that settings for all gateways change.
struct Obeyed<'a> {
    shards: &'a Arc<Shards>,
    limits: &'a Arc<RateLimits>,
    reloader: &'a Arc<Reloader>,
    log_level: &'a Arc<LogLevel>,
}

/// What this gateway obeys beside the configuration, and its entry in the list of gateways.
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
    let own = GatewayIdentity {
        name,
        admin: format!("{scheme}{admin}"),
    };
    let rotation = Arc::<RotationObeyer>::default();
    let obeyers: Vec<Box<dyn Obeyer>> = vec![
        Box::new(BreakerObeyer(shards.clone())),
        Box::new(CooldownObeyer(limits.clone())),
        Box::new(LimitObeyer(limits.clone())),
        Box::new(LogObeyer(log_level.clone())),
        Box::new(ReloadObeyer(reloader.clone())),
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
