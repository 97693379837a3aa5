//! What anybody would write in an afternoon: ask for a page, produce its events, follow the link. No transactions, no
//! checkpoint, no second thought for what goes wrong. The connector is measured against it.
//!
//! It reads the connector's own configuration file, so that both have the same librdkafka properties, and makes the
//! same records: value, key, headers, timestamp and partition (`same_bytes` compares them).

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use okta_kafka_source::config::Config;
use okta_kafka_source::kafka::client_config;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use reqwest::header::{ACCEPT, AUTHORIZATION, LINK};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::usage;

/// The first argument of a process that is to be the bare loop; then come the configuration file and the number of
/// events after which it ends.
pub const COMMAND: &str = "bare-loop";

/// How its one line of output begins; the peak of its memory in KiB follows.
pub const DONE: &str = "all delivered, peak ";

const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// What the headers and the key need of an event.
#[derive(Deserialize)]
struct Envelope<'a> {
    uuid: &'a str,
    published: &'a str,
    #[serde(rename = "eventType")]
    event_type: &'a str,
}

/// Counts the delivery reports.
#[derive(Default)]
struct Deliveries {
    open: Mutex<usize>,
    changed: Condvar,
}

impl Deliveries {
    fn await_at_most(&self, left: usize) {
        let open = self.open.lock().unwrap();
        let (open, _) = self.changed.wait_timeout_while(open, DELIVERY_TIMEOUT, |open| *open > left).unwrap();
        assert!(*open <= left, "{} records were not delivered within {DELIVERY_TIMEOUT:?}", *open);
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was refused: {error}");
        }
        let mut open = self.open.lock().unwrap();
        *open -= 1;
        if open.is_multiple_of(256) {
            self.changed.notify_all();
        }
    }
}

/// Takes the first `events` events of the configuration's first connector to its topic, and says so on stdout.
pub fn run(config: &Path, events: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(take(&Config::load(config).unwrap(), events));
    println!("{DONE}{}", usage::peak_memory_kib(std::process::id()));
}

async fn take(config: &Config, events: usize) {
    let connector = &config.connectors[0];
    let (org, topic) = (connector.org.to_string(), connector.topic.name.as_str());
    // The same properties, less the transactions; idempotence and `acks=all` stay.
    let mut properties = client_config::transactional_producer(&config.kafka, "none", None);
    let _ = properties.remove("transactional.id").remove("transaction.timeout.ms");
    let producer: ThreadedProducer<Deliveries> = properties.create_with_context(Deliveries::default()).unwrap();
    let deliveries: Arc<Deliveries> = Arc::clone(producer.context());
    make_ready(&producer, topic, &config.offsets.topic);
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let token = connector.auth.ssws().expect("an API token").token();
    let token = format!("SSWS {}", token.expose_secret());
    let since = connector.since.resolve(Timestamp::now());
    let mut url = format!("{org}/api/v1/logs?since={since:.3}&limit={}", connector.limit);
    let mut taken = 0;
    while taken < events {
        let request = http.get(&url).header(ACCEPT, "application/json").header(AUTHORIZATION, &token);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        let links = answer.headers().get_all(LINK).iter().map(|line| line.to_str().unwrap());
        let next = links.filter_map(|line| line.strip_suffix(r#">; rel="next""#)).next_back().unwrap();
        url = next.trim_start_matches('<').to_owned();
        let body = answer.bytes().await.unwrap();
        let page: Vec<&RawValue> = serde_json::from_slice(&body).unwrap();
        taken += page.len();
        for event in page {
            produce(&producer, &deliveries, event.get(), topic, &org, &connector.name);
        }
    }
    deliveries.await_at_most(0);
}

/// The connector's producer has its connection and its producer id before the first page is asked for. Here one record
/// that nobody reads stands for that: half a second that the bare loop would else spend with its pages queueing up.
fn make_ready(producer: &ThreadedProducer<Deliveries>, topic: &str, scratch: &str) {
    let _ = producer.client().fetch_metadata(Some(topic), DELIVERY_TIMEOUT).unwrap();
    *producer.context().open.lock().unwrap() += 1;
    producer.send(BaseRecord::to(scratch).key("ready").payload("ready")).map_err(|(error, _)| error).unwrap();
    producer.context().await_at_most(0);
}

fn produce(
    producer: &ThreadedProducer<Deliveries>,
    deliveries: &Deliveries,
    event: &str,
    topic: &str,
    org: &str,
    connector: &str,
) {
    let envelope: Envelope<'_> = serde_json::from_str(event).unwrap();
    let published: Timestamp = envelope.published.parse().unwrap();
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", envelope.uuid),
        ("ce_source", org),
        ("ce_type", envelope.event_type),
        ("ce_time", envelope.published),
        ("content-type", "application/json"),
        ("okta_connector", connector),
    ];
    let headers = headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
        all.insert(Header { key, value: Some(*value) })
    });
    let mut record =
        BaseRecord::to(topic).key(envelope.uuid).payload(event).timestamp(published.as_millisecond()).headers(headers);
    *deliveries.open.lock().unwrap() += 1;
    while let Err((error, returned)) = producer.send(record) {
        let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
        assert!(full, "a record was not taken: {error}");
        let open = *deliveries.open.lock().unwrap();
        deliveries.await_at_most(open / 2);
        record = returned;
    }
}
