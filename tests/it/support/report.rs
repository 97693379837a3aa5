//! What `check` prints.

use std::fmt;
use std::time::Duration;

use super::config_yaml::ConfigYaml;
use super::connector::{self, ConfigFile, utf8};

/// Longer than the command may ever take.
const WAIT: Duration = Duration::from_secs(60);

/// The outcome of one `check`.
pub struct Report {
    pub code: i32,
    stdout: String,
    pub stderr: String,
}

impl Report {
    /// `check -c` of this configuration.
    pub fn of(config: &ConfigYaml) -> Self {
        Self::with(config, &[], &[])
    }

    /// The same with more arguments, and with variables.
    pub fn with(config: &ConfigYaml, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let file = ConfigFile::new(&config.render());
        let path = file.path();
        let arguments: Vec<&str> = ["check", "-c", utf8(&path)].iter().chain(arguments).copied().collect();
        let output = connector::run(&arguments, environment, WAIT);
        let report = Self { code: output.code(), stdout: output.stdout, stderr: output.stderr };
        for line in report.lines() {
            let is_line = ["ok   ", "warn ", "FAIL "].iter().any(|status| line.starts_with(status));
            assert!(is_line && line.contains(": "), "not a line of the report: {line}");
        }
        report
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.stdout.lines()
    }

    /// How many lines have this status.
    pub fn count(&self, status: &str) -> usize {
        self.lines().filter(|line| line.starts_with(&format!("{status:4} "))).count()
    }

    /// The lines of this status about this.
    pub fn find<'a>(&'a self, status: &str, what: &str) -> impl Iterator<Item = &'a str> {
        let start = format!("{status:4} {what}: ");
        self.lines().filter(move |line| line.starts_with(&start))
    }

    /// There is such a line, and it has all these parts.
    pub fn assert(&self, status: &str, what: &str, parts: &[&str]) {
        let is_there = self.find(status, what).any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(is_there, "no line `{status} {what}: …{parts:?}`:\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}
