//! The broker frozen with a commit in its hands: whoever is unsure whether it was committed finds out, and never guesses.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{Connector, unix_seconds};
use crate::support::end_txn_proxy::{EndTxnProxy, Moment};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::topics::random_name;

const WAIT: Duration = Duration::from_secs(120);

#[test]
fn a_broker_frozen_around_the_commit_loses_and_doubles_nothing() {
    let freezes = prove::scale(20, 4);
    let seed = prove::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    let broker = Arc::new(broker);
    let _tells = TellsOnPanic(Arc::clone(&broker));
    proxy.forward_to(&broker.proxied_address());

    let org = Org::with_events(500);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(&proxy.bootstrap()).group_instance_id(&random_name("worker")).connector(acme);
    let mut worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);

    let mut killed = 0;
    for freeze in 0..freezes {
        let moment = if freeze % 2 == 0 { Moment::BeforeForwarding } else { Moment::AfterForwarding };
        println!("freeze {freeze}: {moment:?}");
        let frozen = freeze_at(&proxy, &broker, moment);
        org.generate(250);
        frozen.recv_timeout(WAIT).unwrap_or_else(|_| panic!("no commit came:\n{}", worker.process().tail(40)));
        // Who is on call sees for how long it is open.
        let began = worker.await_metric(
            "okta_kafka_source_transaction_began_timestamp_seconds",
            &[],
            |began| began > 0.0,
            WAIT,
        );
        assert!((0.0..60.0).contains(&(unix_seconds() - began)), "{began}");
        // Frozen until the worker asked again a few times, and now and then until its requests have timed out.
        let long = if freeze % 10 == 9 { 15_000 } else { 0 };
        let pause = Duration::from_millis(long + random.u64(300..3_000));
        if freeze % 4 < 2 {
            worker.process().runs_on(pause);
            worker.kill9();
            killed += 1;
            broker.thaw();
            worker = Connector::spawn(&config, &[]);
        } else {
            worker.process().runs_on(pause);
            broker.thaw();
        }
        worker.await_caught_up(&org, "acme", WAIT);
    }
    worker.stop();

    let difference = Difference::must_be_none(&broker.bootstrap(), &topic, &org, &format!("OKS_SEED={seed}"));
    prove::row(
        "broker-frozen",
        "A broker that freezes around a commit and goes on later loses nothing and doubles nothing",
        &format!(
            "SIGSTOP of the broker when an EndTxn passed, {freezes} times, {} before forwarding it and {} after; the \
             worker killed -9 meanwhile {killed} times; SIGCONT later; seed {seed}",
            freezes - freezes / 2,
            freezes / 2
        ),
        &format!("{difference} of {} events", org.event_count()),
    );
}

/// Freezes the broker once, at that moment of the next commit; the receiver hears of it.
fn freeze_at(proxy: &EndTxnProxy, broker: &Arc<Broker>, moment: Moment) -> mpsc::Receiver<()> {
    let (frozen, has_frozen) = mpsc::channel();
    let broker = Arc::clone(broker);
    let armed = std::sync::atomic::AtomicBool::new(true);
    proxy.on_end_txn(move |end_txn| {
        let is_it = end_txn.moment == moment && end_txn.request.commit;
        if is_it && armed.swap(false, std::sync::atomic::Ordering::SeqCst) {
            broker.freeze();
            // Nobody there any more: the test has failed already.
            let _ = frozen.send(());
        }
    });
    has_frozen
}

/// A failing test shows the broker's side, too.
struct TellsOnPanic(Arc<Broker>);

impl Drop for TellsOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the broker's log:\n{}", self.0.log_tail());
        }
    }
}
