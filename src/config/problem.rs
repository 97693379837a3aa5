//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// One thing that is wrong with a configuration, or (in [`Config::warnings`](super::Config::warnings)) unwise.
///
/// The message is lower-case, has values in backticks, ends in what to write instead, and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key's path, as `connectors[0].interval`; empty when the file as a whole is meant.
    pub path: String,
    /// The line in the file, from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read as UTF-8 text.
    #[error("cannot read the configuration file `{}`: {reason}: name a readable UTF-8 file with `-c FILE`", path.display())]
    Unreadable {
        /// The file asked for.
        path: PathBuf,
        /// What the operating system says; in the message already, so it is no source of it.
        reason: std::io::Error,
    },
    /// The file was read and is wrong; shown as one line a problem, `FILE:LINE: connectors[0].interval: message`.
    #[error("{}", lines(path, problems))]
    Invalid {
        /// The file, or `configuration` for a text that came from elsewhere.
        path: PathBuf,
        /// Everything that is wrong, by line; never empty.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// Everything that is wrong inside the file; empty when the file could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

/// One line a problem, in the form that editors and terminals make clickable.
fn lines(path: &std::path::Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| match problem.path.as_str() {
        "" => format!("{}:{}: {}", path.display(), problem.line, problem.message),
        key => format!("{}:{}: {key}: {}", path.display(), problem.line, problem.message),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
