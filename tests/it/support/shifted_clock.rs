//! A wall clock of the shipped program that a test moves while it runs: `shifted_clock.c`, compiled on the spot.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::connector::utf8;
use super::skip;

/// A clock that any number of processes look at. The tests' own clock, the org's and Kafka's stay as they are.
pub struct ShiftedClock {
    directory: TempDir,
    file: File,
}

impl ShiftedClock {
    /// A clock that is off by so many seconds. Where it can't be had, says which part is missing and gives `None`: the
    /// test returns.
    pub fn off_by(seconds: i64) -> Option<Self> {
        // Its symbols are glibc's.
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            skip::skip("Linux with glibc, to shift the clock of one process");
            return None;
        }
        let directory = TempDir::with_prefix("clock-").unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/shifted_clock.c");
        let library = directory.path().join("shifted_clock.so");
        let arguments = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", utf8(&library), source];
        let Ok(compiled) = Command::new("cc").args(arguments).output() else {
            skip::skip("a C compiler, to shift the clock of one process");
            return None;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let path = directory.path().join("shift");
        fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let clock = Self { directory, file };
        let _ = clock.jump_to(seconds);
        Some(clock)
    }

    /// From now on it is off by so many seconds; gives when that was.
    pub fn jump_to(&self, seconds: i64) -> Instant {
        self.file.write_all_at(&(seconds * 1_000_000_000).to_ne_bytes(), 0).unwrap();
        Instant::now()
    }

    /// What a process needs in its environment to live by it.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| -> PathBuf { self.directory.path().join(name) };
        [("LD_PRELOAD", utf8(&path("shifted_clock.so")).to_owned()), ("CLOCK_SHIFT", utf8(&path("shift")).to_owned())]
    }
}
