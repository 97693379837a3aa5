//! The shipped program as a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::config_yaml::ConfigYaml;
use super::metrics::{self, Answer};
use super::org::Org;
use super::process::{Process, Stream};

/// Environment variables that would change what the program does, were they set where the tests run.
const NOT_INHERITED: [&str; 14] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "KAFKA_BOOTSTRAP",
    "OKTA_KAFKA_SOURCE_CONFIG",
    "OKTA_API_TOKEN",
    "RUST_LOG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// The program that was built with these tests.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_okta-kafka-source");

/// What a one-shot command did.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The exit code; panics when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }
}

/// Runs one command of the program to its end. Panics when it has not ended after `timeout`.
pub fn run(arguments: &[&str], environment: &[(&str, &str)], timeout: Duration) -> Output {
    run_program_in(Path::new(PROGRAM), arguments, environment, timeout)
}

/// The same with another build of the program.
pub fn run_program(program: &Path, arguments: &[&str], timeout: Duration) -> Output {
    run_program_in(program, arguments, &[], timeout)
}

fn run_program_in(program: &Path, arguments: &[&str], environment: &[(&str, &str)], timeout: Duration) -> Output {
    let process = Process::spawn("okta-kafka-source", command_of(program, arguments, environment));
    let status = process.wait(timeout);
    Output { status, stdout: process.text(Stream::Stdout), stderr: process.text(Stream::Stderr) }
}

/// Starts any command of the program, as `simulate`, and leaves it running.
pub fn spawn(arguments: &[&str], environment: &[(&str, &str)]) -> Process {
    Process::spawn(&format!("okta-kafka-source {}", arguments.join(" ")), command(arguments, environment))
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    command_of(Path::new(PROGRAM), arguments, environment)
}

fn command_of(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    for name in NOT_INHERITED {
        let _ = command.env_remove(name);
    }
    let _ = command.args(arguments).env("RUST_BACKTRACE", "1").envs(environment.iter().copied());
    command
}

/// A configuration on disk: what `-c` takes.
pub struct ConfigFile {
    directory: TempDir,
}

impl ConfigFile {
    /// Writes `text` to a file of its own, which goes when this is dropped.
    pub fn new(text: &str) -> Self {
        let directory = TempDir::with_prefix("config-").unwrap();
        fs::write(directory.path().join("config.yaml"), text).unwrap();
        Self { directory }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("config.yaml")
    }
}

/// `okta-kafka-source run`. Dropping it kills it.
pub struct Connector {
    process: Process,
    http_listen: String,
    _file: ConfigFile,
}

impl Connector {
    /// Starts `run -c` with this configuration.
    pub fn spawn(config: &ConfigYaml, environment: &[(&str, &str)]) -> Self {
        Self::spawn_program(Path::new(PROGRAM), config, environment)
    }

    /// The same with another build of the program.
    pub fn spawn_program(program: &Path, config: &ConfigYaml, environment: &[(&str, &str)]) -> Self {
        let file = ConfigFile::new(&config.render());
        let path = file.path();
        let command = command_of(program, &["run", "-c", utf8(&path)], environment);
        let process = Process::spawn("okta-kafka-source run", command);
        Self { process, http_listen: config.http_listen.clone(), _file: file }
    }

    /// The process, for what is not here.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process.text(Stream::Stderr)
    }

    /// Waits for a log line; `None` when `timeout` passed or the process ended without it.
    pub fn wait_for_log(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> Option<String> {
        self.process.wait_for_line(wanted, timeout)
    }

    /// As [`Connector::wait_for_log`], but panics with the end of the log; `what` says what was awaited.
    pub fn await_log(&self, what: &str, wanted: impl Fn(&str) -> bool, timeout: Duration) -> String {
        self.process.await_line(what, wanted, timeout)
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill9(&self) {
        let _ = self.process.kill9();
    }

    /// SIGTERM; [`Connector::wait`] waits for what it does.
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// SIGTERM, and the end that is promised: with 0, within 10 s.
    pub fn stop(&self) {
        self.terminate();
        assert_eq!(self.wait(Duration::from_secs(10)).code(), Some(0), "{}", self.process.tail(40));
    }

    /// SIGSTOP: a worker that does not know that time passes.
    pub fn freeze(&self) {
        self.process.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.signal(Signal::SIGCONT);
    }

    /// Its exit status; panics with the end of the log when it has not ended after `timeout`.
    pub fn wait(&self, timeout: Duration) -> ExitStatus {
        self.process.wait(timeout)
    }

    /// One of its HTTP pages; `None` while it does not listen.
    pub fn http(&self, path: &str) -> Option<Answer> {
        metrics::get(&self.http_listen, path).ok()
    }

    /// The value of a metric (by its full name) that has at least these labels; `None` while there is none.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        metrics::metric(&self.http("/metrics")?.body, name, labels)
    }

    /// Waits until `wanted` holds for a metric, and gives its value. Panics with the end of the log when it does not
    /// come to that within `timeout`, or when the process ends.
    pub fn await_metric(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        wanted: impl Fn(f64) -> bool,
        timeout: Duration,
    ) -> f64 {
        let mut last = None;
        self.process
            .poll(timeout, || {
                last = self.metric(name, labels);
                last.filter(|value| wanted(*value))
            })
            .unwrap_or_else(|| {
                panic!("{name}{labels:?} stayed at {last:?} for {timeout:?}:\n{}", self.process.tail(40))
            })
    }

    /// The value of a metric of one connector, by its name without the prefix; `labels` are those beside `connector`.
    pub fn of(&self, connector: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Vec<_> = labels.iter().copied().chain([("connector", connector)]).collect();
        self.metric(&format!("okta_kafka_source_{name}"), &labels)
    }

    /// Waits until `wanted` holds for such a metric.
    pub fn await_of(
        &self,
        connector: &str,
        name: &str,
        labels: &[(&str, &str)],
        wanted: impl Fn(f64) -> bool,
        timeout: Duration,
    ) -> f64 {
        let labels: Vec<_> = labels.iter().copied().chain([("connector", connector)]).collect();
        self.await_metric(&format!("okta_kafka_source_{name}"), &labels, wanted, timeout)
    }

    /// Waits until the connector is in that state.
    pub fn await_state(&self, connector: &str, state: &str, timeout: Duration) {
        let _ = self.await_of(connector, "connector_state", &[("state", state)], |value| value == 1.0, timeout);
    }

    /// Waits until the topic holds all that the org had when this was called, as the program itself says.
    ///
    /// Of the next three requests the second is certainly answered from now on, and the third is asked only when the
    /// second is collected; a caught-up time of after that covers it. The connector must be the org's only client.
    pub fn await_caught_up(&self, org: &Org, connector: &str, timeout: Duration) {
        org.await_requests(org.request_count() + 3, timeout);
        let now = unix_seconds();
        let _ = self.await_of(connector, "caught_up_timestamp_seconds", &[], |value| value > now, timeout);
    }

    /// Waits until a page answers with this status. Panics with the end of the log.
    pub fn await_http(&self, path: &str, status: u16, timeout: Duration) -> Answer {
        self.process
            .poll(timeout, || self.http(path).filter(|answer| answer.status == status))
            .unwrap_or_else(|| panic!("{path} did not answer {status} within {timeout:?}:\n{}", self.process.tail(40)))
    }
}

/// Seconds since 1970, as Prometheus counts time.
pub fn unix_seconds() -> f64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

/// Paths of the tests are of the tests' own making, so they are UTF-8.
pub fn utf8(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
