//! Each alert on a real Prometheus that scrapes the real program while the fault is made: pending, firing, and over once it is
//! mended; beside a twin without a fault, of which no alert ever fires.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::connector::unix_seconds;
use crate::support::prometheus::{Prometheus, Scrapes};
use crate::support::prove;

mod deployments;
mod faults;
mod history;
mod scaled;

use deployments::Stage;
use faults::Fault;

/// How much faster than in production: an interval of 60 s, scrapes every 15 s, `for: 10m` and so on, by this.
const DIVISOR: u64 = 30;
/// The shortened run breaks two things, and nothing in it takes long.
const SHORT_DIVISOR: u64 = 75;
const WAIT: Duration = Duration::from_secs(400);

/// Alerts that come with another's fault, and are right: whoever is refused, fenced or kept from its first page for long is late, too.
const COMPANIONS: [(&str, &str); 7] = [
    // Killed, it waits for the end of its own session, which is not divided.
    ("OktaKafkaSourceShardWithoutOwner", "lone"),
    ("OktaKafkaSourceQuotaNearlyUsed", "limited"),
    ("OktaKafkaSourceStale", "limited"),
    ("OktaKafkaSourceStale", "quota"),
    ("OktaKafkaSourceRateLimited", "quota"),
    ("OktaKafkaSourceStale", "fenced"),
    ("OktaKafkaSourceStale", "registry"),
];

#[test]
fn each_alert_comes_with_its_fault_and_goes_with_it() {
    let divisor = prove::scale(DIVISOR, SHORT_DIVISOR);
    let scrape = Duration::from_millis(15_000 / divisor);
    let folder = tempfile::TempDir::with_prefix("rules-").unwrap();
    let Some(stage) = Stage::build(Duration::from_secs(60) / u32::try_from(divisor).unwrap()) else { return };
    let rules = scaled::shipped(divisor, folder.path());
    let scrapes = rules.iter().fold(Scrapes::new().interval(scrape), |scrapes, file| scrapes.rules(file));
    let Some(prometheus) = Prometheus::start(&stage.targets(scrapes)) else { return };
    stage.start();
    let up = stage.running() as f64;
    let _ = prometheus.await_query("sum(up)", |sum| sum.first().is_some_and(|sum| sum.value == up), WAIT);
    let _ = prometheus.await_alerts("calm after the start", <[_]>::is_empty, WAIT);
    let started = unix_seconds();
    let mut faults = Vec::new();
    let mended = thread::scope(|scope| {
        // A hand-over takes its time, whatever the rules are divided by.
        if prove::full() {
            let _ = scope.spawn(|| stage.restart_the_twins_workers());
        }
        faults = faults::make(&stage);
        mend_what_fires(&prometheus, &mut faults)
    });
    let silent = stage.silent_twins();
    let courses = history::of(&prometheus, started, scrape);
    let mut table = Vec::new();
    for fault in &faults {
        let key = (fault.alert.to_owned(), fault.severity.to_owned(), fault.namespace.to_owned(), fault.of.clone());
        let course = courses.get(&key).unwrap_or_else(|| panic!("{key:?} is in no evaluation: {courses:#?}"));
        let (pending, (firing, over)) = (course.pending.expect("it was pending"), course.firing.expect("it fired"));
        assert!(pending < firing, "{key:?}: {course:?}");
        let since = |time: f64| format!("{:.1}", time - started);
        let alert = fault.alert.trim_start_matches("OktaKafkaSource");
        let row = [since(pending), since(firing), since(fault.mended_at.unwrap()), since(over + scrape.as_secs_f64())];
        println!(
            "{alert:24} {:7} of {:24} pending {:>6} firing {:>6} mended {:>6} resolved {:>6}",
            fault.severity, fault.of, row[0], row[1], row[2], row[3]
        );
        table.push(format!("{alert} ({}) {} / {} / {}", fault.severity, row[0], row[1], row[3]));
    }
    // Nothing else fired, least of all of the twin.
    let expected: BTreeSet<_> =
        faults.iter().map(|fault| (fault.alert, fault.severity, fault.namespace, fault.of.as_str())).collect();
    for ((alert, severity, namespace, of), course) in &courses {
        let fault = expected.contains(&(alert.as_str(), severity.as_str(), namespace.as_str(), of.as_str()));
        let companion =
            COMPANIONS.iter().any(|(name, prefix)| name == alert && (of.starts_with(prefix) || namespace == prefix));
        let is_right = namespace != "twin" && (fault || companion);
        assert!(course.firing.is_none() || is_right, "{alert} ({severity}) of {namespace}/{of} fired: {course:?}");
    }
    assert_eq!(faults.len(), mended);
    if prove::full() {
        let names: BTreeSet<&str> = faults.iter().map(|fault| fault.alert).collect();
        let rules =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/alerts.yaml")).unwrap();
        let all = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
        assert_eq!(names, all.collect::<BTreeSet<_>>(), "an alert that no fault is made for");
    }
    prove::row(
        "alerts-live",
        "Each alert comes with its fault on a real Prometheus, and goes when it is mended; without a fault none comes",
        &format!(
            "the shipped rules with all durations divided by {divisor}, {} faults at once in programs that one Prometheus scrapes every {scrape:?}; beside them \
             a twin with the same kinds of connectors, whose two workers were restarted one after the other",
            faults.len()
        ),
        &format!(
            "seconds to pending / firing / resolved: {}; of {silent} connectors of the twin none fired",
            table.join("; ")
        ),
    );
}

/// Mends each fault when its alert fires, and waits until all are over.
fn mend_what_fires(prometheus: &Prometheus, faults: &mut [Fault<'_>]) -> usize {
    let deadline = Instant::now() + WAIT;
    loop {
        let alerts = prometheus.await_alerts("answer", |_| true, WAIT);
        let is_active = |fault: &Fault<'_>, firing: bool| {
            alerts.iter().any(|alert| {
                let label = |name: &str| alert.labels.get(name).map_or("", String::as_str);
                let of = if label("connector").is_empty() { label("instance") } else { label("connector") };
                alert.name == fault.alert
                    && (alert.firing || !firing)
                    && (label("severity"), label("namespace"), of)
                        == (fault.severity, fault.namespace, fault.of.as_str())
            })
        };
        let mut left = Vec::new();
        for fault in &mut *faults {
            let fires = is_active(fault, true);
            if fires && let Some(mend) = fault.mend.take() {
                mend();
                fault.mended_at = Some(unix_seconds());
            }
            if fault.mended_at.is_none() || fires {
                left.push(format!(
                    "{} of {} ({})",
                    fault.alert,
                    fault.of,
                    if fires { "fires" } else { "does not fire" }
                ));
            }
        }
        if left.is_empty() {
            return faults.iter().filter(|fault| fault.mended_at.is_some()).count();
        }
        assert!(Instant::now() < deadline, "{left:#?} {alerts:#?}");
        prometheus.runs_on(Duration::from_millis(100));
    }
}
