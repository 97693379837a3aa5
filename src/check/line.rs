//! One line of the report.

use std::fmt;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As it must be.
    Ok,
    /// `run` goes on, and somebody should know.
    Warn,
    /// `run` would not do its work.
    Fail,
}

/// What was looked at, how it came out, and what to do about it. Never more than one line, whatever a broker or an org said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it came out.
    pub status: Status,
    /// Whether it is the file that is wrong.
    pub is_configuration: bool,
    what: String,
    detail: String,
}

impl Line {
    /// Whether `run` would not do its work.
    pub fn is_failure(&self) -> bool {
        self.status == Status::Fail
    }

    /// As it must be; `detail` is what was found.
    pub fn ok(what: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::new(Status::Ok, what, detail)
    }

    /// `detail` is what was found, and what to do.
    pub fn warn(what: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::new(Status::Warn, what, detail)
    }

    /// `detail` is what was found, and what to do.
    pub fn fail(what: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::new(Status::Fail, what, detail)
    }

    /// The same, of what the file says: `check` then ends as for a file that is not valid.
    pub fn of_configuration(mut self) -> Self {
        self.is_configuration = true;
        self
    }

    fn new(status: Status, what: impl Into<String>, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string().replace(char::is_control, " ");
        Self { status, is_configuration: false, what: what.into(), detail }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        write!(f, "{status} {}: {}", self.what, self.detail)
    }
}
