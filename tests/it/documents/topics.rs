//! docs/kafka-services.md: the topics that are made by hand are as the program makes them.

use std::collections::BTreeMap;

use okta_kafka_source::config::Config;
use okta_kafka_source::worker::{connector_topics, offsets_topic};

use super::all;
use super::commands::simple_commands;

const CONFIG: &str = "
kafka: {bootstrap.servers: localhost:9092}
connectors:
  - {name: acme, org: https://acme.okta.com, auth: {ssws: token}, topic: okta.system-log}
";

#[test]
fn topics_made_by_hand_are_as_the_program_makes_them() {
    let documents = all();
    let guide = documents.iter().find(|document| document.name == "docs/kafka-services.md").unwrap();
    let shell = guide.blocks.iter().filter(|block| block.language == "sh");
    let commands: Vec<Vec<String>> = shell.flat_map(|block| simple_commands(&block.text)).collect();
    let made = commands.iter().filter(|words| words.iter().any(|word| word == "--create")).map(|words| {
        let values = |option: &str| {
            let pairs = words.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].clone());
            pairs.collect::<Vec<String>>()
        };
        assert_eq!(values("--replication-factor"), ["3"], "{words:?}");
        let config = values("--config").into_iter().map(|setting| {
            let (key, value) = setting.split_once('=').unwrap();
            (key.to_owned(), value.to_owned())
        });
        (values("--topic").concat(), (values("--partitions").concat(), config.collect()))
    });
    let made: BTreeMap<String, (String, BTreeMap<String, String>)> = made.collect();

    let config = Config::parse(CONFIG, &|_| None).unwrap();
    let connector = &config.connectors[0];
    let mut expected = vec![offsets_topic::wanted(&config.offsets)];
    expected.extend(connector_topics::wanted(connector, connector_topics::age(connector)));
    assert_eq!(made.len(), expected.len(), "{made:?}");
    for mut wanted in expected {
        // With three replicas the program asks for it too. The segments' size is left to services, which may refuse ours.
        let _ = wanted.config.insert("min.insync.replicas".to_owned(), "2".to_owned());
        let _ = wanted.config.remove("segment.bytes");
        assert_eq!(made.get(wanted.name), Some(&(wanted.partitions.to_string(), wanted.config)), "{}", wanted.name);
    }
}
