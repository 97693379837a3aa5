//! The consumers that schemas/README.md shows: the Python is run as it stands there, the Java is what the tests run.

use std::process::Command;
use std::time::Duration;

use okta_kafka_source::convert::avro::{Encoder, schema};

use crate::support::process::Process;
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{create_topic, random_name};
use crate::support::{producers, python};

const README: &str = include_str!("../../schemas/README.md");

/// The block of code that begins so.
fn block(language: &str, first_line: &str) -> &'static str {
    let begin = format!("```{language}\n");
    let mut blocks = README.split(&begin).skip(1).map(|rest| rest.split_once("```").unwrap().0);
    blocks.find(|block| block.starts_with(first_line)).unwrap_or_else(|| panic!("no block begins with {first_line}"))
}

#[test]
fn the_consumer_of_the_readme_reads_a_topic() {
    let (Some(kafka), Some(registry), Some(python)) = (shared_broker(), shared_registry(), python::there()) else {
        return;
    };
    let topic = random_name("avro");
    create_topic(kafka.bootstrap(), &topic, 1, &[]);
    let id = registry.register(&format!("{topic}-value"), schema::SCHEMA_JSON).unwrap();
    let event = br#"{"uuid":"u-1","published":"2026-11-22T10:00:00.250Z","eventType":"user.session.start","new":[1]}"#;
    let value = Encoder::new(id).encode(event).unwrap().value;
    producers::write_all(kafka.bootstrap(), &topic, &[("u-1", value.to_vec())]);

    let here = [
        ("http://localhost:8081", registry.url()),
        ("localhost:9092", kafka.bootstrap().to_owned()),
        ("okta.system-log-avro", topic.clone()),
    ];
    let program =
        program("from confluent_kafka import Consumer, ", &here).replace("\"example\"", &format!("\"{topic}\""));
    let mut command = Command::new(python);
    let _ = command.args(["-c", &program]);
    let consumer = Process::spawn("consumer of schemas/README.md", command);
    let line = consumer.await_line("the event", |line| line.contains("u-1"), Duration::from_secs(60));
    assert_eq!(line, "2026-11-22 10:00:00.250000+00:00 user.session.start u-1 {'/new': '[1]'}");

    // The program that lists the pointers.
    let counting = program_of_pointers(&here);
    let output = Command::new(python).args(["-c", &counting]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 /new [1]\n", "{output:?}");

    // Where there is no such topic both say so.
    let nowhere = [here[0].clone(), here[1].clone(), (here[2].0, random_name("nowhere"))];
    for program in [self::program("from confluent_kafka import Consumer, ", &nowhere), program_of_pointers(&nowhere)] {
        let output = Command::new(python).args(["-c", &program]).output().unwrap();
        assert!(!output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("UNKNOWN_TOPIC_OR_PART"), "{output:?}");
    }
}

/// A program of the README's, with what is here in the place of its addresses and its topic.
fn program(first_line: &str, here: &[(&str, String)]) -> String {
    let mut program = block("python", first_line).to_owned();
    for (shown, here) in here {
        assert_eq!(program.matches(shown).count(), 1, "{shown}");
        program = program.replace(shown, here);
    }
    program
}

fn program_of_pointers(here: &[(&str, String)]) -> String {
    program("import re\nfrom collections import Counter\n", here)
}

#[test]
fn the_java_of_the_readme_is_what_the_tests_run() {
    let reader = include_str!("../reader/Reader.java");
    let block = block("java", "private static GenericRecord decode");
    for line in block.lines() {
        assert!(line.is_empty() || reader.contains(&format!("    {line}\n")), "not in Reader.java: {line}");
    }
}
