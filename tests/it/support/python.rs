//! The Python of the independent checks: with jwcrypto and confluent-kafka (tests/python).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::skip;

/// Its interpreter, which is fetched at the first call. Where it can't be had, says which part is missing and gives
/// `None`: the test returns.
pub fn there() -> Option<&'static Path> {
    static FETCHED: LazyLock<Result<String, String>> = LazyLock::new(|| {
        fetched("tests/python/python.sh")
            .map_err(|reason| format!("Python with its libraries, which could not be had: {reason}"))
    });
    FETCHED.as_ref().map(Path::new).map_err(|missing| skip::skip(missing)).ok()
}

/// Has a script fetch what it is for; gives what it printed, or the last line of its complaint.
pub fn fetched(script: &str) -> Result<String, String> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new(&path).arg("fetch").output().map_err(|error| format!("bash ({error})"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let reason = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    // Each complains under its name.
    Err(reason.split_once(".sh: ").map_or(reason, |(_, reason)| reason).to_owned())
}
