//! `query --to-topic` while Kafka is killed under it: back soon, or not before the query has given up.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::org::Org;
use crate::support::process::Stream;
use crate::support::prove;
use crate::support::topics::{Isolation, random_name, read_all};

const WAIT: Duration = Duration::from_secs(120);
const EVENTS: usize = 600;

#[test]
fn a_query_outlives_a_broker_that_comes_back_and_gives_up_without_half_a_page() {
    let Some(kafka) = Broker::start(BrokerOptions::default()) else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(EVENTS);
    let uuids: BTreeSet<String> = org.uuids().into_iter().collect();
    // It is given up after half a minute, which is too long for the short run.
    let stays_away = prove::scale(&[false, true, false, true][..], &[false]);
    for (round, &stays_away) in stays_away.iter().enumerate() {
        let config = ConfigYaml::new(&bootstrap).connector(org.connector("acme"));
        let file = ConfigFile::new(&config.render());
        let (path, topic) = (file.path(), random_name("query-lost"));
        let arguments = ["query", "acme", "-c", utf8(&path), "--to-topic", &topic, "--limit", "10", "--since", "90d"];
        let before = org.request_count();
        let process = connector::spawn(&arguments, &[]);
        org.await_requests(before + 5 + 9 * round, WAIT);
        kafka.kill9();
        if !stays_away {
            kafka.restart();
            assert_eq!(process.wait(WAIT).code(), Some(0), "{}", process.tail(20));
            let records = read_all(&bootstrap, &topic, Isolation::ReadCommitted);
            let keys: BTreeSet<String> = records.iter().map(|record| record.key_text().to_owned()).collect();
            assert_eq!((records.len(), &keys), (EVENTS, &uuids), "once each");
            continue;
        }
        assert_eq!(process.wait(WAIT).code(), Some(1), "{}", process.tail(20));
        let said = process.text(Stream::Stderr);
        let wanted = [
            "error: Kafka did not take a page (nobody listens at `",
            "and nothing of it is published: check that the brokers are up, and go on with the command that is printed",
            "ended early, after ",
        ];
        assert!(wanted.iter().all(|wanted| said.contains(wanted)), "{said}");
        kafka.restart();
        // The transaction that could not be aborted is ended by the next query's start; one that asks for nothing is enough.
        let nothing = ["query", "acme", "-c", utf8(&path), "--to-topic", &topic, "--since", "120d", "--until", "119d"];
        assert_eq!(connector::run(&nothing, &[], WAIT).code(), 0);
        let committed = read_all(&bootstrap, &topic, Isolation::ReadCommitted).len();
        let told = said.split("ended early, after ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert_eq!(committed.to_string(), told, "what is told to be there is there: {said}");
        assert!(committed.is_multiple_of(10) && committed > 0 && committed < EVENTS, "{committed}");
        // The printed command gets the rest.
        let command = said.lines().find(|line| line.trim_start().contains(" query acme ")).expect("a command");
        let rest = Command::new("bash").args(["-c", command]).output().unwrap();
        assert!(rest.status.success(), "{command}: {rest:?}");
        let records = read_all(&bootstrap, &topic, Isolation::ReadCommitted);
        let keys: BTreeSet<String> = records.iter().map(|record| record.key_text().to_owned()).collect();
        assert_eq!(keys, uuids);
        // Those of the last millisecond come again.
        assert!(records.len() < EVENTS + 10, "{} records of {EVENTS} events", records.len());
    }
    prove::row(
        "query-broker-lost",
        "A query into a topic outlives a broker that comes back, and gives up without half a page where it does not",
        &format!(
            "kill -9 of the broker within `query --to-topic` of {EVENTS} events in pages of 10, {} times",
            stays_away.len()
        ),
        "all once where it came back; else exit code 1, as many records as were told, in whole pages, and the printed command got the rest",
    );
}
