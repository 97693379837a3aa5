//! `check`: a line for each thing that `run` needs, what to do where it is wrong, and nothing changed by looking.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{FaultKind, Faults, SimulatorConfig};

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::checkpoint;
use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::Connector;
use crate::support::java_partitioner;
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::producers;
use crate::support::prove;
use crate::support::report::Report;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{all_topics, create_topic, end_offsets, topic_exists};

const WAIT: Duration = Duration::from_secs(60);
/// README's promise for everything unreachable.
const BOUND: Duration = Duration::from_secs(30);

fn faulty(kind: FaultKind) -> Org {
    let faults = Faults::new([(kind, 1.0)]).unwrap();
    Org::start(SimulatorConfig { events: 20, faults, ..SimulatorConfig::default() })
}

/// Before the first start, and beside a worker at work: all is well, and not a byte is changed.
#[test]
fn all_is_well_and_nothing_is_changed() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(150);
    let acme = org.connector("acme").interval("200ms");
    let topics = [acme.topic.clone(), format!("{}.dlq", acme.topic)];
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let all = [&config.offsets_topic, &topics[0], &topics[1]];

    let report = Report::of(&config);
    assert_eq!(report.code, 0, "{report}");
    assert_eq!(report.stderr, "", "{report}");
    report.assert("ok", "file", &["1 connector"]);
    report.assert(
        "ok",
        "connector `acme`",
        &[org.url(), "rate limit 60000 requests, 59999 left", "`rate_limit_share` allows 48000", "clocks 0 s apart"],
    );
    report.assert("ok", "broker", &[kafka.bootstrap(), "no TLS and no login"]);
    report.assert("ok", &format!("transactional id `{}-check`", config.offsets_topic), &["aborted"]);
    report.assert("ok", &format!("group `{}`", config.group_id), &[]);
    report.assert("ok", &format!("offsets topic `{}`", all[0]), &["not there yet, and may be created with 4 part"]);
    report.assert("ok", "checkpoint of `acme`", &["none yet: a cold start at 20"]);
    report.assert("ok", &format!("topic `{}`", all[1]), &["not there yet, and may be created with 3 part"]);
    report.assert("ok", &format!("dead letter topic `{}`", all[2]), &["not there yet", "takes 8388608 B"]);
    for topic in all {
        assert!(!topic_exists(kafka.bootstrap(), topic), "{topic} was made");
    }
    let asked: Vec<String> = org.requests().iter().map(|request| request.target.clone()).collect();
    assert!(asked.len() == 1 && asked[0].contains("limit=1&") || asked[0].ends_with("limit=1"), "{asked:?}");

    // Beside a worker.
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let ends =
        |topic: &&String| -> BTreeMap<i32, (i64, i64)> { end_offsets(kafka.bootstrap(), topic).into_iter().collect() };
    let before: Vec<_> = all.iter().map(ends).collect();
    let known = all_topics(kafka.bootstrap()).into_iter().filter(|topic| all.contains(&topic)).count();
    let runs = prove::scale(20, 3);
    let mut longest = Duration::ZERO;
    for _ in 0..runs {
        let began = Instant::now();
        let report = Report::of(&config);
        assert_eq!(report.code, 0, "{report}");
        longest = longest.max(began.elapsed());
        report.assert("ok", &format!("topic `{}`", all[1]), &["3 partitions"]);
        report.assert("ok", "checkpoint of `acme`", &["goes on after the event of 20"]);
    }
    assert_eq!(all.iter().map(ends).collect::<Vec<_>>(), before);
    assert_eq!(known, 3);
    org.generate(120);
    worker.await_caught_up(&org, "acme", WAIT);
    assert!(!worker.log().contains("fenced") && !worker.log().contains("again"), "{}", worker.log());
    let committed = worker.of("acme", "transactions_total", &[("result", "committed")]).unwrap();
    for result in ["fenced", "aborted"] {
        assert_eq!(worker.of("acme", "transactions_total", &[("result", result)]), Some(0.0), "{result}");
    }
    prove::row(
        "check",
        "`check` changes nothing, also beside a worker at work",
        &format!("{runs} times beside a worker; before that once with no topic there"),
        &format!(
            "all ends of all partitions as before, no topic made, no transaction of the worker fenced or aborted ({committed} \
             committed), one request of one event for each run; {:.1} s at most",
            longest.as_secs_f64()
        ),
    );
}

/// Every org is wrong in a way of its own; each is said, and none keeps the others from being asked.
#[test]
fn each_broken_org_has_its_line() {
    let good = Org::with_events(10);
    let ahead = Faults::new([(FaultKind::DateOff, 1.0)]).unwrap();
    let clock = |seconds| {
        let config = SimulatorConfig {
            events: 5,
            date_offset_seconds: seconds,
            faults: ahead.clone(),
            ..SimulatorConfig::default()
        };
        Org::start(config)
    };
    let (ahead_of_us, behind_us) = (clock(3_600), clock(-90));
    let kinds = [
        ("forbidden", FaultKind::Http403, &["403", "Read-only Administrator"][..]),
        ("query", FaultKind::Http400, &["400", "correct `filter`"]),
        ("trouble", FaultKind::Http500, &["500", "status.okta.com"]),
        ("maintenance", FaultKind::Http503, &["503", "status.okta.com"]),
        ("limited", FaultKind::RateLimit, &["429", "try again in"]),
        ("crowded", FaultKind::Concurrency, &["at once", "try again in"]),
        ("cut", FaultKind::Cut, &["no answer", "check `org`"]),
        ("truncated", FaultKind::Truncate, &["broke off", "check `org`"]),
        ("redirected", FaultKind::Redirect, &["not-the-org.example.com", "set `org`"]),
        ("stranger", FaultKind::WrongOrigin, &["not-the-org.example.com"]),
    ];
    let orgs: Vec<Org> = kinds.iter().map(|(_, kind, _)| faulty(*kind)).collect();
    // Not Kafka: the last line says so, and nothing else is said of it.
    let bootstrap = format!("127.0.0.1:{}", free_port());
    let mut config = ConfigYaml::new(&bootstrap)
        .connector(good.connector("good"))
        .connector(ahead_of_us.connector("ahead"))
        .connector(behind_us.connector("behind"))
        .connector(ConnectorYaml::new("wrong-token", good.url(), "00notthetokenatall"))
        .connector(ConnectorYaml::new("nobody", &format!("http://127.0.0.1:{}", free_port()), "00token"));
    for ((name, ..), org) in kinds.iter().zip(&orgs) {
        config = config.connector(org.connector(name));
    }
    let began = Instant::now();
    let report = Report::of(&config);
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert_eq!(report.code, 1, "{report}");
    report.assert("ok", "connector `good`", &[]);
    report.assert("warn", "connector `ahead`", &["s ahead of", "NTP"]);
    report.assert("ok", "connector `ahead`", &["clocks 3"]);
    report.assert("warn", "connector `behind`", &["s behind", "NTP"]);
    report.assert("FAIL", "connector `wrong-token`", &["401", "make a new API token"]);
    report.assert("FAIL", "connector `nobody`", &["no answer", "check `org`"]);
    for (name, _, parts) in kinds {
        report.assert("FAIL", &format!("connector `{name}`"), parts);
    }
    report.assert("FAIL", "broker", &[&bootstrap, "nobody listens", "check `bootstrap.servers`"]);
    let failed = 2 + kinds.len() + 1;
    assert_eq!(report.count("FAIL"), failed, "{report}");
    assert!(report.stderr.contains(&format!("{failed} of")), "{report}");
    // In the file's order.
    let order: Vec<&str> =
        report.lines().filter_map(|line| line.strip_prefix("FAIL connector `")?.split('`').next()).collect();
    let expected: Vec<&str> = ["wrong-token", "nobody"].into_iter().chain(kinds.map(|(name, ..)| name)).collect();
    assert_eq!(order, expected);
    for secret in [good.token(), "00notthetokenatall"] {
        assert!(!report.to_string().contains(secret), "a token is shown");
    }
}

/// Every topic is wrong in a way of its own.
#[test]
fn each_broken_topic_has_its_line() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(10);
    let mut config = ConfigYaml::new(kafka.bootstrap()).offsets_partitions(4);
    config.group_id = format!("group-of-{}", config.offsets_topic);
    create_topic(kafka.bootstrap(), &config.offsets_topic, 7, &[("cleanup.policy", "compact,delete")]);
    let mut names = HashMap::new();
    for (name, settings) in [
        ("fine", &[][..]),
        ("short", &[("retention.ms", "3600000")]),
        ("arrival", &[("message.timestamp.type", "LogAppendTime")]),
        ("large", &[("max.message.bytes", "20000000")]),
    ] {
        let connector = org.connector(name).extra("allow_overlap: true");
        create_topic(kafka.bootstrap(), &connector.topic, 2, settings);
        create_topic(kafka.bootstrap(), &format!("{}.dlq", connector.topic), 1, &[]);
        let _ = names.insert(name, connector.topic.clone());
        config = config.connector(connector);
    }
    for (name, create, retention) in
        [("absent", false, -1), ("unmakeable", true, -7), ("would-be-short", true, 3_600_000)]
    {
        let mut connector = org.connector(name);
        connector.create = create;
        connector.retention_ms = retention;
        let _ = names.insert(name, connector.topic.clone());
        config = config.connector(connector);
    }
    let report = Report::of(&config);
    assert_eq!(report.code, 1, "{report}");
    report.assert("warn", "file", &["`group_id`", &config.group_id]);
    report.assert("ok", &format!("transactional id `{}-check`", config.group_id), &[]);
    let offsets = format!("offsets topic `{}`", config.offsets_topic);
    report.assert("FAIL", &offsets, &["has 7 partitions", "set it to 7"]);
    report.assert("FAIL", &offsets, &["cleanup.policy `compact,delete`", "exactly `compact`"]);
    let topic = |name: &str| format!("topic `{}`", names[name]);
    report.assert("ok", &topic("fine"), &["2 partitions", "keeps for ever"]);
    report.assert("warn", &topic("fine"), &["1 replica and min.insync.replicas 1", "use 3 and 2"]);
    report.assert("FAIL", &topic("short"), &["keeps 1.0 hours", "30.0 days", "raise its `retention.ms`"]);
    report.assert("FAIL", &topic("arrival"), &["`message.timestamp.type`", "`CreateTime`"]);
    report.assert("FAIL", &topic("absent"), &["is not there", "`create: true`"]);
    report.assert("FAIL", &format!("dead letter topic `{}.dlq`", names["absent"]), &["is not there"]);
    report.assert("FAIL", &topic("unmakeable"), &["the broker refuses one of its settings", "`topic.config`"]);
    report.assert("FAIL", &topic("would-be-short"), &["keeps 1.0 hours", "raise its `retention.ms`"]);
    let smaller = format!("dead letter topic `{}.dlq`", names["large"]);
    report.assert("warn", &smaller, &["1048588 B", "20000000 B", "raise its `max.message.bytes`"]);
    assert_eq!(report.count("FAIL"), 8, "{report}");
}

/// What counts for a cold start only, is no failure of a connector that has a checkpoint; what its checkpoint is refused for, is.
#[test]
fn a_checkpoint_decides_what_is_asked_for() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(150);
    let mut acme = org.connector("acme").interval("200ms").since("now");
    acme.retention_ms = 3_600_000;
    let topic = format!("topic `{}`", acme.topic);
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let report = Report::of(&config);
    assert_eq!(report.code, 0, "{report}");
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    org.generate(30);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.terminate();
    let _ = worker.wait(WAIT);

    let mut older = config.clone();
    older.connectors[0].since = "30d".to_owned();
    let report = Report::of(&older);
    assert_eq!(report.code, 0, "{report}");
    report.assert("ok", "checkpoint of `acme`", &["goes on"]);
    report.assert("warn", &topic, &["keeps 1.0 hours", "30.0 days", "goes on from its checkpoint"]);

    let mut another = older.clone();
    another.connectors[0].name = "another".to_owned();
    let report = Report::of(&another);
    assert_eq!(report.code, 1, "{report}");
    let records = format!("`{}` has up to 3", config.connectors[0].topic);
    let ground = ["over old ground", &records, "records from then on, and those of this org are left out"];
    report.assert("ok", "checkpoint of `another`", &[&["none yet", "a cold start at 20"][..], &ground].concat());
    report.assert("FAIL", &topic, &["keeps 1.0 hours", "raise its `retention.ms`"]);

    let changed = |key: &str| {
        let mut changed = config.clone();
        changed.connectors[0] = changed.connectors[0].clone().extra("q: something").extra(key);
        Report::of(&changed)
    };
    let report = changed("on_query_change: fail");
    assert_eq!((report.code, report.count("FAIL")), (1, 1), "{report}");
    report.assert(
        "FAIL",
        "checkpoint of `acme`",
        &["`filter` or `q` changed", "`on_query_change: restart_from_published`"],
    );
    let report = changed("recovery_overlap: 10m");
    assert_eq!(report.code, 0, "{report}");
    let says = ["another `filter` or `q`", "begins again at 20", "less `recovery_overlap`", "over old ground"];
    report.assert("ok", "checkpoint of `acme`", &says);

    // A link whose `since` Okta refuses by now, of a connector that stood still for less or more than Okta keeps events.
    let key = checkpoint::key("acme", &org.authority());
    let shard = java_partitioner::partition(key.as_bytes(), 4);
    let ago = |days: i64| format!("{:.3}", jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days));
    let url = format!("{}/api/v1/logs?since={}&limit=100&after=1_1", org.url(), ago(181).replace(':', "%3A"));
    for (published, status, says) in [
        (ago(1), "ok", &["more than 180 days ago", "begins again at 20"][..]),
        (ago(100), "warn", &["more than 180 days ago", "begins again at 20", "may be missing", "90 days"]),
    ] {
        let value = checkpoint::value(&url, Some((&published, "u-1")));
        producers::write(kafka.bootstrap(), &config.offsets_topic, shard, &key, &value);
        let report = Report::of(&config);
        assert_eq!(report.code, 0, "{report}");
        report.assert(status, "checkpoint of `acme`", says);
        let mut failing = config.clone();
        failing.connectors[0] = failing.connectors[0].clone().extra("on_lost_cursor: fail");
        let report = Report::of(&failing);
        assert_eq!(report.code, 0, "{report}");
        report.assert(
            "warn",
            "checkpoint of `acme`",
            &["more than 180 days ago", "fails, as `on_lost_cursor` is `fail`"],
        );
    }
}

/// A broker that is away in one of the ways there are: one line, in time.
#[test]
fn each_broken_broker_has_its_line() {
    let org = Org::with_events(10);
    // One that takes connections and says nothing, one that is no Kafka, and one that refuses.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("127.0.0.1:{}", free_port());
    let brokers = [
        (silent.local_addr().unwrap().to_string(), "no answer in time"),
        (org.authority(), "set `security.protocol`"),
        (closed, "nobody listens"),
        ("no-such-host.invalid:9092".to_owned(), "is not known"),
    ];
    let org = &org;
    std::thread::scope(|scope| {
        for (bootstrap, reason) in &brokers {
            let _ = scope.spawn(move || {
                let config = ConfigYaml::new(bootstrap).connector(org.connector("acme"));
                let began = Instant::now();
                let report = Report::of(&config);
                assert_eq!(report.code, 1, "{report}");
                report.assert("ok", "connector `acme`", &[]);
                report.assert("FAIL", "broker", &[bootstrap, reason]);
                assert_eq!(
                    report.lines().count(),
                    3 + report.find("warn", "file").count(),
                    "one line of Kafka: {report}"
                );
                assert!(began.elapsed() < BOUND, "{bootstrap}: {:?}", began.elapsed());
            });
        }
    });
}

/// The first answer comes, and sends clients to where nobody is: what `advertised.listeners` often does.
#[test]
fn a_broker_that_advertises_what_is_not_there() {
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(free_port())) else { return };
    let org = Org::with_events(10);
    let config = ConfigYaml::new(&broker.proxied_address()).connector(org.connector("acme"));
    let began = Instant::now();
    let report = Report::of(&config);
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert_eq!(report.code, 1, "{report}");
    // On a slow machine librdkafka asks the dead address already for the metadata, so that it is the broker's line that says it.
    let id = format!("transactional id `{}-check`", config.offsets_topic);
    if report.find("FAIL", "broker").any(|line| line.contains("nobody listens at")) {
        return;
    }
    report.assert("FAIL", &id, &["not had within", "nobody listens at", "every broker above must be reached"]);
}

/// Only the file, and what it names: nothing is asked over the network.
#[test]
fn offline_is_the_file_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "00fromafile\n").unwrap();
    let connector = ConnectorYaml::new("acme", &format!("http://{address}"), &format!("${{file:{}}}", token.display()));
    let config = ConfigYaml::new("${env:OKS_BOOTSTRAP}").connector(connector.interval("5s"));
    let report = Report::with(&config, &["--offline"], &[("OKS_BOOTSTRAP", &address)]);
    assert_eq!((report.code, report.stderr.as_str()), (0, ""), "{report}");
    report.assert("ok", "file", &["1 connector"]);
    report.assert("warn", "file", &["connectors[0].interval", "5s"]);
    assert_eq!(report.lines().count(), 2, "{report}");
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody connected");

    std::fs::remove_file(&token).unwrap();
    let report = Report::with(&config, &["--offline"], &[]);
    assert_eq!((report.code, report.lines().count()), (2, 0), "{report}");
    for part in ["kafka.bootstrap.servers", "OKS_BOOTSTRAP", "connectors[0].auth.ssws"] {
        assert!(report.stderr.contains(part), "{part}: {report}");
    }
}
