//! The script that fetches and starts Apache Kafka, `tests/kafka/kafka.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Where the script lies.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/kafka.sh")
}

/// Fetches the broker, once in this process and once on this machine. The error says which part is missing.
pub fn fetched() -> Result<(), &'static str> {
    static FETCHED: LazyLock<Result<(), String>> = LazyLock::new(|| {
        let output = Command::new(path()).arg("fetch").output().map_err(|error| format!("bash ({error})"))?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reason = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        Err(format!("Apache Kafka, which could not be fetched: {}", reason.trim_start_matches("kafka.sh: ")))
    });
    FETCHED.as_ref().copied().map_err(String::as_str)
}
