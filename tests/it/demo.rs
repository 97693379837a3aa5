//! `demo`, as a person runs it: what it tells, what it leaves behind, and that it does not praise a topic that is wrong.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rdkafka::consumer::Consumer;

use crate::support::connector::{Output, run, spawn};
use crate::support::process::{Process, Stream};
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, consumer, delete_topics, read_all, topic_exists};
use crate::support::{metrics, ports, producers};

/// The demo promises to end within a minute.
const MINUTE: Duration = Duration::from_secs(60);
const PREFIX: &str = "okta-kafka-source-demo-";

#[test]
fn the_demo_needs_nothing_and_tells_what_landed() {
    let began = Instant::now();
    let demo = run(&["demo"], &[], MINUTE);
    println!("the demo took {:.1?}:\n{}{}", began.elapsed(), demo.stdout, demo.stderr);
    assert_eq!(demo.code(), 0);
    for part in [
        "5,060 events: 5,000 of the backlog, 60 live\n",
        "5,060 records, read back as isolation.level=read_committed; dead letters: 0\n",
        "every event is there once, byte for byte\n",
        " events/s",
        "The checkpoint",
        "[\"demo\",{\"org\":\"127.0.0.1:",
        "{\"v\":1,\"checkpointUrl\":\"http://127.0.0.1:",
        "not shown    exactly once: the embedded broker shows aborted records",
        "With a real org",
        "`make test`",
        "okta-kafka-source simulate",
    ] {
        assert!(demo.stdout.contains(part), "{part}");
    }
    assert_shows_three_records(&demo.stdout);
    // Neither colours nor a bar where there is no terminal, and nothing wider or longer than a screen.
    assert!(!demo.stdout.contains('\x1b') && !demo.stderr.contains('\x1b'));
    assert!(demo.stdout.lines().count() <= 42, "{}", demo.stdout.lines().count());
    assert!(demo.stdout.lines().all(|line| line.chars().count() <= 100));
    assert!(demo.stderr.contains("backlog: 5,000 of 5,000\n") && demo.stderr.contains("live events: 60 of 60\n"));
    assert_no_log(&demo.stderr);
}

#[test]
fn a_broker_of_ones_own_is_left_as_it_was() {
    let Some(kafka) = shared_broker() else { return };
    let process = spawn(&["demo", "--events", "1200", "--bootstrap", kafka.bootstrap()], &[]);
    let topic = topic(&process);
    process.await_line("that the backlog is there", |line| line.contains("backlog: 1,200 of 1,200"), MINUTE);
    assert!(topic_exists(kafka.bootstrap(), &topic), "{topic} is where it says");
    let demo = ended(&process);
    assert_eq!(demo.code(), 0, "{demo:?}");
    assert!(demo.stdout.contains("every event is there once, byte for byte\n"), "{}", demo.stdout);
    assert!(!demo.stdout.contains("not shown"), "{}", demo.stdout);
    assert_shows_three_records(&demo.stdout);
    assert_no_log(&demo.stderr);
    assert_gone(kafka.bootstrap(), &topic);
}

#[test]
fn an_interrupted_demo_deletes_its_topics() {
    let Some(kafka) = shared_broker() else { return };
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let process = spawn(&["demo", "--events", "50", "--bootstrap", kafka.bootstrap()], &[]);
        let topic = topic(&process);
        process.await_line("that live events come", |line| line.contains("live events: "), MINUTE);
        assert!(topic_exists(kafka.bootstrap(), &topic), "{topic}");
        process.signal(signal);
        let demo = ended(&process);
        assert_eq!(demo.code(), code, "{demo:?}");
        assert!(!demo.stdout.contains("What landed"), "{}", demo.stdout);
        assert_gone(kafka.bootstrap(), &topic);
    }
}

#[test]
fn an_interrupted_demo_ends_while_it_waits_for_the_group() {
    let process = spawn(&["demo"], &[]);
    process.await_line("that it joins", |line| line.contains("joining"), MINUTE);
    process.signal(Signal::SIGINT);
    assert_eq!(ended(&process).code(), 130);
}

#[test]
fn kept_running_it_goes_on_until_it_is_told_to_end() {
    let process = spawn(&["demo", "--events", "100", "--keep-running"], &[]);
    process.await_line("that it runs on", |line| line.starts_with("Still running"), MINUTE);
    let page = process.await_line("where its metrics are", |line| line.trim_start().starts_with("metrics "), MINUTE);
    let address = page.split("http://").nth(1).and_then(|rest| rest.strip_suffix("/metrics")).unwrap().to_owned();
    assert_eq!(metrics::get(&address, "/readyz").unwrap().status, 200);
    let committed = || {
        let page = metrics::get(&address, "/metrics").unwrap().body;
        metrics::metric(&page, "okta_kafka_source_events_committed_total", &[("connector", "demo")]).unwrap()
    };
    let deadline = Instant::now() + MINUTE;
    while committed() < 163.0 {
        assert!(Instant::now() < deadline, "no live events after the check: {}", committed());
        process.runs_on(Duration::from_millis(100));
    }
    process.terminate();
    let demo = ended(&process);
    assert_eq!(demo.code(), 0, "{demo:?}");
    assert_no_log(&demo.stderr);
}

#[test]
fn kept_topics_hold_what_the_demo_said() {
    let Some(kafka) = shared_broker() else { return };
    let process = spawn(&["demo", "--events", "100", "--bootstrap", kafka.bootstrap(), "--keep-running"], &[]);
    let topic = topic(&process);
    process.await_line("that it runs on", |line| line.starts_with("Still running"), MINUTE);
    process.signal(Signal::SIGINT);
    assert_eq!(ended(&process).code(), 0);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let mut keys: Vec<&str> = records.iter().map(|record| record.key_text()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() >= 160 && keys.len() == records.len(), "{} keys, {} records", keys.len(), records.len());
    // What it showed of the last record is what another consumer reads.
    let stdout = process.text(Stream::Stdout);
    for shown in stdout.lines().filter_map(|line| line.strip_prefix("  key ")).take(3) {
        let uuid = shown.split_whitespace().next().unwrap();
        let record = records.iter().find(|record| record.key_text() == uuid).unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(record.header("ce_id"), Some(uuid));
        assert!(stdout.contains(&format!("ce_type={}", record.header("ce_type").unwrap())), "{uuid}");
    }
    delete_topics(kafka.bootstrap(), &[&topic, &format!("{topic}.dlq"), &format!("{topic}-offsets")]);
}

#[test]
fn a_topic_that_is_not_the_orgs_is_no_success() {
    let process = spawn(&["demo", "--events", "200"], &[]);
    let topic = topic(&process);
    let broker = process.await_line("where the broker is", |line| line.contains("embedded, at "), MINUTE);
    let broker = broker.rsplit(' ').next().unwrap();
    process.await_line("that live events come", |line| line.contains("live events: "), MINUTE);
    let records = read_all(broker, &topic, Isolation::ReadCommitted);
    let doubled = records.first().unwrap();
    producers::write(broker, &topic, 0, doubled.key_text(), doubled.value_text());
    producers::write(broker, &topic, 0, records[1].key_text(), "{}");
    producers::write(broker, &topic, 0, "intruder", "{}");
    let demo = ended(&process);
    assert_eq!(demo.code(), 1, "{demo:?}");
    for part in ["2 there more than once: ", "1 altered: ", "1 not the org's: intruder\n"] {
        assert!(demo.stdout.contains(part), "{part}: {}", demo.stdout);
    }
    assert!(!demo.stdout.contains("byte for byte"), "{}", demo.stdout);
    assert!(demo.stderr.contains("the topic does not hold what the org has: "), "{}", demo.stderr);
}

#[test]
fn a_broker_out_of_reach_is_said_soon_with_what_to_do() {
    let began = Instant::now();
    let address = format!("127.0.0.1:{}", ports::free_port());
    let demo = run(&["demo", "--bootstrap", &address], &[], MINUTE);
    assert_eq!(demo.code(), 1, "{demo:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(demo.stderr.contains(&format!("Kafka at `{address}` can't be reached")), "{}", demo.stderr);
    assert!(demo.stderr.contains("leave out `--bootstrap`"), "{}", demo.stderr);
    assert_eq!(demo.stdout, "");
}

/// The data topic's name, as soon as it is said.
fn topic(process: &Process) -> String {
    let line = process.await_line("its topics", |line| line.contains(PREFIX), MINUTE);
    let begin = line.find(PREFIX).unwrap();
    line[begin..].split(',').next().unwrap().to_owned()
}

fn ended(process: &Process) -> Output {
    let status = process.wait(MINUTE);
    Output { status, stdout: process.text(Stream::Stdout), stderr: process.text(Stream::Stderr) }
}

/// Key and timestamp, headers, value: three times, each in this order.
fn assert_shows_three_records(stdout: &str) {
    let (_, records) = stdout.split_once("Three records").unwrap();
    let (records, _) = records.split_once("\n\n").unwrap();
    let labels = ["  key  ", "    headers  ", "    value  "];
    let order: Vec<&str> =
        records.lines().filter_map(|line| labels.into_iter().find(|label| line.starts_with(label))).collect();
    assert_eq!(order, labels.repeat(3), "{records}");
    assert_eq!(records.matches("   timestamp 20").count(), 3, "{records}");
    assert_eq!(records.matches("ce_type=").count(), 3, "{records}");
}

/// The demo tells its story itself.
fn assert_no_log(stderr: &str) {
    for level in ["ERROR", "WARN", "INFO"] {
        assert!(!stderr.contains(level), "{stderr}");
    }
}

/// No topic and no group under the demo's name.
fn assert_gone(bootstrap: &str, topic: &str) {
    for name in [topic.to_owned(), format!("{topic}.dlq"), format!("{topic}-offsets")] {
        assert!(!topic_exists(bootstrap, &name), "{name} is still there");
    }
    let groups = consumer(bootstrap, Isolation::ReadCommitted).fetch_group_list(None, MINUTE).unwrap();
    let left: Vec<&str> =
        groups.groups().iter().map(|group| group.name()).filter(|name| name.starts_with(topic)).collect();
    assert_eq!(left, [""; 0]);
}
