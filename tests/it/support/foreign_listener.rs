//! A server that nobody should talk to.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Listens, answers nothing and keeps what it hears. It lives as long as the test process.
pub struct ForeignListener {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl ForeignListener {
    /// Listens on a free port of 127.0.0.1.
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let _ = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                let mut bytes = [0; 4096];
                stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                let count = stream.read(&mut bytes).unwrap_or_default();
                hears.lock().unwrap().push(String::from_utf8_lossy(&bytes[..count]).into_owned());
            }
        });
        Self { address, heard }
    }

    /// Its origin, as `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first bytes of each connection there was.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}
