//! A server in front of an org, or in its place, that keeps every request and every answer byte for byte.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::connector::unix_seconds;
use super::http_message::Message;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The org at this address answers it.
    Forward(SocketAddr),
    /// These bytes are the answer.
    Bytes(Vec<u8>),
    /// Nothing more is said until the client is gone, or [`Recorder::hang_up`] is called.
    Hang,
    /// The connection ends.
    Close,
}

/// A request, and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When the request was there, in Unix seconds of this machine.
    pub at: f64,
    /// The request.
    pub request: Message,
    /// `None` while there is none, and for ever where none was given.
    pub answer: Option<Message>,
}

impl Exchange {
    /// `GET` or `POST`.
    pub fn method(&self) -> &str {
        self.request.start.split(' ').next().unwrap_or_default()
    }

    /// Path and query, as asked.
    pub fn target(&self) -> &str {
        self.request.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// Whether a token was asked for.
    pub fn is_for_a_token(&self) -> bool {
        self.path() == "/oauth2/v1/token"
    }

    /// Whether a page of the System Log was asked for.
    pub fn is_for_a_page(&self) -> bool {
        self.path() == "/api/v1/logs"
    }

    /// The answer's status; 0 where there is no answer.
    pub fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, Message::status)
    }

    /// The members of a form, decoded, in their order.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.request.body).into_owned().collect()
    }

    /// A member of the form.
    pub fn form_member(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(has, _)| has == name).map(|(_, value)| value)
    }

    /// The answer's body as JSON; null where it is not.
    pub fn answer_json(&self) -> serde_json::Value {
        let text = self.answer.as_ref().map(Message::text).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

type Decides = Box<dyn FnMut(&Exchange) -> Reply + Send>;

struct Shared {
    exchanges: Mutex<Vec<Exchange>>,
    changed: Condvar,
    decides: Mutex<Decides>,
    hanging: Mutex<Vec<TcpStream>>,
}

/// Listens on a port of 127.0.0.1; it lives as long as the test process.
#[derive(Clone)]
pub struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Recorder {
    /// `decides` is asked for each request, one after the other.
    pub fn start(decides: impl FnMut(&Exchange) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            exchanges: Mutex::default(),
            changed: Condvar::new(),
            decides: Mutex::new(Box::new(decides)),
            hanging: Mutex::default(),
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

    /// Everything goes to the org at this address.
    pub fn before(org: SocketAddr) -> Self {
        Self::start(move |_| Reply::Forward(org))
    }

    /// From the next request on, this decides.
    pub fn decide(&self, decides: impl FnMut(&Exchange) -> Reply + Send + 'static) {
        *self.shared.decides.lock().unwrap() = Box::new(decides);
    }

    /// Ends the connections on which nothing is said.
    pub fn hang_up(&self) {
        for stream in self.shared.hanging.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// What the client knows as the org, `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// All exchanges so far, in the order of the requests.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges.lock().unwrap().clone()
    }

    /// Those that asked for a token.
    pub fn token_exchanges(&self) -> Vec<Exchange> {
        self.exchanges().into_iter().filter(Exchange::is_for_a_token).collect()
    }

    /// Waits until `wanted` holds for the exchanges so far; looked at whenever one came or was answered. Panics with
    /// `what` when that takes longer than `timeout`.
    pub fn await_exchanges(&self, what: &str, wanted: impl Fn(&[Exchange]) -> bool, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut exchanges = self.shared.exchanges.lock().unwrap();
        while !wanted(&exchanges) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                let calls: Vec<_> = exchanges.iter().rev().take(20).rev().map(Exchange::to_string).collect();
                panic!("not {what} within {timeout:?}; the last calls: {}", calls.join(", "));
            };
            exchanges = self.shared.changed.wait_timeout(exchanges, left).unwrap().0;
        }
    }

    /// Waits for so many more exchanges of a kind, answered.
    pub fn await_more(&self, what: &str, count: usize, kind: impl Fn(&Exchange) -> bool, timeout: Duration) {
        let so_far = |exchanges: &[Exchange]| exchanges.iter().filter(|x| x.answer.is_some() && kind(x)).count();
        let before = so_far(&self.shared.exchanges.lock().unwrap());
        self.await_exchanges(what, |exchanges| so_far(exchanges) >= before + count, timeout);
    }
}

/// `GET /api/v1/logs 200`: never the query, nor anything that was sent.
impl std::fmt::Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.method(), self.path(), self.status())
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) {
        let mut org: Option<TcpStream> = None;
        client.set_nodelay(true).unwrap();
        while let Some(request) = Message::read(&mut client, false) {
            let exchange = Exchange { at: unix_seconds(), request, answer: None };
            let raw = exchange.request.raw.clone();
            let place = {
                let mut exchanges = self.exchanges.lock().unwrap();
                exchanges.push(exchange.clone());
                exchanges.len() - 1
            };
            self.changed.notify_all();
            let reply = (self.decides.lock().unwrap())(&exchange);
            let answer = match reply {
                Reply::Close => return,
                Reply::Hang => {
                    self.hanging.lock().unwrap().push(client.try_clone().unwrap());
                    let _ = client.peek(&mut [0]);
                    return;
                }
                Reply::Bytes(bytes) => Some(bytes),
                Reply::Forward(address) => forward(&mut org, address, &raw),
            };
            let Some(answer) = answer else { return };
            // Noted before it is sent: who awaits what the client made of it finds it here.
            self.exchanges.lock().unwrap()[place].answer = Message::read(&mut answer.as_slice(), true);
            self.changed.notify_all();
            if client.write_all(&answer).is_err() {
                return;
            }
        }
    }
}

/// The org's answer; `None` where it gave none, or half of one.
fn forward(org: &mut Option<TcpStream>, address: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
    if org.is_none() {
        *org = TcpStream::connect(address).ok();
    }
    let stream = org.as_mut()?;
    stream.write_all(request).ok()?;
    Some(Message::read(stream, true)?.raw)
}
