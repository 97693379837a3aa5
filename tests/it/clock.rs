//! The machine's wall clock is wrong, or is set while the program runs: what it does goes by monotonic time and by the
//! org's clock.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use okta_kafka_source::simulator::{DpopMode, FaultKind, OauthConfig, RegisteredKey, SimulatorConfig};

use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::secure_broker::SecureBroker;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;
use crate::support::shifted_clock::ShiftedClock;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const INTERVAL: Duration = Duration::from_millis(500);
/// How much later than it should a poll may come: a page's way, and a loaded machine.
const LATE: Duration = Duration::from_secs(3);

fn spawn(config: &ConfigYaml, clock: &ShiftedClock) -> Connector {
    let environment = clock.environment();
    Connector::spawn(config, &environment.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// Waits until all events of the org are committed: by their number, since the program's own times are wrong here.
fn await_committed(worker: &Connector, org: &Org) {
    let count = org.event_count() as f64;
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value >= count, WAIT);
}

/// The shortest and the longest time between two requests that the org saw since `from`.
fn gaps(org: &Org, from: Timestamp) -> (Duration, Duration) {
    let times: Vec<Timestamp> = org.requests().iter().map(|request| request.at).filter(|at| *at >= from).collect();
    let gaps = times.windows(2).map(|pair| Duration::try_from(pair[1].duration_since(pair[0])).unwrap());
    let gaps: Vec<Duration> = gaps.collect();
    (gaps.iter().min().copied().unwrap_or_default(), gaps.iter().max().copied().unwrap_or_default())
}

/// Hours and days ahead and back, from the start and while it rests, asks and commits: it polls as before, loses and
/// repeats nothing, keeps its place in the group, and waits after a 429 as the org says.
#[test]
fn a_clock_that_jumps_changes_no_interval() {
    let Some(kafka) = shared_broker() else { return };
    let starts: &[i64] = prove::scale(&[HOUR, -HOUR, 0], &[HOUR]);
    let jumps: &[i64] = prove::scale(
        &[-HOUR, HOUR, 2 * DAY, -2 * DAY, 0, -2 * DAY, 2 * DAY, -HOUR, HOUR, 0],
        &[-HOUR, 2 * DAY, -2 * DAY, 0],
    );
    let mut worst = (INTERVAL, Duration::ZERO);
    let mut slowest = Duration::ZERO;
    let mut differences = Vec::new();
    for start in starts {
        let Some(clock) = ShiftedClock::off_by(*start) else { return };
        let org = Org::with_events(2_000);
        let acme = org.connector("acme").interval("500ms");
        let topic = acme.topic.clone();
        let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
        let worker = spawn(&config, &clock);
        await_committed(&worker, &org);
        let told = worker.await_of("acme", "caught_up_timestamp_seconds", &[], |_| true, WAIT);
        let off = told - crate::support::connector::unix_seconds();
        assert!((off - *start as f64).abs() < 30.0, "the program does not live by the shifted clock: {off} s off");
        for shift in jumps {
            let from = Timestamp::now();
            let seen = org.request_count();
            let _ = clock.jump_to(*shift);
            org.await_requests(seen + 6, WAIT);
            let (shortest, longest) = gaps(&org, from);
            assert!(shortest >= INTERVAL.mul_f64(0.95), "{shift}: asked {shortest:?} after the last page");
            assert!(longest <= INTERVAL + LATE, "{shift}: {longest:?} without a request");
            worst = (worst.0.min(shortest), worst.1.max(longest));
            let began = Instant::now();
            org.generate(120);
            await_committed(&worker, &org);
            slowest = slowest.max(began.elapsed());
        }
        // What a backlog does around a jump: pages are on their way, transactions are open.
        org.generate(3_000);
        for shift in jumps {
            let _ = clock.jump_to(*shift);
            org.await_requests(org.request_count() + 2, WAIT);
        }
        await_committed(&worker, &org);
        // The org's window is 2 s: neither earlier nor hours later.
        org.inject(FaultKind::RateLimit);
        let refused = org.request_count() + 1;
        org.await_requests(refused, WAIT);
        let began = Instant::now();
        let _ = clock.jump_to(-2 * DAY);
        org.await_requests(refused + 1, WAIT);
        assert!(began.elapsed() < Duration::from_secs(8), "{:?} after a 429 of 2 s", began.elapsed());
        assert_eq!(org.requests_in_rate_limit_window(), 0);
        org.generate(50);
        await_committed(&worker, &org);
        differences.push(Difference::must_be_none(kafka.bootstrap(), &topic, &org, &worker.process().tail(40)));
        for trouble in ["ERROR", "joining the group again", "fenced", "does not answer", "asking again as a new member"]
        {
            assert!(!worker.log().contains(trouble), "{trouble}:\n{}", worker.log());
        }
        worker.stop();
    }
    prove::row(
        "clock-jumps",
        "A wall clock that is an hour off, or is set while the program runs, changes no interval, no wait and no commit",
        &format!(
            "the clock of the real process {} s off at its start, set {} times while it polled every {INTERVAL:?} and as often in a \
             backlog, by 1 h to 4 days both ways; a 429 with 2 s to wait",
            starts.iter().map(i64::to_string).collect::<Vec<_>>().join(", "),
            jumps.len() * starts.len(),
        ),
        &format!(
            "{}; polls {:.2} s to {:.2} s apart, new events committed within {:.1} s; no request before the limit's reset",
            differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            worst.0.as_secs_f64(),
            worst.1.as_secs_f64(),
            slowest.as_secs_f64()
        ),
    );
}

/// librdkafka waits until a time of the wall clock, so a wait that is under way when that is set back lasts as much longer.
/// Whoever must not wait for that is woken: the worker stays in its group, a new life of a shard begins, a stop is a stop.
#[test]
fn a_clock_set_back_makes_nobody_wait() {
    let Some(kafka) = shared_broker() else { return };
    let Some(clock) = ShiftedClock::off_by(0) else { return };
    let org = Org::with_events(200);
    let acme = org.connector("acme").interval("1h");
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = spawn(&config, &clock);
    await_committed(&worker, &org);
    worker.await_state("acme", "waiting", WAIT);
    // Longer than the member's session: it must go on telling the group that it is there.
    let quiet = Duration::from_secs(prove::scale(25, 12));
    let _ = clock.jump_to(-2 * DAY);
    worker.process().runs_on(quiet);
    assert_eq!(worker.metric("okta_kafka_source_shards_owned", &[]), Some(4.0), "{}", worker.log());
    for trouble in ["WARN the group", "joining the group again", "asking again as a new member", "fenced"] {
        assert!(!worker.log().contains(trouble), "{trouble}:\n{}", worker.log());
    }
    let requests = org.request_count();
    let began = Instant::now();
    checkpoint::alter(kafka.bootstrap(), &config, "acme", &org, &org.checkpoint_behind(100));
    org.await_requests(requests + 1, WAIT);
    let followed = began.elapsed();
    worker.await_state("acme", "waiting", WAIT);
    let _ = clock.jump_to(-4 * DAY);
    let began = Instant::now();
    worker.stop();
    let stopped = began.elapsed();
    assert!(stopped < Duration::from_millis(4_500), "the stop took {stopped:?}:\n{}", worker.process().tail(40));
    prove::row(
        "clock-set-back",
        "A wall clock that is set back while nothing happens costs no membership, and nobody waits for it to come again",
        &format!(
            "an idle worker's clock set back by two days, for {} s; then a checkpoint altered from outside, which fences the worker; set \
             back by two more days, and stopped",
            quiet.as_secs()
        ),
        &format!(
            "all shards kept; the altered checkpoint asked from {:.1} s later; stopped in {:.1} s",
            followed.as_secs_f64(),
            stopped.as_secs_f64()
        ),
    );
}

/// A service app signs with a time in each assertion and proof: by the org's clock, whichever of the two is wrong, from the
/// first token on and whenever one of them is set.
#[test]
fn a_service_app_signs_by_the_orgs_clock() {
    let Some(kafka) = shared_broker() else { return };
    let cases = [(HOUR, 0), (-HOUR, 0), (0, HOUR), (0, -HOUR)];
    let (mut tokens, mut corrected) = (0, 0);
    let count = prove::scale(cases.len(), 1);
    for (ours, orgs) in cases.into_iter().take(count) {
        let Some(clock) = ShiftedClock::off_by(ours) else { return };
        let key = ServiceKey::new("key-1", Kind::P256);
        let oauth = OauthConfig {
            client_id: "0oa1gdh63g214q0Hq0g4".to_owned(),
            keys: vec![RegisteredKey::read(key.key_id(), &key.public_jwk().to_string()).unwrap()],
            dpop: DpopMode::Required,
            token_life: Duration::from_secs(5),
            ..OauthConfig::default()
        };
        let config = SimulatorConfig {
            events: 300,
            oauth: Some(oauth),
            clock_offset_seconds: orgs,
            ..SimulatorConfig::default()
        };
        let org = Org::start(config);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, key.file(Form::Jwk)).unwrap();
        let auth =
            format!("{{oauth: {{client_id: 0oa1gdh63g214q0Hq0g4, private_key: \"${{file:{}}}\"}}}}", file.display());
        let acme = org.connector("acme").auth(&auth).interval("500ms");
        let topic = acme.topic.clone();
        let worker = spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &clock);
        await_committed(&worker, &org);
        let control = org.oauth().unwrap();
        let first = control.counters();
        // Ours is set by hours, then the org's, each for two tokens' lives.
        for jump in [-2 * ours, 2 * DAY, -2 * DAY] {
            let _ = clock.jump_to(jump);
            let before = control.counters().tokens_issued;
            while control.counters().tokens_issued < before + 2 {
                org.generate(5);
                await_committed(&worker, &org);
                org.await_requests(org.request_count() + 1, WAIT);
            }
        }
        assert!(!worker.log().contains("ERROR"), "{}", worker.log());
        let all = control.counters();
        // The first answer tells the org's clock; a first proof is wanted by the org, so that is no mistake.
        let refused: usize = first.refused_assertions.values().sum();
        assert!(refused <= 1, "{all:?}");
        assert_eq!(all.refused(), first.refused(), "{all:?}");
        tokens += all.tokens_issued;
        corrected += refused;
        assert_eq!(worker.of("acme", "okta_requests_total", &[("code", "401")]).unwrap_or_default(), 0.0, "{all:?}");
        let _ = Difference::must_be_none(kafka.bootstrap(), &topic, &org, &worker.process().tail(40));
        worker.stop();
    }
    prove::row(
        "clock-signing",
        "A service app with DPoP signs by the org's clock, whichever of the two is an hour off",
        &format!(
            "{count} of: our clock an hour ahead, an hour behind, the org's an hour ahead, behind; tokens of 5 s, and our clock set three \
             times by up to 4 days for two tokens each"
        ),
        &format!(
            "{tokens} tokens; {corrected} assertions refused, the first of a start, whose answer tells the org's clock; no other refusal, no failed poll, \
             0 lost, 0 twice"
        ),
    );
}

/// librdkafka takes no token that the wall clock says is over: one that was issued before the clock was set ahead must be as
/// good as it is, for the clients of a shard's new life.
#[test]
fn a_kafka_token_outlives_a_clock_that_is_set_ahead() {
    let Some(broker) = SecureBroker::start() else { return };
    let Some(clock) = ShiftedClock::off_by(0) else { return };
    // No new one within this test.
    broker.provider.set_life(3_600);
    let org = Org::with_events(220);
    let config = broker
        .oauth(&broker.provider.https_url("/token"))
        .kafka(&format!("https.ca.location: {}", broker.authority.path().display()))
        .connector(org.connector("acme").interval("500ms"));
    let worker = spawn(&config, &clock);
    await_committed(&worker, &org);
    // Behind the token's end, and within the life of the broker's certificate.
    let _ = clock.jump_to(3 * HOUR);
    let checkpoint = org.checkpoint_behind(org.event_count());
    checkpoint::alter(&broker.broker.bootstrap(), &config, "acme", &org, &checkpoint);
    let again = |line: &str| line.contains("resumed from");
    let _ = worker.await_log("that a new life began", again, WAIT);
    org.generate(50);
    await_committed(&worker, &org);
    assert!(!worker.log().contains("does not take the token"), "{}", worker.log());
    worker.stop();
}

/// `since: now` on a machine that is an hour ahead would skip an hour: the first page's clock shows it, and it begins anew.
#[test]
fn a_cold_start_on_a_machine_that_is_ahead_skips_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let Some(clock) = ShiftedClock::off_by(HOUR) else { return };
    let org = Org::with_events(100);
    let acme = org.connector("acme").since("now").interval("500ms");
    let topic = acme.topic.clone();
    let worker = spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &clock);
    let line = worker.await_log("that its clock is ahead", |line| line.contains("ahead of the org's"), WAIT);
    assert!(line.contains("WARN") && line.contains("NTP"), "{line}");
    let before = org.event_count();
    org.generate(150);
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value >= 150.0, WAIT);
    worker.stop();
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let uuids = org.uuids().split_off(before);
    let difference = Difference::between(uuids.iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    prove::row(
        "clock-cold-start",
        "A cold start on a machine whose clock is ahead begins by the org's clock, and skips nothing",
        "`since: now` on a machine that is an hour ahead; 150 new events, none of them from the hour to come",
        &difference.to_string(),
    );
}
