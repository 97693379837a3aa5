//! A real schema registry: Apicurio, which speaks Confluent's REST API under a path prefix.
//!
//! Confluent's own registry is in no public package registry, so no test runs against it. Where the two are known to
//! differ, the difference stands at the test or in the code. What matters here: Apicurio has no rule of compatibility
//! unless a subject gets one ([`Registry::set_compatibility`]), and then its answers name no field; a look-up finds a
//! schema that is formatted differently only with `normalize=true`; ids may skip.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::http_message::Message;
use super::ports::free_port;
use super::process::Process;
use super::skip;

/// It starts in 1.2 s (3.6 s without its class-data archive); a loaded machine may need several times as long.
const START_TIMEOUT: Duration = Duration::from_secs(90);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Where Confluent's API is.
const PREFIX: &str = "/apis/ccompat/v7";

/// A registry, all of whose subjects are in its memory. Dropping it kills it.
pub struct Registry {
    port: u16,
    process: Mutex<Option<Process>>,
}

/// The registry that all tests share which do not end it; started at the first call. A test takes subjects of its own,
/// as it takes topics of its own. Where there is none, says which part is missing and gives `None`: the test returns.
pub fn shared_registry() -> Option<&'static Registry> {
    // Never dropped, as statics are not: the kernel kills the registry with the test process (see `process`).
    static SHARED: LazyLock<Result<Registry, &'static str>> = LazyLock::new(|| {
        fetched()?;
        Ok(Registry::start_anew())
    });
    SHARED.as_ref().map_err(|missing| skip::skip(missing)).ok()
}

impl Registry {
    /// One of the test's own, which it may end; `None` as of [`shared_registry`].
    pub fn start() -> Option<Self> {
        fetched().map_err(skip::skip).ok()?;
        Some(Self::start_anew())
    }

    /// A port where there is none yet: [`Registry::restart`] starts it.
    pub fn not_started() -> Option<Self> {
        fetched().map_err(skip::skip).ok()?;
        Some(Self { port: free_port(), process: Mutex::new(None) })
    }

    /// One that was started by somebody else, on 127.0.0.1.
    pub fn at(port: u16) -> Self {
        Self { port, process: Mutex::new(None) }
    }

    fn start_anew() -> Self {
        let registry = Self { port: free_port(), process: Mutex::new(None) };
        registry.restart();
        registry
    }

    /// Starts it on the same port, with nothing in it.
    pub fn restart(&self) {
        self.kill9();
        let mut command = Command::new(script());
        let _ = command.arg("start").arg(self.port.to_string());
        let process = Process::spawn("schema registry", command);
        let _ = process.await_line("that it is ready", |line| line.contains("Listening on"), START_TIMEOUT);
        *self.process.lock().unwrap() = Some(process);
    }

    /// kill -9, and waits until it is gone.
    pub fn kill9(&self) {
        if let Some(process) = self.process.lock().unwrap().take() {
            let _ = process.kill9();
        }
    }

    /// The base URL of Confluent's API, as `schema_registry.url` takes it.
    pub fn url(&self) -> String {
        format!("http://{}{PREFIX}", self.address())
    }

    /// Where it listens, for a proxy in front of it.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Registers a schema; its id, or status and message of the refusal.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, (u16, String)> {
        let (status, answer) = self.request("POST", &format!("/subjects/{subject}/versions"), Some(&body_of(schema)));
        match answer["id"].as_u64() {
            Some(id) if status == 200 => Ok(u32::try_from(id).unwrap()),
            _ => Err((status, answer["message"].as_str().unwrap_or_default().to_owned())),
        }
    }

    /// The numbers of a subject's versions; none where there is no such subject.
    pub fn versions(&self, subject: &str) -> Vec<u64> {
        let (_, answer) = self.request("GET", &format!("/subjects/{subject}/versions"), None);
        answer.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
    }

    /// Id and text of a subject's latest version.
    pub fn latest(&self, subject: &str) -> Option<(u32, String)> {
        let (status, answer) = self.request("GET", &format!("/subjects/{subject}/versions/latest"), None);
        let id = u32::try_from(answer["id"].as_u64()?).unwrap();
        (status == 200).then(|| (id, answer["schema"].as_str().unwrap().to_owned()))
    }

    /// The schema of an id.
    pub fn schema(&self, id: u32) -> String {
        let (status, answer) = self.request("GET", &format!("/schemas/ids/{id}"), None);
        assert_eq!(status, 200, "schema {id}: {answer}");
        answer["schema"].as_str().unwrap().to_owned()
    }

    /// Sets a subject's rule, as `FULL_TRANSITIVE`; that also before there is such a subject, `NONE` not.
    pub fn set_compatibility(&self, subject: &str, level: &str) {
        let (status, answer) =
            self.request("PUT", &format!("/config/{subject}"), Some(&json!({ "compatibility": level })));
        assert_eq!(status, 200, "{subject}: {answer}");
    }

    /// Whether the registry would take a schema beside the versions of a subject that has some.
    pub fn is_compatible(&self, subject: &str, schema: &str) -> bool {
        let path = format!("/compatibility/subjects/{subject}/versions");
        let (status, answer) = self.request("POST", &path, Some(&body_of(schema)));
        assert_eq!(status, 200, "{subject}: {answer}");
        answer["is_compatible"].as_bool().unwrap()
    }

    /// Any request of Confluent's API: status and body (null where that is no JSON).
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(self.address()).expect("the schema registry is there");
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
        write!(
            stream,
            "{method} {PREFIX}{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address(),
            body.len()
        )
        .unwrap();
        let answer = Message::read(&mut stream, true).expect("the schema registry answers");
        (answer.status(), serde_json::from_str(&answer.text()).unwrap_or_default())
    }
}

fn body_of(schema: &str) -> Value {
    json!({ "schema": schema })
}

pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/registry.sh")
}

/// Fetches the registry, once in this process and once on this machine. The error says which part is missing.
pub fn fetched() -> Result<(), &'static str> {
    static FETCHED: LazyLock<Result<(), String>> = LazyLock::new(|| {
        let output = Command::new(script()).arg("fetch").output().map_err(|error| format!("bash ({error})"))?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reason = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        Err(format!("a schema registry, which could not be fetched: {}", reason.trim_start_matches("registry.sh: ")))
    });
    FETCHED.as_ref().copied().map_err(String::as_str)
}
