//! How the units of an item are spread over stock servers.
use super::ids::ServerId;

/// How an item's units are spread: its segments, numbered from 0, are on the servers in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Segments of each item; fixed at the first start.
    pub segments: u16,
    /// Servers; fixed at the first start.
    pub servers: u8,
}

impl Spread {
    /// The server of a segment.
    pub(crate) fn server_of(self, segment: u16) -> ServerId {
        let turn = segment % u16::from(self.servers);
        ServerId(u8::try_from(turn).expect("fewer than 256 servers") + 1)
    }

    /// The segments of each item on one server.
    pub(crate) fn segments_on(self, server: ServerId) -> impl Iterator<Item = u16> + Clone {
        let first = u16::from(server.0) - 1;
        (first..self.segments).step_by(usize::from(self.servers))
    }

    /// Spreads units over the segments as evenly as possible.
    pub(crate) fn share(self, units: u64) -> impl Iterator<Item = (u16, u64)> {
        let segments = u64::from(self.segments);
        (0..self.segments).map(move |segment| {
            let rest = u64::from(u64::from(segment) < units % segments);
            (segment, units / segments + rest)
        })
    }
}
