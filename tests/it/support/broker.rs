//! A real Apache Kafka broker as a process of its own, which a test may freeze, kill and start again.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::ports::free_port;
use super::process::Process;
use super::{kafka_script, skip};

/// A broker starts in 2-8 s; a loaded machine may need several times as long.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// What a test may ask of its broker.
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    /// The port of a proxy: the broker gets a second listener whose clients are told to come to this port.
    pub proxied_port: Option<u16>,
    /// A user, who logs in at a listener of his own and may do only what ACLs grant him.
    pub login: Option<Login>,
    /// More listeners, each on a port of its own; their settings are properties.
    pub listeners: Vec<Listener>,
    /// A user of SCRAM-SHA-512.
    pub scram: Option<Login>,
    /// Options of the Java machine.
    pub java: Vec<String>,
    /// More lines of server.properties; they win over the script's own.
    pub properties: Vec<(String, String)>,
}

/// A listener beside the plain one.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in capitals.
    pub name: &'static str,
    /// As `SASL_SSL`.
    pub protocol: &'static str,
}

/// A name and its password.
#[derive(Clone, Debug)]
pub struct Login {
    pub user: &'static str,
    pub password: &'static str,
}

impl BrokerOptions {
    /// An authoriser that lets this user do only what ACLs grant him; see [`Broker::login_address`].
    pub fn login(mut self, user: &'static str, password: &'static str) -> Self {
        self.login = Some(Login { user, password });
        self
    }

    /// One more listener; see [`Broker::listener_address`]. `settings` are its own, without `listener.name.<name>.`.
    pub fn listener(mut self, name: &'static str, protocol: &'static str, settings: &[(&str, &str)]) -> Self {
        self.listeners.push(Listener { name, protocol });
        let prefix = format!("listener.name.{}", name.to_lowercase());
        settings.iter().fold(self, |options, (key, value)| options.set(&format!("{prefix}.{key}"), value))
    }

    /// A user of SCRAM-SHA-512.
    pub fn scram(mut self, user: &'static str, password: &'static str) -> Self {
        self.scram = Some(Login { user, password });
        self
    }

    /// One more option of the Java machine.
    pub fn java(mut self, option: &str) -> Self {
        self.java.push(option.to_owned());
        self
    }

    /// One more line of server.properties.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.push((key.to_owned(), value.to_string()));
        self
    }

    /// A second listener that says it is at `port`, where a proxy listens.
    pub fn behind_proxy(mut self, port: u16) -> Self {
        self.proxied_port = Some(port);
        self
    }
}

/// A broker of a test's own. Dropping it kills it and removes what it stored.
pub struct Broker {
    directory: PathBuf,
    // Dropped after the process: the broker must be gone before its folder is.
    process: Mutex<Option<Process>>,
    _owned_directory: Option<TempDir>,
    port: u16,
    controller_port: u16,
    proxied: Option<(u16, u16)>,
    login: Option<(u16, Login)>,
    listeners: Vec<(u16, Listener)>,
    scram: Option<Login>,
    java: Vec<String>,
    properties: Vec<(String, String)>,
    /// `--initial-controllers`, for one of several.
    initial_controllers: Option<String>,
}

impl Broker {
    /// Starts a broker for one test, or says which part is missing and gives `None`.
    ///
    /// It notices its own restart after 3 s, where brokers by default wait 9 s for the session of the killed one.
    ///
    /// With `KAFKA_BOOTSTRAP` set, the tests that want a broker of their own to freeze or kill are left out.
    pub fn start(options: BrokerOptions) -> Option<Self> {
        if !Self::can_start() {
            return None;
        }
        let mut properties =
            BrokerOptions::default().set("broker.session.timeout.ms", 3000).set("broker.heartbeat.interval.ms", 500);
        properties.properties.extend(options.properties);
        let options = BrokerOptions { properties: properties.properties, ..options };
        let directory = TempDir::with_prefix("kafka-").unwrap();
        Some(Self::start_in(directory.path().to_owned(), Some(directory), options))
    }

    /// Whether brokers of a test's own can be started; says which part is missing.
    pub(super) fn can_start() -> bool {
        if super::shared_broker::given_bootstrap().is_some() {
            skip::skip("a broker that it may stop; KAFKA_BOOTSTRAP names one that belongs to somebody");
            return false;
        }
        if let Err(missing) = kafka_script::fetched() {
            skip::skip(missing);
            return false;
        }
        true
    }

    /// Starts a broker whose state is in `directory`. The script must have fetched what it needs.
    pub(super) fn start_in(directory: PathBuf, owned_directory: Option<TempDir>, options: BrokerOptions) -> Self {
        let broker = Self {
            directory,
            process: Mutex::new(None),
            _owned_directory: owned_directory,
            port: free_port(),
            controller_port: free_port(),
            proxied: options.proxied_port.map(|advertised| (free_port(), advertised)),
            login: options.login.map(|login| (free_port(), login)),
            listeners: options.listeners.into_iter().map(|listener| (free_port(), listener)).collect(),
            scram: options.scram,
            java: options.java,
            properties: options.properties,
            initial_controllers: None,
        };
        broker.restart();
        broker
    }

    /// One of several brokers, not started yet: the first is ready only when a majority is there.
    pub(super) fn member(controller_port: u16, initial_controllers: &str, properties: Vec<(String, String)>) -> Self {
        let directory = TempDir::with_prefix("kafka-").unwrap();
        Self {
            directory: directory.path().to_owned(),
            process: Mutex::new(None),
            _owned_directory: Some(directory),
            port: free_port(),
            controller_port,
            proxied: None,
            login: None,
            listeners: Vec::new(),
            scram: None,
            java: Vec::new(),
            properties,
            initial_controllers: Some(initial_controllers.to_owned()),
        }
    }

    /// `host:port` of its plain listener.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` where the proxy must forward to, for a broker that was started with a proxied port.
    pub fn proxied_address(&self) -> String {
        let (listen, _) = self.proxied.expect("the broker was started with a proxied port");
        format!("127.0.0.1:{listen}")
    }

    /// `host:port` where the user of [`BrokerOptions::login`] logs in.
    pub fn login_address(&self) -> String {
        let (port, _) = self.login.as_ref().expect("the broker was started with a login");
        format!("127.0.0.1:{port}")
    }

    /// Its `log.dirs`: what it stored.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// `host:port` of the listener of that name.
    pub fn listener_address(&self, name: &str) -> String {
        let found = self.listeners.iter().find(|(_, listener)| listener.name == name);
        format!("127.0.0.1:{}", found.expect("the broker was started with that listener").0)
    }

    /// SIGSTOP: it answers nobody, and keeps all connections. Returns at once, so it may be called from a proxy's hook.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT: it goes on where it stood.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// kill -9, and waits until it is gone. What it stored stays.
    pub fn kill9(&self) {
        if let Some(process) = self.process().take() {
            let _ = process.kill9();
        }
    }

    /// Starts it again on the same ports and the same data, and waits until it is ready.
    pub fn restart(&self) {
        self.kill9();
        let mut command = Command::new(kafka_script::path());
        let _ = command.arg("start").arg(&self.directory).arg(self.port.to_string());
        let _ = command.arg("--controller-port").arg(self.controller_port.to_string());
        if let Some((listen, advertised)) = self.proxied {
            let _ = command.arg("--proxied").arg(format!("{listen}:{advertised}"));
        }
        if let Some((port, Login { user, password })) = &self.login {
            let _ = command.arg("--login").arg(format!("{port}:{user}:{password}"));
        }
        for (port, Listener { name, protocol }) in &self.listeners {
            let _ = command.arg("--listener").arg(format!("{name}:{port}:{protocol}"));
        }
        if let Some(Login { user, password }) = &self.scram {
            let _ = command.arg("--scram").arg(format!("{user}:{password}"));
        }
        for option in &self.java {
            let _ = command.arg("--java").arg(option);
        }
        if let Some(initial) = &self.initial_controllers {
            let _ = command.arg("--initial-controllers").arg(initial);
        }
        for (key, value) in &self.properties {
            let _ = command.arg("--set").arg(format!("{key}={value}"));
        }
        let process = Process::spawn("Kafka broker", command);
        let _ = process.await_line("that it is ready", |line| line.contains("Kafka Server started"), START_TIMEOUT);
        *self.process() = Some(process);
    }

    /// The end of its log, for a failing test's message.
    pub fn log_tail(&self) -> String {
        self.process().as_ref().map_or_else(String::new, |process| process.tail(60))
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.process().as_ref() {
            process.signal(signal);
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap()
    }
}
