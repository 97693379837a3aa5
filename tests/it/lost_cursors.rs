//! Cursors that the org forgets in the middle of a backlog with late events and events that can't be published: the connector
//! begins again a little earlier, by itself, and nothing is lost or there twice; also where it is killed meanwhile.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{RequestRecord, SimulatorConfig};
use serde_json::Value;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::random_name;
use crate::support::{checkpoint, prove};

const WAIT: Duration = Duration::from_secs(90);
/// So the overlap of ten minutes is some 3,000 events: thirty pages of old ground, ten more than are held in memory.
const EVENTS_A_MINUTE: usize = 300;
/// Of an answer: a page is on its way when something goes wrong.
const LATENCY: Duration = Duration::from_millis(25);
/// While a moment is hit that is over in a few milliseconds otherwise.
const SLOW: Duration = Duration::from_millis(250);

fn org_of(events: usize, seed: u64) -> Org {
    let minutes = u64::try_from(events / EVENTS_A_MINUTE).unwrap();
    Org::start(SimulatorConfig {
        events,
        seed,
        backlog_span: Duration::from_secs(minutes * 60),
        // One in ten, as late as the overlap is long.
        late: 0.1,
        late_by: Duration::from_secs(600),
        unpublishable: 0.02,
        latency: LATENCY,
        ..SimulatorConfig::default()
    })
}

/// Places in the backlog, in order, the first of them before anything can be committed.
fn moments(count: usize, backlog: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    // Not the last pages: behind them nothing is asked for with a new cursor.
    let mut places: Vec<usize> = std::iter::repeat_with(|| random.usize(100..backlog - 500)).take(count - 1).collect();
    places.push(0);
    places.sort_unstable();
    places
}

/// Waits for a request after the first `mark` ones that asks for what lies behind so many events, and whose page came: the `next`
/// link of that page is then the connector's, and can be lost.
fn await_place(org: &Org, mark: usize, place: usize, worker: &Connector) {
    let begun = Instant::now();
    let is_there = |request: &RequestRecord| {
        let behind = place_of(org, request).unwrap_or_default();
        request.status == Some(200) && request.events > 0 && behind >= place
    };
    while !org.requests()[mark..].iter().any(is_there) {
        assert!(begun.elapsed() < WAIT, "{place} was not reached:\n{}", worker.process().tail(40));
        org.await_requests(org.request_count() + 1, WAIT);
    }
}

/// How many events lie before the cursor of a request.
fn place_of(org: &Org, request: &RequestRecord) -> Option<usize> {
    org.events_up_to(cursor(&request.target)?)
}

/// The `after` of a target or URL.
fn cursor(target: &str) -> Option<&str> {
    target.split(['?', '&']).find_map(|pair| pair.strip_prefix("after="))
}

/// How many events the org gave in answers.
fn served(org: &Org) -> usize {
    org.requests().iter().map(|request| request.events).sum()
}

fn is_refused(request: &RequestRecord) -> bool {
    request.status == Some(400)
}

#[test]
fn a_cursor_lost_at_any_moment_loses_and_doubles_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let (backlog, losses) = prove::scale((20_000, 20), (4_200, 4));
    let seed = prove::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let org = org_of(backlog, seed);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    let recoveries = |count: usize| {
        let is_all = |value: f64| value >= count as f64;
        worker.await_of("acme", "cursor_recoveries_total", &[("reason", "cursor_refused")], is_all, WAIT)
    };
    let mut mark = 0;
    let mut made = 0;
    for (number, place) in moments(losses, backlog, &mut random).into_iter().enumerate() {
        await_place(&org, mark, place, &worker);
        worker.process().runs_on(Duration::from_millis(random.u64(0..40)));
        org.lose_cursors();
        made += 1;
        recoveries(made);
        if number % 3 == 2 {
            // Again, in the middle of the recovery.
            mark = org.request_count();
            await_place(&org, mark, 0, &worker);
            org.lose_cursors();
            made += 1;
            recoveries(made);
        }
        mark = org.request_count();
    }
    worker.await_caught_up(&org, "acme", WAIT);
    // Once more where there is nothing to catch up with, and new events come meanwhile, late ones among them.
    org.lose_cursors();
    org.generate(130);
    org.generate_late(20, Duration::from_secs(540));
    let counted = recoveries(made + 1);
    worker.await_caught_up(&org, "acme", WAIT);

    let of = |name: &str| worker.of("acme", name, &[]).unwrap();
    let all = org.event_count();
    let (suppressed, committed) = (of("duplicates_suppressed_total"), of("events_committed_total"));
    let letters = worker.of("acme", "dead_letters_total", &[("stage", "KEY_CONVERTER")]);
    worker.stop();
    let difference = Difference::of_topic_and_letters(kafka.bootstrap(), &topic, &org);
    assert!(difference.is_none(), "{difference}; OKS_SEED={seed}");
    assert_eq!(counted, (made + 1) as f64, "recoveries; OKS_SEED={seed}");
    // Each loss makes it go over the overlap again, and a page that was never committed counts as new.
    let again = served(&org) - all;
    assert!(suppressed >= 200.0 * losses as f64 && suppressed <= again as f64, "{suppressed} of {again}; {letters:?}");
    prove::row(
        "lost-cursor",
        "A cursor that Okta has forgotten is no outage: the connector goes on by itself, without loss and without duplicates",
        &format!(
            "every cursor given out so far was lost at {losses} random moments of a backlog of {backlog} events, at every third once \
             more in the middle of the recovery, and when caught up; one event in ten late by up to the overlap of 10 min, one in fifty impossible to \
             publish; seed {seed}"
        ),
        &format!(
            "{difference} of {all} in topic and dead letter topic; {counted} recoveries; {again} events were served again, \
             {suppressed} of which the topic held, {committed} published"
        ),
    );
}

/// What the offsets topic holds when a life was killed in a recovery: how far that had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The cursor that is lost.
    BeforeTheCommit,
    /// The URL without a cursor that the recovery begins with.
    BeforeTheFirstPage,
    /// A new cursor, behind which there may be events that the topic holds.
    InOldGround,
    /// The old ground was over.
    Over,
}

impl Stage {
    fn of(config: &ConfigYaml, org: &Org) -> Self {
        let key = checkpoint::key("acme", &org.authority());
        let stored = checkpoint::all(&config.bootstrap, &config.offsets_topic, &key);
        let last: Value = serde_json::from_str(stored.last().expect("a checkpoint").value_text()).unwrap();
        let after = cursor(last["checkpointUrl"].as_str().unwrap());
        let is_recovered = last.get("suppressUntil").is_some();
        match after {
            Some(after) if org.is_lost(after) => Self::BeforeTheCommit,
            Some(_) if is_recovered => Self::InOldGround,
            Some(_) => Self::Over,
            None if is_recovered => Self::BeforeTheFirstPage,
            // Of the cold start.
            None => Self::BeforeTheCommit,
        }
    }
}

#[test]
fn a_kill_in_the_middle_of_a_recovery_loses_and_doubles_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let (backlog, kills) = prove::scale((20_000, 20), (4_200, 4));
    let seed = prove::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let org = org_of(backlog, seed);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).group_instance_id(&random_name("worker")).connector(acme);
    let mut stages = Vec::new();
    let mut worker = Connector::spawn(&config, &[]);
    let mut mark = 0;
    for (number, place) in moments(kills, backlog, &mut random).into_iter().enumerate() {
        await_place(&org, mark, place, &worker);
        mark = org.request_count();
        let since_mark = |wanted: &dyn Fn(&RequestRecord) -> bool, count: usize| {
            while org.requests()[mark..].iter().filter(|request| wanted(request)).count() < count {
                org.await_requests(org.request_count() + 1, WAIT);
            }
        };
        let begins_anew = |request: &RequestRecord| !request.target.contains("after=");
        let aim = number % 3;
        match aim {
            // The refusal is on its way, or has just come.
            0 => org.set_latency(SLOW),
            // The new question is asked, and its page does not come.
            1 => org.hold_pages(),
            _ => {}
        }
        org.lose_cursors();
        match aim {
            0 => since_mark(&is_refused, 1),
            1 => since_mark(&begins_anew, 1),
            _ => {
                since_mark(&begins_anew, 1);
                let pages = random.usize(2..5);
                let goes_on =
                    |request: &RequestRecord| request.status == Some(200) && request.target.contains("after=");
                let seen = org.requests()[mark..].iter().filter(|request| goes_on(request)).count();
                since_mark(&goes_on, seen + pages);
            }
        }
        assert!(org.requests()[mark..].iter().any(is_refused), "the loss was not met");
        let longest = if aim == 0 { SLOW + Duration::from_millis(20) } else { LATENCY };
        worker.process().runs_on(longest.mul_f64(random.f64()));
        worker.kill9();
        org.set_latency(LATENCY);
        org.release_pages();
        stages.push(Stage::of(&config, &org));
        mark = org.request_count();
        worker = Connector::spawn(&config, &[]);
    }
    worker.await_caught_up(&org, "acme", WAIT);
    worker.stop();

    let difference = Difference::of_topic_and_letters(kafka.bootstrap(), &topic, &org);
    assert!(difference.is_none(), "{difference}; {stages:?}; OKS_SEED={seed}");
    let count = |wanted: Stage| stages.iter().filter(|stage| **stage == wanted).count();
    let [before, between, within, over] =
        [Stage::BeforeTheCommit, Stage::BeforeTheFirstPage, Stage::InOldGround, Stage::Over].map(count);
    println!("{stages:?}");
    let enough = kills / 6;
    let hit = [before, between, within].iter().all(|count| *count >= enough.max(1)) || kills < 6;
    assert!(hit && over == 0, "the kills did not meet a recovery: {stages:?}; OKS_SEED={seed}");
    prove::row(
        "lost-cursor-killed",
        "kill -9 in the middle of a recovery loses nothing and doubles nothing",
        &format!(
            "{kills} cursors lost and {kills} kills within a backlog of {backlog} events, late ones and dead letters among them: \
             {before} before the recovery's commit, {between} between it and the first page, {within} in the middle of old ground, by \
             what the offsets topic held; seed {seed}"
        ),
        &format!("{difference} of {} in topic and dead letter topic; {} served", org.event_count(), served(&org)),
    );
}
