//! `${env:NAME}` and `${file:PATH}` in the values of the file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::text;

/// A secret or a certificate is kilobytes; this stops `/dev/zero` and a log file named by mistake.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why a placeholder has no value. The messages hold names and paths, never a value.
#[derive(Debug, Error)]
pub enum InterpolationError {
    /// The environment has no such variable.
    #[error("environment variable `{}` is not set: set it, or use `${{file:PATH}}`", text::name(name))]
    Unset {
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("file `{}` cannot be read: {source}: {}", text::path(path), remedy(path, source))]
    Unreadable {
        /// The file, as written.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is no text.
    #[error(
        "file `{}` is binary, as DER and PKCS#12 are: write it as text; a key as PEM, as `openssl pkey -inform DER -in FILE \
         -out PEM` does, or `openssl pkcs12 -in FILE -nodes -nocerts -out PEM`",
        text::path(path)
    )]
    Binary {
        /// The file, as written.
        path: PathBuf,
    },
    /// The file is not a secret's size.
    #[error("file `{}` is larger than 1 MiB: name the file that holds the value alone", text::path(path))]
    TooLarge {
        /// The file, as written.
        path: PathBuf,
    },
    /// `${` without `}`.
    #[error("`${{` without `}}`: close it, or write `$${{` for a literal `${{`")]
    Unclosed,
    /// `${…}` that is neither of the two.
    #[error("unknown `${{…}}`: write `${{env:NAME}}`, `${{file:PATH}}`, or `$${{` for a literal `${{`")]
    Unknown,
}

/// A value as written, so that its files can be read again.
///
/// Literal parts and variables may be secrets: none of them is in its Debug output, because it has none.
pub(super) struct Template {
    parts: Vec<Part>,
}

enum Part {
    Literal(SecretString),
    /// The environment of a process does not change: the value is kept from the start.
    Env(SecretString),
    File(PathBuf),
}

impl Template {
    /// Takes a value apart; every missing variable and broken placeholder is reported.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<InterpolationError>> {
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("$${") {
                literal.push_str("${");
                rest = after;
                continue;
            }
            let Some(after) = rest.strip_prefix("${") else {
                literal.push('$');
                rest = &rest[1..];
                continue;
            };
            let Some(end) = after.find('}') else {
                errors.push(InterpolationError::Unclosed);
                rest = "";
                break;
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into()));
            }
            match placeholder(&after[..end], env) {
                Ok(part) => parts.push(part),
                Err(error) => errors.push(error),
            }
            rest = &after[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        if errors.is_empty() { Ok(Self { parts }) } else { Err(errors) }
    }

    /// Whether every placeholder is one, whatever it is to have as its value.
    pub fn is_well_formed(text: &str) -> bool {
        let is_syntax =
            |error: &InterpolationError| matches!(error, InterpolationError::Unclosed | InterpolationError::Unknown);
        Self::parse(text, &|_| None).err().is_none_or(|errors| !errors.iter().any(is_syntax))
    }

    /// A value that has no placeholders.
    pub fn literal(text: SecretString) -> Self {
        Self { parts: vec![Part::Literal(text)] }
    }

    /// Whether the value stands in the configuration file itself.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// Whether any part of the value stands in the configuration file itself.
    pub fn has_literal(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Literal(_)))
    }

    /// Whether any part of the value is in a file, so that it may change while the program runs.
    pub fn has_file(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::File(_)))
    }

    /// Feeds what the value is made of to a digest: two equal ones are the same value, and stay the same.
    pub fn digest(&self, digest: &mut Sha256) {
        for part in &self.parts {
            let (kind, bytes) = match part {
                // A variable that was read is a text like any other.
                Part::Literal(value) | Part::Env(value) => (b'v', value.expose_secret().as_bytes()),
                Part::File(path) => (b'f', path.as_os_str().as_encoded_bytes()),
            };
            digest.update([kind]);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
    }

    /// The value, its files read now.
    pub fn render(&self) -> Result<String, InterpolationError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(value) | Part::Env(value) => text.push_str(value.expose_secret()),
                Part::File(path) => text.push_str(&read(path)?),
            }
        }
        Ok(text)
    }
}

fn placeholder(inner: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Part, InterpolationError> {
    match inner.split_once(':') {
        Some(("env", name)) if is_variable_name(name) => match env(name) {
            Some(value) => Ok(Part::Env(value.into())),
            None => Err(InterpolationError::Unset { name: name.to_owned() }),
        },
        Some(("file", path)) if !path.is_empty() => Ok(Part::File(PathBuf::from(path))),
        _ => Err(InterpolationError::Unknown),
    }
}

/// POSIX names (XBD 8.1): what any shell and any orchestrator can set.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What to do about a file that cannot be read: where it was looked for, and by whom.
fn remedy(path: &Path, error: &std::io::Error) -> String {
    // The owner of our own entry is who we run as.
    let user = std::fs::metadata("/proc/self").map(|own| own.uid());
    if let (ErrorKind::PermissionDenied, Ok(user)) = (error.kind(), user) {
        return format!("let user {user}, by whom this program runs, read it and enter its folders");
    }
    match std::path::absolute(path) {
        Ok(absolute) if path.is_relative() => {
            format!(
                "check the path, which is `{}` from the working directory, and its permissions",
                text::path(&absolute)
            )
        }
        _ => "check the path and its permissions".to_owned(),
    }
}

/// The whole file less one trailing newline, which every editor adds.
fn read(path: &PathBuf) -> Result<String, InterpolationError> {
    let unreadable = |source: std::io::Error| match source.kind() {
        ErrorKind::InvalidData => InterpolationError::Binary { path: path.clone() },
        _ => InterpolationError::Unreadable { path: path.clone(), source },
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(InterpolationError::TooLarge { path: path.clone() });
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_read_says_where_it_was_looked_for_and_by_whom() {
        let said = |path: &str, kind| {
            InterpolationError::Unreadable { path: PathBuf::from(path), source: std::io::Error::from(kind) }.to_string()
        };
        let here = std::env::current_dir().expect("a working directory");
        let relative = said("okta.key", ErrorKind::NotFound);
        assert!(relative.contains(&format!("`{}/okta.key`", here.display())), "{relative}");
        let absolute = said("/no/okta.key", ErrorKind::NotFound);
        assert!(absolute.ends_with(": check the path and its permissions"), "{absolute}");
        let denied = said("/etc/okta.key", ErrorKind::PermissionDenied);
        assert!(denied.contains("let user "), "{denied}");
    }

    #[test]
    fn a_binary_file_is_called_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("okta.p12");
        std::fs::write(&path, [0x30, 0x82, 0x04, 0xbd, 0x02]).expect("written");
        let said = read(&path).expect_err("is no text").to_string();
        assert!(said.contains("is binary") && said.contains("`openssl pkey -inform DER "), "{said}");
    }
}
