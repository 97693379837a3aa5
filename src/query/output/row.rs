//! A result as a line for people.

use super::member::Path;
use super::shown;
use crate::okta::page::RawElement;

/// What the columns are called.
pub const HEADER: [&str; COLUMNS] = ["TIME (UTC)", "SEVERITY", "ACTOR", "EVENT", "OUTCOME", "IP", "TARGET"];
/// How many there are.
pub const COLUMNS: usize = 7;
/// The columns, by name.
pub const TIME: usize = 0;
/// See [`TIME`].
pub const SEVERITY: usize = 1;
/// See [`TIME`].
pub const ACTOR: usize = 2;
/// See [`TIME`].
pub const EVENT: usize = 3;
/// See [`TIME`].
pub const OUTCOME: usize = 4;
/// See [`TIME`].
pub const IP: usize = 5;
/// See [`TIME`].
pub const TARGET: usize = 6;

/// Makes lines of results.
pub struct Rows {
    paths: [Path; 9],
}

impl Rows {
    /// Of the columns of [`HEADER`].
    pub fn new() -> Self {
        let paths = [
            "published",
            "severity",
            "actor.alternateId",
            "actor.displayName",
            "eventType",
            "outcome.result",
            "client.ipAddress",
            "target.alternateId",
            "target.displayName",
        ];
        Self { paths: paths.map(|path| Path::parse(path).expect("none has an empty part")) }
    }

    /// The cells; `-` where there is nothing, and nothing in them steers a terminal.
    pub fn row(&self, element: &RawElement) -> [String; COLUMNS] {
        let event = element.bytes();
        let [published, severity, login, name, event_type, outcome, ip, targets, target_names] = &self.paths;
        let one = |path: &Path| path.first(event).unwrap_or_default();
        let target_names = target_names.values(event);
        let targets = match targets.values(event) {
            logins if logins.len() < target_names.len() => target_names,
            logins => logins,
        };
        let target = match targets.as_slice() {
            [] => String::new(),
            [target] => target.clone(),
            [first, others @ ..] => format!("{first} +{}", others.len()),
        };
        [
            time(&one(published)),
            one(severity),
            login.first(event).or_else(|| name.first(event)).unwrap_or_default(),
            one(event_type),
            one(outcome),
            one(ip),
            target,
        ]
        .map(|text| if text.is_empty() { "-".to_owned() } else { shown(&text) })
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self::new()
    }
}

/// `2026-11-22 13:46:09` of Okta's text, which is in UTC; as it is where it is no time.
fn time(published: &str) -> String {
    published.parse::<jiff::Timestamp>().map_or_else(
        |_| published.to_owned(),
        |time| format!("{time:.0}").replace('T', " ").trim_end_matches('Z').to_owned(),
    )
}
