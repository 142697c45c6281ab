//! Which connection gives way when there is no place for a new one. A rule without I/O.
use std::cmp::Reverse;
use std::time::Instant;

use super::group::{ConnectionGroup, ConnectionId};

/// A connection without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilentConnection {
    /// Which one.
    pub id: ConnectionId,
    /// Whose it is.
    pub group: ConnectionGroup,
    /// Open connections of that group, those with a request included.
    pub connections: usize,
    /// Its wait for a head.
    pub wait: HeadWait,
}

/// A wait for a head. Connections that have never sent one come before those that were served, and
/// the longer wait comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeadWait {
    /// Whether it has had a request.
    pub was_served: bool,
    /// Since when it waits.
    pub since: Instant,
}

/// The connections in the order in which they give way, the first one last. Groups with many
/// connections give way until none has more than another; those of trusted proxies, which stand for
/// many people, give way last.
pub fn give_way_order(mut silent: Vec<SilentConnection>) -> Vec<ConnectionId> {
    silent.sort_unstable_by_key(|silent| (silent.group, silent.wait));
    let mut ranked = Vec::with_capacity(silent.len());
    for of_group in silent.chunk_by(|one, other| one.group == other.group) {
        for (gone, silent) in of_group.iter().enumerate() {
            let connections = if silent.group.exempt {
                0
            } else {
                silent.connections.saturating_sub(gone)
            };
            ranked.push((Reverse(connections), silent.wait, silent.id));
        }
    }
    ranked.sort_unstable_by_key(|&(connections, wait, _)| Reverse((connections, wait)));
    ranked.into_iter().map(|(.., id)| id).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    fn group(address: &str, exempt: bool) -> ConnectionGroup {
        let address: IpAddr = address.parse().expect("an address");
        ConnectionGroup {
            exempt,
            client: address.into(),
        }
    }

    /// The order in which these give way: address, connections in all, was served, waits since
    /// (ms).
    fn order(exempt: &str, silent: &[(&str, usize, bool, u64)]) -> Vec<ConnectionId> {
        let start = Instant::now();
        let silent =
            silent
                .iter()
                .enumerate()
                .map(
                    |(id, &(address, connections, was_served, since_ms))| SilentConnection {
                        id: id as ConnectionId,
                        group: group(address, address == exempt),
                        connections,
                        wait: HeadWait {
                            was_served,
                            since: start + Duration::from_millis(since_ms),
                        },
                    },
                );
        give_way_order(silent.collect()).into_iter().rev().collect()
    }

    #[test]
    fn of_one_address_those_that_never_sent_a_head_go_first_and_then_those_that_wait_longest() {
        let of = |was_served, since_ms| ("192.0.2.1", 4, was_served, since_ms);
        assert_eq!(
            order("", &[of(true, 1), of(false, 3), of(true, 0), of(false, 2)]),
            [3, 1, 2, 0]
        );
    }

    #[test]
    fn the_address_with_most_connections_gives_way_until_it_has_no_more_than_others() {
        let (many, few) = ("192.0.2.1", "192.0.2.2");
        // The few were there first. The many have a connection more with a request, which stays.
        let silent = [
            (few, 2, false, 0),
            (few, 2, false, 1),
            (many, 4, false, 2),
            (many, 4, false, 3),
            (many, 4, false, 4),
        ];
        assert_eq!(order("", &silent), [2, 3, 0, 4, 1]);
    }

    #[test]
    fn connections_of_proxies_go_when_there_are_no_others() {
        let (proxy, client) = ("10.0.0.1", "192.0.2.2");
        assert_eq!(
            order(
                proxy,
                &[
                    (proxy, 9, false, 0),
                    (proxy, 9, true, 1),
                    (client, 1, true, 2)
                ]
            ),
            [2, 0, 1]
        );
    }
}
