//! What only Kafka's answer tells: topics whose settings may not be seen, and settings that change while it runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::acls::{self, Operation, Resource};
use crate::support::authorizer::{self, USER};
use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, alter_topic, create_topic, read_all};

const WAIT: Duration = Duration::from_secs(150);

/// An event with that uuid, and so many bytes more that do not compress.
fn large(uuid: &str, bytes: usize) -> String {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
    format!(r#"{{"uuid":"{uuid}","published":"{}","eventType":"large","x":"{noise}"}}"#, days_ago(1))
}

fn days_ago(days: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days)
}

/// What lands without the named ones, and those in the dead letter topic.
fn compare(bootstrap: &str, org: &Org, topic: &str, dead: &[&str]) -> Difference {
    let uuids = org.uuids();
    let expected = uuids.iter().map(String::as_str).filter(|uuid| !dead.contains(uuid));
    let difference = Difference::between(expected, &read_all(bootstrap, topic, Isolation::ReadCommitted));
    assert!(difference.is_none(), "{topic}: {difference}");
    let dead_letters = read_all(bootstrap, &format!("{topic}.dlq"), Isolation::ReadCommitted);
    let mut keys: Vec<&str> = dead_letters.iter().map(OwnedRecord::key_text).collect();
    keys.sort_unstable();
    let mut wanted = dead.to_vec();
    wanted.sort_unstable();
    assert_eq!(keys, wanted, "{topic}");
    for record in &dead_letters {
        let header = |name: &str| record.header(&format!("__connect.errors.{name}")).unwrap_or_default();
        assert_eq!((header("stage"), header("exception.class.name")), ("KAFKA_PRODUCE", "RecordTooLarge"));
        let served = org.events().into_iter().find(|event| event.uuid.as_deref() == Some(record.key_text())).unwrap();
        assert_eq!(record.value.as_deref(), Some(&served.raw[..]), "byte for byte");
    }
    difference
}

/// Everything that README lists but DESCRIBE_CONFIGS.
fn grant_blindly(bootstrap: &str, config: &ConfigYaml) {
    use Operation::{Describe, Read, Write};
    let prefix = format!("{}-", config.offsets_topic);
    let offsets = Resource::Topic(&config.offsets_topic);
    let mut permissions = vec![
        (Resource::Group(&config.group_id), Read),
        (offsets, Read),
        (offsets, Write),
        (offsets, Describe),
        (Resource::TransactionalIdPrefix(&prefix), Write),
        (Resource::TransactionalIdPrefix(&prefix), Describe),
    ];
    let topics: Vec<String> =
        config.connectors.iter().flat_map(|one| [one.topic.clone(), format!("{}.dlq", one.topic)]).collect();
    for topic in &topics {
        permissions.extend([Read, Write, Describe].map(|operation| (Resource::Topic(topic), operation)));
    }
    acls::grant(bootstrap, USER, &permissions);
}

/// Three records that are too large, found among hundreds by the broker's answers alone; before that, batches that are
/// too large though none of their records is: no record's fault. The other connector of the shard goes on meanwhile.
#[test]
fn culprits_are_found_by_answers_alone() {
    let Some(broker) = authorizer::broker() else { return };
    let bootstrap = broker.bootstrap();
    let (org, good) = (Org::with_events(900), Org::with_events(50));
    let mut config = authorizer::config(&broker).offsets_partitions(1).kafka("producer: {compression.type: none}");
    config.group_id = format!("group-of-{}", config.offsets_topic);
    let config =
        config.connector(org.connector("acme").interval("200ms")).connector(good.connector("good").interval("200ms"));
    let [topic, other] = [0, 1].map(|index| config.connectors[index].topic.clone());
    create_topic(&bootstrap, &config.offsets_topic, 1, &[("cleanup.policy", "compact")]);
    create_topic(&bootstrap, &topic, 3, &[("max.message.bytes", "65536")]);
    for name in [&format!("{topic}.dlq"), &other, &format!("{other}.dlq")] {
        create_topic(&bootstrap, name, 1, &[]);
    }
    grant_blindly(&bootstrap, &config);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let _ = compare(&bootstrap, &org, &topic, &[]);
    let log = worker.log();
    assert!(log.contains("refuses batches of records that it takes one by one"), "{log}");

    let culprits = ["large-0", "large-1", "large-2"];
    org.generate(130);
    org.append([large("large-0", 70_000), large("fits", 50_000), large("large-1", 200_000)]);
    org.generate(200);
    org.append([large("large-2", 66_000)]);
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while worker.of("acme", "dead_letters_total", &[("stage", "KAFKA_PRODUCE")]) != Some(3.0) {
        assert!(began.elapsed() < WAIT, "{}", worker.log());
        good.generate(1);
        let one = Instant::now();
        worker.await_caught_up(&good, "good", WAIT);
        slowest = slowest.max(one.elapsed());
    }
    let took = began.elapsed();
    worker.await_caught_up(&org, "acme", WAIT);
    let difference = compare(&bootstrap, &org, &topic, &culprits);
    let _ = compare(&bootstrap, &good, &other, &[]);
    let of = |name: &str, labels: &[(&str, &str)]| worker.of("acme", name, labels).unwrap();
    let trials = of("transactions_total", &[("result", "aborted")]);
    assert!(slowest < Duration::from_secs(10), "the other connector waited {slowest:?}");
    prove::row(
        "refused-by-broker",
        "Records that only Kafka's answer names are found by bisection; a batch too large is no record's fault",
        "900 events of 1.5 KB in batches of 1 MB into a topic that takes 64 KB and shows no settings; then 3 of 66-200 KB among 333",
        &format!(
            "{difference}; 3 dead letters and no other; {trials} aborted transactions since the last life, done after {:.1} s; \
             an event of the shard's other connector took {:.1} s at most",
            took.as_secs_f64(),
            slowest.as_secs_f64()
        ),
    );
}

/// `max.message.bytes` lowered while it runs: looked up again at the first refusal. Nothing that fits is set aside.
#[test]
fn a_size_that_is_lowered_while_it_runs_is_looked_up_again() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(100);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 1, &[("compression.type", "producer")]);
    let config = ConfigYaml::new(kafka.bootstrap()).kafka("compression.type: none").connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    alter_topic(kafka.bootstrap(), &topic, &[("max.message.bytes", "30000"), ("compression.type", "producer")]);
    org.generate(150);
    org.append([large("40-kb", 40_000), large("20-kb", 20_000)]);
    worker.await_caught_up(&org, "acme", WAIT);
    let _ = compare(kafka.bootstrap(), &org, &topic, &["40-kb"]);
    // Batches fit from now on.
    let aborted = || worker.of("acme", "transactions_total", &[("result", "aborted")]);
    let before = aborted();
    org.generate(300);
    worker.await_caught_up(&org, "acme", WAIT);
    assert_eq!(aborted(), before);
}

fn times(records: &[OwnedRecord]) -> BTreeMap<&str, i64> {
    records.iter().map(|record| (record.key_text(), record.timestamp.unwrap())).collect()
}

/// `message.timestamp.before.max.ms` set while it runs: the time of sending from the first refusal on, and no dead
/// letter; with settings that are shown, and without.
#[test]
fn a_time_that_is_refused_while_it_runs_gives_way() {
    let Some(broker) = authorizer::broker() else { return };
    let bootstrap = broker.bootstrap();
    for shown in [true, false] {
        let org = Org::with_events(20);
        let acme: ConnectorYaml = org.connector("acme").interval("200ms");
        let topic = acme.topic.clone();
        let config = if shown { ConfigYaml::new(&bootstrap) } else { authorizer::config(&broker) };
        let config = config.offsets_partitions(1).connector(acme);
        create_topic(&bootstrap, &config.offsets_topic, 1, &[("cleanup.policy", "compact")]);
        create_topic(&bootstrap, &topic, 1, &[]);
        create_topic(&bootstrap, &format!("{topic}.dlq"), 1, &[]);
        grant_blindly(&bootstrap, &config);
        let worker = Connector::spawn(&config, &[]);
        worker.await_caught_up(&org, "acme", WAIT);
        // Two hours: the backlog's times would be refused now.
        alter_topic(&bootstrap, &topic, &[("message.timestamp.before.max.ms", "7200000")]);
        let event =
            |uuid: String, published| format!(r#"{{"uuid":"{uuid}","published":"{published}","eventType":"a"}}"#);
        let hour = jiff::SignedDuration::from_hours(1);
        let recent = jiff::Timestamp::now() - hour;
        org.append(
            (1..5)
                .map(|days| event(format!("days-{days}"), days_ago(days)))
                .chain([event("recent".to_owned(), recent)]),
        );
        worker.await_caught_up(&org, "acme", WAIT);
        // One alone in its batch, and one again of those.
        org.append([event("days-6".to_owned(), days_ago(6))]);
        worker.await_caught_up(&org, "acme", WAIT);
        let _ = compare(&bootstrap, &org, &topic, &[]);
        let records = read_all(&bootstrap, &topic, Isolation::ReadCommitted);
        let times = times(&records);
        let earliest = recent.as_millisecond() + 30 * 60_000;
        for uuid in ["days-1", "days-2", "days-3", "days-4", "days-6"] {
            assert!(times[uuid] > earliest, "{uuid} has the time of sending");
        }
        assert_eq!(times["recent"], recent.as_millisecond(), "what is taken keeps its time (shown: {shown})");
        assert_eq!(worker.of("acme", "dead_letters_total", &[("stage", "KAFKA_PRODUCE")]), Some(0.0));
    }
}
