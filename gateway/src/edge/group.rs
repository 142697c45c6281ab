//! How the table of connections names them, and whose they are.
use crate::limits::address::ClientAddress;

/// Names a connection in its table.
pub type ConnectionId = u64;

/// Whose connections are counted together: those of a client's address, or of a trusted proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionGroup {
    /// Whether it is a trusted proxy, whose connections have no bound of their own.
    pub exempt: bool,
    /// The address.
    pub client: ClientAddress,
}
