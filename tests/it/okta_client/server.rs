//! A server that says exactly the bytes it is told to, for answers that no HTTP library would send.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does once it has read a request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Writes these bytes at once.
    Send(Vec<u8>),
    /// Writes these bytes one packet each.
    Trickle(Vec<u8>),
    /// Says nothing more until the client is gone.
    Stall,
    /// Closes the connection.
    Close,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Vec<Step>>,
    connections: usize,
    requests: Vec<String>,
    bodies: Vec<String>,
}

/// Answers the n-th request with the n-th script, whatever connection it comes on, and then no more.
pub struct Server {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start(answers: impl IntoIterator<Item = Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State { answers: answers.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else { return };
                shared.lock().expect("no panic").connections += 1;
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    /// Adds scripts, for answers that name the server's own address.
    pub fn will_say(&self, answers: impl IntoIterator<Item = Vec<Step>>) {
        self.state.lock().expect("no panic").answers.extend(answers);
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().expect("no panic").requests.clone()
    }

    /// The bodies of the requests so far; empty, where a request has none.
    pub fn bodies(&self) -> Vec<String> {
        self.state.lock().expect("no panic").bodies.clone()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.state.lock().expect("no panic").connections
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    stream.set_nodelay(true).expect("a TCP stream");
    while let Some((head, body)) = read_head(&mut stream).and_then(|head| read_body(&mut stream, head)) {
        let steps = {
            let mut state = state.lock().expect("no panic");
            state.requests.push(head);
            state.bodies.push(body);
            state.answers.pop_front().unwrap_or_else(|| vec![Step::Close])
        };
        for step in steps {
            // The client may be gone already, as after a body over its cap.
            let written = match step {
                Step::Send(bytes) => stream.write_all(&bytes),
                Step::Trickle(bytes) => bytes.iter().try_for_each(|byte| stream.write_all(&[*byte])),
                Step::Stall => stream.read_to_end(&mut Vec::new()).map(|_| ()),
                Step::Close => return,
            };
            if written.is_err() {
                return;
            }
        }
    }
}

/// Reads as much as the head says.
fn read_body(stream: &mut TcpStream, head: String) -> Option<(String, String)> {
    let length = head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).expect("a form is ASCII")))
}

/// Reads to the empty line.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).expect("a request's head is ASCII"))
}
