//! A TCP proxy between client and broker that makes the broker's partitions look shorter than they are for a while: what a
//! new leader answers before its followers have told it how far they are.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::kafka_wire::{RequestHeader, read_frame, response_correlation_id};

const FETCH: i16 = 1;
/// From this version on a topic is a UUID; compact arrays and tagged fields have been there since version 12.
const FETCH_BY_ID: i16 = 13;

/// The proxy of one broker; it ends with the process.
pub struct LaggingLeader {
    port: u16,
    broker: Arc<Mutex<Option<String>>>,
    left: Arc<AtomicUsize>,
}

impl LaggingLeader {
    /// Listens; forwards nothing until [`LaggingLeader::forward_to`] says where to.
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (broker, left) = (Arc::new(Mutex::new(None::<String>)), Arc::new(AtomicUsize::new(0)));
        let (to, count) = (Arc::clone(&broker), Arc::clone(&left));
        let _ = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Some(broker) = to.lock().unwrap().clone() else { continue };
                if let Ok(broker) = TcpStream::connect(broker) {
                    connect(client, broker, &count);
                }
            }
        });
        Self { port, broker, left }
    }

    /// The port to give to the broker as its proxied one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The broker's proxied listener.
    pub fn forward_to(&self, broker: &str) {
        *self.broker.lock().unwrap() = Some(broker.to_owned());
    }

    /// So many answers from now on say that every partition ends where it begins.
    pub fn lag(&self, answers: usize) {
        self.left.store(answers, Ordering::SeqCst);
    }

    /// How many of them are still to come.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

fn connect(client: TcpStream, broker: TcpStream, left: &Arc<AtomicUsize>) {
    let fetches = Arc::new(Mutex::new(HashMap::new()));
    let (to_broker, to_client) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
    let (asked, left) = (Arc::clone(&fetches), Arc::clone(left));
    let _ = thread::spawn(move || {
        let _ = requests(client, to_broker, &asked);
    });
    let _ = thread::spawn(move || {
        let _ = responses(broker, to_client, &fetches, &left);
    });
}

fn requests(mut client: TcpStream, mut broker: TcpStream, fetches: &Mutex<HashMap<i32, i16>>) -> io::Result<()> {
    while let Some(frame) = read_frame(&mut client)? {
        if let Some(header) = RequestHeader::of(&frame[4..]).filter(|header| header.api_key == FETCH) {
            let _ = fetches.lock().unwrap().insert(header.correlation_id, header.api_version);
        }
        broker.write_all(&frame)?;
    }
    broker.shutdown(Shutdown::Both)
}

fn responses(
    mut broker: TcpStream,
    mut client: TcpStream,
    fetches: &Mutex<HashMap<i32, i16>>,
    left: &AtomicUsize,
) -> io::Result<()> {
    while let Some(mut frame) = read_frame(&mut broker)? {
        let version = response_correlation_id(&frame[4..]).and_then(|id| fetches.lock().unwrap().remove(&id));
        let take = |left: usize| left.checked_sub(1);
        if let Some(version) = version
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
        {
            let shorter = shortened(&frame[4..], version).expect("a Fetch answer as the protocol guide has it");
            frame = u32::try_from(shorter.len()).unwrap().to_be_bytes().to_vec();
            frame.extend(shorter);
        }
        client.write_all(&frame)?;
    }
    client.shutdown(Shutdown::Both)
}

/// The Fetch answer with 0 for each high watermark and last stable offset, and without records.
fn shortened(answer: &[u8], version: i16) -> Option<Vec<u8>> {
    assert!(version >= 12, "this client asks by version {version}");
    let mut copy = Copy { from: answer, to: Vec::with_capacity(answer.len()) };
    // The correlation id, the header's tags, then throttle time, error and session.
    copy.bytes(4)?;
    copy.tags()?;
    copy.bytes(4 + 2 + 4)?;
    for _ in 1..copy.varint()? {
        if version >= FETCH_BY_ID {
            copy.bytes(16)?;
        } else {
            let length = copy.varint()?;
            copy.bytes(length.checked_sub(1)?)?;
        }
        for _ in 1..copy.varint()? {
            // Number and error.
            copy.bytes(4 + 2)?;
            copy.skip(8 + 8)?;
            copy.to.extend([0; 8 + 8]);
            // The log's begin.
            copy.bytes(8)?;
            let aborted = copy.read()?;
            for _ in 1..aborted.max(1) {
                copy.skip(8 + 8)?;
                let _ = copy.read()?;
            }
            copy.to.push(1);
            // The preferred replica.
            copy.bytes(4)?;
            let records = copy.read()?;
            copy.skip(records.saturating_sub(1))?;
            copy.to.push(1);
            copy.tags()?;
        }
        copy.tags()?;
    }
    copy.bytes(copy.from.len())?;
    Some(copy.to)
}

/// Copies an answer as it reads it.
struct Copy<'a> {
    from: &'a [u8],
    to: Vec<u8>,
}

impl<'a> Copy<'a> {
    fn skip(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.from.split_at_checked(count)?;
        self.from = rest;
        Some(taken)
    }

    fn bytes(&mut self, count: usize) -> Option<()> {
        let taken = self.skip(count)?;
        self.to.extend(taken);
        Some(())
    }

    /// An unsigned varint that is not copied.
    fn read(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = usize::from(*self.skip(1)?.first()?);
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn varint(&mut self) -> Option<usize> {
        let before = self.from;
        let value = self.read()?;
        self.to.extend(&before[..before.len() - self.from.len()]);
        Some(value)
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            let _ = self.varint()?;
            let length = self.varint()?;
            self.bytes(length)?;
        }
        Some(())
    }
}
