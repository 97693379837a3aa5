//! Tests that cannot run here: said aloud and counted, and a failure where everything is required.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Says that the calling test is left out because `missing` is not there. With `OKS_REQUIRE_BROKER=1` (as in CI), it
/// panics instead.
///
/// The line goes past the test harness, which would swallow what a passing test prints, and into
/// `skipped-tests.txt` beside the other test files under `target/tmp`, where `make test` counts it.
pub fn skip(missing: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(!broker_required(), "{test} needs {missing}, and OKS_REQUIRE_BROKER says that nothing may be left out");
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: needs {missing}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped-tests.txt");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{test}: needs {missing}").unwrap();
}

/// Whether `OKS_REQUIRE_BROKER` is set: a missing part is a failure then.
pub fn broker_required() -> bool {
    std::env::var_os("OKS_REQUIRE_BROKER").is_some_and(|value| !value.is_empty() && value != "0")
}
