//! `format: avro` in the running program: what readers decode is what Okta sent, and what no record can hold is kept.

use std::time::Duration;

use okta_kafka_source::simulator::{DriftFrom, SimulatorConfig};

use crate::support::avro;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::org::Org;
use crate::support::prove;
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, alter_topic, create_topic, read_all};

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn every_record_decodes_to_what_okta_sent_and_the_rest_is_kept() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let events = prove::scale(20_000, 3_000);
    let seed = prove::seed();
    // The odd ones come first.
    let drift_from = Some(DriftFrom::Event(events / 2));
    let shares = SimulatorConfig { events, seed, drift_from, awkward: 0.2, unpublishable: 0.05, ..Default::default() };
    let org = Org::start(shares);
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    let worker =
        Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme), &[]);
    worker.await_caught_up(&org, "acme", WAIT);

    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let letters = read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted);
    let difference = avro::difference(&org, &records, &letters);
    assert!(difference.is_none(), "{difference}; OKS_SEED={seed}");
    let (id, _) = registry.latest(&format!("{topic}-value")).expect("the schema was registered");
    assert!(records.iter().all(|record| record.value.as_deref().is_some_and(|value| value[1..5] == id.to_be_bytes())));
    let unmapped = avro::assert_equal(&org, &records, registry);

    // What is counted is what is there (I10).
    let count = |name: &str, labels: &[(&str, &str)]| worker.of("acme", name, labels).unwrap();
    assert_eq!(count("events_committed_total", &[]), records.len() as f64);
    assert_eq!(count("unmapped_fields_total", &[]), unmapped as f64);
    let of_stage =
        |stage| letters.iter().filter(|letter| letter.header("__connect.errors.stage") == Some(stage)).count();
    for stage in ["KEY_CONVERTER", "VALUE_CONVERTER"] {
        assert!(of_stage(stage) > 0, "{stage}");
        assert_eq!(count("dead_letters_total", &[("stage", stage)]), of_stage(stage) as f64, "{stage}");
    }
    let of_class = |class| {
        letters.iter().filter(|letter| letter.header("__connect.errors.exception.class.name") == Some(class)).count()
    };
    assert!(of_class("DuplicateMember") > 0 && of_class("TooDeep") > 0);
    assert_eq!(of_class("DuplicateMember") + of_class("TooDeep"), of_stage("VALUE_CONVERTER"));
    // Who is on call reads which members those are, each once, and none of what is in them.
    let log = worker.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("kept in `unmapped`")).collect();
    for (member, more) in [
        ("/securityContext/asNumber", "expected=\"a whole number within 2^53\""),
        ("/version", "found=\"a number\" expected=\"a string of Unicode text\""),
        ("/entityRisk", "the schema does not know this member"),
        ("/client/tlsFingerprint", "the schema does not know this member"),
        ("/debugContext/debugData/*", "this map holds strings alone"),
    ] {
        let of_member = told.iter().filter(|line| line.contains(&format!("member=\"{member}\"")));
        let lines: Vec<_> = of_member.collect();
        assert!(lines.len() == 1 && lines[0].contains(more), "{member}: {lines:?} of {told:?}");
    }
    let start = format!(
        "writes Avro by the schema that the registry has connector=\"acme\" subject=\"{topic}-value\" schema_id={id}"
    );
    assert_eq!(log.lines().filter(|line| line.contains(&start)).count(), 1, "{start}: {log}");
    prove::row(
        "avro",
        "An Avro record decodes to what Okta sent, whatever that is; what no record can hold is kept byte for byte",
        &format!("{events} events, a fifth of them odd and one in 20 impossible to publish; seed {seed}"),
        &format!(
            "{difference} in topic and dead letter topic together; {} records decode to the org's JSON, {unmapped} of their \
             values from `unmapped`; {} dead letters",
            records.len(),
            letters.len()
        ),
    );
}

/// A dead letter that its topic takes by now is published again as Avro: Okta's bytes are kept, and not the value.
#[test]
fn a_dead_letter_is_published_again_as_avro() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let org = Org::with_events(10);
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(20_000).collect();
    org.append([
        format!(r#"{{"uuid":"large","published":"2026-11-01T00:00:00.000Z","displayMessage":"{noise}"}}"#),
        r#"{"uuid":"twice","severity":"INFO","severity":"WARN"}"#.to_owned(),
    ]);
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 3, &[("max.message.bytes", "10000"), ("retention.ms", "-1")]);
    let config = ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.stop();
    assert_eq!(read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted).len(), 10);

    alter_topic(kafka.bootstrap(), &topic, &[("max.message.bytes", "100000"), ("retention.ms", "-1")]);
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    for (more, results) in [(&["--dry-run"][..], ["publishable", "left"]), (&[], ["published", "left"])] {
        let output =
            connector::run(&[&["dead-letters", "replay", "acme", "-c", utf8(&path)], more].concat(), &[], WAIT);
        assert_eq!(output.code(), 0, "{output:?}");
        for result in results {
            assert!(output.stdout.contains(&format!(r#""result":"{result}""#)), "{output:?}");
        }
        assert!(output.stdout.contains("DuplicateMember"), "{output:?}");
    }
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 11);
    let _ = avro::assert_equal(&org, &records, registry);
}

/// Who tolerates no errors is not passed by an event that no record can hold.
#[test]
fn without_tolerance_an_event_that_no_record_can_hold_fails_the_connector() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let org = Org::with_events(10);
    org.append([r#"{"uuid":"twice","severity":"INFO","severity":"hush-hush"}"#]);
    let acme = org.connector("acme").interval("200ms").extra("format: avro").extra("errors_tolerance: none");
    let acme = acme.extra("limit: 10");
    let topic = acme.topic.clone();
    let worker =
        Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme), &[]);
    worker.await_state("acme", "failed", WAIT);
    let line = worker.await_log("why it failed", |line| line.contains("connector failed"), WAIT);
    for part in ["`twice`", "DuplicateMember", "`/severity`", "errors_tolerance"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!worker.log().contains("hush-hush"));
    assert_eq!(read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted).len(), 10, "the page before it");
}
