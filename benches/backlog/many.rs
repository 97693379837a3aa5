//! One, ten and fifty connectors in one process, each with an org of its own behind TLS: memory, threads and CPU.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connect_proxy::ConnectProxy;
use crate::support::connector::{Connector, utf8};
use crate::support::metrics::metric;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::tls_front::{Authority, TlsFront};
use crate::support::topics::{create_topic, delete_topics, random_name};
use crate::usage;

const TIMEOUT: Duration = Duration::from_secs(300);

/// An org, and what stands before it.
struct Named {
    name: String,
    org: Org,
    front: TlsFront,
}

/// Measures and prints; nothing is promised of it but that it ends.
pub fn run(bootstrap: &str) {
    let events = prove::scale(5_000, 500);
    println!("many connectors: {events} events each, then polls every 10 s");
    println!(
        "| Connectors | Threads | Memory after the start | Peak in the backlog | Memory at rest | CPU at rest | At work after | Backlog: wall | CPU |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for connectors in [1, 10, 50] {
        one(bootstrap, connectors, events);
    }
}

fn one(bootstrap: &str, connectors: usize, events: usize) {
    let authority = Authority::new("bench");
    let orgs: Vec<Named> = (0..connectors)
        .map(|number| {
            let name = format!("org-{number}.okta.test");
            let seed = 1 + number as u64;
            let origin = Some(format!("https://{name}"));
            // Nothing to take at first, so that a start by itself can be seen.
            let org = Org::start(SimulatorConfig { events: 0, seed, origin, ..SimulatorConfig::default() });
            let front = authority.front(&name, org.address());
            Named { name, org, front }
        })
        .collect();
    let targets: Vec<(String, _)> = orgs.iter().map(|one| (format!("{}:443", one.name), one.front.address())).collect();
    let proxy = ConnectProxy::start(targets.iter().map(|(target, address)| (target.as_str(), *address)));
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    authority.write(&ca);
    let topic = random_name("system-log");
    create_topic(bootstrap, &topic, 6, &[]);
    let mut config = ConfigYaml::new(bootstrap).offsets_partitions(25);
    config.extra.push(format!("okta_http: {{proxy_url: '{}', ca_file: {}}}", proxy.url(), utf8(&ca)));
    for (number, one) in orgs.iter().enumerate() {
        let mut connector = one.org.connector(&format!("org-{number}")).topic(&topic).interval("10s");
        connector.org = format!("https://{}", one.name);
        config = config.connector(connector);
    }
    let shards = i32::try_from(config.offsets_partitions).unwrap();
    create_topic(bootstrap, &config.offsets_topic, shards, &[("cleanup.policy", "compact")]);

    let began = Instant::now();
    let worker = Connector::spawn(&config, &[]);
    for one in &orgs {
        one.org.await_requests(1, TIMEOUT);
    }
    let at_work = began.elapsed();
    (0..connectors).for_each(|number| worker.await_state(&format!("org-{number}"), "waiting", TIMEOUT));
    let pid = worker.process().pid();
    let started_kib = worker.process().status_of("VmRSS");
    let cpu_before = usage::cpu_of(pid);
    for one in &orgs {
        one.org.generate(events);
    }
    let backlog = Instant::now();
    let names: Vec<String> = (0..connectors).map(|number| format!("org-{number}")).collect();
    while !are_committed(&worker, &names, events) {
        assert!(backlog.elapsed() < TIMEOUT, "{}", worker.process().tail(40));
        // Seldom: the page with the metrics of fifty connectors costs the measured process something, too.
        std::thread::sleep(Duration::from_millis(250));
    }
    let wall = backlog.elapsed();
    let cpu_backlog = usage::cpu_of(pid) - cpu_before;
    let peak_kib = usage::peak_memory_kib(pid);
    // At rest: nothing to take, a poll every 10 s.
    let rest = Duration::from_secs(prove::scale(60, 20));
    std::thread::sleep(Duration::from_secs(10));
    let before = thread_names(pid);
    let cpu_before = usage::cpu_of(pid);
    std::thread::sleep(rest);
    let cpu_rest = usage::cpu_of(pid) - cpu_before;
    let (rest_kib, threads) = (worker.process().status_of("VmRSS"), worker.process().status_of("Threads"));
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!(
        "| {connectors} | {threads} | {:.1} MiB | {:.1} MiB | {:.1} MiB | {:.2} % of a core | {:.1} s | {:.1} s | {:.2} s |",
        mib(started_kib),
        mib(peak_kib),
        mib(rest_kib),
        100.0 * cpu_rest.as_secs_f64() / rest.as_secs_f64(),
        at_work.as_secs_f64(),
        wall.as_secs_f64(),
        cpu_backlog.as_secs_f64(),
    );
    if std::env::var_os("OKS_THREADS").is_some() {
        println!("before the rest: {before}\nafter it: {}", thread_names(pid));
    }
    worker.terminate();
    let status = worker.wait(Duration::from_secs(30));
    assert_eq!(status.code(), Some(0), "{}", worker.process().tail(40));
    delete_topics(bootstrap, &[&topic, &format!("{topic}.dlq"), &config.offsets_topic]);
}

fn are_committed(worker: &Connector, names: &[String], events: usize) -> bool {
    let Some(answer) = worker.http("/metrics") else { return false };
    let name = "okta_kafka_source_events_committed_total";
    names.iter().all(|connector| {
        metric(&answer.body, name, &[("connector", connector)]).is_some_and(|committed| committed >= events as f64)
    })
}

/// The names of a process's threads, and how many have each, with the CPU time that they took together.
fn thread_names(pid: impl std::fmt::Display) -> String {
    let mut counts = BTreeMap::<String, (usize, Duration)>::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let name: String = name.trim().chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
        let count = counts.entry(name).or_default();
        count.0 += 1;
        count.1 += usage::cpu_of(format!("{pid}/task/{}", task.file_name().to_string_lossy()));
    }
    format!("{counts:?}")
}
