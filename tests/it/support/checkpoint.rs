//! Checkpoints as Kafka Connect's tools write them, spelled out by hand: nothing of the program's own codec is used.

use super::config_yaml::ConfigYaml;
use super::java_partitioner;
use super::org::Org;
use super::producers::write_fencing;
use super::topics::{Isolation, OwnedRecord, read_all};

/// The SHA-256 of a line feed: the hash of a query with neither `filter` nor `q` (`printf '\n' | sha256sum`).
pub const NO_QUERY: &str = "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b";

/// The key of a connector's checkpoint. Neither part needs escapes.
pub fn key(connector: &str, authority: &str) -> String {
    format!(r#"["{connector}",{{"org":"{authority}"}}]"#)
}

/// The value of a checkpoint; `last` is `published` and `uuid` of the last event, if there was one.
pub fn value(url: &str, last: Option<(&str, &str)>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (published, uuid) = match last {
        Some((published, uuid)) => (quoted(published), quoted(uuid)),
        None => ("null".to_owned(), "null".to_owned()),
    };
    let url = quoted(url);
    format!(r#"{{"v":1,"checkpointUrl":{url},"query":"{NO_QUERY}","published":{published},"uuid":{uuid}}}"#)
}

/// Every committed record under that key, oldest first.
pub fn all(bootstrap: &str, topic: &str, key: &str) -> Vec<OwnedRecord> {
    let mut records = read_all(bootstrap, topic, Isolation::ReadCommitted);
    records.retain(|record| record.key.as_deref() == Some(key.as_bytes()));
    records
}

/// The checkpoint URL of the last committed record under that key.
pub fn last_url(bootstrap: &str, topic: &str, key: &str) -> Option<String> {
    let last = all(bootstrap, topic, key).pop()?;
    let value: serde_json::Value = serde_json::from_slice(last.value.as_deref()?).unwrap();
    value["checkpointUrl"].as_str().map(str::to_owned)
}

/// Writes a connector's checkpoint as a tool should: under the transactional id of its shard. `bootstrap` is where the tool
/// comes in, which may be another address than the worker's.
pub fn alter(bootstrap: &str, config: &ConfigYaml, connector: &str, org: &Org, url: &str) {
    let (key, shard) = (key(connector, &org.authority()), shard(config, connector, org));
    let id = transactional_id(config, connector, org);
    write_fencing(bootstrap, &id, &config.offsets_topic, shard, &key, &value(url, None));
}

/// The shard of a connector.
fn shard(config: &ConfigYaml, connector: &str, org: &Org) -> i32 {
    let key = key(connector, &org.authority());
    java_partitioner::partition(key.as_bytes(), i32::try_from(config.offsets_partitions).unwrap())
}

/// The transactional id of a connector's shard.
pub fn transactional_id(config: &ConfigYaml, connector: &str, org: &Org) -> String {
    format!("{}-{}", config.offsets_topic, shard(config, connector, org))
}

/// A name for a connector of `org` that lives in this shard of four.
pub fn name_in(shard: i32, org: &Org) -> String {
    let lives_there = |name: &String| java_partitioner::partition(key(name, &org.authority()).as_bytes(), 4) == shard;
    (0..).map(|number| format!("connector-{shard}-{number}")).find(lives_there).unwrap()
}
