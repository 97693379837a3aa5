//! The offsets topic as others made it, and changed from outside while a worker runs.

use std::time::Duration;

use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::java_partitioner;
use crate::support::org::Org;
use crate::support::producers::{Open, delete_fencing, write, write_fencing};
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, end_offsets, random_name, read_all, topic_config, topic_exists};

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn a_topic_that_would_lose_offsets_is_refused_with_the_recipe() {
    let Some(kafka) = shared_broker() else { return };
    for (partitions, policy, recipe) in [
        (7, "compact", &["7 partitions", "`offsets.partitions` says 4", "set it to 7"][..]),
        (4, "delete", &["`delete`", "`compact`"]),
        (4, "compact,delete", &["`compact,delete`", "`compact`"]),
    ] {
        let org = Org::with_events(50);
        let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme").interval("200ms"));
        create_topic(kafka.bootstrap(), &config.offsets_topic, partitions, &[("cleanup.policy", policy)]);
        let worker = Connector::spawn(&config, &[]);
        let says = |text: &str| text.contains(&config.offsets_topic) && recipe.iter().all(|part| text.contains(part));
        let line = worker.await_log("the recipe", says, WAIT);
        assert!(line.contains("ERROR"), "{line}");
        let answer = worker.await_http("/readyz", 503, WAIT);
        assert!(says(&answer.body) && answer.body.trim_end().lines().count() == 1, "{answer:?}");
        assert_eq!(worker.http("/livez").unwrap().status, 200);
        assert_eq!(worker.metric("okta_kafka_source_shards_owned", &[]), Some(0.0));
        assert_eq!(org.request_count(), 0, "no shard starts");
        assert!(!topic_exists(kafka.bootstrap(), &config.connectors[0].topic));
    }
}

#[test]
fn a_topic_that_is_not_there_is_made_as_it_must_be() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(50);
    let acme = org.connector("acme").interval("200ms");
    let (topic, dead_letters) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    let config = ConfigYaml::new(kafka.bootstrap()).offsets_partitions(5).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let partitions = |topic: &str| end_offsets(kafka.bootstrap(), topic).len();
    assert_eq!((partitions(&config.offsets_topic), partitions(&topic)), (5, 3));
    for (topic, name, value) in [
        (&config.offsets_topic, "cleanup.policy", "compact"),
        (&config.offsets_topic, "segment.bytes", "67108864"),
        // As configured by these tests; the program's own default is 30 days.
        (&topic, "retention.ms", "-1"),
        (&dead_letters, "max.message.bytes", "8388608"),
    ] {
        assert_eq!(topic_config(kafka.bootstrap(), topic, name).as_deref(), Some(value), "{name} of {topic}");
    }
    let retention: u64 = topic_config(kafka.bootstrap(), &dead_letters, "retention.ms").unwrap().parse().unwrap();
    // `since: 30d` and 7 more.
    assert!((37 * 86_400_000..37 * 86_400_000 + 60_000).contains(&retention), "{retention}");
}

/// `offsets alter` by another tool, under the shard's transactional id, while the connector rests: the worker is fenced
/// and goes on from the altered cursor, with nothing of its own in between.
#[test]
fn a_checkpoint_altered_from_outside_is_followed() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(500);
    let acme = org.connector("acme").interval("1s");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);

    // Back to behind the 200th event.
    let since = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30 * 24)).to_string().replace(':', "%3A");
    let after = org.events()[199].cursor;
    let url = format!("{}/api/v1/logs?since={since}&limit=100&after={after}", org.url());
    let key = checkpoint::key("acme", &org.authority());
    let shard = java_partitioner::partition(key.as_bytes(), 4);
    let id = format!("{}-{shard}", config.offsets_topic);
    let value = checkpoint::value(&url, None);
    write_fencing(kafka.bootstrap(), &id, &config.offsets_topic, shard, &key, &value);
    let altered = std::time::Instant::now();
    let asked_before = org.request_count();
    let is_asked =
        || org.requests()[asked_before..].iter().position(|one| format!("{}{}", org.url(), one.target) == url);
    let deadline = std::time::Instant::now() + Duration::from_secs(15);
    while is_asked().is_none() {
        assert!(
            std::time::Instant::now() < deadline,
            "the altered cursor is not asked:\n{}",
            worker.process().tail(40)
        );
        org.await_requests(org.request_count() + 1, WAIT);
    }
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    // The tool's record says nothing of old ground: the end of the topic does.
    assert_eq!(difference, Difference::default(), "{difference}");
    let again = org.uuids().len() - 200;
    let _ = worker.await_of("acme", "duplicates_suppressed_total", &[], |count| count == again as f64, WAIT);
    assert!(worker.process().is_running());
    let within = altered.elapsed();

    // A tombstone, as `offsets reset` writes it, is a cold start.
    let requests = org.request_count();
    delete_fencing(kafka.bootstrap(), &id, &config.offsets_topic, shard, &key);
    let cold = |line: &str| line.contains("starts cold at") && line.contains("cold=true");
    let mark = worker.process().lines().iter().position(|line| cold(&line.text)).unwrap() + 1;
    let line = worker.process().wait_for_line_after(mark, cold, Duration::from_secs(30));
    assert!(line.is_some(), "no second cold start:\n{}", worker.process().tail(40));
    org.await_requests(requests + 1, WAIT);
    prove::row(
        "offsets-altered",
        "A checkpoint that a tool alters while the connector rests is followed",
        "an older checkpoint, in Connect's bytes and under the shard's transactional id; then a tombstone",
        &format!(
            "caught up from the altered checkpoint {:.1} s later, {again} events were asked for again, and all of them left \
             out; a cold start after the tombstone",
            within.as_secs_f64(),
        ),
    );
}

/// I4: a checkpoint in a transaction of another tool that is still open when the worker starts is waited for, and counts.
#[test]
fn an_open_transaction_is_waited_for() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(500);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    create_topic(kafka.bootstrap(), &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
    let since = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30 * 24)).to_string().replace(':', "%3A");
    let checkpoint_behind = |place: usize| {
        let after = org.events()[place - 1].cursor;
        checkpoint::value(&format!("{}/api/v1/logs?since={since}&limit=100&after={after}", org.url()), None)
    };
    let key = checkpoint::key("acme", &org.authority());
    let shard = java_partitioner::partition(key.as_bytes(), 4);
    write(kafka.bootstrap(), &config.offsets_topic, shard, &key, &checkpoint_behind(100));
    // Under an id of its own, so that nobody fences it.
    let id = random_name("another-tool");
    let open = Open::write(kafka.bootstrap(), &id, &config.offsets_topic, shard, &key, &checkpoint_behind(300));
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_http("/readyz", 200, WAIT);
    // A start takes about a second; nothing can be awaited where nothing must happen.
    worker.process().runs_on(Duration::from_secs(4));
    assert_eq!(org.request_count(), 0, "asked although nobody knows the checkpoint yet");
    open.commit();
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids()[300..].iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
}
