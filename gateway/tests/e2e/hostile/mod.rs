//! Hostile clients: whoever holds connections open, floods, or bends the protocol gets a clear
//! refusal or a closed connection, costs a bounded amount of memory, and keeps no honest user from
//! drawing. (Bad tokens are in `identity`, single malformed requests in `refusals`.)
mod bodies;
mod connections;
mod floods;
mod honest;
mod smuggling;

/// Bytes in a KiB.
const KIB: u64 = 1024;

/// Bytes in a MiB.
const MIB: u64 = 1024 * KIB;

/// Lets in bodies that are worth being hostile with.
const LARGE_BODIES: &str = "[http]\nbody_max_bytes = 65536\n";
