//! What a worker learns of a topic's tail, against a real broker: exactly what is there of the org, whoever else writes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use okta_kafka_source::config::{Config, ConnectorConfig, KafkaProperties};
use okta_kafka_source::kafka::topics::Topics;
use okta_kafka_source::source::known::{Fingerprint, Identity, Known};
use okta_kafka_source::worker::topic_knowledge::budget::Budget;
use okta_kafka_source::worker::topic_knowledge::{LearnError, TopicKnowledge};

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::shared_broker::shared_broker;
use crate::support::topic_records::{OpenTransaction, TopicRecord, event, fill, letter, write};
use crate::support::topics::{create_topic, delete_topics, random_name};

const ORG: &str = "https://acme.okta.com";
const OTHER_ORG: &str = "https://other.okta.com";
const WAIT: Duration = Duration::from_secs(60);
const HOUR: i64 = 60 * 60 * 1000;

/// A worker's knowledge of one connector's topics, and what both need.
struct Scene {
    knowledge: TopicKnowledge,
    kafka: KafkaProperties,
    group_id: String,
    topics: Arc<Topics>,
    connector: Arc<ConnectorConfig>,
    bootstrap: String,
    topic: String,
    dead_letters: String,
    runtime: tokio::runtime::Runtime,
    now: i64,
}

impl Scene {
    fn of(bootstrap: &str, entries: usize) -> Self {
        let topic = random_name("system-log");
        let yaml = ConnectorYaml::new("acme", ORG, "00Wq8nLtXv2RbYk5HsZc7MfPj3GdAu9EoTiVxNh641").topic(&topic);
        let text = ConfigYaml::new(bootstrap).connector(yaml).render();
        let config = Config::parse(&text, &|_| None).unwrap();
        let topics = Arc::new(Topics::new(&config.kafka).unwrap());
        Self {
            knowledge: TopicKnowledge::within(
                &config.kafka,
                &config.group_id,
                Arc::clone(&topics),
                Budget::new(entries, 1),
            ),
            kafka: config.kafka,
            group_id: config.group_id,
            topics,
            connector: Arc::new(config.connectors.into_iter().next().unwrap()),
            bootstrap: bootstrap.to_owned(),
            dead_letters: format!("{topic}.dlq"),
            topic,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            now: jiff::Timestamp::now().as_millisecond(),
        }
    }

    fn knowledge_within(&self, budget: Budget) -> TopicKnowledge {
        TopicKnowledge::within(&self.kafka, &self.group_id, Arc::clone(&self.topics), budget)
    }

    fn create_topics(&self) {
        for topic in [&self.topic, &self.dead_letters] {
            create_topic(&self.bootstrap, topic, 3, &[]);
        }
    }

    fn event(&self, uuid: &str, published: i64) -> TopicRecord {
        event(&self.topic, ORG, "acme", uuid, published)
    }

    fn learn(&self, from: i64) -> Arc<Known> {
        self.try_learn(from).unwrap()
    }

    fn try_learn(&self, from: i64) -> Result<Arc<Known>, LearnError> {
        let learn = async { tokio::time::timeout(WAIT, self.knowledge.learn(&self.connector, from)).await };
        self.runtime.block_on(learn).expect("learnt in time")
    }
}

fn holds(known: &Known, key: &str) -> bool {
    known.find(&Identity::of(key.as_bytes()), Fingerprint::of(b"")).is_some()
}

fn uuid(number: usize) -> String {
    format!("{number:08x}-8a1b-11f0-8de9-0242ac120002")
}

#[test]
fn exactly_what_is_there_of_the_org_is_known() {
    let Some(kafka) = shared_broker() else { return };
    let scene = Scene::of(kafka.bootstrap(), 1000);
    let (topic, now) = (&scene.topic, scene.now);
    // It was there when the connector started: a broker that has not heard of it must not be taken at its word.
    let error = scene.try_learn(0).unwrap_err();
    assert!(error.retriable && error.message.contains(topic), "{error}");
    scene.create_topics();
    assert!(scene.learn(0).is_empty(), "an empty one holds nothing");
    let on = |partition, record: TopicRecord| TopicRecord { partition: Some(partition), ..record };
    let at = |timestamp, record: TopicRecord| TopicRecord { timestamp, ..record };
    let without = |header, mut record: TopicRecord| {
        record.headers.retain(|(name, _)| *name != header);
        record
    };
    write(
        &scene.bootstrap,
        [
            // Of one partition, in an order that is not that of time.
            on(0, scene.event(&uuid(1), now - 5 * HOUR)),
            on(0, scene.event(&uuid(2), now - HOUR)),
            on(0, scene.event(&uuid(3), now - 3 * HOUR)),
            on(0, scene.event(&uuid(4), now - 4 * HOUR)),
            on(0, scene.event(&uuid(5), now - 2 * HOUR)),
            on(1, event(topic, OTHER_ORG, "other", &uuid(6), now - HOUR)),
            // Written by another connector of the same org, and by a query into the topic.
            on(1, event(topic, ORG, "renamed", &uuid(7), now - HOUR)),
            on(1, without("okta_connector", scene.event(&uuid(8), now - HOUR))),
            // Where the topic refuses the event's time, the record has that of its sending.
            on(2, at(now, scene.event(&uuid(9), now - 3 * HOUR))),
            on(2, at(now, scene.event(&uuid(10), now - 5 * HOUR))),
            on(2, at(now, without("ce_time", scene.event(&uuid(11), now)))),
            on(2, without("ce_source", scene.event(&uuid(12), now - HOUR))),
            // Sent by a machine whose clock was hours behind.
            on(0, at(now - 23 * HOUR, letter(&scene.dead_letters, topic, "acme.okta.com", "acme", &uuid(17)))),
            letter(&scene.dead_letters, topic, "acme.okta.com", "acme", &uuid(13)),
            letter(&scene.dead_letters, topic, "acme.okta.com", "acme", "of-a-letter-without-a-uuid"),
            letter(&scene.dead_letters, "another-topic", "acme.okta.com", "acme", &uuid(14)),
            letter(&scene.dead_letters, topic, "other.okta.com", "other", &uuid(15)),
        ],
    );
    OpenTransaction::with(&scene.bootstrap, [scene.event(&uuid(16), now - HOUR)]).end(false);
    for (hours, expected) in [
        (6, vec![1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 17]),
        (3, vec![2, 3, 5, 7, 8, 9, 11, 13, 17]),
        // Letters have no time.
        (1, vec![2, 7, 8, 11, 13, 17]),
    ] {
        let known = scene.learn(now - hours * HOUR);
        let found: Vec<usize> = (1..=17).filter(|number| holds(&known, &uuid(*number))).collect();
        assert_eq!(found, expected, "from {hours} h ago");
        assert!(holds(&known, "of-a-letter-without-a-uuid"));
        assert_eq!(known.len(), expected.len() + 1);
        assert!(known.covers(Some(now - hours * HOUR)) && known.covers(Some(i64::MAX)) && known.covers(None));
        assert!(!known.covers(Some(now - hours * HOUR - 1)));
    }
}

#[test]
fn an_open_transaction_of_another_is_waited_out() {
    let Some(kafka) = shared_broker() else { return };
    let scene = Scene::of(kafka.bootstrap(), 1000);
    scene.create_topics();
    for committed in [true, false] {
        let number = usize::from(committed);
        let open = OpenTransaction::with(&scene.bootstrap, [scene.event(&uuid(number), scene.now)]);
        // Behind it in its partitions, and committed: readers of committed records do not see it yet.
        write(&scene.bootstrap, (10..30).map(|other| scene.event(&uuid(other + 100 * number), scene.now)));
        let learn = scene.knowledge.learn(&scene.connector, scene.now - HOUR);
        let known = scene.runtime.block_on(async {
            let mut learn = std::pin::pin!(learn);
            let early = tokio::time::timeout(Duration::from_secs(1), &mut learn).await;
            assert!(early.is_err(), "nothing is known while a transaction is open: {early:?}");
            open.end(committed);
            tokio::time::timeout(Duration::from_secs(10), learn).await
        });
        let known = known.expect("soon").unwrap();
        assert_eq!(holds(&known, &uuid(number)), committed);
        assert!((10..30).all(|other| holds(&known, &uuid(other + 100 * number))));
    }
}

#[test]
fn more_than_fits_is_learnt_in_windows() {
    let Some(kafka) = shared_broker() else { return };
    let scene = Scene::of(kafka.bootstrap(), 1000);
    scene.create_topics();
    let count = 5000;
    let published = |number: usize| scene.now - 24 * HOUR + number as i64 * 10_000;
    let mut numbers: Vec<usize> = (0..count).collect();
    fastrand::shuffle(&mut numbers);
    write(&scene.bootstrap, numbers.into_iter().map(|number| scene.event(&uuid(number), published(number))));
    let (mut from, mut windows, mut next) = (published(0), 0, 0);
    while next < count {
        let known = scene.learn(from);
        assert!(known.len() <= 1000, "{}", known.len());
        let covered = (next..count).take_while(|number| known.covers(Some(published(*number))));
        let covered = covered.inspect(|number| assert!(holds(&known, &uuid(*number)), "{number}")).count();
        assert!(covered > 0, "a window that covers nothing");
        next += covered;
        from = published(next.min(count - 1));
        windows += 1;
    }
    assert!((5..=20).contains(&windows), "{windows} windows of 500 to 1000");
}

#[test]
fn the_end_of_the_topic_shows_what_was_written_last() {
    let Some(kafka) = shared_broker() else { return };
    let scene = Scene::of(kafka.bootstrap(), 1000);
    let tail = || scene.runtime.block_on(scene.knowledge.tail(&scene.connector)).unwrap();
    scene.create_topics();
    let other = |number: usize| event(&scene.topic, OTHER_ORG, "other", &uuid(number), scene.now);
    write(&scene.bootstrap, (0..50).map(other));
    assert!(tail().own.is_empty() && tail().others.is_empty());
    write(&scene.bootstrap, [event(&scene.topic, ORG, "renamed", &uuid(100), scene.now - 1)]);
    let renamed = vec![Identity::of(uuid(100).as_bytes())];
    assert_eq!((tail().own.len(), tail().others), (0, renamed.clone()), "the org's, by another connector");
    let letter = letter(&scene.dead_letters, &scene.topic, "acme.okta.com", "acme", &uuid(102));
    write(&scene.bootstrap, [scene.event(&uuid(101), scene.now), letter]);
    // What an open transaction hides is not waited for.
    let _open = OpenTransaction::with(&scene.bootstrap, [scene.event(&uuid(103), scene.now)]);
    let began = Instant::now();
    let tail = tail();
    assert!(began.elapsed() < Duration::from_secs(5));
    let expected: Vec<Identity> = [101, 102].map(|number| Identity::of(uuid(number).as_bytes())).to_vec();
    assert_eq!((tail.own, tail.others), (expected, renamed));
}

/// For docs/measurements.md: in this process, so that nothing else is in its memory.
#[test]
#[ignore = "a measurement, for a build that is optimised"]
fn what_a_million_records_cost() {
    let Some(kafka) = shared_broker() else { return };
    let count = std::env::var("OKS_RECORDS").map_or(1_000_000, |count| count.parse().unwrap());
    let compression = std::env::var("OKS_COMPRESSION").unwrap_or_else(|_| "none".to_owned());
    let memory = |name: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|character: char| !character.is_ascii_digit()).parse::<u64>().unwrap() / 1024
    };
    let mut scene = Scene::of(kafka.bootstrap(), usize::MAX);
    let partitions = std::env::var("OKS_PARTITIONS").map_or(6, |count| count.parse().unwrap());
    create_topic(&scene.bootstrap, &scene.topic, partitions, &[]);
    create_topic(&scene.bootstrap, &scene.dead_letters, 1, &[]);
    fill(&scene.bootstrap, &scene.topic, &[ORG], count, &[("compression.type", &compression)]);
    for windows in [1, 1, 8] {
        let budget = Budget::new(count / windows + usize::from(windows == 1), 1);
        scene.knowledge = scene.knowledge_within(budget);
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = memory("VmRSS:");
        let began = Instant::now();
        let (mut from, mut readings, mut held, mut first) = (scene.now - 30 * 24 * HOUR, 0, 0, None);
        loop {
            let known = scene.learn(from);
            readings += 1;
            held += known.len();
            let _ = first.get_or_insert(began.elapsed());
            let Some(until) = known.until() else { break };
            from = until;
        }
        println!(
            "{count} records in {partitions} partitions, {compression}, windows of {}: {readings} readings, {held} known, {:?}, the first after {first:?}; {} MiB before, {} MiB at the peak",
            count / windows,
            began.elapsed(),
            before,
            memory("VmHWM:")
        );
        assert_eq!(held, count);
    }
    delete_topics(&scene.bootstrap, &[&scene.topic, &scene.dead_letters]);
}
