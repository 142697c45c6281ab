//! How the table of connections names them, and whose they are.
use crate::limits::address::Client;

/// Names a connection in its table.
pub type ConnectionId = u64;

/// Whose connections are counted together: those of a client's address, or of a trusted proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group {
    /// Whether it is a proxy, which has as many as it needs.
    pub exempt: bool,
    /// The address.
    pub client: Client,
}
