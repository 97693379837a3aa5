//! What was read back from the topic, held against what the org has, event by event and byte by byte.

use std::collections::HashMap;

use bytes::Bytes;

/// How many uuids of each kind of difference are kept to be shown.
const SHOWN: usize = 3;

/// One event of the org.
struct Expected {
    value: Bytes,
    read: usize,
    altered: bool,
}

/// Collects what a consumer reads.
pub struct Check {
    expected: HashMap<Box<str>, Expected>,
    records: usize,
    unknown: Vec<String>,
}

/// Events of one kind of difference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differing {
    /// How many.
    pub count: usize,
    /// The uuids of the first few, sorted.
    pub uuids: Vec<String>,
}

/// What the check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Events of the org.
    pub events: usize,
    /// Records read back.
    pub records: usize,
    /// Events that are not in the topic.
    pub missing: Differing,
    /// Events that are there more than once.
    pub repeated: Differing,
    /// Events with a record whose value is not the org's, byte for byte.
    pub altered: Differing,
    /// Records whose key is no uuid of the org's.
    pub unknown: Differing,
}

impl Check {
    /// Expects each of these events once: its uuid, and its bytes as the org has them.
    pub fn new<U: Into<Box<str>>>(events: impl IntoIterator<Item = (U, Bytes)>) -> Self {
        let expected = |(uuid, value): (U, Bytes)| (uuid.into(), Expected { value, read: 0, altered: false });
        Self { expected: events.into_iter().map(expected).collect(), records: 0, unknown: Vec::new() }
    }

    /// Takes one record of the topic.
    pub fn read(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.records += 1;
        let key = String::from_utf8_lossy(key.unwrap_or_default());
        match self.expected.get_mut(key.as_ref()) {
            Some(event) => {
                event.read += 1;
                event.altered |= value != Some(event.value.as_ref());
            }
            None => self.unknown.push(key.into_owned()),
        }
    }

    /// The result, when everything was read.
    pub fn verdict(self) -> Verdict {
        let of = |wanted: &dyn Fn(&Expected) -> bool| {
            let found = self.expected.iter().filter(|(_, event)| wanted(event));
            Differing::new(found.map(|(uuid, _)| uuid.to_string()).collect())
        };
        Verdict {
            events: self.expected.len(),
            records: self.records,
            missing: of(&|event| event.read == 0),
            repeated: of(&|event| event.read > 1),
            altered: of(&|event| event.altered),
            unknown: Differing::new(self.unknown),
        }
    }
}

impl Differing {
    fn new(mut uuids: Vec<String>) -> Self {
        let count = uuids.len();
        uuids.sort_unstable();
        uuids.truncate(SHOWN);
        Self { count, uuids }
    }
}

impl Verdict {
    /// Whether the topic holds every event once, unaltered, and nothing else.
    pub fn is_exact(&self) -> bool {
        self.differences().next().is_none()
    }

    /// Each kind of difference that there is, in words.
    pub fn differences(&self) -> impl Iterator<Item = (&'static str, &Differing)> {
        let kinds = [
            ("missing", &self.missing),
            ("there more than once", &self.repeated),
            ("altered", &self.altered),
            ("not the org's", &self.unknown),
        ];
        kinds.into_iter().filter(|(_, differing)| differing.count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(records: &[(&str, &str)]) -> Verdict {
        let mut check = Check::new([("a", Bytes::from("{1}")), ("b", Bytes::from("{2}"))]);
        for (key, value) in records {
            check.read(Some(key.as_bytes()), Some(value.as_bytes()));
        }
        check.verdict()
    }

    #[test]
    fn only_every_event_once_and_unaltered_is_exact() {
        type Row = (&'static [(&'static str, &'static str)], &'static [&'static str]);
        let rows: [Row; 6] = [
            (&[("b", "{2}"), ("a", "{1}")], &[]),
            (&[("a", "{1}")], &["missing b"]),
            (&[("a", "{1}"), ("b", "{2}"), ("a", "{1}")], &["there more than once a"]),
            (&[("a", "{1}"), ("b", "{2} ")], &["altered b"]),
            (&[("a", "{1}"), ("b", "{2}"), ("c", "{3}")], &["not the org's c"]),
            (&[("a", "{1}"), ("a", "{2}")], &["missing b", "there more than once a", "altered a"]),
        ];
        for (records, expected) in rows {
            let verdict = verdict(records);
            let found: Vec<String> = verdict
                .differences()
                .map(|(kind, differing)| format!("{kind} {}", differing.uuids.join(" ")))
                .collect();
            assert_eq!(found, expected, "{records:?}");
            assert_eq!(verdict.is_exact(), expected.is_empty(), "{records:?}");
            assert_eq!((verdict.events, verdict.records), (2, records.len()));
        }
    }

    #[test]
    fn a_record_without_key_or_value_is_a_difference() {
        let mut check = Check::new([("a", Bytes::from("{1}"))]);
        check.read(None, Some(b"{1}"));
        check.read(Some(b"a"), None);
        let verdict = check.verdict();
        assert_eq!((verdict.unknown.count, verdict.altered.count), (1, 1));
    }

    #[test]
    fn few_uuids_are_kept_and_all_are_counted() {
        let verdict = Check::new((0..50).map(|n| (format!("{n:02}"), Bytes::new()))).verdict();
        assert_eq!(verdict.missing.count, 50);
        assert_eq!(verdict.missing.uuids, ["00", "01", "02"]);
    }
}
