//! Free loopback ports.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU16, Ordering};
use std::io::{Error, Result};
use std::net::TcpListener;

/// Below the range from which the kernel picks the ports of outgoing connections (Linux: from 32768).
/// Inside it, a client that retries while the broker is down could take the broker's port, or even
/// connect to itself.
const FIRST: u16 = 15_000;
const SPAN: u16 = 16_000;

/// A port of 127.0.0.1 on which nothing listens. It differs from call to call, and test processes that
/// run side by side begin at different places.
///
/// # Errors
///
/// When none can be bound.
pub fn free_port() -> Result<u16> {
    static CALLS: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id().wrapping_mul(2_654_435_761) >> 16;
    for _ in 0..SPAN {
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let offset = (start + u32::from(call)) % u32::from(SPAN);
        let port = FIRST + u16::try_from(offset).unwrap_or(0);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::other("no free port on 127.0.0.1"))
}
