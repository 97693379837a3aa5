//! Several processes and one token: no 429 of our own making, and polls that come when they should.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use okta_kafka_source::simulator::{RequestRecord, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, create_topic};

mod driver;
mod refusals;
mod simulation;
mod windows;

const WAIT: Duration = Duration::from_secs(60);
const LIMIT: u32 = 60;
const WINDOW: Duration = Duration::from_secs(5);
/// `rate_limit_share` of it.
const ALLOWED: u32 = 48;
/// `interval` of the two connectors.
const INTERVAL: Duration = Duration::from_secs(1);
const EVENTS_A_SECOND: f64 = 5.0;
/// How far the two are put behind.
const BEHIND: usize = 3_000;

/// One window of the org, counted again from its log.
#[derive(Debug, Default)]
struct Counted {
    /// Place of its first request in the log.
    first: usize,
    used: u32,
    by_bulk: u32,
    /// What was left when a request of the bulk process came, at the least.
    bulk_found: Option<u32>,
}

#[test]
fn three_processes_with_one_token_make_no_429_and_polls_come_in_time() {
    let Some(kafka) = shared_broker() else { return };
    let windows: u32 = prove::scale(8, 2);
    let org = Org::start(SimulatorConfig {
        events: 3_000,
        live_rate: EVENTS_A_SECOND,
        rate_limit: LIMIT,
        rate_limit_window: WINDOW,
        ..SimulatorConfig::default()
    });
    let mut runs: Vec<(Connector, Tail, String)> = ["one", "two"]
        .map(|name| {
            let connector = org.connector(name).interval("1s").since("now");
            let topic = connector.topic.clone();
            create_topic(kafka.bootstrap(), &topic, 3, &[]);
            let tail = Tail::from_end(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
            (Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(connector), &[]), tail, topic)
        })
        .into();
    for (run, _, _) in &runs {
        run.await_log("that it has caught up", |line| line.contains("caught up"), WAIT);
    }
    let mut watch = |duration: Duration| -> Vec<Duration> {
        let until = Instant::now() + duration;
        let mut seen: HashMap<String, Vec<Timestamp>> = HashMap::new();
        for (_, tail, _) in &mut runs {
            tail.drain();
        }
        while Instant::now() < until {
            for (_, tail, _) in &mut runs {
                while let Some(record) = tail.next(Duration::from_millis(5)) {
                    seen.entry(record.key_text().to_owned()).or_default().push(Timestamp::now());
                }
            }
        }
        delays(&org, &seen)
    };
    let alone = watch(WINDOW * windows);
    let bulk = driver::spawn(&org);
    let bulk_began = org.request_count();
    while !org.requests()[bulk_began..].iter().any(is_of_bulk) {
        org.await_requests(org.request_count() + 1, WAIT);
    }
    let bulk_began = org.request_count();
    // A window and the second or two between two, three times at the least.
    let beside = watch((WINDOW + 2 * INTERVAL) * windows.max(3) - WINDOW);
    let quiet_until = org.request_count();
    // Both are 30 pages behind: more than what is left of two windows.
    let committed = |run: &Connector, name| run.await_of(name, "events_committed_total", &[], |_| true, WAIT);
    let before = ["one", "two"].into_iter().zip(&runs).map(|(name, (run, ..))| (name, run, committed(run, name)));
    let before: Vec<_> = before.collect();
    org.generate(BEHIND);
    for (name, run, before) in before {
        let all = |events| events >= before + BEHIND as f64;
        let _ = run.await_of(name, "events_committed_total", &[], all, WAIT);
    }
    drop(bulk);
    let requests = org.requests();
    judge(&requests, &alone, &beside, bulk_began..quiet_until, &org);
}

fn judge(requests: &[RequestRecord], alone: &[Duration], beside: &[Duration], quiet: Range<usize>, org: &Org) {
    let refused: Vec<_> = requests.iter().filter(|request| request.status != Some(200)).collect();
    assert!(refused.is_empty() && org.requests_in_rate_limit_window() == 0, "{refused:?}");
    let windows = count(requests);
    // Those that began while it was quiet, but for the last one.
    let whole: Vec<_> = windows.iter().filter(|window| quiet.contains(&window.first)).collect();
    let whole = &whole[..whole.len() - 1];
    let by_bulk: u32 = whole.iter().map(|window| window.by_bulk).sum();
    let by_bulk = f64::from(by_bulk) / whole.len() as f64;
    let found = whole.iter().filter_map(|window| window.bulk_found).min().unwrap();
    let busiest = windows.iter().map(|window| window.used).max().unwrap();
    let text = |delays: &[Duration]| {
        let of = |part: usize| delays[(delays.len() - 1) * part / 100].as_secs_f64();
        format!(
            "half of {} within {:.2} s, 99 % within {:.2} s, all within {:.2} s",
            delays.len(),
            of(50),
            of(99),
            of(100)
        )
    };
    let result = format!(
        "0 answers 429 of {} in all; without the bulk process {}; with it {}; it asked {by_bulk:.0} times a window, and found \
         {found} of {LIMIT} left at the least; with both catching up, {busiest} were used of a window at the most",
        requests.len(),
        text(alone),
        text(beside),
    );
    println!("{result}");
    let at = |delays: &[Duration], percent: usize| delays[(delays.len() - 1) * percent / 100];
    assert!(alone.len().min(beside.len()) > 20, "{result}");
    // A little more, as the machine has other work, which the slowest of a phase tell most of.
    for (percent, more) in [(50, 0.25), (90, 0.75)] {
        let bound = at(alone, percent).max(INTERVAL / 2) + INTERVAL.mul_f64(more);
        assert!(at(beside, percent) <= bound, "{percent} % within {bound:?}: {result}");
    }
    // Its last look may be older than the last polls of the two.
    assert!(by_bulk >= 10.0 && found + 3 >= LIMIT / 2, "{result}");
    // What each of the two others has open at that moment is in nobody's headers yet.
    assert!(busiest <= ALLOWED + (LIMIT - ALLOWED) / 2 + 2, "{result}");
    prove::row(
        "rate-limit-processes",
        "Several processes with one token make no 429 of their own, and bulk work delays no poll",
        &format!(
            "two `run` of a group of their own and a bulk process, three processes, one token with {LIMIT} requests in {} s; \
             {EVENTS_A_SECOND} events a second, intervals of 1 s; then {BEHIND} events at once",
            WINDOW.as_secs()
        ),
        &result,
    );
}

fn is_of_bulk(request: &RequestRecord) -> bool {
    request.user_agent.as_deref() == Some(driver::USER_AGENT)
}

/// The windows of the org: each begins with a request, and counts whole seconds.
fn count(requests: &[RequestRecord]) -> Vec<Counted> {
    let mut windows: Vec<(i64, Counted)> = Vec::new();
    for (first, request) in requests.iter().enumerate() {
        let second = request.at.as_second();
        if windows.last().is_none_or(|(began, _)| second >= began + WINDOW.as_secs() as i64) {
            windows.push((second, Counted { first, ..Counted::default() }));
        }
        let (_, window) = windows.last_mut().unwrap();
        if is_of_bulk(request) {
            let left = LIMIT - window.used;
            window.by_bulk += 1;
            window.bulk_found = Some(window.bulk_found.map_or(left, |least| least.min(left)));
        }
        window.used += 1;
    }
    windows.into_iter().map(|(_, window)| window).collect()
}

/// How long each event took from the org to a reader of a topic.
fn delays(org: &Org, seen: &HashMap<String, Vec<Timestamp>>) -> Vec<Duration> {
    let events = org.events();
    let persisted: HashMap<&str, i64> =
        events.iter().filter_map(|event| Some((event.uuid.as_deref()?, event.cursor.millis))).collect();
    let mut delays: Vec<Duration> = seen
        .iter()
        .flat_map(|(uuid, times)| times.iter().map(|time| time.as_millisecond() - persisted[uuid.as_str()]))
        .map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
        .collect();
    delays.sort_unstable();
    delays
}
