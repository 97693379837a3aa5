//! Readers of Avro that share no line with the program: tests/reader, in Python and in Java.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde::Deserialize;
use tempfile::TempDir;

use super::{python, skip};

/// A topic, and what is needed to read it.
pub struct AvroTopic<'a> {
    pub bootstrap: &'a str,
    /// The registry's URL.
    pub registry: &'a str,
    pub topic: &'a str,
}

/// What a reader found, as read.py tells it.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    /// Events that the topic should have.
    pub events: usize,
    /// Records that it has.
    pub records: usize,
    /// Records that are not their event under the law.
    pub different: usize,
    /// The first of them, in words.
    pub differences: Vec<String>,
    pub lost: usize,
    pub twice: usize,
    /// Records with values in `unmapped`.
    pub with_unmapped: usize,
    /// How many values are there.
    pub unmapped_values: usize,
    /// Under which pointers, and how often.
    pub unmapped: std::collections::BTreeMap<String, usize>,
    /// Records that were also read by an older schema.
    pub older: usize,
    /// Those of which it got something else.
    pub older_different: usize,
}

impl Verdict {
    /// Panics where a record is not its event, or not there exactly once.
    pub fn must_be_equal(&self, reader: &str) {
        let Self { events, records, different, lost, twice, older_different, .. } = self;
        let wrong = [different, lost, twice, older_different].into_iter().any(|count| *count > 0);
        assert!(!wrong && events == records, "{reader}: {self:?}");
    }
}

/// Both readers.
pub struct Readers {
    python: &'static Path,
    class_path: &'static str,
    scratch: TempDir,
}

impl Readers {
    /// The readers, which are fetched at the first call. Where one can't be had, says which part is missing and gives
    /// `None`: the test returns.
    pub fn there() -> Option<Self> {
        static FETCHED: LazyLock<Result<String, String>> = LazyLock::new(|| {
            python::fetched("tests/reader/java.sh")
                .map_err(|reason| format!("Avro's Java library, which could not be had: {reason}"))
        });
        let python = python::there()?;
        let class_path = FETCHED.as_ref().map_err(|missing| skip::skip(missing)).ok()?;
        Some(Self { python, class_path, scratch: TempDir::with_prefix("readers-").unwrap() })
    }

    /// Reads the topic with confluent-kafka, and by `older` besides, and holds each record against its event.
    pub fn python<E: AsRef<[u8]>>(&self, of: &AvroTopic<'_>, events: &[E], older: Option<&Path>) -> Verdict {
        let mut arguments = vec!["--bootstrap", of.bootstrap, "--registry", of.registry, "--topic", of.topic];
        if let Some(older) = older {
            arguments.extend(["--older", older.to_str().unwrap()]);
        }
        self.verdict(events, &arguments)
    }

    /// Reads the topic with Avro's own Java library, and by `older` besides; the law is the same script's.
    pub fn java<E: AsRef<[u8]>>(&self, of: &AvroTopic<'_>, events: &[E], older: Option<&Path>) -> Verdict {
        let mut command = Command::new("java");
        let _ = command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", self.class_path, "Reader"]);
        let _ = command.args([of.bootstrap, of.registry, of.topic]).args(older);
        let decoded = self.scratch.path().join("decoded.jsonl");
        fs::write(&decoded, succeeded("Reader.java", command.output().unwrap()).stdout).unwrap();
        self.verdict(events, &["--decoded", decoded.to_str().unwrap()])
    }

    /// What holds the law's script itself up: it finds one mistake in each of many records.
    pub fn must_find_what_is_wrong(&self) {
        let tests =
            Command::new(self.python).args(["-B", "-m", "unittest", "-q", "test_law"]).current_dir(folder()).output();
        let _ = succeeded("test_law.py", tests.unwrap());
    }

    fn verdict<E: AsRef<[u8]>>(&self, events: &[E], arguments: &[&str]) -> Verdict {
        let file = self.scratch.path().join("events.json-seq");
        // An event may hold line feeds, so each is a text of RFC 7464.
        let texts: Vec<u8> = events.iter().flat_map(|event| [b"\x1e", event.as_ref(), b"\n"].concat()).collect();
        fs::write(&file, texts).unwrap();
        let read = Command::new(self.python)
            .arg("-B")
            .arg(folder().join("read.py"))
            .args(["--events", file.to_str().unwrap()])
            .args(arguments)
            .output();
        serde_json::from_slice(&succeeded("read.py", read.unwrap()).stdout).expect("the verdict is JSON")
    }
}

fn succeeded(what: &str, output: Output) -> Output {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader")
}
