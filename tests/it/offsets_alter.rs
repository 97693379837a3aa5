//! `offsets alter` and `offsets reset`, beside workers that are idle, busy, and not there at all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use okta_kafka_source::config::KafkaProperties;
use okta_kafka_source::kafka::offset_writer::{self, OffsetRecord, OffsetWriteError};
use okta_kafka_source::simulator::SimulatorConfig;
use serde_json::Value;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, Output, utf8};
use crate::support::end_txn_proxy::{EndTxnProxy, Moment};
use crate::support::java_partitioner;
use crate::support::org::Org;
use crate::support::producers::{self, Open};
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, alter_topic, create_topic, random_name, read_all};

const WAIT: Duration = Duration::from_secs(60);

/// `offsets <command> <arguments> -c FILE`.
fn offsets(config: &ConfigYaml, arguments: &[&str]) -> Output {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let all: Vec<&str> = ["offsets"].iter().chain(arguments).copied().chain(["-c", utf8(&path)]).collect();
    connector::run(&all, &[], WAIT)
}

/// What `alter` and `reset` print.
fn changed(output: &Output) -> (Value, Value) {
    assert_eq!(output.code(), 0, "{output:?}");
    assert_eq!(output.stdout.lines().count(), 1, "{output:?}");
    let mut printed: Value = serde_json::from_str(&output.stdout).unwrap();
    (printed["before"].take(), printed["after"].take())
}

/// The `next` link behind the event at that place.
fn link_behind(org: &Org, place: usize) -> String {
    let since = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30 * 24)).to_string().replace(':', "%3A");
    format!("{}/api/v1/logs?since={since}&limit=100&after={}", org.url(), org.events()[place - 1].cursor)
}

/// How often each event of the org is in the topic, by place; panics where the topic holds another one.
fn counts(org: &Org, kafka: &str, topic: &str) -> Vec<usize> {
    let places: HashMap<String, usize> = org.uuids().into_iter().zip(0..).collect();
    let mut counts = vec![0; places.len()];
    for record in read_all(kafka, topic, Isolation::ReadCommitted) {
        counts[places[record.key_text()]] += 1;
    }
    counts
}

/// In the middle of a backlog, forwards: the old position commits nothing after the new one, so exactly what lies
/// between the last page before it and the new cursor is left out. Then, idle, backwards, with duplicates allowed: exactly that
/// is there twice.
#[test]
fn an_altered_checkpoint_wins_over_a_busy_and_an_idle_worker() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let simulated =
        SimulatorConfig { events: 8_000, latency: Duration::from_millis(150), ..SimulatorConfig::default() };
    let org = Org::start(simulated);
    let acme = org.connector("acme").interval("1s");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(bootstrap).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    let key = checkpoint::key("acme", &org.authority());
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value >= 500.0, WAIT);
    let url = link_behind(&org, 7_500);
    let (before, after) = changed(&offsets(&config, &["alter", "acme", "--checkpoint-url", &url, "--yes"]));
    let busy = Instant::now();
    worker.await_caught_up(&org, "acme", WAIT);
    let busy = busy.elapsed();
    assert_eq!(after["offsets"][0]["offset"]["checkpointUrl"], url.as_str());
    assert_eq!(after["offsets"][0]["offset"]["published"], Value::Null);
    assert_eq!(after["offsets"][0]["partition"]["org"], org.authority());
    // What was replaced is the last thing that the worker had committed.
    let stored = checkpoint::all(bootstrap, &config.offsets_topic, &key);
    let altered = checkpoint::value(&url, None);
    let is_altered = |record: &OwnedRecord| record.value_text().starts_with(altered.trim_end_matches('}'));
    let place = stored.iter().position(is_altered).unwrap();
    let replaced: Value = serde_json::from_str(stored[place - 1].value_text()).unwrap();
    assert_eq!(before["offsets"][0]["offset"], replaced);
    let found = counts(&org, bootstrap, &topic);
    let begun = org.uuids().iter().position(|uuid| *uuid == replaced["uuid"].as_str().unwrap()).unwrap() + 1;
    assert!((500..7_500).contains(&begun), "{begun} events were committed: it was not in the middle of the backlog");
    let expected: Vec<usize> = (0..8_000).map(|place| usize::from(!(begun..7_500).contains(&place))).collect();
    assert!(found == expected, "{begun} before, {} in all", found.iter().sum::<usize>());
    let fenced = |line: &str| line.contains("the shard's producer is fenced") && line.contains("`offsets alter`");
    assert!(worker.log().lines().any(fenced), "{}", worker.process().tail(40));
    assert!(worker.log().contains("newer offsets than this worker knew"), "{}", worker.process().tail(40));

    // Idle: it is found out by a look at the partition.
    let url = link_behind(&org, 7_700);
    let asked = org.request_count();
    let output = offsets(&config, &["alter", "acme", "--checkpoint-url", &url, "--yes", "--allow-duplicates"]);
    let idle = Instant::now();
    let (before, _) = changed(&output);
    assert_eq!(before["offsets"][0]["offset"]["uuid"], org.uuids()[7_999].as_str());
    let is_asked = || org.requests()[asked..].iter().any(|one| format!("{}{}", org.url(), one.target) == url);
    while !is_asked() {
        assert!(idle.elapsed() < Duration::from_secs(15), "not asked:\n{}", worker.process().tail(40));
        org.await_requests(org.request_count() + 1, WAIT);
    }
    let idle = idle.elapsed();
    worker.await_caught_up(&org, "acme", WAIT);
    let found = counts(&org, bootstrap, &topic);
    let again: usize = found.iter().zip(&expected).map(|(now, before)| now - before).sum();
    assert!(found[7_700..].iter().all(|count| *count == 2) && again == 300, "{again} were published again");
    prove::row(
        "offsets-alter",
        "`offsets alter` beside a running worker: the altered checkpoint wins, and nothing of the old position is committed after it",
        "forwards in the middle of a backlog of 8000 events, then backwards with `--allow-duplicates` while the connector rests",
        &format!(
            "busy: {begun} events before it, exactly those up to the new cursor left out, caught up {:.1} s later; idle: asked \
             from the new cursor {:.1} s later, exactly the 300 events behind it there twice",
            busy.as_secs_f64(),
            idle.as_secs_f64()
        ),
    );
}

/// A tombstone under the shard's transactional id is a cold start; of a name that is in the topic alone only where that is wanted.
#[test]
fn a_reset_is_a_cold_start() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(350);
    let acme = org.connector("acme").interval("1s");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(bootstrap).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let key = checkpoint::key("acme", &org.authority());
    let stored = checkpoint::all(bootstrap, &config.offsets_topic, &key);

    let cold = |line: &str| line.contains("starts cold at") && line.contains("cold=true");
    let mark = worker.process().lines().iter().position(|line| cold(&line.text)).unwrap() + 1;
    let (before, after) = changed(&offsets(&config, &["reset", "acme"]));
    let since = Instant::now();
    let line = worker.process().wait_for_line_after(mark, cold, Duration::from_secs(30));
    assert!(line.is_some(), "no second cold start:\n{}", worker.process().tail(40));
    let within = since.elapsed();
    let last: Value = serde_json::from_str(stored.last().unwrap().value_text()).unwrap();
    assert_eq!((&before["offsets"][0]["offset"], &after), (&last, &Value::Null));
    worker.await_caught_up(&org, "acme", WAIT);
    assert!(counts(&org, bootstrap, &topic).iter().all(|count| *count == 1));
    worker.terminate();
    let _ = worker.wait(WAIT);

    // Renamed in the file: the old name is in the topic only, and its shard is known from there.
    let mut renamed = config.clone();
    renamed.connectors[0].name = "new-acme".to_owned();
    let output = offsets(&renamed, &["reset", "nobody", "--yes"]);
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(output.stderr.contains("`nobody`") && output.stderr.contains("`acme`, `new-acme`"), "{}", output.stderr);
    let stored = checkpoint::all(bootstrap, &config.offsets_topic, &key);
    let output = offsets(&renamed, &["reset", "acme"]);
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{output:?}");
    let says = ["`acme`", "not in the file", "left out for good", "nothing was written", "`--yes`"];
    assert!(says.iter().all(|part| output.stderr.contains(part)), "{}", output.stderr);
    assert_eq!(checkpoint::all(bootstrap, &config.offsets_topic, &key), stored);
    let (before, after) = changed(&offsets(&renamed, &["reset", "acme", "--yes"]));
    assert_eq!((&before["offsets"][0]["partition"]["org"], &after), (&org.authority().into(), &Value::Null));
    assert_eq!(offsets(&renamed, &["list"]).stdout, "");
    // Nothing is there any more: nothing is lost by doing it again.
    assert_eq!(changed(&offsets(&config, &["reset", "acme"])), (Value::Null, Value::Null));
    prove::row(
        "offsets-reset",
        "`offsets reset` beside a running worker is a cold start that repeats nothing, and of a name that is not in the file wants a yes",
        "while the connector rests; of a connector that was renamed in the file, without `--yes` and with it",
        &format!(
            "cold start {:.1} s later, each of {} events there once; refused with what it may lose; deleted",
            within.as_secs_f64(),
            org.event_count()
        ),
    );
}

/// What can't be a checkpoint of the connector is refused before anything is written, with what to do.
#[test]
fn a_checkpoint_that_does_not_fit_is_refused() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(200);
    let acme = org.connector("acme").extra("filter: 'eventType sw \"user.\"'");
    let config = ConfigYaml::new(bootstrap).connector(acme);
    let missing = offsets(&config, &["alter", "acme", "--since", "2d"]);
    assert!(missing.code() == 1 && missing.stderr.contains("is not there"), "{missing:?}");
    create_topic(bootstrap, &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
    let base = format!("{}/api/v1/logs", org.url());
    let fits = format!("{base}?after=1795319716774_1&filter=eventType%20sw%20%22user.%22");
    // Where nothing is stored, nothing can be lost or repeated that is known of.
    let (before, after) = changed(&offsets(&config, &["alter", "acme", "--checkpoint-url", &fits]));
    assert_eq!((&before, &after["offsets"][0]["offset"]["checkpointUrl"]), (&Value::Null, &fits.as_str().into()));
    let key = checkpoint::key("acme", &org.authority());
    let stored = checkpoint::all(bootstrap, &config.offsets_topic, &key);
    assert_eq!(stored.len(), 1);

    let other_filter = fits.replace("user.", "group.");
    let other_org = fits.replace(&org.authority(), "127.0.0.1:1");
    for (arguments, code, says) in [
        (
            &["acme", "--checkpoint-url", &other_filter, "--yes"][..],
            2,
            &["filter `eventType sw \"group.\"`", "is `eventType sw \"user.\"`", "change `filter` first"][..],
        ),
        (
            &["acme", "--checkpoint-url", &other_org, "--yes"],
            2,
            &["127.0.0.1:1", "is not the configured org", "`next` link of the connector's own org"],
        ),
        (&["acme", "--checkpoint-url", "https://x", "--since", "2d"], 2, &["cannot be used with"]),
        (&["acme", "--yes"], 2, &["--checkpoint-url <URL>|--since <T>"]),
        (&["acme", "--since", "200d", "--yes"], 2, &["more than 180 days ago", "`90d` or less"]),
        (&["acme", "--since", "2126-01-01T00:00:00Z", "--yes"], 2, &["in the future"]),
        (&["acme", "--since", "2", "--yes"], 2, &["write an age (`7d`)"]),
        (&["nobody", "--since", "2d", "--yes"], 1, &["`nobody`", "there are: `acme`"]),
        (&["acme", "--since", "2d"], 2, &["can't be known", "nothing was written", "`--yes`"]),
    ] {
        let arguments: Vec<&str> = ["alter"].iter().chain(arguments).copied().collect();
        let output = offsets(&config, &arguments);
        assert_eq!((output.code(), output.stdout.as_str()), (code, ""), "{arguments:?}: {output:?}");
        assert!(says.iter().all(|part| output.stderr.contains(part)), "{arguments:?}: {}", output.stderr);
    }
    let same = changed(&offsets(&config, &["alter", "acme", "--checkpoint-url", &fits]));
    assert_eq!(same.0, same.1);
    assert_eq!(checkpoint::all(bootstrap, &config.offsets_topic, &key), stored, "none of these wrote anything");

    let recipe = offsets(&config.clone().offsets_partitions(5), &["alter", "acme", "--since", "2d", "--yes"]);
    assert!(recipe.code() == 1 && recipe.stderr.contains("has 4 partitions"), "{recipe:?}");
    let mut short = config.clone();
    short.connectors[0].topic = random_name("keeps-a-day");
    create_topic(bootstrap, &short.connectors[0].topic, 1, &[("retention.ms", "86400000")]);
    let output = offsets(&short, &["alter", "acme", "--since", "2d", "--yes"]);
    assert!(output.code() == 1 && output.stderr.contains("raise its `retention.ms`"), "{output:?}");
    // Later than the `since` that was stored before: what lies between is left out.
    let (before, after) = changed(&offsets(&config, &["alter", "acme", "--since", "3d", "--yes"]));
    assert_eq!(before["offsets"][0]["offset"]["checkpointUrl"], fits.as_str());
    assert!(
        after["offsets"][0]["offset"]["checkpointUrl"]
            .as_str()
            .unwrap()
            .contains("filter=eventType%20sw%20%22user.%22")
    );
    let output = offsets(&config, &["alter", "acme", "--since", "1d"]);
    assert!(output.code() == 2 && output.stderr.contains("goes forward by 2.0 days"), "{output:?}");

    // With another query the worker says so and asks nothing, where it is told to, and what it says to do helps.
    let mut changed_query = config.clone();
    changed_query.connectors[0].extra =
        vec!["filter: 'eventType sw \"policy.\"'".to_owned(), "on_query_change: fail".to_owned()];
    let worker = Connector::spawn(&changed_query, &[]);
    let line = worker.await_log("a refusal", |line| line.contains("connector failed"), WAIT);
    assert!(line.contains("`filter` or `q` changed") && line.contains("`offsets alter --since`"), "{line}");
    assert_eq!(org.request_count(), 0);
    let _ = changed(&offsets(&changed_query, &["alter", "acme", "--since", "5d", "--yes"]));
    org.await_requests(1, WAIT);
    assert!(org.requests()[0].target.contains("policy."), "{}", org.requests()[0].target);
    drop(worker);

    let gone = ConfigYaml { bootstrap: "127.0.0.1:9".to_owned(), ..config.clone() };
    let began = Instant::now();
    let output = offsets(&gone, &["alter", "acme", "--since", "2d", "--yes"]);
    assert!(output.code() == 1 && output.stderr.contains("127.0.0.1:9"), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

/// A worker that takes its transactional id back just before the commit: all is done again, and given up in the end.
#[test]
fn an_alteration_that_is_fenced_is_done_again() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    proxy.forward_to(&broker.proxied_address());
    let bootstrap = broker.bootstrap();
    let org = Org::with_events(10);
    let config = ConfigYaml::new(&proxy.bootstrap()).connector(org.connector("acme"));
    create_topic(&bootstrap, &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
    let key = checkpoint::key("acme", &org.authority());
    let shard = java_partitioner::partition(key.as_bytes(), 4);
    let id = format!("{}-{shard}", config.offsets_topic);
    for (fenced, code) in [(2, 0), (5, 3)] {
        let (bootstrap, fenced_id) = (bootstrap.clone(), id.clone());
        let before = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&before);
        proxy.on_end_txn(move |end_txn| {
            if end_txn.moment == Moment::BeforeForwarding && seen.fetch_add(1, Ordering::Relaxed) < fenced {
                Open::fence(&bootstrap, &fenced_id);
            }
        });
        let output = offsets(&config, &["alter", "acme", "--since", "2d", "--yes"]);
        assert_eq!(output.code(), code, "{output:?}");
        let stored = checkpoint::all(&broker.bootstrap(), &config.offsets_topic, &key);
        assert_eq!(stored.len(), 1, "one alteration was committed");
        if code == 3 {
            assert!(output.stdout.is_empty() && output.stderr.contains(&format!("`{id}`")), "{output:?}");
            assert!(output.stderr.contains("5 times") && output.stderr.contains("try again"), "{}", output.stderr);
        }
        assert_eq!(before.load(Ordering::Relaxed), if code == 0 { fenced + 1 } else { fenced });
    }
}

/// The broker committed, and nobody was told: the worker has its transactional id back and goes on from the altered
/// checkpoint by then. Written a second time, that would repeat what the worker published meanwhile.
#[test]
fn a_commit_whose_answer_is_lost_is_found_and_not_repeated() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    proxy.forward_to(&broker.proxied_address());
    let bootstrap = broker.bootstrap();
    let org = Org::start(SimulatorConfig { events: 3_000, ..SimulatorConfig::default() });
    let acme = org.connector("acme").interval("1s");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(&bootstrap).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let committed = worker.of("acme", "events_committed_total", &[]).unwrap();

    let (answered, is_answered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    proxy.on_end_txn(move |end_txn| {
        if end_txn.moment == Moment::Answered && end_txn.number == 1 {
            answered.send(()).unwrap();
            let _ = released.lock().unwrap().recv_timeout(WAIT);
        }
    });
    let url = link_behind(&org, 2_500);
    let behind = ConfigYaml { bootstrap: proxy.bootstrap(), ..config.clone() };
    let file = ConfigFile::new(&behind.render());
    let path = file.path();
    // What is published again shows that it was begun from there.
    let more = ["--yes", "--allow-duplicates", "-c", utf8(&path)];
    let arguments: Vec<&str> = ["offsets", "alter", "acme", "--checkpoint-url", &url].into_iter().chain(more).collect();
    let command = connector::spawn(&arguments, &[]);
    is_answered.recv_timeout(WAIT).unwrap();
    // Idle workers look at their partition; this one takes its id back and goes on from what it finds.
    let again = |value| value >= committed + 500.0;
    let _ = worker.await_of("acme", "events_committed_total", &[], again, WAIT);
    proxy.cut_connections();
    release.send(()).unwrap();
    assert_eq!(command.wait(WAIT).code(), Some(0), "{}", command.tail(20));
    let stored = checkpoint::all(&bootstrap, &config.offsets_topic, &checkpoint::key("acme", &org.authority()));
    let is_altered = |record: &&OwnedRecord| {
        serde_json::from_str::<Value>(record.value_text()).unwrap()["checkpointUrl"] == url.as_str()
    };
    assert_eq!(stored.iter().filter(is_altered).count(), 1, "written once");
    worker.await_caught_up(&org, "acme", WAIT);
    let expected: Vec<usize> = (0..3_000).map(|place| if place < 2_500 { 1 } else { 2 }).collect();
    assert!(counts(&org, &bootstrap, &topic) == expected);
    prove::row(
        "offsets-alter-answer-lost",
        "`offsets alter` whose commit is not answered does not write a second time what a worker went on from",
        "the answer to EndTxn is held back until the worker has published from the altered checkpoint, then the connection is cut",
        "exit code 0; the record is there once, the 500 events behind it twice, all others once",
    );
}

/// A broker that is frozen commits when it goes on: until then nobody knows, and that is what is said.
#[test]
fn an_unanswered_commit_is_not_known() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    proxy.forward_to(&broker.proxied_address());
    let topic = random_name("offsets");
    create_topic(&broker.bootstrap(), &topic, 1, &[("cleanup.policy", "compact")]);
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    proxy.on_end_txn(move |end_txn| {
        if end_txn.moment == Moment::BeforeForwarding && end_txn.number == 1 {
            let _ = released.lock().unwrap().recv_timeout(WAIT);
        }
    });
    let kafka = KafkaProperties::for_brokers(&proxy.bootstrap());
    let record = OffsetRecord { topic: &topic, shard: 0, key: b"k", value: Some(b"v") };
    let began = Instant::now();
    let error = offset_writer::write(&kafka, &topic, &record, Duration::from_secs(3)).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert!(matches!(error, OffsetWriteError::Unknown(_)), "{error:?}");
    assert!(error.to_string().contains("nobody knows"), "{error}");
    // And so it is: the commit that nobody waits for any more is taken.
    drop(release);
    assert_eq!(read_all(&broker.bootstrap(), &topic, Isolation::ReadCommitted).len(), 1);
}

/// A tool that does not know of transactional ids fences nobody. An idle worker notices it all the same, even when a
/// transaction of its own was aborted just before, so that the partition's end had moved anyway.
#[test]
fn a_checkpoint_written_after_a_refused_record_is_followed() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let (org, other) = (Org::with_events(150), Org::with_events(1));
    let config = ConfigYaml::new(bootstrap)
        .offsets_partitions(1)
        .connector(org.connector("acme").interval("8s"))
        .connector(other.connector("refused").interval("8s"));
    let topic = &config.connectors[1].topic;
    create_topic(bootstrap, topic, 1, &[]);
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value == 150.0, WAIT);
    let _ = worker.await_of("refused", "events_committed_total", &[], |value| value == 1.0, WAIT);
    // Behind the look at its settings, so that Kafka itself refuses, and the transaction is aborted.
    alter_topic(bootstrap, topic, &[("max.message.bytes", "20000")]);
    // Nothing that compression makes small again.
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(50_000).collect();
    let large = format!(r#"{{"uuid":"too-large","eventType":"a.b","debug":"{noise}"}}"#);
    other.append([large.as_bytes()]);
    let set_aside = [("stage", "KAFKA_PRODUCE")];
    let _ = worker.await_of("refused", "dead_letters_total", &set_aside, |count| count > 0.0, WAIT);
    let aborted = worker.of("refused", "transactions_total", &[("result", "aborted")]);
    assert!(aborted.is_some_and(|count| count > 0.0), "Kafka refused nothing:\n{}", worker.process().tail(40));
    let url = link_behind(&org, 100);
    let key = checkpoint::key("acme", &org.authority());
    let asked = org.request_count();
    producers::write(bootstrap, &config.offsets_topic, 0, &key, &checkpoint::value(&url, None));
    let deadline = Instant::now() + Duration::from_secs(25);
    let mut seen = asked;
    while !org.requests()[asked..seen].iter().any(|one| format!("{}{}", org.url(), one.target) == url) {
        assert!(Instant::now() < deadline, "not asked:\n{}", worker.process().tail(40));
        org.await_requests(seen + 1, deadline.saturating_duration_since(Instant::now()));
        seen = org.request_count();
    }
    assert!(worker.log().contains("changed from outside"), "{}", worker.process().tail(40));
}
