//! Free ports for servers of tests.
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// A port below those that the system gives to outgoing connections (32768 and more), so that it
/// is still free when a killed server comes back. Each test process begins at another one.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let start =
        u16::try_from(u64::from(std::process::id()) * 61 % u64::from(COUNT)).expect("below COUNT");
    let next = || FIRST + (start + TRIED.fetch_add(1, Ordering::Relaxed)) % COUNT;
    std::iter::repeat_with(next)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("an endless iterator")
}

/// The address of a free port of this machine.
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}
