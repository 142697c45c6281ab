//! Hostile clients hold connections open, flood, or bend the protocol. They get a clear refusal or
//! a closed connection, cost a bounded amount of memory, and keep no honest user from drawing. (Bad
//! tokens are in `identity`, single malformed requests in `refusals`.)
mod bodies;
mod connections;
mod floods;
mod honest;
mod smuggling;

/// Bytes in a KiB.
const KIB: u64 = 1024;

/// Bytes in a MiB.
const MIB: u64 = 1024 * KIB;

/// Allows bodies that are large enough for an attack.
const LARGE_BODIES: &str = "[http]\nbody_max_bytes = 65536\n";
