//! A broker that authorises, for the tests that run at the same time, and the user who may do only what ACLs grant.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::acls::{self, Operation, Permission, Resource};
use super::broker::{Broker, BrokerOptions};
use super::config_yaml::ConfigYaml;
use super::connector::Connector;
use super::exactly_once::Difference;
use super::org::Org;
use super::report::Report;
use super::topics::{Isolation, create_topic, read_all};

const WAIT: Duration = Duration::from_secs(60);

pub const USER: &str = "app";
pub const PASSWORD: &str = "app-secret";

/// The broker that these tests share; whoever comes without a login may do everything there.
pub fn broker() -> Option<Arc<Broker>> {
    static BROKER: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
    let mut shared = BROKER.lock().unwrap();
    if let Some(broker) = shared.upgrade() {
        return Some(broker);
    }
    let broker = Arc::new(Broker::start(BrokerOptions::default().login(USER, PASSWORD))?);
    *shared = Arc::downgrade(&broker);
    Some(broker)
}

/// A configuration whose program logs in as [`USER`].
pub fn config(broker: &Broker) -> ConfigYaml {
    ConfigYaml::new(&broker.login_address())
        .kafka("security.protocol: sasl_plaintext")
        .kafka("sasl.mechanism: PLAIN")
        .kafka(&format!("sasl.username: {USER}"))
        .kafka(&format!("sasl.password: {PASSWORD}"))
}

/// A worker whose connectors share one shard, and who logs in as somebody who may do nothing yet.
pub struct Scene {
    pub broker: Arc<Broker>,
    pub orgs: Vec<Org>,
    pub config: ConfigYaml,
    /// Data and dead letter topics.
    pub topics: Vec<String>,
    /// What every transactional id begins with.
    pub id_prefix: String,
    /// README's commands, with these names.
    readme: Vec<String>,
}

impl Scene {
    /// With a connector for each name, and the topics already there.
    pub fn with(names: &[&str]) -> Option<Self> {
        let scene = Self::without_topics(names)?;
        let bootstrap = scene.broker.bootstrap();
        create_topic(&bootstrap, &scene.config.offsets_topic, 1, &[("cleanup.policy", "compact")]);
        for topic in &scene.topics {
            create_topic(&bootstrap, topic, 3, &[]);
        }
        Some(scene)
    }

    pub fn without_topics(names: &[&str]) -> Option<Self> {
        let broker = broker()?;
        let mut config = config(&broker).offsets_partitions(1);
        config.group_id = format!("group-of-{}", config.offsets_topic);
        let mut orgs = Vec::new();
        for name in names {
            let org = Org::with_events(320);
            config = config.connector(org.connector(name).interval("200ms"));
            orgs.push(org);
        }
        let topics = config.connectors.iter().flat_map(|one| [one.topic.clone(), dead_letters(&one.topic)]).collect();
        let id_prefix = format!("{}-", config.offsets_topic);
        let mut scene = Self { broker, orgs, config, topics, id_prefix, readme: Vec::new() };
        scene.readme = scene.commands();
        Some(scene)
    }

    /// README's commands, with the names of this scene.
    fn commands(&self) -> Vec<String> {
        let (data, dead_letters): (Vec<_>, Vec<_>) = self.topics.iter().partition(|topic| !topic.ends_with(".dlq"));
        let topics =
            |names: Vec<&String>| names.iter().map(|name| format!("{name} ")).collect::<Vec<_>>().join("--topic ");
        let with_names = |command: &&str| {
            let mut words = format!("{command} ")
                .replace("--group okta-kafka-source-offsets ", &format!("--group {} ", self.config.group_id))
                .replace(
                    "--transactional-id okta-kafka-source-offsets- ",
                    &format!("--transactional-id {} ", self.id_prefix),
                )
                .replace("--topic okta-kafka-source-offsets ", &format!("--topic {} ", self.config.offsets_topic))
                .replace("okta.system-log.dlq ", &topics(dead_letters.clone()));
            words = words.replace("okta.system-log ", &topics(data.clone()));
            assert!(!words.contains("okta"), "a name is left in README's command: {words}");
            words
        };
        acls::readme_commands().iter().map(with_names).collect()
    }

    /// What README lists, without what is needed only for topics to be made.
    pub fn permissions(&self) -> Vec<Permission<'_>> {
        let is_for_making =
            |(resource, operation): &Permission<'_>| *operation == Operation::Create || *resource == Resource::Cluster;
        self.all_permissions().into_iter().filter(|permission| !is_for_making(permission)).collect()
    }

    /// The group has the offsets topic's name, as it has by default.
    pub fn with_default_group(mut self) -> Self {
        self.config.group_id.clone_from(&self.config.offsets_topic);
        self.readme = self.commands();
        self
    }

    /// All that README lists.
    pub fn all_permissions(&self) -> Vec<Permission<'_>> {
        self.readme.iter().flat_map(|command| acls::granted_by(command)).collect()
    }

    /// Grants the table but for what `missing` says.
    pub fn grant_but(&self, missing: impl Fn(&Permission<'_>) -> bool) {
        let permissions: Vec<_> = self.permissions().into_iter().filter(|permission| !missing(permission)).collect();
        assert!(permissions.len() < self.permissions().len(), "nothing is missing");
        self.grant(&permissions);
    }

    pub fn grant(&self, permissions: &[Permission<'_>]) {
        acls::grant(&self.broker.bootstrap(), USER, permissions);
    }

    /// `check` has nothing to say but that this is a cluster of one broker.
    pub fn assert_all_ok(&self) {
        let report = Report::of(&self.config);
        assert_eq!(report.code, 0, "{report}");
        assert_eq!(self.complaints(&report), Vec::<&str>::new(), "{report}");
    }

    /// The lines that are not ok, without what a cluster of one broker and the tests' short interval cause, and without a
    /// group of another name than the offsets topic's.
    pub fn complaints<'a>(&self, report: &'a Report) -> Vec<&'a str> {
        let is_expected = |line: &&str| {
            line.starts_with("warn") && (line.contains("1 replica ") || line.starts_with("warn file: "))
                || line.starts_with(&format!("warn transactional id `{}-check`", self.config.group_id))
        };
        report.lines().filter(|line| !line.starts_with("ok ") && !is_expected(line)).collect()
    }

    pub fn spawn(&self) -> Connector {
        Connector::spawn(&self.config, &[])
    }

    pub fn org(&self, name: &str) -> &Org {
        &self.orgs[self.index(name)]
    }

    pub fn topic(&self, name: &str) -> &str {
        &self.config.connectors[self.index(name)].topic
    }

    fn index(&self, name: &str) -> usize {
        self.config.connectors.iter().position(|one| one.name == name).unwrap()
    }

    /// All of the org's events are in the topic, each once.
    pub fn assert_exactly_once(&self, name: &str) {
        let records = read_all(&self.broker.bootstrap(), self.topic(name), Isolation::ReadCommitted);
        let difference = Difference::between(self.org(name).uuids().iter().map(String::as_str), &records);
        assert!(difference.is_none(), "{name}: {difference}");
    }

    pub fn await_caught_up(&self, worker: &Connector) {
        for (one, org) in self.config.connectors.iter().zip(&self.orgs) {
            worker.await_caught_up(org, &one.name, WAIT);
            self.assert_exactly_once(&one.name);
        }
    }
}

/// The dead letter topic's name, by default.
pub fn dead_letters(topic: &str) -> String {
    format!("{topic}.dlq")
}
