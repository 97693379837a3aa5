//! What a Prometheus has recorded of its own alerts: when each was pending, fired, and was over.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::connector::unix_seconds;
use crate::support::prometheus::Prometheus;

/// An alert of one namespace and, where it has one, connector: name, severity, namespace, connector or instance.
pub type Key = (String, String, String, String);

/// Unix seconds of the first and the last evaluation in which it was so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Course {
    pub pending: Option<f64>,
    pub firing: Option<(f64, f64)>,
}

/// Every alert since `start`, from evaluation to evaluation.
pub fn of(prometheus: &Prometheus, start: f64, step: Duration) -> BTreeMap<Key, Course> {
    let (end, step) = (unix_seconds(), step.as_secs_f64());
    let data = prometheus.api(&format!("query_range?query=ALERTS&start={start}&end={end}&step={step}"));
    let mut courses: BTreeMap<Key, Course> = BTreeMap::new();
    for series in data["result"].as_array().unwrap() {
        let label = |name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
        let of = if label("connector").is_empty() { label("instance") } else { label("connector") };
        let course = courses.entry((label("alertname"), label("severity"), label("namespace"), of)).or_default();
        let times: Vec<f64> = series["values"].as_array().unwrap().iter().filter_map(|pair| pair[0].as_f64()).collect();
        let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else { continue };
        if label("alertstate") == "firing" {
            course.firing = Some(course.firing.map_or((first, last), |(was, is)| (was.min(first), is.max(last))));
        } else {
            course.pending = Some(course.pending.map_or(first, |was| was.min(first)));
        }
    }
    courses
}
