//! A proxy that opens tunnels (CONNECT), or does not, and keeps every byte that it sees.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a proxy does with a request.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Opens the tunnel to a name that it knows, and answers 502 for any other.
    Tunnel,
    /// The same for whoever sends this as `Proxy-Authorization`, and 407 for others.
    TunnelFor(String),
    /// Answers this, as `403 Forbidden`, with these header lines.
    Answer(&'static str, &'static str),
    /// Says that the tunnel is open, and answers what comes by itself, in the clear.
    Impostor,
    /// Closes the connection.
    Close,
    /// Says nothing.
    Stall,
}

/// A proxy on 127.0.0.1, which lives as long as the test process.
#[derive(Clone)]
pub struct ConnectProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// By `host:port`: the only name server there is.
    names: HashMap<String, SocketAddr>,
    manner: Mutex<Manner>,
    heads: Mutex<Vec<String>>,
    /// What went through the tunnels, both ways.
    carried: Mutex<Vec<u8>>,
}

impl ConnectProxy {
    /// A proxy that knows these names, as `acme.okta.test:443`.
    pub fn start<'a>(names: impl IntoIterator<Item = (&'a str, SocketAddr)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let names = names.into_iter().map(|(name, address)| (name.to_owned(), address)).collect();
        let shared = Arc::new(Shared {
            names,
            manner: Mutex::new(Manner::Tunnel),
            heads: Mutex::default(),
            carried: Mutex::default(),
        });
        let serves = Arc::clone(&shared);
        let _ = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serves);
                let _ = thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it does from the next request on.
    pub fn set(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// The head of every request so far.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap().clone()
    }

    /// All that went through its tunnels so far.
    pub fn carried(&self) -> Vec<u8> {
        self.shared.carried.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, mut client: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match client.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.heads.lock().unwrap().push(head.clone());
        let manner = self.manner.lock().unwrap().clone();
        let line = |status: &str, headers: &str| format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n");
        let login = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("proxy-authorization").then_some(value)
        });
        let answer = match manner {
            Manner::Tunnel => return self.tunnel(&head, client),
            Manner::TunnelFor(wanted) if login == Some(wanted.as_str()) => return self.tunnel(&head, client),
            Manner::TunnelFor(_) => {
                line("407 Proxy Authentication Required", "proxy-authenticate: Basic realm=\"corp\"\r\n")
            }
            Manner::Answer(status, headers) => line(status, headers),
            Manner::Impostor => {
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                let _ = client.peek(&mut byte);
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]");
                return self.carry(&mut client, None);
            }
            Manner::Close => return,
            Manner::Stall => return self.carry(&mut client, None),
        };
        let _ = client.write_all(answer.as_bytes());
    }

    fn tunnel(self: &Arc<Self>, head: &str, mut client: TcpStream) {
        let name = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let Some(mut server) = self.names.get(name).and_then(|address| TcpStream::connect(address).ok()) else {
            let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
            return;
        };
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let shared = Arc::clone(self);
        let _ = thread::spawn(move || shared.carry(&mut from_server, Some(&mut to_client)));
        self.carry(&mut client, Some(&mut server));
    }

    fn carry(&self, from: &mut TcpStream, mut to: Option<&mut TcpStream>) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            self.carried.lock().unwrap().extend_from_slice(&bytes[..count]);
            if to.as_mut().is_some_and(|to| to.write_all(&bytes[..count]).is_err()) {
                break;
            }
        }
        if let Some(to) = to {
            let _ = to.shutdown(Shutdown::Write);
        }
    }
}
