//! What a topic holds against what it should hold.

use std::collections::HashMap;
use std::fmt;

use super::avro;
use super::org::Org;
use super::topics::{Isolation, OwnedRecord, read_all, topic_exists};

/// The difference between the uuids of an org's events and the keys of a topic's records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Expected, and not there.
    pub lost: Vec<String>,
    /// There more than once.
    pub twice: Vec<String>,
    /// There, and not expected.
    pub strange: Vec<String>,
}

impl Difference {
    /// Compares the keys of `records` with `expected`, in which each uuid stands once.
    pub fn between<'a>(expected: impl IntoIterator<Item = &'a str>, records: &[OwnedRecord]) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for record in records {
            *counts.entry(record.key_text()).or_default() += 1;
        }
        let mut difference = Self::default();
        for uuid in expected {
            match counts.remove(uuid) {
                None => difference.lost.push(uuid.to_owned()),
                Some(1) => {}
                Some(_) => difference.twice.push(uuid.to_owned()),
            }
        }
        difference.strange.extend(counts.into_keys().map(str::to_owned));
        difference
    }

    /// Compares what a `read_committed` reader of `topic` sees with all of the org's events.
    pub fn of_topic(bootstrap: &str, topic: &str, org: &Org) -> Self {
        let records = read_all(bootstrap, topic, Isolation::ReadCommitted);
        Self::between(org.uuids().iter().map(String::as_str), &records)
    }

    /// Compares what `read_committed` readers of `topic` and its dead letter topic see with all of the org's events, by their
    /// keys: the uuid, or the hash of the bytes of an event that has none.
    pub fn of_topic_and_letters(bootstrap: &str, topic: &str, org: &Org) -> Self {
        let dead_letter_topic = format!("{topic}.dlq");
        let records = read_all(bootstrap, topic, Isolation::ReadCommitted);
        let has_letters = topic_exists(bootstrap, &dead_letter_topic);
        let letters = has_letters.then(|| read_all(bootstrap, &dead_letter_topic, Isolation::ReadCommitted));
        avro::difference(org, &records, &letters.unwrap_or_default())
    }

    /// As [`Difference::of_topic`], and panics where there is any; `when` says in what circumstances.
    pub fn must_be_none(bootstrap: &str, topic: &str, org: &Org, when: &str) -> Self {
        let difference = Self::of_topic(bootstrap, topic, org);
        assert!(difference.is_none(), "{difference}; {when}");
        difference
    }

    /// Whether every expected event is there exactly once, and nothing else.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// `0 lost, 0 twice`, as the proof table has it, with a few examples where it is not so.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost, {} twice", self.lost.len(), self.twice.len())?;
        if !self.strange.is_empty() {
            write!(f, ", {} that nobody made", self.strange.len())?;
        }
        for (what, uuids) in [("lost", &self.lost), ("twice", &self.twice), ("strange", &self.strange)] {
            if let Some(first) = uuids.first() {
                write!(f, " ({what}: {first} …)")?;
            }
        }
        Ok(())
    }
}
