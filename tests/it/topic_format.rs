//! `format` changed in place: the topic's readers would break at the first record, so none is written.

use std::time::Duration;

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::org::Org;
use crate::support::producers;
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, delete_records, end_offsets, read_all};

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn a_topic_with_records_of_the_other_format_is_not_written() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let bootstrap = kafka.bootstrap();
    let (acme_org, beta_org) = (Org::with_events(30), Org::with_events(30));
    let base = ConfigYaml::new(bootstrap).schema_registry(&registry.url());
    let (acme, beta) = (acme_org.connector("acme").interval("200ms"), beta_org.connector("beta").interval("200ms"));
    let (acme_topic, beta_topic) = (acme.topic.clone(), beta.topic.clone());
    // Somebody else writes JSON there as well: that is no affair of ours.
    create_topic(bootstrap, &beta_topic, 3, &[("retention.ms", "-1")]);
    producers::write(bootstrap, &beta_topic, 0, "theirs", "{\"order\":1}");
    let with = |acme_format: &str, beta_format: &str| {
        let of = |connector: &ConnectorYaml, format: &str| connector.clone().extra(&format!("format: {format}"));
        base.clone().connector(of(&acme, acme_format)).connector(of(&beta, beta_format))
    };
    let worker = Connector::spawn(&with("json", "avro"), &[]);
    worker.await_caught_up(&acme_org, "acme", WAIT);
    worker.await_caught_up(&beta_org, "beta", WAIT);
    worker.stop();

    let asked = [acme_org.request_count(), beta_org.request_count()];
    let swapped = with("avro", "json");
    let worker = Connector::spawn(&swapped, &[]);
    for (name, topic, found, wanted) in [("acme", &acme_topic, "json", "avro"), ("beta", &beta_topic, "avro", "json")] {
        worker.await_state(name, "failed", WAIT);
        let line = worker.await_log("why", |line| line.contains("connector failed") && line.contains(topic), WAIT);
        assert!(line.contains(&format!("as `{found}`, and the connector has `format: {wanted}`")), "{line}");
    }
    assert_eq!([acme_org.request_count(), beta_org.request_count()], asked, "nothing is asked that can't be published");
    let file = ConfigFile::new(&swapped.render());
    let output = connector::run(&["check", "-c", utf8(&file.path())], &[], WAIT);
    assert_eq!(output.code(), 1, "{output:?}");
    for topic in [&acme_topic, &beta_topic] {
        let told = output.stdout.lines().any(|line| line.starts_with("FAIL topic") && line.contains(topic));
        assert!(told, "{output:?}");
    }
    worker.stop();
    assert_eq!(read_all(bootstrap, &beta_topic, Isolation::ReadCommitted).len(), 31);

    // The ways out: nobody needs the records, or the format is what it was.
    for (partition, (_, end)) in end_offsets(bootstrap, &acme_topic) {
        delete_records(bootstrap, &acme_topic, partition, end);
    }
    acme_org.generate(20);
    let worker = Connector::spawn(&with("avro", "avro"), &[]);
    worker.await_caught_up(&acme_org, "acme", WAIT);
    worker.await_caught_up(&beta_org, "beta", WAIT);
    let records = read_all(bootstrap, &acme_topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 20);
    assert!(records.iter().all(|record| record.header("content-type") == Some("application/avro")));
}
