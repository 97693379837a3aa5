//! A real Prometheus that scrapes what a test says, and `promtool`, by `tests/prometheus/prometheus.sh`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;
use url::form_urlencoded;

use super::connector::Output;
use super::metrics;
use super::ports::free_port;
use super::process::{Process, Stream};
use super::skip;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// What a Prometheus scrapes, and by which rules it judges.
#[derive(Clone, Debug)]
pub struct Scrapes {
    /// Also how often rules are evaluated.
    pub interval: Duration,
    /// Files of rules, by absolute paths.
    pub rules: Vec<PathBuf>,
    /// Address (`host:port`) of an Alertmanager.
    pub alertmanager: Option<String>,
    targets: Vec<Target>,
}

#[derive(Clone, Debug)]
struct Target {
    address: String,
    labels: Vec<(String, String)>,
}

impl Scrapes {
    /// Nothing yet, every second.
    pub fn new() -> Self {
        Self { interval: Duration::from_secs(1), rules: Vec::new(), alertmanager: None, targets: Vec::new() }
    }

    /// As often as that, in whole milliseconds.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// With one file of rules more.
    pub fn rules(mut self, file: &Path) -> Self {
        self.rules.push(file.to_owned());
        self
    }

    /// With one target more: `labels` are those that all of its series get, `job` at least.
    pub fn target(mut self, address: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.targets.push(Target { address: address.to_owned(), labels });
        self
    }

    fn render(&self) -> String {
        let millis = self.interval.as_millis();
        let mut text = format!(
            "global: {{scrape_interval: {millis}ms, scrape_timeout: {millis}ms, evaluation_interval: {millis}ms}}\n"
        );
        let rules: Vec<_> = self.rules.iter().map(|file| file.to_str().expect("the path is UTF-8")).collect();
        writeln!(text, "rule_files: {}", Value::from(rules)).unwrap();
        if let Some(address) = &self.alertmanager {
            writeln!(text, "alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{address}']}}]}}]}}").unwrap();
        }
        // One pool: what is taken out of it is stale at once, as what a service discovery takes out. The label `job` is the target's.
        writeln!(text, "scrape_configs: [{{job_name: targets, static_configs: [").unwrap();
        for target in &self.targets {
            let labels: BTreeMap<_, _> = target.labels.iter().cloned().collect();
            let labels = serde_json::to_string(&labels).unwrap();
            writeln!(text, "  {{targets: ['{}'], labels: {labels}}},", target.address).unwrap();
        }
        writeln!(text, "]}}]").unwrap();
        text
    }
}

/// One series of an answer: its labels (`__name__` among them where it has one), and its last value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub name: String,
    /// Whether it fires; else it is pending.
    pub firing: bool,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// A Prometheus of the test's own. Dropping it kills it.
pub struct Prometheus {
    address: String,
    process: Process,
    directory: TempDir,
}

impl Prometheus {
    /// Starts one; where there is none, says which part is missing and gives `None`: the test returns.
    pub fn start(scrapes: &Scrapes) -> Option<Self> {
        let _ = tools()?;
        let directory = TempDir::with_prefix_in("prometheus-", env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = directory.path().join("prometheus.yaml");
        fs::write(&config, scrapes.render()).unwrap();
        let port = free_port();
        let mut command = Command::new(script());
        let _ = command.arg("start").arg(&config).arg(directory.path().join("data")).arg(port.to_string());
        let process = Process::spawn("Prometheus", command);
        let ready = |line: &str| line.contains("Server is ready to receive web requests");
        let _ = process.await_line("that it is ready", ready, START_TIMEOUT);
        Some(Self { address: format!("127.0.0.1:{port}"), process, directory })
    }

    /// Scrapes that from now on; what it has stored stays.
    pub fn reload(&self, scrapes: &Scrapes) {
        let mark = self.process.line_count();
        fs::write(self.directory.path().join("prometheus.yaml"), scrapes.render()).unwrap();
        self.process.signal(Signal::SIGHUP);
        let loaded = |line: &str| line.contains("Completed loading of configuration file");
        let line = self.process.wait_for_line_after(mark, loaded, START_TIMEOUT);
        assert!(line.is_some(), "it does not read its configuration:\n{}", self.process.tail(20));
    }

    /// `host:port` of its API.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// GET of its API: the member `data`.
    pub fn api(&self, path: &str) -> Value {
        let answer = metrics::get(&self.address, &format!("/api/v1/{path}")).expect("Prometheus answers");
        let value: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        assert_eq!((answer.status, value["status"].as_str()), (200, Some("success")), "{path}: {}", answer.body);
        value["data"].clone()
    }

    /// What a query gives now: the series of a vector, or one without labels for a scalar.
    pub fn query(&self, query: &str) -> Vec<Sample> {
        let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let data = self.api(&format!("query?query={encoded}"));
        let value = |pair: &Value| pair[1].as_str().unwrap().parse().unwrap();
        match data["resultType"].as_str() {
            Some("vector") => {
                let series = data["result"].as_array().unwrap().iter();
                series.map(|one| Sample { labels: labels(&one["metric"]), value: value(&one["value"]) }).collect()
            }
            Some("scalar") => vec![Sample { labels: BTreeMap::new(), value: value(&data["result"]) }],
            other => panic!("`{query}` gives {other:?}"),
        }
    }

    /// Asks until `wanted` holds of what the query gives.
    pub fn await_query(&self, query: &str, wanted: impl Fn(&[Sample]) -> bool, timeout: Duration) -> Vec<Sample> {
        let mut last = Vec::new();
        self.process
            .poll(timeout, || {
                last = self.query(query);
                wanted(&last).then(|| last.clone())
            })
            .unwrap_or_else(|| panic!("`{query}` stayed at {last:?} for {timeout:?}"))
    }

    /// All alerts that are pending or firing.
    pub fn alerts(&self) -> Vec<Alert> {
        let data = self.api("alerts");
        let alerts = data["alerts"].as_array().unwrap().iter().map(|alert| {
            let labels = labels(&alert["labels"]);
            Alert {
                name: labels["alertname"].clone(),
                firing: alert["state"] == "firing",
                annotations: self::labels(&alert["annotations"]),
                labels,
            }
        });
        alerts.collect()
    }

    /// Asks until `wanted` holds of the alerts.
    pub fn await_alerts(&self, what: &str, wanted: impl Fn(&[Alert]) -> bool, timeout: Duration) -> Vec<Alert> {
        let mut last = Vec::new();
        self.process
            .poll(timeout, || {
                last = self.alerts();
                wanted(&last).then(|| last.clone())
            })
            .unwrap_or_else(|| panic!("no {what} within {timeout:?}: {last:#?}"))
    }

    /// Waits for `duration`, in which it must not end.
    pub fn runs_on(&self, duration: Duration) {
        self.process.runs_on(duration);
    }
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// Runs promtool to its end; `None` as of [`Prometheus::start`].
pub fn promtool(arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(tools()?.join("promtool"));
    let _ = command.args(arguments);
    let process = Process::spawn("promtool", command);
    let status = process.wait(Duration::from_secs(120));
    Some(Output { status, stdout: process.text(Stream::Stdout), stderr: process.text(Stream::Stderr) })
}

/// The folder of `promtool`, `prometheus` and `alertmanager`. Where they can't be fetched, says so and gives `None`.
pub fn tools() -> Option<&'static Path> {
    static FETCHED: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        let output = Command::new(script()).arg("fetch").output().map_err(|error| format!("bash ({error})"))?;
        if output.status.success() {
            return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reason = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        Err(format!("Prometheus, which could not be fetched: {}", reason.trim_start_matches("prometheus.sh: ")))
    });
    FETCHED.as_deref().map_err(|missing| skip::skip(missing)).ok()
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prometheus/prometheus.sh")
}
