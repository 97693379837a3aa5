//! What may stand in front of a schema registry: it asks for a login, answers something else, or hands on.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

use super::http_message::{self, Message};

/// An answer of the front's own: status line and body.
pub type Own = (&'static str, String);

/// Hands requests on to a registry, unless its rule has an answer of its own. It lasts as long as the test process.
pub struct RegistryFront {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl RegistryFront {
    /// In front of `behind`.
    pub fn start(behind: SocketAddr, rule: impl Fn(&Message) -> Option<Own> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (rule, log) = (Arc::new(rule), Arc::clone(&asked));
        let _ = thread::spawn(move || {
            for stream in listener.incoming() {
                let (rule, log) = (Arc::clone(&rule), Arc::clone(&log));
                let _ = thread::spawn(move || serve(stream.unwrap(), behind, &*rule, &log));
            }
        });
        Self { address, asked }
    }

    /// One that wants `Authorization: <value>`, and repeats what it was given where that is another.
    pub fn with_login(behind: SocketAddr, value: &str) -> Self {
        let value = value.to_owned();
        Self::start(behind, move |request| match request.header("authorization") {
            Some(given) if given == value => None,
            given => {
                let message = format!("not {}", given.unwrap_or("nothing"));
                Some(("401 Unauthorized", json!({ "error_code": 401, "message": message }).to_string()))
            }
        })
    }

    /// Where Confluent's API is, as `schema_registry.url` takes it.
    pub fn url(&self) -> String {
        format!("http://{}/apis/ccompat/v7", self.address)
    }

    /// The request lines so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    mut client: TcpStream,
    behind: SocketAddr,
    rule: &(dyn Fn(&Message) -> Option<Own> + Send + Sync),
    log: &Mutex<Vec<String>>,
) {
    while let Some(request) = Message::read(&mut client, false) {
        log.lock().unwrap().push(request.start.clone());
        let answer = match rule(&request) {
            Some((status, body)) => {
                let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
                http_message::answer(status, &headers, &body)
            }
            None => {
                let mut server = TcpStream::connect(behind).unwrap();
                server.write_all(&request.raw).unwrap();
                Message::read(&mut server, true).unwrap().raw
            }
        };
        if client.write_all(&answer).is_err() {
            return;
        }
    }
}
