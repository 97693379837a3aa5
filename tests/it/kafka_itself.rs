//! What the design relies on in Kafka itself, seen on the real broker. When one of these fails, no other test of exactly
//! once means anything.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::end_txn_proxy::{EndTxnProxy, Moment};
use crate::support::shared_broker::shared_broker;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, create_topic, random_name, read_aborted, read_all};

const CALL: Duration = Duration::from_secs(30);
type TestProducer = ThreadedProducer<rdkafka::producer::DefaultProducerContext>;

fn producer(bootstrap: &str, transactional_id: &str) -> TestProducer {
    let producer: TestProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", transactional_id)
        .set("linger.ms", "0")
        .create()
        .unwrap();
    producer.init_transactions(CALL).unwrap();
    producer
}

fn send(producer: &TestProducer, topic: &str, key: &str) {
    producer.send(BaseRecord::to(topic).key(key).payload("value")).map_err(|(error, _)| error).unwrap();
}

/// Waits until all that was sent is acknowledged, so that the records lie in the log whatever comes after.
fn await_deliveries(producer: &TestProducer) {
    producer.flush(CALL).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

fn keys(bootstrap: &str, topic: &str, isolation: Isolation) -> Vec<String> {
    let records = read_all(bootstrap, topic, isolation);
    let mut keys: Vec<_> = records.iter().map(|record| record.key_text().to_owned()).collect();
    keys.sort();
    keys
}

/// Aborted records stay in the log: read_committed hides them, read_uncommitted shows them. Both readers find the end
/// although the log ends in a control record.
#[test]
fn aborted_records_are_hidden_from_readers_of_committed_records_only() {
    let Some(kafka) = shared_broker() else { return };
    let topic = random_name("aborted");
    create_topic(kafka.bootstrap(), &topic, 3, &[]);
    assert_eq!(read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted), [], "an empty topic has an end, too");

    let mut tail = Tail::from_end(kafka.bootstrap(), &topic, Isolation::ReadUncommitted);
    let producer = producer(kafka.bootstrap(), &random_name("tx"));
    for (key, commit) in [("kept-1", true), ("aborted", false), ("kept-2", true)] {
        producer.begin_transaction().unwrap();
        send(&producer, &topic, key);
        await_deliveries(&producer);
        let first = tail.next_transaction(CALL).expect("an open transaction's record is there to see");
        assert_eq!(first.key_text(), key);
        if commit {
            producer.commit_transaction(CALL).unwrap();
        } else {
            producer.abort_transaction(CALL).unwrap();
        }
    }

    assert_eq!(keys(kafka.bootstrap(), &topic, Isolation::ReadCommitted), ["kept-1", "kept-2"]);
    assert_eq!(keys(kafka.bootstrap(), &topic, Isolation::ReadUncommitted), ["aborted", "kept-1", "kept-2"]);
    let aborted = read_aborted(kafka.bootstrap(), &topic);
    assert_eq!(aborted.iter().map(|record| record.key_text()).collect::<Vec<_>>(), ["aborted"]);
}

/// Who initialises a transactional id fences whoever used it before: the zombie's records never become visible.
#[test]
fn a_zombie_cannot_commit() {
    let Some(kafka) = shared_broker() else { return };
    let (topic, id) = (random_name("zombie"), random_name("tx"));
    create_topic(kafka.bootstrap(), &topic, 1, &[]);
    let zombie = producer(kafka.bootstrap(), &id);
    zombie.begin_transaction().unwrap();
    send(&zombie, &topic, "zombie");
    await_deliveries(&zombie);

    let successor = producer(kafka.bootstrap(), &id);
    let error = zombie.commit_transaction(CALL).unwrap_err();
    let KafkaError::Transaction(error) = error else { panic!("not a transaction error: {error}") };
    assert!(error.is_fatal(), "{error:?}");
    assert_eq!(error.code(), RDKafkaErrorCode::Fenced, "{error:?}");

    successor.begin_transaction().unwrap();
    send(&successor, &topic, "successor");
    await_deliveries(&successor);
    successor.commit_transaction(CALL).unwrap();
    assert_eq!(keys(kafka.bootstrap(), &topic, Isolation::ReadCommitted), ["successor"]);
    assert_eq!(keys(kafka.bootstrap(), &topic, Isolation::ReadUncommitted), ["successor", "zombie"]);
}

/// A broker that is frozen with a commit in its hands completes it once it is continued, and a broker that is killed
/// after it confirmed a commit still has it: what the proxy, the freezing and the restarting of the other tests rest on.
#[test]
fn a_commit_survives_a_frozen_and_a_killed_broker() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    let broker = Arc::new(broker);
    proxy.forward_to(&broker.proxied_address());
    let topic = random_name("frozen");
    create_topic(&broker.bootstrap(), &topic, 1, &[]);
    let producer = producer(&proxy.bootstrap(), &random_name("tx"));

    let mut kept = Vec::new();
    for moment in [Moment::BeforeForwarding, Moment::AfterForwarding, Moment::Answered] {
        let key = format!("frozen {moment:?}");
        let (frozen, has_frozen) = mpsc::channel();
        let freezer = Arc::clone(&broker);
        proxy.on_end_txn(move |end_txn| {
            if end_txn.moment == moment && end_txn.request.commit {
                freezer.freeze();
                let _ = frozen.send(());
            }
        });
        producer.begin_transaction().unwrap();
        send(&producer, &topic, &key);
        await_deliveries(&producer);
        match producer.commit_transaction(Duration::from_millis(500)) {
            // Frozen too late: the answer was on its way, or even here.
            Ok(()) => assert_ne!(moment, Moment::BeforeForwarding),
            Err(KafkaError::Transaction(error)) => assert!(error.is_retriable(), "{moment:?}: {error:?}"),
            Err(error) => panic!("{moment:?}: {error}"),
        }
        has_frozen.recv_timeout(CALL).expect("the commit went through the proxy");
        proxy.pass_all();
        broker.thaw();
        // Asked again, whatever the answer was: where it was a success already, this one is refused and does no harm.
        let _ = producer.commit_transaction(CALL);
        kept.push(key);
        kept.sort();
        assert_eq!(keys(&broker.bootstrap(), &topic, Isolation::ReadCommitted), kept);
    }
    assert!(proxy.end_txn_count() >= 3);

    broker.kill9();
    broker.restart();
    assert_eq!(keys(&broker.bootstrap(), &topic, Isolation::ReadCommitted), kept);
    producer.begin_transaction().unwrap();
    send(&producer, &topic, "after the restart");
    producer.commit_transaction(CALL).unwrap();
    kept.insert(0, "after the restart".to_owned());
    assert_eq!(keys(&broker.bootstrap(), &topic, Isolation::ReadCommitted), kept);
}
