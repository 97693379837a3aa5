//! Starts: a cold one is durable before it asks, a warm one goes on at the very link that was stored.

use std::sync::mpsc;
use std::time::Duration;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::end_txn_proxy::{EndTxnProxy, Moment};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, read_all};
use crate::support::{checkpoint, java_partitioner, producers, prove};

const WAIT: Duration = Duration::from_secs(60);

/// Stopped and started again with events in between: nothing is lost or there twice, and the first request is the link
/// that was stored, in the same bytes.
#[test]
fn a_warm_start_goes_on_at_the_stored_link() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(730);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let key = checkpoint::key("acme", &org.authority());
    for run in 0..3 {
        let stored = (run > 0).then(|| checkpoint::last_url(kafka.bootstrap(), &config.offsets_topic, &key).unwrap());
        let requests = org.request_count();
        let worker = Connector::spawn(&config, &[]);
        let resumed = worker.await_log("where it resumes", |line| line.contains(" cold="), WAIT);
        assert!(resumed.contains(if run == 0 { "cold=true" } else { "cold=false" }), "{resumed}");
        org.await_requests(requests + 1, WAIT);
        let first = org.requests()[requests].target.clone();
        if let Some(stored) = stored {
            assert_eq!(format!("{}{first}", org.url()), stored, "the first request of run {run}");
        }
        worker.await_caught_up(&org, "acme", WAIT);
        worker.terminate();
        assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));
        org.generate(170);
    }
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    // The events after the last stop are nobody's yet.
    let difference = Difference::between(uuids[..uuids.len() - 170].iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    let served: usize = org.requests().iter().map(|request| request.events).sum();
    assert_eq!(served, uuids.len() - 170, "no event was asked for twice");
    prove::row(
        "warm-start",
        "A restart goes on at the very link that was stored",
        "stopped and started twice, with new events in between",
        &format!(
            "{difference} of {served} events, each asked for once; the first request of each start is the stored link"
        ),
    );
}

/// I7: with the cold start's commit held up nothing is asked, and what is asked then is what was committed.
#[test]
fn a_cold_start_asks_nothing_before_it_is_durable() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    proxy.forward_to(&broker.proxied_address());
    let org = Org::with_events(250);
    let acme = org.connector("acme").interval("200ms");
    let (passing, passes) = mpsc::sync_channel(0);
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    proxy.on_end_txn(move |end_txn| {
        if end_txn.moment == Moment::BeforeForwarding && end_txn.number == 1 {
            passing.send(end_txn.request.commit).unwrap();
            // Held up until the test has seen enough, or is over.
            let _ = released.lock().unwrap().recv();
        }
    });
    let config = ConfigYaml::new(&proxy.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    let is_commit = passes.recv_timeout(WAIT).unwrap_or_else(|_| panic!("no commit:\n{}", worker.process().tail(40)));
    assert!(is_commit);
    let line = worker.await_log("where it resumes", |line| line.contains(" cold="), WAIT);
    assert!(line.contains("cold=true"), "{line}");
    // Longer than any of its delays at a start: nothing can be awaited where nothing must happen.
    worker.process().runs_on(Duration::from_secs(2));
    assert_eq!(org.request_count(), 0, "asked before the start was durable");
    drop(release);
    org.await_requests(1, WAIT);
    let first = format!("{}{}", org.url(), org.requests()[0].target);
    let key = checkpoint::key("acme", &org.authority());
    let stored = checkpoint::all(&broker.bootstrap(), &config.offsets_topic, &key);
    assert_eq!(stored[0].value_text(), checkpoint::value(&first, None));
    worker.await_caught_up(&org, "acme", WAIT);
    prove::row(
        "cold-start",
        "A cold start is durable before it asks (I7)",
        "the cold start's EndTxn held up for 2 s on its way to the broker",
        "0 requests to the org before it was let through; the first request was the URL committed",
    );
}

/// A checkpoint that a tool wrote in other words (order, blanks, members of its own) under the key's one spelling is
/// read all the same.
#[test]
fn a_checkpoint_of_another_tool_is_resumed() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(300);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    create_topic(kafka.bootstrap(), &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
    let after = org.events()[119].cursor;
    let since = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30 * 24)).to_string().replace(':', "%3A");
    let url = format!("{}/api/v1/logs?limit=100&since={since}&after={after}", org.url());
    let key = checkpoint::key("acme", &org.authority());
    let value = format!(
        "{{ \"checkpointUrl\": \"{url}\", \"query\": \"{}\", \"note\": \"by hand\", \"v\": 1 }}",
        checkpoint::NO_QUERY
    );
    let shard = java_partitioner::partition(key.as_bytes(), 4);
    producers::write(kafka.bootstrap(), &config.offsets_topic, shard, &key, &value);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    assert_eq!(format!("{}{}", org.url(), org.requests()[0].target), url);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids()[120..].iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
}
