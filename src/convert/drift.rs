//! Which members of a connector's events its schema does not hold: each kind once, for who watches the log.

use std::collections::BTreeSet;

use super::avro::{Misfit, Place};
use crate::okta::excerpt::excerpt;

/// So many members that the schema does not know are told of a connector: Okta adds a handful a year, and who makes up
/// names gets no further. The other kinds are as many as the schema has places, and don't count here.
pub const MOST_NEW: usize = 50;
/// The longest kind that is told, in characters.
const MAX_SHOWN: usize = 120;

/// What is told of values that stand in `unmapped`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A kind for the first time.
    Kind {
        /// What the schema has there.
        place: Place,
        /// A JSON Pointer with `*` for the indexes of arrays and the keys of open maps.
        member: String,
        /// The type of the value, in words.
        found: &'static str,
    },
    /// There are more unknown members than are told.
    NoMore,
}

/// The kinds that were told of one connector. Never a value; bounded, whatever an event holds.
#[derive(Debug, Default)]
pub struct Drift {
    new: BTreeSet<String>,
    known: BTreeSet<String>,
}

impl Drift {
    /// What is to be told of a value that stands in `unmapped`.
    pub fn note(&mut self, misfit: &Misfit<'_>) -> Option<News> {
        let (place, member) = misfit.place();
        let member = shortened(&member);
        let told = match place {
            Place::Unknown if self.new.len() > MOST_NEW => return None,
            Place::Unknown => &mut self.new,
            Place::Field(_) | Place::OpenMap => &mut self.known,
        };
        if told.contains(&member) {
            return None;
        }
        let _ = told.insert(member.clone());
        Some(match place {
            Place::Unknown if self.new.len() > MOST_NEW => News::NoMore,
            _ => News::Kind { place, member, found: misfit.found() },
        })
    }
}

fn shortened(member: &str) -> String {
    let member = excerpt(member);
    match member.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &member[..end]),
        None => member,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(drift: &mut Drift, pointer: &str) -> Option<News> {
        drift.note(&Misfit { pointer, json: "1" })
    }

    fn kind(place: Place, member: &str) -> Option<News> {
        Some(News::Kind { place, member: member.to_owned(), found: "a number" })
    }

    #[test]
    fn a_kind_is_one_short_line() {
        assert_eq!(note(&mut Drift::default(), "/new\nmember"), kind(Place::Unknown, "/new\\u{a}member"));
        let long = format!("/{}", "x".repeat(10_000));
        let Some(News::Kind { member, .. }) = note(&mut Drift::default(), &long) else { panic!("told") };
        assert_eq!(member.chars().count(), MAX_SHOWN + 1);
    }

    #[test]
    fn each_kind_is_told_once_and_no_more_new_ones_than_so_many() {
        let mut drift = Drift::default();
        assert_eq!(note(&mut drift, "/target/0/name"), kind(Place::Unknown, "/target/*/name"));
        assert_eq!(note(&mut drift, "/target/1/name"), None);
        for n in 1..MOST_NEW {
            // What has a place in the schema uses up nothing.
            let entry = note(&mut drift, &format!("/debugContext/debugData/{n}"));
            assert_eq!(entry.is_some(), n == 1);
            assert!(matches!(note(&mut drift, &format!("/made-up-{n}")), Some(News::Kind { .. })), "{n}");
        }
        assert_eq!(note(&mut drift, "/one-too-many"), Some(News::NoMore));
        for n in 0..1000 {
            assert_eq!(note(&mut drift, &format!("/still-more-{n}")), None);
        }
        assert_eq!((drift.new.len(), drift.known.len()), (MOST_NEW + 1, 1));
        // Nor do made up names hide what has one.
        assert_eq!(note(&mut drift, "/version"), kind(Place::Field("a string of Unicode text"), "/version"));
        assert_eq!(note(&mut drift, "/version"), None);
    }
}
