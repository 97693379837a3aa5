//! The simulated org, for tests that block.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::time::Duration;

use okta_kafka_source::simulator::{RequestRecord, Simulator, SimulatorConfig};
use tokio::runtime::Runtime;

use super::config_yaml::ConnectorYaml;

/// A simulated org on a runtime of its own. All of [`Simulator`] can be called on it.
pub struct Org {
    // Dropped before the runtime that it runs on.
    simulator: Simulator,
    runtime: Runtime,
}

impl Org {
    /// Starts an org.
    pub fn start(config: SimulatorConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let simulator = runtime.block_on(Simulator::start(config)).expect("the simulated org starts");
        Self { simulator, runtime }
    }

    /// An org with a backlog of so many events, and nothing that goes wrong.
    pub fn with_events(events: usize) -> Self {
        Self::start(SimulatorConfig { events, ..SimulatorConfig::default() })
    }

    /// A connector of this org, with the right token.
    pub fn connector(&self, name: &str) -> ConnectorYaml {
        ConnectorYaml::new(name, self.url(), self.token())
    }

    /// Host and port, as the source partition has it.
    pub fn authority(&self) -> String {
        self.address().to_string()
    }

    /// The uuids of all events, in the order in which they were persisted.
    pub fn uuids(&self) -> Vec<String> {
        self.events().into_iter().filter_map(|event| event.uuid.map(String::from)).collect()
    }

    /// Waits until there were `count` requests since the start. Panics when that takes longer than `timeout`.
    pub fn await_requests(&self, count: usize, timeout: Duration) {
        let wait = async { tokio::time::timeout(timeout, self.simulator.wait_for_requests(count)).await };
        let waited = self.runtime.block_on(wait);
        assert!(waited.is_ok(), "{} requests instead of {count} within {timeout:?}", self.request_count());
    }

    /// The last request that was answered with at least one event.
    pub fn last_page_with_events(&self) -> RequestRecord {
        self.requests().into_iter().rfind(|request| request.events > 0).expect("a page with events was asked for")
    }

    /// How many events lie before the page that was asked for last: those behind it are still to be asked for.
    pub fn asked(&self) -> usize {
        let target = self.requests().pop().map(|request| request.target).unwrap_or_default();
        let after = target.split(['?', '&']).find_map(|pair| pair.strip_prefix("after=")).map(str::to_owned);
        after.and_then(|after| self.events_up_to(&after)).unwrap_or(0)
    }

    /// A checkpoint URL behind the first `events` events, as Okta would write it.
    pub fn checkpoint_behind(&self, events: usize) -> String {
        let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30 * 24);
        let since = since.to_string().replace(':', "%3A");
        format!("{}/api/v1/logs?since={since}&limit=100&after={}", self.url(), self.events()[events - 1].cursor)
    }

    /// Asks for `target` (path and query) as a client of its own does, and gives the `next` link of the answer.
    pub fn next_link_of(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let (host, token) = (self.authority(), self.token());
        // HTTP/1.0: the answer ends where the connection does.
        let request = format!("GET {target} HTTP/1.0\r\nHost: {host}\r\nAuthorization: SSWS {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        let line = head.lines().find(|line| line.starts_with("link: ") && line.ends_with(r#"rel="next""#));
        let line = line.unwrap_or_else(|| panic!("no next link in {head}"));
        line["link: <".len()..].split('>').next().unwrap_or_default().to_owned()
    }
}

impl Deref for Org {
    type Target = Simulator;

    fn deref(&self) -> &Simulator {
        &self.simulator
    }
}
