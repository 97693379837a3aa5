//! A TCP proxy between worker and broker that notices the commit passing, so that a test can stop the broker right
//! there instead of guessing a moment.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::kafka_wire::{END_TXN, EndTxnRequest, RequestHeader, read_frame, response_correlation_id};

/// Where an `EndTxn` is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request is here; the broker has not got it yet. It is forwarded when the hook returns.
    BeforeForwarding,
    /// The request has been written to the broker's socket; whether the broker has read it, nobody knows.
    AfterForwarding,
    /// The broker has answered; the client has not got the answer yet. It is forwarded when the hook returns.
    Answered,
}

/// One `EndTxn` at one moment of its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndTxn {
    pub moment: Moment,
    pub request: EndTxnRequest,
    /// 1 for the first `EndTxn` that this proxy ever saw.
    pub number: usize,
}

type Hook = Arc<dyn Fn(&EndTxn) + Send + Sync>;

#[derive(Default)]
struct Shared {
    hook: Mutex<Option<Hook>>,
    broker: Mutex<Option<String>>,
    seen: AtomicUsize,
    closed: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

/// The proxy. Dropping it cuts all its connections.
///
/// A client stays behind it when the broker was started with [`BrokerOptions::behind_proxy`] and this proxy's port,
/// and the client's `bootstrap.servers` is [`EndTxnProxy::bootstrap`].
///
/// [`BrokerOptions::behind_proxy`]: super::broker::BrokerOptions::behind_proxy
pub struct EndTxnProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl EndTxnProxy {
    /// Listens on a free port of 127.0.0.1; forwards nothing until [`EndTxnProxy::forward_to`] says where to.
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        let _ = thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.closed.load(Ordering::Relaxed) {
                    return;
                }
                // A broker that is down: the client's connection is closed, as the broker's own would be.
                if let Ok(client) = client {
                    let _ = connect_through(client, &accepting);
                }
            }
        });
        Self { address, shared }
    }

    /// The port to give to the broker as its proxied one.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `host:port` for the client's `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// Connections are forwarded to this `host:port` from now on: the broker's proxied listener.
    pub fn forward_to(&self, broker: &str) {
        *self.shared.broker.lock().unwrap() = Some(broker.to_owned());
    }

    /// Calls `hook` at each moment of each `EndTxn` from now on, on the thread that forwards it: nothing more of that
    /// connection's direction passes until it returns. Replaces the hook before it.
    pub fn on_end_txn(&self, hook: impl Fn(&EndTxn) + Send + Sync + 'static) {
        *self.shared.hook.lock().unwrap() = Some(Arc::new(hook));
    }

    /// No hook any more.
    pub fn pass_all(&self) {
        *self.shared.hook.lock().unwrap() = None;
    }

    /// How many `EndTxn` requests have come from clients.
    pub fn end_txn_count(&self) -> usize {
        self.shared.seen.load(Ordering::SeqCst)
    }

    /// Cuts every connection that is open now, in both directions.
    pub fn cut_connections(&self) {
        self.shared.cut();
    }
}

impl Drop for EndTxnProxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        self.shared.cut();
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn call(&self, event: &EndTxn) {
        let hook = self.hook.lock().unwrap().clone();
        if let Some(hook) = hook {
            hook(event);
        }
    }

    fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// The `EndTxn` requests of one connection that are not answered yet, by correlation id.
type Unanswered = Arc<Mutex<HashMap<i32, EndTxn>>>;

fn connect_through(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let target = shared.broker.lock().unwrap().clone().ok_or_else(|| io::Error::other("no broker yet"))?;
    let broker = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    shared.connections.lock().unwrap().extend([client.try_clone()?, broker.try_clone()?]);
    let unanswered = Unanswered::default();
    let (requests, responses) = (Arc::clone(shared), Arc::clone(shared));
    let (client_too, broker_too, unanswered_too) = (client.try_clone()?, broker.try_clone()?, Arc::clone(&unanswered));
    let _ = thread::spawn(move || {
        let _ = forward_requests(&client, &broker, &requests, &unanswered);
        close(&client, &broker);
    });
    let _ = thread::spawn(move || {
        let _ = forward_responses(&broker_too, &client_too, &responses, &unanswered_too);
        close(&client_too, &broker_too);
    });
    Ok(())
}

fn forward_requests(
    mut client: &TcpStream,
    mut broker: &TcpStream,
    shared: &Shared,
    unanswered: &Unanswered,
) -> io::Result<()> {
    while let Some(frame) = read_frame(&mut client)? {
        let header = RequestHeader::of(&frame[4..]);
        let Some(header) = header.filter(|header| header.api_key == END_TXN) else {
            broker.write_all(&frame)?;
            continue;
        };
        let request = EndTxnRequest::of(&frame[4..]).expect("an EndTxn request as the protocol guide has it");
        let number = shared.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let mut event = EndTxn { moment: Moment::BeforeForwarding, request, number };
        shared.call(&event);
        let _ = unanswered.lock().unwrap().insert(header.correlation_id, event.clone());
        broker.write_all(&frame)?;
        event.moment = Moment::AfterForwarding;
        shared.call(&event);
    }
    Ok(())
}

fn forward_responses(
    mut broker: &TcpStream,
    mut client: &TcpStream,
    shared: &Shared,
    unanswered: &Unanswered,
) -> io::Result<()> {
    while let Some(frame) = read_frame(&mut broker)? {
        let request = response_correlation_id(&frame[4..]).and_then(|id| unanswered.lock().unwrap().remove(&id));
        if let Some(mut event) = request {
            event.moment = Moment::Answered;
            shared.call(&event);
        }
        client.write_all(&frame)?;
    }
    Ok(())
}

fn close(client: &TcpStream, broker: &TcpStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = broker.shutdown(Shutdown::Both);
}
