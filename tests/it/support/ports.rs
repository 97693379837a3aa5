//! Ports on the loopback address for servers that must be told theirs before they start.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};

/// Ports handed out by this process: two tests never get the same one.
static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Default::default);

/// A port on 127.0.0.1 that nobody listens on.
///
/// Taken from below the range that systems give to outgoing connections (32768 and up on Linux), so that no client can
/// sit on it between this call and the server's start, or while a broker is down between kill and restart.
pub fn free_port() -> u16 {
    let mut taken = TAKEN.lock().unwrap();
    for _ in 0..1000 {
        let port = fastrand::u16(20_000..32_000);
        if !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            let _ = taken.insert(port);
            return port;
        }
    }
    panic!("no free port found between 20000 and 32000");
}
