//! A broker that authorises: what README says suffices, and what is missing is named and costs no more than it must.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::support::acls::{self, Operation, Resource};
use crate::support::authorizer::{self, Scene, dead_letters};
use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Output};
use crate::support::producers;
use crate::support::prove;
use crate::support::report::Report;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);
/// A connector that another one interrupts goes on within this; it takes about two seconds on an idle machine.
const SOON: Duration = Duration::from_secs(30);

fn offsets_list(config: &ConfigYaml) -> Output {
    let file = ConfigFile::new(&config.render());
    connector::run(&["offsets", "list", "-c", file.path().to_str().unwrap()], &[], WAIT)
}

#[test]
fn what_the_readme_lists_suffices() {
    let Some(scene) = Scene::with(&["acme", "other"]) else { return };
    scene.grant(&scene.permissions());
    scene.assert_all_ok();
    let worker = scene.spawn();
    scene.await_caught_up(&worker);
    let _ = worker.await_http("/readyz", 200, WAIT);
    let log = worker.log();
    assert!(!log.contains("grant"), "something is asked for:\n{log}");
    let listed = offsets_list(&scene.config);
    assert_eq!((listed.code(), listed.stdout.lines().count()), (0, 2), "{listed:?}");
    assert_eq!(listed.stderr, "");

    // Whoever only looks needs less of the group than a worker.
    let mut onlooker = scene.config.clone();
    onlooker.group_id = format!("onlooker-of-{}", scene.config.offsets_topic);
    scene.grant(&[(Resource::Group(&onlooker.group_id), Operation::Describe)]);
    assert_eq!(offsets_list(&onlooker).stdout, listed.stdout);
    let file = ConfigFile::new(&onlooker.render());
    let status = connector::run(&["status", "-c", file.path().to_str().unwrap()], &[], WAIT);
    assert_eq!((status.code(), status.stdout.lines().count()), (0, 2), "{status:?}");
}

/// One may not write its topic, one not its dead letter topic: each fails by itself, and the third, in whose
/// transactions they were, loses nothing.
#[test]
fn a_refused_topic_holds_its_connector_only() {
    let Some(scene) = Scene::with(&["fine", "refused", "refused-dead-letter"]) else { return };
    let (refused, other) = (scene.topic("refused"), dead_letters(scene.topic("refused-dead-letter")));
    let missing = [(Resource::Topic(refused), Operation::Write), (Resource::Topic(&other), Operation::Write)];
    scene.grant_but(|permission| missing.contains(permission));
    // Without WRITE, nothing else would show that they are there.
    scene.grant(&missing.map(|(topic, _)| (topic, Operation::Describe)));
    scene.org("refused-dead-letter").append([b"17"]);
    let worker = scene.spawn();
    for (name, topic) in [("refused", refused), ("refused-dead-letter", &other)] {
        let said = |line: &str| line.contains("connector failed") && line.contains(&format!("connector=\"{name}\""));
        let line = worker.await_log("that the connector failed", said, WAIT);
        assert!(line.contains(topic) && line.contains("grant WRITE and DESCRIBE on it"), "{line}");
    }
    let began = Instant::now();
    for _ in 0..3 {
        worker.await_caught_up(scene.org("fine"), "fine", WAIT);
        scene.assert_exactly_once("fine");
        scene.org("fine").generate(70);
    }
    worker.await_caught_up(scene.org("fine"), "fine", WAIT);
    assert!(began.elapsed() < SOON, "went on after {:?}", began.elapsed());
    scene.assert_exactly_once("fine");
    for name in ["refused", "refused-dead-letter"] {
        worker.await_state(name, "failed", Duration::ZERO);
    }
    assert!(!worker.log().contains("fenced"), "{}", worker.log());

    // Granted, and asked for again by a worker that has just started: nothing was passed over meanwhile.
    scene.grant(&missing);
    worker.terminate();
    let _ = worker.wait(WAIT);
    let worker = scene.spawn();
    for name in ["fine", "refused"] {
        worker.await_caught_up(scene.org(name), name, WAIT);
        scene.assert_exactly_once(name);
    }
    worker.await_caught_up(scene.org("refused-dead-letter"), "refused-dead-letter", WAIT);
    assert_eq!(read_all(&scene.broker.bootstrap(), &other, Isolation::ReadCommitted).len(), 1);
}

#[test]
fn settings_that_may_not_be_seen_are_a_warning() {
    let Some(scene) = Scene::with(&["acme"]) else { return };
    scene.grant_but(|(_, operation)| *operation == Operation::DescribeConfigs);
    let worker = scene.spawn();
    scene.await_caught_up(&worker);
    for topic in [&scene.config.offsets_topic, scene.topic("acme")] {
        let warned = |line: &str| line.contains("WARN") && line.contains(topic) && line.contains("DESCRIBE_CONFIGS");
        assert!(worker.log().lines().any(warned), "no warning of {topic}:\n{}", worker.log());
    }
}

/// The trouble is said, and passes without a restart once it is granted.
#[test]
fn a_group_that_may_not_be_joined_is_named() {
    let Some(scene) = Scene::with(&["acme"]) else { return };
    let group = scene.config.group_id.clone();
    scene.grant_but(|(resource, _)| matches!(resource, Resource::Group(_)));
    let worker = scene.spawn();
    let message = format!("Kafka refuses group `{group}`");
    let line = worker.await_log("a warning of the group", |line| line.contains(&message), WAIT);
    assert!(line.contains("WARN") && line.contains("grant READ on it"), "{line}");
    let ready = worker.await_http("/readyz", 503, WAIT);
    assert!(ready.body.contains(&message) && ready.body.contains("grant READ on it"), "{}", ready.body);
    assert_eq!(scene.org("acme").request_count(), 0);

    scene.grant(&[(Resource::Group(&group), Operation::Read)]);
    scene.await_caught_up(&worker);
    let _ = worker.await_http("/readyz", 200, WAIT);
}

#[test]
fn a_transactional_id_that_may_not_be_had_is_named() {
    let Some(scene) = Scene::with(&["acme"]) else { return };
    scene.grant_but(|(resource, _)| matches!(resource, Resource::TransactionalIdPrefix(_)));
    let worker = scene.spawn();
    let message = format!("transactional id `{}0`", scene.id_prefix);
    let line = worker.await_log("a word of the transactional id", |line| line.contains(&message), WAIT);
    assert!(line.contains("WARN") && line.contains("grant WRITE and DESCRIBE"), "{line}");
    let id = Resource::TransactionalIdPrefix(&scene.id_prefix);
    scene.grant(&[(id, Operation::Write), (id, Operation::Describe)]);
    scene.await_caught_up(&worker);
}

#[test]
fn an_offsets_topic_that_may_not_be_read_or_written_is_named() {
    for operation in [Operation::Read, Operation::Write] {
        let Some(scene) = Scene::with(&["acme"]) else { return };
        let missing = (Resource::Topic(&scene.config.offsets_topic), operation);
        scene.grant_but(|permission| *permission == missing);
        let worker = scene.spawn();
        let topic = &scene.config.offsets_topic;
        let message = match operation {
            Operation::Read => format!("grant READ on offsets topic `{topic}`"),
            _ => format!("Kafka refuses to write to topic `{topic}`"),
        };
        let _ = worker.await_log("what is missing", |line| line.contains(&message), WAIT);
        assert_eq!(scene.org("acme").request_count(), 0, "nothing is asked before the start is durable");
        scene.grant(&[missing]);
        if operation == Operation::Read {
            scene.await_caught_up(&worker);
        } else {
            // Its connectors rest for five minutes: a new start is sooner.
            worker.terminate();
            let _ = worker.wait(WAIT);
            scene.await_caught_up(&scene.spawn());
        }
    }
}

/// With CREATE on their names the topics are made, and need no more than topics that were there.
#[test]
fn topics_are_made_where_that_is_granted() {
    let Some(scene) = Scene::without_topics(&["acme"]) else { return };
    scene.grant(&scene.permissions());
    let worker = scene.spawn();
    let line = worker.await_log("what is missing", |line| line.contains("can't be created"), WAIT);
    assert!(line.contains(&scene.config.offsets_topic) && line.contains("CREATE"), "{line}");
    let names = scene.topics.iter().chain([&scene.config.offsets_topic]);
    let create: Vec<_> = names.map(|name| (Resource::Topic(name), Operation::Create)).collect();
    scene.grant(&create);
    scene.await_caught_up(&worker);
}

/// `check` says all is well with what README lists, and without each single one of these it names that one, on one line,
/// with a command that mends it: with the topics there, and with none of them there yet.
#[test]
fn check_names_each_missing_permission() {
    let Some(example) = Scene::without_topics(&["acme"]) else { return };
    let all = example.all_permissions();
    let is_cluster = |place: &usize| all[*place].0 == Resource::Cluster;
    // The cluster is one for all who are at work on it: before anybody has the permission on it, it can be missing.
    let cluster = (0..all.len()).find(is_cluster).expect("README names the cluster");
    assert!(assert_named(cluster, false));
    let cases: Vec<_> =
        [true, false].iter().flat_map(|are_there| (0..all.len()).map(|place| (place, *are_there))).collect();
    let (next, named) = (AtomicUsize::new(0), AtomicUsize::new(1));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let _ = scope.spawn(|| {
                while let Some((place, are_there)) = cases.get(next.fetch_add(1, Relaxed)) {
                    if *place != cluster && assert_named(*place, *are_there) {
                        let _ = named.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    let named = named.into_inner();
    assert!(named >= all.len(), "{named} of {}", all.len());
    prove::row(
        "least-privilege",
        "The ACLs of the README suffice, and without each single one `check` names it",
        &format!(
            "Kafka's authorizer: `run` with exactly these, `check` with exactly these, and {named} times with all but one of {}, \
             the topics there or not",
            all.len()
        ),
        "all ok with exactly these; each missing one on one line with resource, operation and command; with that command run, all \
         ok again",
    );
}

/// Grants all but the one at `place`, and follows what `check` says. Whether there is anything to say of that one.
fn assert_named(place: usize, are_there: bool) -> bool {
    let scene = if are_there { Scene::with(&["acme"]) } else { Scene::without_topics(&["acme"]) };
    let scene = scene.expect("the broker is there").with_default_group();
    let mut permissions = scene.all_permissions();
    let missing = permissions.remove(place);
    let (resource, operation) = missing;
    let is_on_a_topic = matches!(resource, Resource::Topic(_));
    let is_of_no_use = match operation {
        // What is there need not be made.
        Operation::Create => are_there,
        // Nobody may see the settings of what is not there.
        Operation::DescribeConfigs => is_on_a_topic && !are_there,
        // READ shows a topic that is not there as well as WRITE does, and that is all that Kafka says of it.
        _ => is_on_a_topic && !are_there,
    };
    if is_of_no_use {
        return false;
    }
    scene.grant(&permissions);
    let report = Report::of(&scene.config);
    let complaints = scene.complaints(&report);
    let is_warning = operation == Operation::DescribeConfigs;
    assert_eq!(report.code, i32::from(!is_warning), "{missing:?}: {report}");
    let &[line] = &complaints[..] else { panic!("not one line of {missing:?}: {complaints:#?}\n{report}") };
    assert!(line.starts_with(if is_warning { "warn" } else { "FAIL" }), "{missing:?}: {line}");
    let name = match resource {
        Resource::Topic(name) | Resource::Group(name) | Resource::TransactionalIdPrefix(name) => name,
        Resource::Cluster => "cluster",
    };
    let (what, command) = line.split_once(" run: kafka-acls.sh ").unwrap_or_else(|| panic!("no command: {line}"));
    assert!(what.contains(&format!("{} is not granted", operation.name())), "{missing:?}: {line}");
    assert!(what.contains(name), "{missing:?}: {line}");
    let command = command.split("; ").next().unwrap_or_default();
    assert!(command.contains(&format!("--bootstrap-server {} --add", scene.config.bootstrap)), "{line}");
    let granted = acls::granted_by(command);
    assert_eq!(granted, [missing], "{line}");
    scene.grant(&granted);
    scene.assert_all_ok();
    true
}

/// With what README's table says of a command it does its work, and without any part of that it ends with 1 and says so.
#[test]
fn each_command_needs_what_the_readme_says() {
    if authorizer::broker().is_none() {
        return;
    }
    let commands = [
        (&["status", "--json"][..], 2),
        (&["offsets", "list"], 2),
        (&["offsets", "get", "acme"], 2),
        (&["offsets", "alter", "acme", "--since", "2d", "--yes"], 4),
        (&["offsets", "reset", "acme", "--yes"], 4),
        (&["dead-letters", "list", "acme"], 2),
    ];
    // In full, without each one; else without another one for each command.
    let cases = commands.iter().enumerate().flat_map(|(place, (command, needed))| {
        let missing = prove::scale((0..*needed).collect(), vec![place % needed]);
        missing.into_iter().map(move |missing| (*command, *needed, missing))
    });
    let cases: Vec<_> = cases.collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let _ = scope.spawn(|| {
                while let Some((command, needed, missing)) = cases.get(next.fetch_add(1, Relaxed)) {
                    assert_needed(command, *needed, *missing);
                }
            });
        }
    });
}

/// The first `needed` permissions of the table let the command work; without the one at `missing` it does not.
fn assert_needed(command: &[&str], needed: usize, missing: usize) {
    use Operation::{Describe, Read, Write};
    let scene = Scene::with(&["acme"]).expect("the broker is there").with_default_group();
    let org = scene.org("acme");
    let url = format!("{}/api/v1/logs?since=2026-01-01T00%3A00%3A00.000Z&limit=100", org.url());
    checkpoint::alter(&scene.broker.bootstrap(), &scene.config, "acme", org, &url);
    let dead_letter_topic = dead_letters(scene.topic("acme"));
    producers::write(&scene.broker.bootstrap(), &dead_letter_topic, 0, "key", "17");
    let topic = match command {
        ["dead-letters", ..] => &dead_letter_topic,
        _ => &scene.config.offsets_topic,
    };
    let offsets = Resource::Topic(topic);
    let ids = Resource::TransactionalIdPrefix(&scene.id_prefix);
    let table = [(offsets, Read), (Resource::Group(&scene.config.group_id), Describe), (offsets, Write), (ids, Write)];
    let mut permissions = table[..needed].to_vec();
    let missing = permissions.remove(missing);
    let file = ConfigFile::new(&scene.config.render());
    let path = file.path();
    let arguments: Vec<&str> = command.iter().copied().chain(["-c", path.to_str().unwrap()]).collect();
    scene.grant(&permissions);
    let output = connector::run(&arguments, &[], WAIT);
    assert_eq!(output.code(), 1, "{command:?} without {missing:?}: {output:?}");
    let last = output.stderr.lines().last().unwrap_or_default();
    let is_named = [missing.1.name(), topic.as_str()].iter().all(|part| last.contains(part));
    assert!(is_named, "{command:?} without {missing:?}: {last}");
    scene.grant(&[missing]);
    let output = connector::run(&arguments, &[], WAIT);
    assert_eq!(output.code(), 0, "{command:?}: {output:?}");
}
