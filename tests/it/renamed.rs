//! A connector that is renamed after its worker was killed inside a transaction: nobody has the shard of its old name, and
//! what the transaction hides is seen at once all the same.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::end_txn_proxy::{EndTxnProxy, Moment};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::topics::{random_name, read_aborted};

const WAIT: Duration = Duration::from_secs(120);
/// What the broker would wait for the killed worker's transaction by itself.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn a_renamed_connector_waits_for_no_transaction_of_its_old_name() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    proxy.forward_to(&broker.proxied_address());
    let org = Org::start(SimulatorConfig { events: 2_000, latency: Duration::from_millis(40), ..Default::default() });
    let (old, new) = (checkpoint::name_in(1, &org), checkpoint::name_in(2, &org));
    let acme = org.connector(&old).interval("200ms");
    let topic = acme.topic.clone();
    // Its place in the group is kept, so that what is measured is not the session.
    let config = ConfigYaml::new(&proxy.bootstrap()).group_instance_id(&random_name("worker")).connector(acme.clone());
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_of(&old, "events_committed_total", &[], |value| value >= 300.0, WAIT);
    // The next commit never gets through: its transaction is open, with records in the topic.
    let (came, has_come) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    proxy.on_end_txn(move |end_txn| {
        if end_txn.moment == Moment::BeforeForwarding && end_txn.request.commit {
            let _ = came.send(());
            let _ = released.lock().unwrap().recv();
        }
    });
    has_come.recv_timeout(WAIT).expect("a commit comes");
    let committed = worker.of(&old, "events_committed_total", &[]).unwrap();
    worker.kill9();

    let mut renamed = ConfigYaml { bootstrap: broker.bootstrap(), ..config.second_worker() };
    renamed.connectors[0].name.clone_from(&new);
    let began = Instant::now();
    let worker = Connector::spawn(&renamed, &[]);
    let told = |line: &str| line.contains("records of connectors that the file does not name") && line.contains("[1]");
    let _ = worker.await_log("the shard of its old name", told, WAIT);
    // A reader of committed records waits for the transaction's end.
    let aborted = read_aborted(&broker.bootstrap(), &topic).len();
    let ended = began.elapsed();
    println!("ended after {ended:?}");
    // All that it learns comes after that.
    let first = worker.await_of(&new, "duplicates_suppressed_total", &[], |value| value > 0.0, WAIT);
    let seen = began.elapsed();
    worker.await_caught_up(&org, &new, WAIT);
    let suppressed = worker.of(&new, "duplicates_suppressed_total", &[]).unwrap();
    let difference = Difference::must_be_none(&broker.bootstrap(), &topic, &org, &worker.process().tail(60));
    assert_eq!(suppressed, committed, "what was committed under the old name, and nothing else");
    assert!(first > 0.0 && aborted > 0, "{aborted} records were in the transaction");
    assert!(seen < TRANSACTION_TIMEOUT / 3, "{seen:?}");
    worker.stop();
    drop(release);
    prove::row(
        "renamed-open-transaction",
        "A connector that is renamed after kill -9 inside a transaction does not wait for that transaction's time-out",
        "kill -9 with the commit held back and its records in the topic; the same worker started at once with the connector \
         under another name, in another shard",
        &format!(
            "{:.1} s from its start to the first events that were recognised, instead of {} s; {difference}, {suppressed} \
             suppressed, {aborted} records of the killed transaction aborted",
            seen.as_secs_f64(),
            TRANSACTION_TIMEOUT.as_secs()
        ),
    );
}
