//! `dead-letters replay`: what can be published by now is published once, and the rest stays.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use okta_kafka_source::simulator::SimulatorConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, TopicPartitionList};
use serde_json::Value;

use crate::support::avro;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, Output, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::process::{Process, Stream};
use crate::support::producers;
use crate::support::prove;
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::tail::Tail;
use crate::support::topics::{
    Isolation, OwnedRecord, alter_topic, create_topic, delete_group, delete_records, end_offsets, read_aborted,
    read_all,
};

const WAIT: Duration = Duration::from_secs(60);
/// The header of a receipt.
const RECEIPT: &str = "okta_dead_letters_replayed";

/// An event with that uuid, and so many bytes more that do not compress.
fn large(uuid: &str, bytes: usize) -> Vec<u8> {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
    format!(r#"{{"uuid":"{uuid}","published":"2026-11-01T00:00:00.000Z","eventType":"large","x":"{noise}"}}"#).into()
}

/// Runs `dead-letters replay` of that connector to its end.
fn replay(config: &ConfigYaml, name: &str, more: &[&str]) -> Output {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    connector::run(&[&["dead-letters", "replay", name, "-c", utf8(&path)], more].concat(), &[], WAIT)
}

/// The same with lines that go elsewhere.
fn replay_into(config: &ConfigYaml, name: &str, stdout: Stdio) -> std::process::Output {
    let file = ConfigFile::new(&config.render());
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-kafka-source"));
    let _ = command.args(["dead-letters", "replay", name, "-c", utf8(&file.path())]);
    command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert_eq!(output.code(), 0, "{output:?}");
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many lines there are of each result and reason.
fn counts(lines: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let what = [&line["result"], &line["reason"]].map(|value| value.as_str().unwrap_or_default());
        *counts.entry(what.join(" ").trim().to_owned()).or_default() += 1;
    }
    counts
}

fn of(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect()
}

/// Runs a worker until all is in its topics.
fn run(config: &ConfigYaml, orgs: &[(&Org, &str)]) {
    let worker = Connector::spawn(config, &[]);
    for (org, name) in orgs {
        worker.await_caught_up(org, name, WAIT);
    }
    worker.stop();
}

/// What a reader can tell of a record but its place, by key.
fn contents(records: &[OwnedRecord]) -> BTreeMap<&str, OwnedRecord> {
    let without_place = |one: &OwnedRecord| OwnedRecord { partition: 0, offset: 0, ..one.clone() };
    records.iter().map(|one| (one.key_text(), without_place(one))).collect()
}

/// What the group of replays has committed, by partition.
fn committed(bootstrap: &str, config: &ConfigYaml, topic: &str, partitions: i32) -> BTreeMap<i32, Option<i64>> {
    let group = format!("{}-dlq-replay", config.group_id);
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", group).create().unwrap();
    let mut asked = TopicPartitionList::new();
    for partition in 0..partitions {
        let _ = asked.add_partition(topic, partition);
    }
    let answer = consumer.committed_offsets(asked, WAIT).unwrap();
    answer.elements().iter().map(|one| (one.partition(), one.offset().to_raw().filter(|raw| *raw >= 0))).collect()
}

#[test]
fn what_fits_by_now_is_published_once_as_run_would_have() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(40);
    org.append((0..30).map(|n| large(&format!("large-{n}"), 20_000)));
    org.append([&b"{}"[..], b"17", b"{\"uuid\":\"latin\",\"x\":\"\xff\"}"]);
    org.generate(10);
    let acme = org.connector("acme").interval("200ms");
    let (topic, dead_letters) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    create_topic(bootstrap, &topic, 2, &[("max.message.bytes", "10000")]);
    let config = ConfigYaml::new(bootstrap).connector(acme);
    run(&config, &[(&org, "acme")]);
    let before = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    assert_eq!((before.len(), read_all(bootstrap, &dead_letters, Isolation::ReadCommitted).len()), (50, 33));

    // Nothing has changed: all of it stays.
    let refused = [("left MissingUuid", 1), ("left NotAnObject", 1), ("left NotUtf8", 1)];
    let nothing = replay(&config, "acme", &[]);
    let with_large: Vec<_> = refused.into_iter().chain([("left RecordTooLarge", 30)]).collect();
    assert_eq!(counts(&lines(&nothing)), of(&with_large));
    assert!(
        nothing.stderr.contains("published 0, left 33 (1 MissingUuid, 1 NotAnObject, 1 NotUtf8, 30 RecordTooLarge)")
    );
    assert!(nothing.stderr.contains("3 of it is no event, which no replay can publish"), "{nothing:?}");
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted), before);

    // Into another topic only where that is asked for, and that counts for the other topic alone.
    let mut other = config.clone();
    other.connectors[0].topic = format!("{topic}-other");
    other.connectors[0].extra.push(format!("dead_letter_topic: {dead_letters}"));
    let absent = replay(&other, "acme", &[]);
    assert!(absent.code() == 1 && absent.stderr.contains("is not there: `run` creates it"), "{absent:?}");
    create_topic(bootstrap, &other.connectors[0].topic, 1, &[]);
    assert_eq!(counts(&lines(&replay(&other, "acme", &[]))), of(&[("left OtherTopic", 33)]));
    let asked = lines(&replay(&other, "acme", &["--from-topic", &topic]));
    let published: Vec<_> = refused.into_iter().chain([("published", 30)]).collect();
    assert_eq!(counts(&asked), of(&published));
    assert_eq!(counts(&lines(&replay(&other, "acme", &["--from-topic", &topic]))), of(&refused));
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted), before);

    alter_topic(bootstrap, &topic, &[("max.message.bytes", "1000000")]);
    let dry = lines(&replay(&config, "acme", &["--dry-run"]));
    let publishable: Vec<_> = refused.into_iter().chain([("publishable", 30)]).collect();
    assert_eq!(counts(&dry), of(&publishable));
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted), before);

    let first = lines(&replay(&config, "acme", &[]));
    assert_eq!(counts(&first), of(&published));
    let letters = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted);
    for line in &first {
        let at = |name: &str| line[name].as_i64().unwrap();
        let letter =
            letters.iter().find(|one| i64::from(one.partition) == at("partition") && one.offset == at("offset"));
        assert_eq!(line["key"], letter.unwrap().key_text(), "{line}");
        let is_published = line["result"] == "published";
        assert_eq!(line["published_to"].as_str(), is_published.then_some(topic.as_str()), "{line}");
        assert_eq!((&line["topic"], &line["connector"]), (&dead_letters.as_str().into(), &"acme".into()));
        assert_eq!(line["message"].is_null(), is_published, "{line}");
    }

    // Again, and again without what the group remembers, which Kafka forgets after a week.
    let ends = end_offsets(bootstrap, &dead_letters);
    let of_group = committed(bootstrap, &config, &dead_letters, 3);
    assert!(of_group.iter().all(|(partition, next)| *next == Some(ends[partition].1)), "{of_group:?} {ends:?}");
    // Nor are they there for a copy of the dead letter topic: its receipts are about the original's offsets.
    let copied = format!("{topic}.copied");
    create_topic(bootstrap, &copied, 1, &[("max.message.bytes", "1000000")]);
    producers::copy(bootstrap, &copied, 0, &letters.iter().collect::<Vec<_>>());
    let mut of_copy = config.clone();
    of_copy.connectors[0].extra.push(format!("dead_letter_topic: {copied}"));
    let refused_copy = replay(&of_copy, "acme", &[]);
    let way_out = "which this is a copy: replay from the original";
    assert!(refused_copy.code() == 1 && refused_copy.stderr.contains(way_out), "{refused_copy:?}");
    let dry = replay(&of_copy, "acme", &["--dry-run"]);
    assert!(dry.code() == 0 && dry.stderr.contains("a replay would end here"), "{dry:?}");

    let again = lines(&replay(&config, "acme", &[]));
    let full = replay_into(&config, "acme", File::options().write(true).open("/dev/full").unwrap().into());
    let said = String::from_utf8(full.stderr).unwrap();
    assert!(full.status.code() == Some(1) && said.contains("left 3") && said.contains("No space left"), "{said}");
    delete_group(bootstrap, &format!("{}-dlq-replay", config.group_id));
    assert!(committed(bootstrap, &config, &dead_letters, 3).values().all(Option::is_none));
    let forgotten = lines(&replay(&config, "acme", &[]));
    assert_eq!((counts(&again), counts(&forgotten)), (of(&refused), of(&refused)));

    // And after Kafka has deleted some: the receipts are behind their letters.
    let receipts: Vec<&OwnedRecord> = letters
        .iter()
        .filter(|one| {
            one.header(RECEIPT) == Some("acme") && one.value_text().contains(&format!(r#""topic":"{topic}","#))
        })
        .collect();
    for receipt in &receipts {
        delete_records(bootstrap, &dead_letters, receipt.partition, receipt.offset);
    }
    let kept = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted);
    assert!(kept.len() < letters.len() && kept.len() >= receipts.len(), "{}", kept.len());
    let deleted = lines(&replay(&config, "acme", &[]));
    assert!(deleted.len() < 3 && deleted.iter().all(|line| line["result"] == "left"), "{deleted:?}");

    let records = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    let expected: Vec<&str> = uuids.iter().map(String::as_str).filter(|uuid| *uuid != "latin").collect();
    let difference = Difference::between(expected, &records);
    assert!(difference.is_none(), "{difference}");

    // Whoever may write there may mark a record as a receipt that is none.
    let header = vec![(RECEIPT.to_owned(), Some(b"acme".to_vec()))];
    let none = OwnedRecord { key: None, value: None, headers: header, ..records[0].clone() };
    producers::copy(bootstrap, &dead_letters, 0, &[&none]);
    let place = format!("0@{}", end_offsets(bootstrap, &dead_letters)[&0].1 - 1);
    let stopped = replay(&config, "acme", &[]);
    assert!(stopped.code() == 1 && stopped.stderr.contains(&format!("--skip-receipt {place}")), "{stopped:?}");
    assert_eq!(lines(&replay(&config, "acme", &["--skip-receipt", &place])), deleted);

    // The same org into a topic that took all of it at once.
    let mut at_once = ConfigYaml::new(bootstrap).connector(org.connector("acme").interval("200ms"));
    at_once.connectors[0].topic = format!("{topic}-at-once");
    run(&at_once, &[(&org, "acme")]);
    let wanted = read_all(bootstrap, &at_once.connectors[0].topic, Isolation::ReadCommitted);
    assert!(contents(&records) == contents(&wanted), "key, value, time and headers are not what `run` publishes");
    prove::row(
        "replay",
        "`dead-letters replay` publishes once what fits by now, as `run` would have, and the rest stays",
        "30 events of 20 KB into a topic that takes 10,000 B, and three that no topic takes; replayed before and after `max.message.bytes` \
         is raised, again, with the group's offsets deleted, and with the letters deleted",
        &format!(
            "{difference}; 30 published and 3 left, each with its line; none published by the later replays; records equal to those of a \
             `run` into a large topic; {} receipts",
            receipts.len()
        ),
    );
}

/// A topic that takes none of an org's events, a dead letter topic that holds them all, and a file for their replay, in which
/// a transaction's last records wait for as long as `linger` says.
fn all_refused(bootstrap: &str, orgs: &[(&Org, &str)], linger: Duration) -> (ConfigYaml, String) {
    let mut config = ConfigYaml::new(bootstrap);
    let dead_letters = format!("{}-dlq", config.offsets_topic);
    for (org, name) in orgs {
        let one = org.connector(name).interval("200ms").extra(&format!("dead_letter_topic: {dead_letters}"));
        create_topic(bootstrap, &one.topic, 3, &[("max.message.bytes", "600")]);
        config = config.connector(one);
    }
    run(&config, orgs);
    for one in &config.connectors {
        alter_topic(bootstrap, &one.topic, &[("max.message.bytes", "1000000")]);
    }
    // A batch goes out as soon as it holds ten records; the last ones of a transaction wait for the linger.
    let slow = format!("producer: {{linger.ms: {}, batch.num.messages: 10}}", linger.as_millis());
    (config.kafka(&slow), dead_letters)
}

/// Starts a replay, and waits until a record of its first, second … transaction (counted from 0) is in the topic.
fn start(config: &ConfigYaml, name: &str, topic: &str, transaction: u32) -> (Process, ConfigFile) {
    let file = ConfigFile::new(&config.render());
    let mut tail = Tail::from_end(&config.bootstrap, topic, Isolation::ReadUncommitted);
    let replay = connector::spawn(&["dead-letters", "replay", name, "-c", utf8(&file.path())], &[]);
    for _ in 0..=transaction {
        let seen = tail.next_transaction(WAIT);
        assert!(seen.is_some(), "no transaction was seen in:\n{}", replay.tail(20));
    }
    (replay, file)
}

/// kill -9 in the midst of transactions, with the letters of another connector between those that are replayed.
#[test]
fn no_kill_loses_a_letter_or_publishes_one_twice() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let (events, kills) = prove::scale((15_000, 20), (2_500, 3));
    let (org, other) = (Org::with_events(events), Org::with_events(300));
    let linger = Duration::from_millis(300);
    let (config, dead_letters) = all_refused(bootstrap, &[(&org, "acme"), (&other, "other")], linger);
    let [topic, other_topic] = [0, 1].map(|index| config.connectors[index].topic.clone());
    let mut random = fastrand::Rng::with_seed(prove::seed());
    let mut before = 0;
    for kill in 0..kills {
        let (replay, _file) = start(&config, "acme", &topic, random.u32(0..2));
        // At a random moment of what follows, which may be its end.
        let _ = replay.try_wait(Duration::from_millis(random.u64(0..400)));
        replay.kill9();
        let killed = read_all(bootstrap, &topic, Isolation::ReadUncommitted).len();
        assert!(killed > before, "kill {kill} fell into nothing");
        before = killed;
    }
    let began = std::time::Instant::now();
    let rest = lines(&replay(&config, "acme", &[]));
    let took = began.elapsed();
    assert!(rest.iter().all(|line| line["result"] == "published"));
    let difference = Difference::must_be_none(bootstrap, &topic, &org, "replayed");
    let aborted = read_aborted(bootstrap, &topic).len();
    assert!(aborted > 0, "no kill fell into a transaction");
    assert_eq!(read_all(bootstrap, &other_topic, Isolation::ReadCommitted), []);

    // Nobody reads the lines: that is no reason to stop in the midst of it.
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let unread = replay_into(&config, "other", closed.into());
    let said = String::from_utf8(unread.stderr).unwrap();
    assert!(
        unread.status.success() && said.contains("without them") && said.contains("published 300, left 0"),
        "{said}"
    );
    let _ = Difference::must_be_none(bootstrap, &other_topic, &other, "the other connector");
    for name in ["acme", "other"] {
        assert_eq!(lines(&replay(&config, name, &[])), [Value::Null; 0]);
    }
    let letters = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted);
    prove::row(
        "replay-kill-9",
        "kill -9 of a replay loses no letter and publishes none twice; another connector's letters stay its own",
        &format!(
            "{kills} kills, each when a read_uncommitted consumer saw a transaction, within {events} letters that lie in one dead letter topic \
             with 300 of another connector"
        ),
        &format!(
            "{difference}; {aborted} aborted records; the last replay published the {} that were left in {:.1} s; \
             {} receipts",
            rest.len(),
            took.as_secs_f64(),
            letters.len() - events - 300
        ),
    );
}

/// Ctrl-C lets the transaction end and says how to go on; a second replay fences the first, and both publish nothing twice.
#[test]
fn an_interrupted_replay_goes_on_and_a_second_one_fences_the_first() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(1_400);
    let (config, _) = all_refused(bootstrap, &[(&org, "acme")], Duration::from_millis(1_500));
    let topic = config.connectors[0].topic.clone();
    let (interrupted, _file) = start(&config, "acme", &topic, 0);
    interrupted.signal(Signal::SIGINT);
    assert_eq!(interrupted.wait(WAIT).code(), Some(130));
    let said = interrupted.text(Stream::Stderr);
    assert!(said.contains("published 500, left 0") && said.contains("run the same command again"), "{said}");
    assert_eq!(interrupted.text(Stream::Stdout).lines().count(), 500);
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted).len(), 500);

    let (first, _file) = start(&config, "acme", &topic, 0);
    let second = lines(&replay(&config, "acme", &[]));
    assert_eq!(first.wait(WAIT).code(), Some(3), "{}", first.tail(20));
    let said = first.text(Stream::Stderr);
    assert!(said.contains("another replay") && said.contains("wait for its end"), "{said}");
    let of_first = first.text(Stream::Stdout).lines().count();
    assert_eq!(second.len() + of_first, 900);
    let difference = Difference::must_be_none(bootstrap, &topic, &org, "interrupted and fenced");
    prove::row(
        "replay-fenced",
        "A replay that is interrupted, or fenced by a second one, leaves nothing half done",
        "1,400 letters: SIGINT in the first transaction; then a second replay while the next one's transaction is open",
        &format!(
            "exit codes 130 and 3, each with its reason; {difference}; 500 published before the interruption, {of_first} by the fenced one, {} \
             by the last",
            second.len()
        ),
    );
}

/// `format: avro`: the record is as `run` makes it, with the registry's id, and what no record can hold stays.
#[test]
fn letters_of_an_avro_connector_are_published_as_avro() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::start(SimulatorConfig { events: 200, awkward: 0.2, unpublishable: 0.1, ..Default::default() });
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let (topic, dead_letters) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    create_topic(bootstrap, &topic, 3, &[("max.message.bytes", "600")]);
    let config = ConfigYaml::new(bootstrap).schema_registry(&registry.url()).connector(acme);
    run(&config, &[(&org, "acme")]);
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted), []);
    alter_topic(bootstrap, &topic, &[("max.message.bytes", "1000000")]);

    let replayed = lines(&replay(&config, "acme", &[]));
    let (published, left): (Vec<_>, Vec<_>) = replayed.iter().partition(|line| line["result"] == "published");
    let records = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    let letters = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted);
    assert_eq!((records.len(), replayed.len()), (published.len(), org.event_count()));
    assert!(left.iter().any(|line| line["reason"] == "DuplicateMember"), "{left:?}");
    let left: Vec<OwnedRecord> = letters
        .into_iter()
        .filter(|one| {
            let is_at = |line: &&&Value| line["partition"] == one.partition && line["offset"] == one.offset;
            left.iter().any(|line| is_at(&line))
        })
        .collect();
    let difference = avro::difference(&org, &records, &left);
    assert!(difference.is_none(), "{difference}");
    let _ = avro::assert_equal(&org, &records, registry);

    // A registry that does not answer is not waited for after Ctrl-C: nothing is open.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut waiting = config.clone();
    waiting.extra.clear();
    let waiting = waiting.schema_registry(&format!("http://{}", silent.local_addr().unwrap()));
    let file = ConfigFile::new(&waiting.render());
    let waits = connector::spawn(&["dead-letters", "replay", "acme", "-c", utf8(&file.path())], &[]);
    let _asks = silent.accept().unwrap();
    waits.signal(Signal::SIGINT);
    assert_eq!(waits.wait(Duration::from_secs(4)).code(), Some(130), "{}", waits.tail(20));

    // What a record of JSON can hold, in a topic of its own; the others are in the topic that they were meant for.
    let mut as_json = config.clone();
    as_json.connectors[0].extra = vec!["format: json".to_owned(), format!("dead_letter_topic: {dead_letters}")];
    as_json.connectors[0].topic = format!("{topic}-json");
    create_topic(bootstrap, &as_json.connectors[0].topic, 1, &[]);
    let elsewhere = lines(&replay(&as_json, "acme", &[]));
    assert_eq!(counts(&elsewhere), of(&[("left OtherTopic", left.len())]));
    let reasons = counts(&lines(&replay(&as_json, "acme", &["--from-topic", &topic])));
    assert!(reasons["published"] > 0 && !reasons.keys().any(|what| what.contains("DuplicateMember")), "{reasons:?}");
    assert_eq!(reasons.values().sum::<usize>(), left.len());
}
