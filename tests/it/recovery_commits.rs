//! kill -9 at each commit of a recovery: that of its new position, which is durable before it is asked, and that of its first page.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;
use serde_json::Value;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::end_txn_proxy::{EndTxnProxy, Moment};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::producers::Open;
use crate::support::topics::random_name;
use crate::support::{checkpoint, prove};

const WAIT: Duration = Duration::from_secs(120);
const EVENTS: usize = 600;

/// The commit since the loss (the new position, then its first page), the moment, and what is stored then.
const KILLS: [(usize, Moment, Stored); 4] = [
    (1, Moment::Answered, Stored::NewPosition),
    (2, Moment::BeforeForwarding, Stored::NewPosition),
    (1, Moment::BeforeForwarding, Stored::LostCursor),
    (2, Moment::Answered, Stored::NewCursor),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    LostCursor,
    NewPosition,
    NewCursor,
}

impl Stored {
    fn of(bootstrap: &str, config: &ConfigYaml, org: &Org) -> Self {
        let key = checkpoint::key("acme", &org.authority());
        let last = checkpoint::all(bootstrap, &config.offsets_topic, &key).pop().unwrap();
        let last: Value = serde_json::from_str(last.value_text()).unwrap();
        let url = last["checkpointUrl"].as_str().unwrap();
        match url.split_once("after=") {
            Some((_, after)) if org.is_lost(after) => Self::LostCursor,
            after => {
                assert!(last["suppressUntil"].is_string(), "a recovery that nobody would know of: {last}");
                if after.is_some() { Self::NewCursor } else { Self::NewPosition }
            }
        }
    }
}

#[test]
fn a_kill_at_each_commit_of_a_recovery_loses_and_doubles_nothing() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    proxy.forward_to(&broker.proxied_address());
    let kills = &KILLS[..prove::scale(KILLS.len(), 2)];
    let backlog_span = Duration::from_secs(3600);
    let org = Org::start(SimulatorConfig { events: EVENTS, backlog_span, unpublishable: 0.02, ..Default::default() });
    let acme = org.connector("acme").interval("200ms").extra("recovery_overlap: 1d");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(&proxy.bootstrap()).group_instance_id(&random_name("worker")).connector(acme);
    let transactional_id = checkpoint::transactional_id(&config, "acme", &org);
    let mut worker = Connector::spawn(&config, &[]);
    // What is held back comes to the broker at last, behind whoever is next.
    let mut held_back = Vec::new();
    for &(number, moment, expected) in kills {
        worker.await_caught_up(&org, "acme", WAIT);
        let (came, has_come) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (released, seen) = (Mutex::new(released), AtomicUsize::new(0));
        held_back.push(release);
        proxy.on_end_txn(move |end_txn| {
            let is_there = end_txn.request.commit && end_txn.moment == moment;
            if is_there && seen.fetch_add(1, Ordering::SeqCst) + 1 == number {
                let _ = came.send(());
                let _ = released.lock().unwrap().recv();
            }
        });
        org.lose_cursors();
        org.generate(150);
        has_come.recv_timeout(WAIT).unwrap_or_else(|_| panic!("no commit {number}:\n{}", worker.process().tail(40)));
        worker.kill9();
        proxy.pass_all();
        // Ends the transaction that is open, as the next life will: a reader of what is committed waits for that.
        Open::fence(&broker.bootstrap(), &transactional_id);
        assert_eq!(Stored::of(&broker.bootstrap(), &config, &org), expected, "commit {number}, {moment:?}");
        worker = Connector::spawn(&config, &[]);
    }
    worker.await_caught_up(&org, "acme", WAIT);
    drop(held_back);
    org.generate(20);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.stop();
    let difference = Difference::of_topic_and_letters(&broker.bootstrap(), &topic, &org);
    assert!(difference.is_none(), "{difference}\n{}", worker.log());
    let moments: Vec<String> = kills.iter().map(|(number, moment, _)| format!("commit {number} {moment:?}")).collect();
    prove::row(
        "recovery-commits",
        "kill -9 at each commit of a recovery loses nothing and doubles nothing",
        &format!(
            "a cursor lost, and kill -9 with a commit held back on its way (commit 1 is that of the new position, commit 2 that of the \
             first page): {}",
            moments.join(", ")
        ),
        &format!(
            "{difference} of {} in topic and dead letter topic; the checkpoint was each time as expected",
            org.event_count()
        ),
    );
}
