//! A broker that authorises: what README says suffices, and what is missing is named and costs no more than it must.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::acls::{self, Operation, Permission, Resource};
use crate::support::authorizer::{self, USER};
use crate::support::broker::Broker;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, Output};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::topics::{Isolation, create_topic, read_all};

const WAIT: Duration = Duration::from_secs(60);
/// A connector that another one interrupts goes on within this; it takes about two seconds on an idle machine.
const SOON: Duration = Duration::from_secs(30);

/// A worker whose connectors share one shard, and who logs in as somebody who may do nothing yet.
struct Scene {
    broker: Arc<Broker>,
    orgs: Vec<Org>,
    config: ConfigYaml,
    /// Data and dead letter topics.
    topics: Vec<String>,
    /// What every transactional id begins with.
    id_prefix: String,
}

impl Scene {
    /// With a connector for each name, and the topics already there.
    fn with(names: &[&str]) -> Option<Self> {
        let scene = Self::without_topics(names)?;
        let bootstrap = scene.broker.bootstrap();
        create_topic(&bootstrap, &scene.config.offsets_topic, 1, &[("cleanup.policy", "compact")]);
        for topic in &scene.topics {
            create_topic(&bootstrap, topic, 3, &[]);
        }
        Some(scene)
    }

    fn without_topics(names: &[&str]) -> Option<Self> {
        let broker = authorizer::broker()?;
        let mut config = authorizer::config(&broker).offsets_partitions(1);
        config.group_id = format!("group-of-{}", config.offsets_topic);
        let mut orgs = Vec::new();
        for name in names {
            let org = Org::with_events(320);
            config = config.connector(org.connector(name).interval("200ms"));
            orgs.push(org);
        }
        let topics = config.connectors.iter().flat_map(|one| [one.topic.clone(), dead_letters(&one.topic)]).collect();
        let id_prefix = format!("{}-", config.offsets_topic);
        Some(Self { broker, orgs, config, topics, id_prefix })
    }

    /// README's table of permissions, line by line.
    fn permissions(&self) -> Vec<Permission<'_>> {
        use Operation::{Describe, DescribeConfigs, Read, Write};
        let offsets = Resource::Topic(&self.config.offsets_topic);
        let mut permissions = vec![
            (Resource::Group(&self.config.group_id), Read),
            (offsets, Read),
            (offsets, Write),
            (offsets, Describe),
            (offsets, DescribeConfigs),
            (Resource::TransactionalIdPrefix(&self.id_prefix), Write),
            (Resource::TransactionalIdPrefix(&self.id_prefix), Describe),
        ];
        for topic in &self.topics {
            permissions.extend([Write, Describe, DescribeConfigs].map(|operation| (Resource::Topic(topic), operation)));
        }
        permissions
    }

    /// Grants the table but for what `missing` says.
    fn grant_but(&self, missing: impl Fn(&Permission<'_>) -> bool) {
        let permissions: Vec<_> = self.permissions().into_iter().filter(|permission| !missing(permission)).collect();
        assert!(permissions.len() < self.permissions().len(), "nothing is missing");
        self.grant(&permissions);
    }

    fn grant(&self, permissions: &[Permission<'_>]) {
        acls::grant(&self.broker.bootstrap(), USER, permissions);
    }

    fn spawn(&self) -> Connector {
        Connector::spawn(&self.config, &[])
    }

    fn org(&self, name: &str) -> &Org {
        &self.orgs[self.index(name)]
    }

    fn topic(&self, name: &str) -> &str {
        &self.config.connectors[self.index(name)].topic
    }

    fn index(&self, name: &str) -> usize {
        self.config.connectors.iter().position(|one| one.name == name).unwrap()
    }

    /// All of the org's events are in the topic, each once.
    fn assert_exactly_once(&self, name: &str) {
        let records = read_all(&self.broker.bootstrap(), self.topic(name), Isolation::ReadCommitted);
        let difference = Difference::between(self.org(name).uuids().iter().map(String::as_str), &records);
        assert!(difference.is_none(), "{name}: {difference}");
    }

    fn await_caught_up(&self, worker: &Connector) {
        for (one, org) in self.config.connectors.iter().zip(&self.orgs) {
            worker.await_caught_up(org, &one.name, WAIT);
            self.assert_exactly_once(&one.name);
        }
    }
}

fn offsets_list(config: &ConfigYaml) -> Output {
    let file = ConfigFile::new(&config.render());
    connector::run(&["offsets", "list", "-c", file.path().to_str().unwrap()], &[], WAIT)
}

fn dead_letters(topic: &str) -> String {
    format!("{topic}.dlq")
}

#[test]
fn what_the_readme_lists_suffices() {
    let Some(scene) = Scene::with(&["acme", "other"]) else { return };
    scene.grant(&scene.permissions());
    let worker = scene.spawn();
    scene.await_caught_up(&worker);
    let _ = worker.await_http("/readyz", 200, WAIT);
    let log = worker.log();
    assert!(!log.contains("grant"), "something is asked for:\n{log}");
    let listed = offsets_list(&scene.config);
    assert_eq!((listed.code(), listed.stdout.lines().count()), (0, 2), "{listed:?}");
    assert_eq!(listed.stderr, "");

    // Whoever only looks needs less of the group than a worker.
    let mut onlooker = scene.config.clone();
    onlooker.group_id = format!("onlooker-of-{}", scene.config.offsets_topic);
    scene.grant(&[(Resource::Group(&onlooker.group_id), Operation::Describe)]);
    assert_eq!(offsets_list(&onlooker).stdout, listed.stdout);
}

/// One may not write its topic, one not its dead letter topic: each fails by itself, and the third, in whose
/// transactions they were, loses nothing.
#[test]
fn a_refused_topic_holds_its_connector_only() {
    let Some(scene) = Scene::with(&["fine", "refused", "refused-dead-letter"]) else { return };
    let (refused, other) = (scene.topic("refused"), dead_letters(scene.topic("refused-dead-letter")));
    let missing = [(Resource::Topic(refused), Operation::Write), (Resource::Topic(&other), Operation::Write)];
    scene.grant_but(|permission| missing.contains(permission));
    scene.org("refused-dead-letter").append([b"17"]);
    let worker = scene.spawn();
    for (name, topic) in [("refused", refused), ("refused-dead-letter", &other)] {
        let said = |line: &str| line.contains("connector failed") && line.contains(&format!("connector=\"{name}\""));
        let line = worker.await_log("that the connector failed", said, WAIT);
        assert!(line.contains(topic) && line.contains("grant WRITE and DESCRIBE on it"), "{line}");
    }
    let began = Instant::now();
    for _ in 0..3 {
        worker.await_caught_up(scene.org("fine"), "fine", WAIT);
        scene.assert_exactly_once("fine");
        scene.org("fine").generate(70);
    }
    worker.await_caught_up(scene.org("fine"), "fine", WAIT);
    assert!(began.elapsed() < SOON, "went on after {:?}", began.elapsed());
    scene.assert_exactly_once("fine");
    for name in ["refused", "refused-dead-letter"] {
        worker.await_state(name, "failed", Duration::ZERO);
    }
    assert!(!worker.log().contains("fenced"), "{}", worker.log());

    // Granted, and asked for again by a worker that has just started: nothing was passed over meanwhile.
    scene.grant(&missing);
    worker.terminate();
    let _ = worker.wait(WAIT);
    let worker = scene.spawn();
    for name in ["fine", "refused"] {
        worker.await_caught_up(scene.org(name), name, WAIT);
        scene.assert_exactly_once(name);
    }
    worker.await_caught_up(scene.org("refused-dead-letter"), "refused-dead-letter", WAIT);
    assert_eq!(read_all(&scene.broker.bootstrap(), &other, Isolation::ReadCommitted).len(), 1);
}

#[test]
fn settings_that_may_not_be_seen_are_a_warning() {
    let Some(scene) = Scene::with(&["acme"]) else { return };
    scene.grant_but(|(_, operation)| *operation == Operation::DescribeConfigs);
    let worker = scene.spawn();
    scene.await_caught_up(&worker);
    for topic in [&scene.config.offsets_topic, scene.topic("acme")] {
        let warned = |line: &str| line.contains("WARN") && line.contains(topic) && line.contains("DESCRIBE_CONFIGS");
        assert!(worker.log().lines().any(warned), "no warning of {topic}:\n{}", worker.log());
    }
}

/// The trouble is said, and passes without a restart once it is granted.
#[test]
fn a_group_that_may_not_be_joined_is_named() {
    let Some(scene) = Scene::with(&["acme"]) else { return };
    let group = scene.config.group_id.clone();
    scene.grant_but(|(resource, _)| matches!(resource, Resource::Group(_)));
    let worker = scene.spawn();
    let message = format!("Kafka refuses group `{group}`");
    let line = worker.await_log("a warning of the group", |line| line.contains(&message), WAIT);
    assert!(line.contains("WARN") && line.contains("grant READ on it"), "{line}");
    let ready = worker.await_http("/readyz", 503, WAIT);
    assert!(ready.body.contains(&message) && ready.body.contains("grant READ on it"), "{}", ready.body);
    assert_eq!(scene.org("acme").request_count(), 0);

    scene.grant(&[(Resource::Group(&group), Operation::Read)]);
    scene.await_caught_up(&worker);
    let _ = worker.await_http("/readyz", 200, WAIT);
}

#[test]
fn a_transactional_id_that_may_not_be_had_is_named() {
    let Some(scene) = Scene::with(&["acme"]) else { return };
    scene.grant_but(|(resource, _)| matches!(resource, Resource::TransactionalIdPrefix(_)));
    let worker = scene.spawn();
    let message = format!("transactional id `{}0`", scene.id_prefix);
    let line = worker.await_log("a word of the transactional id", |line| line.contains(&message), WAIT);
    assert!(line.contains("WARN") && line.contains("grant WRITE and DESCRIBE"), "{line}");
    let id = Resource::TransactionalIdPrefix(&scene.id_prefix);
    scene.grant(&[(id, Operation::Write), (id, Operation::Describe)]);
    scene.await_caught_up(&worker);
}

#[test]
fn an_offsets_topic_that_may_not_be_read_or_written_is_named() {
    for operation in [Operation::Read, Operation::Write] {
        let Some(scene) = Scene::with(&["acme"]) else { return };
        let missing = (Resource::Topic(&scene.config.offsets_topic), operation);
        scene.grant_but(|permission| *permission == missing);
        let worker = scene.spawn();
        let topic = &scene.config.offsets_topic;
        let message = match operation {
            Operation::Read => format!("grant READ on offsets topic `{topic}`"),
            _ => format!("Kafka refuses to write to topic `{topic}`"),
        };
        let _ = worker.await_log("what is missing", |line| line.contains(&message), WAIT);
        assert_eq!(scene.org("acme").request_count(), 0, "nothing is asked before the start is durable");
        scene.grant(&[missing]);
        if operation == Operation::Read {
            scene.await_caught_up(&worker);
        } else {
            // Its connectors rest for five minutes: a new start is sooner.
            worker.terminate();
            let _ = worker.wait(WAIT);
            scene.await_caught_up(&scene.spawn());
        }
    }
}

/// With CREATE on their names the topics are made, and need no more than topics that were there.
#[test]
fn topics_are_made_where_that_is_granted() {
    let Some(scene) = Scene::without_topics(&["acme"]) else { return };
    scene.grant(&scene.permissions());
    let worker = scene.spawn();
    let line = worker.await_log("what is missing", |line| line.contains("can't be created"), WAIT);
    assert!(line.contains(&scene.config.offsets_topic) && line.contains("CREATE"), "{line}");
    let names = scene.topics.iter().chain([&scene.config.offsets_topic]);
    let create: Vec<_> = names.map(|name| (Resource::Topic(name), Operation::Create)).collect();
    scene.grant(&create);
    scene.await_caught_up(&worker);
}
