//! How many connections the file descriptors of this process suffice for.
use super::error::ServeError;
use crate::config::Config;

/// Connections to the admin address, and to that of probes.
pub(super) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// A server that has room for fewer players than this is of no use.
const CONNECTIONS_MIN: usize = 64;

/// The bound on connections of players, lowered where the system allows too few file descriptors:
/// a lack of them must cost connections, never the files of the shards. The limit of this process
/// is raised to the greatest that the system allows first.
pub(super) fn connections_max(config: &Config) -> Result<usize, ServeError> {
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
    /// Sockets that listen, the log, the runtime, and files opened for a moment.
    const OWN: usize = 64;
    let storage = config.storage.descriptors(&config.sizes);
    let aside = 1 + usize::from(config.http.probes.is_some());
    (OWN + aside * ADMIN_CONNECTIONS_MAX + storage) as u64
}
