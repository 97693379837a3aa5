//! A topic with records of two versions, read by libraries that are not ours with a third.

use std::fs;

use okta_kafka_source::convert::avro::Encoder;
use okta_kafka_source::simulator::SimulatorConfig;

use super::{EARLIER, Version, next, reading, versions};
use crate::support::org::Org;
use crate::support::producers;
use crate::support::prove;
use crate::support::readers::{AvroTopic, Readers, Verdict};
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{create_topic, random_name};

/// Half of the topic was written by the earlier version, half by the current one, under one subject of FULL_TRANSITIVE.
/// Readers in Python and Java get each record by the schema it was written with, as the event it is; and by the
/// earlier schema, and by the next one, they get what these have of it.
#[test]
fn a_topic_of_two_versions_is_read_with_any_schema() {
    let (Some(kafka), Some(registry), Some(readers)) = (shared_broker(), shared_registry(), Readers::there()) else {
        return;
    };
    let topic = random_name("evolution");
    create_topic(kafka.bootstrap(), &topic, 3, &[]);
    let subject = format!("{topic}-value");
    registry.set_compatibility(&subject, "FULL_TRANSITIVE");
    let versions = versions();
    let (earlier, current) = (&versions[0], &versions[versions.len() - 2]);
    let [earlier_id, current_id] =
        [earlier, current].map(|version| registry.register(&subject, &version.text).unwrap());

    let org = Org::start(SimulatorConfig { events: 200, ..SimulatorConfig::default() });
    let encoder = Encoder::new(current_id);
    let (mut events, mut records) = (Vec::new(), Vec::new());
    for (number, event) in org.events().iter().enumerate() {
        let encoded = encoder.encode(&event.raw).unwrap();
        let uuid = event.uuid.as_deref().unwrap().to_owned();
        let (text, value) = if number % 2 == 0 {
            (String::from_utf8(event.raw.to_vec()).unwrap(), encoded.value.to_vec())
        } else {
            as_the_earlier_version(earlier_id, earlier, current, &encoded.value[5..])
        };
        events.push(text);
        records.push((uuid, value));
    }
    let records: Vec<(&str, Vec<u8>)> = records.iter().map(|(uuid, value)| (uuid.as_str(), value.clone())).collect();
    producers::write_all(kafka.bootstrap(), &topic, &records);

    let folder = tempfile::tempdir().unwrap();
    let of = AvroTopic { bootstrap: kafka.bootstrap(), registry: &registry.url(), topic: &topic };
    let mut read = 0;
    for (name, schema) in [("earlier", EARLIER.to_owned()), ("next", next().to_string())] {
        let file = folder.path().join(format!("{name}.avsc"));
        fs::write(&file, schema).unwrap();
        // Shortened, each schema is one reader's and each reader has one: starting them is what takes time.
        if prove::full() || name == "earlier" {
            readers.python(&of, &events, Some(&file)).must_have_read_by(name);
            read += 1;
        }
        if prove::full() || name == "next" {
            readers.java(&of, &events, Some(&file)).must_have_read_by(name);
            read += 1;
        }
    }
    prove::row(
        "schema-versions-read",
        "A topic with records of two versions of the schema is read with any version",
        "100 records of an earlier version and 100 of the current one, read with the schema of each, an earlier and a later one",
        &format!(
            "{read} readings by Python (confluent-kafka) and Java (Avro): each record is its event, and none is missing"
        ),
    );
}

impl Verdict {
    fn must_have_read_by(&self, version: &str) {
        self.must_be_equal(version);
        assert_eq!((self.records, self.older), (200, 200), "{version}: {self:?}");
    }
}

/// An event without what the earlier version does not know, and its record by that version.
fn as_the_earlier_version(id: u32, earlier: &Version, current: &Version, datum: &[u8]) -> (String, Vec<u8>) {
    let mut value = reading::read(current, earlier, datum);
    let members = value.as_object_mut().unwrap();
    // Its pointers lead into `changeDetails`, which the earlier version has no field for.
    let unmapped = members.remove("unmapped").unwrap_or_default();
    for pointer in unmapped.as_object().into_iter().flatten().map(|(pointer, _)| pointer) {
        assert!(pointer.contains("/changeDetails/"), "{pointer}");
    }
    let header = [vec![0], id.to_be_bytes().to_vec()].concat();
    let binary = reading::write(earlier, &value);
    value.as_object_mut().unwrap().remove("publishedAt").expect("every event of the org has a time");
    (value.to_string(), [header, binary].concat())
}
