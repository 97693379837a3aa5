//! `dead-letters replay` before a broker that authorises: what it needs, and records that only Kafka's answer names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::acls::{Operation, Permission, Resource};
use crate::support::authorizer::{Scene, dead_letters};
use crate::support::connector::{self, ConfigFile, Output, utf8};
use crate::support::producers;
use crate::support::prove;
use crate::support::topics::{Isolation, alter_topic, end_offsets, read_all};

const WAIT: Duration = Duration::from_secs(90);

fn replay(scene: &Scene) -> Output {
    let file = ConfigFile::new(&scene.config.render());
    connector::run(&["dead-letters", "replay", "acme", "-c", utf8(&file.path())], &[], WAIT)
}

fn event(uuid: &str, published: jiff::Timestamp, bytes: usize) -> Vec<u8> {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
    format!(r#"{{"uuid":"{uuid}","published":"{published}","eventType":"a","x":"{noise}"}}"#).into()
}

/// The names of what README's table says of a replay.
struct Names {
    topic: String,
    dead_letters: String,
    id: String,
    group: String,
}

impl Names {
    fn of(scene: &Scene) -> Self {
        let topic = scene.topic("acme").to_owned();
        let dead_letters = dead_letters(&topic);
        let id = format!("{dead_letters}-replay");
        Self { id, group: format!("{}-dlq-replay", scene.config.group_id), topic, dead_letters }
    }

    fn permissions(&self) -> Vec<Permission<'_>> {
        use Operation::{Read, Write};
        vec![
            (Resource::Topic(&self.dead_letters), Read),
            (Resource::Topic(&self.dead_letters), Write),
            (Resource::Topic(&self.topic), Write),
            (Resource::TransactionalIdPrefix(&self.id), Write),
            (Resource::Group(&self.group), Read),
        ]
    }
}

/// With what README's table says it publishes, and without any part of that it ends with 1, says so, and writes nothing.
#[test]
fn a_replay_needs_what_the_readme_says() {
    let first = fastrand::usize(..5);
    for missing in prove::scale((0..5).collect(), vec![first, (first + 2) % 5]) {
        let Some(scene) = Scene::with(&["acme"]) else { return };
        let names = Names::of(&scene);
        let letter = event("u1", jiff::Timestamp::now(), 10);
        producers::write_letters(&scene.broker.bootstrap(), &names.dead_letters, "acme", &names.topic, &[letter]);
        let mut permissions = names.permissions();
        let (resource, operation) = permissions.remove(missing);
        scene.grant(&permissions);
        let refused = replay(&scene);
        assert_eq!(refused.code(), 1, "without {operation:?} on {resource:?}: {refused:?}");
        let last = refused.stderr.lines().last().unwrap_or_default();
        let (Resource::Topic(name) | Resource::TransactionalIdPrefix(name) | Resource::Group(name)) = resource else {
            panic!("{resource:?}")
        };
        let is_named = last.contains("grant") && last.contains(operation.name()) && last.contains(name);
        assert!(is_named, "without {operation:?} on {resource:?}: {last}");
        assert_eq!(read_all(&scene.broker.bootstrap(), &names.topic, Isolation::ReadCommitted), []);
        scene.grant(&[(resource, operation)]);
        let granted = replay(&scene);
        assert_eq!(granted.code(), 0, "{granted:?}");
        assert!(granted.stderr.contains("published 1, left 0"), "{granted:?}");
        assert_eq!(read_all(&scene.broker.bootstrap(), &names.topic, Isolation::ReadCommitted).len(), 1);
    }
}

/// A topic whose settings may not be seen refuses sizes and times: the culprits are found, a time gives way to the time of
/// sending as in `run`, and all others are published.
#[test]
fn what_kafka_refuses_by_its_answer_alone_is_left() {
    let Some(scene) = Scene::with(&["acme"]) else { return };
    let bootstrap = scene.broker.bootstrap();
    let names = Names::of(&scene);
    scene.grant(&names.permissions());
    let (now, hour) = (jiff::Timestamp::now(), jiff::SignedDuration::from_hours(1));
    alter_topic(
        &bootstrap,
        &names.topic,
        &[("max.message.bytes", "20000"), ("message.timestamp.before.max.ms", "7200000")],
    );
    let mut letters: Vec<Vec<u8>> = (0..60).map(|n| event(&format!("recent-{n}"), now - hour, 200)).collect();
    letters.insert(7, event("large-0", now, 50_000));
    letters.insert(33, event("large-1", now, 30_000));
    // So many culprits, of so many sizes, that a trial for each would take minutes.
    letters.extend((0..60).map(|n| event(&format!("larger-{n}"), now, 21_000 + 500 * (n * 37 % 60))));
    letters.extend((0..5).map(|n| event(&format!("old-{n}"), now - hour * (24 * (n + 1)), 200)));
    producers::write_letters(&bootstrap, &names.dead_letters, "acme", &names.topic, &letters);
    let output = replay(&scene);
    assert_eq!(output.code(), 0, "{output:?}");
    let lines: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let left: Vec<&Value> = lines.iter().filter(|line| line["result"] == "left").collect();
    assert_eq!((lines.len(), left.len()), (127, 62), "{output:?}");
    assert!(output.stderr.contains("WARN") && output.stderr.contains("grant DESCRIBE_CONFIGS on it"), "{output:?}");
    let trials = output.stderr.matches("Current transaction failed").count();
    assert!((1..=30).contains(&trials), "{trials} refused transactions");
    for line in &left {
        assert_eq!(line["reason"], "RecordTooLarge", "{line}");
    }
    let records = read_all(&bootstrap, &names.topic, Isolation::ReadCommitted);
    let times: BTreeMap<&str, i64> = records.iter().map(|one| (one.key_text(), one.timestamp.unwrap())).collect();
    assert_eq!((records.len(), times.len()), (65, 65), "each once");
    for (uuid, time) in &times {
        let is_own = *time == (now - hour).as_millisecond();
        assert_eq!(is_own, uuid.starts_with("recent"), "{uuid} has {time}");
    }
    let ends = end_offsets(&bootstrap, &names.topic);
    let again = replay(&scene);
    assert!(again.stderr.contains("published 0, left 62 (62 RecordTooLarge)"), "{again:?}");
    let committed = read_all(&bootstrap, &names.topic, Isolation::ReadCommitted);
    assert_eq!(committed, records, "ends were {ends:?}");
    prove::row(
        "replay-refused",
        "A letter that only Kafka's answer refuses is left, and the others are published",
        "127 letters for a topic that shows no settings and takes 20,000 B and two hours: 62 too large, five too old; replayed twice",
        &format!(
            "65 published once, those too old with the time of sending; 62 left as RecordTooLarge, both times; {trials} transactions refused"
        ),
    );
}
