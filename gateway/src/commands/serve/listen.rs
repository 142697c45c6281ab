//! The sockets of a server, with the bounds of each.
use std::sync::Arc;
use std::time::Duration;

use super::descriptors::{ADMIN_CONNECTIONS_MAX, connections_max};
use super::error::ServeError;
use crate::commands::announce::ServerAddresses;
use crate::config::{Config, DrainConfig};
use crate::edge::{
    ConnectionBounds, ConnectionMetrics, ConnectionTimeouts, Listener, ListenerBounds, Tls,
    TrustedProxies, bind,
};

/// Connections of one address to each of them.
const ADMIN_CONNECTIONS_PER_ADDRESS_MAX: usize = 32;

/// A request that was sent before its sender could know of the stop arrives within this time after
/// draining has begun.
const LINGER: Duration = Duration::from_millis(250);

/// By the time the admin address stops there is little left to wait for.
const ADMIN_DRAIN: Duration = Duration::from_millis(100);

/// The sockets of a server.
pub(super) struct Listeners {
    pub(super) public: Listener,
    pub(super) admin: Listener,
    pub(super) admin_tls: Option<Arc<Tls>>,
    pub(super) probes: Option<Listener>,
}

impl Listeners {
    /// Where they listen; `None` where the system does not say.
    pub(super) fn addresses(&self) -> Option<ServerAddresses> {
        let probes = self.probes.as_ref();
        Some(ServerAddresses {
            listen: self.public.address().ok()?,
            admin: self.admin.address().ok()?,
            probes: probes.and_then(|probes| probes.address().ok()),
        })
    }
}

/// Binds the sockets. Nothing is accepted before they serve.
pub(super) async fn listen(
    config: &Config,
    metrics: ConnectionMetrics,
) -> Result<Listeners, ServeError> {
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
