//! What a topic holds already, as far as it was learnt: identities of elements, in a window of time, and in bounded memory.
//!
//! A window is needed because a topic's tail may be longer than what fits: then it is learnt piece by piece (ADR 0061).

use std::hash::{DefaultHasher, Hasher};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes of memory for one element that is known.
pub const ENTRY_BYTES: usize = size_of::<Entry>();

/// Which element it is: what two records of one event have in common, in 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 16]);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:032x})", u128::from_be_bytes(self.0))
    }
}

impl Identity {
    /// Of a record's key: the 128 bits of a UUID in its canonical lower-case text, as Okta's are; of any other key the
    /// first 128 bits of its SHA-256.
    pub fn of(key: &[u8]) -> Self {
        Self(canonical_uuid(key).unwrap_or_else(|| {
            let mut half = [0; 16];
            half.copy_from_slice(&Sha256::digest(key)[..16]);
            half
        }))
    }
}

/// Two keys have one UUID only where they are the same text.
fn canonical_uuid(key: &[u8]) -> Option<[u8; 16]> {
    if key.len() != 36 || [8, 13, 18, 23].iter().any(|hyphen| key[*hyphen] != b'-') {
        return None;
    }
    let mut digits =
        key.iter().enumerate().filter(|(at, _)| ![8, 13, 18, 23].contains(at)).map(|(_, byte)| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        });
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    Some(uuid)
}

/// What a value was, to say that another one differs, and for nothing else: the schema's id of a value in Confluent's wire
/// format, and 32 bits of the value's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    schema_id: u32,
    hash: u32,
}

impl Fingerprint {
    /// Of a record's value: JSON, or Avro in Confluent's wire format.
    pub fn of(value: &[u8]) -> Self {
        let schema_id = match value {
            // No JSON text begins with a zero.
            [0, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
            _ => 0,
        };
        // Compared in memory only, so that its algorithm may change; of every event, so that it is no cryptographic one.
        let mut hasher = DefaultHasher::new();
        hasher.write(value);
        let hash = hasher.finish();
        Self { schema_id, hash: (hash ^ hash >> 32) as u32 }
    }

    /// Whether the two values are of one form and not the same bytes. Values of different schemas, or as JSON and as Avro,
    /// can't be compared, and do not differ.
    pub fn differs_from(self, other: Self) -> bool {
        self.schema_id == other.schema_id && self.hash != other.hash
    }
}

/// Whole seconds since the window's begin; [`NO_TIME`] of what has none. A `u64` of milliseconds would make each entry
/// larger by a seventh.
type Seconds = u32;
const NO_TIME: Seconds = Seconds::MAX;

#[derive(Debug, Clone, Copy)]
struct Entry {
    identity: Identity,
    fingerprint: Fingerprint,
    seconds: Seconds,
}

/// What a topic, with its dead letter topic, holds of one org: all that has its `published` in a window, and all that has none.
#[derive(Debug, Clone)]
pub struct Known {
    /// By identity, and each of its values once.
    entries: Vec<Entry>,
    from: i64,
    until: i64,
}

impl Known {
    /// Of a topic that holds nothing of the org: there is no time that it does not cover.
    pub fn nothing() -> Self {
        Self { entries: Vec::new(), from: i64::MIN, until: i64::MAX }
    }

    /// Whether it can be told of an element with that `published` (milliseconds since 1970) if it is there; of one without a
    /// time it always can.
    pub fn covers(&self, published: Option<i64>) -> bool {
        published.is_none_or(|millis| millis >= self.from && (millis < self.until || self.until == i64::MAX))
    }

    /// The element, where the topic holds it: the value that it holds, and where it holds several, as of what was wanted
    /// twice, `value` if that is among them. Says nothing of one that [`Known::covers`] does not cover.
    pub fn find(&self, identity: &Identity, value: Fingerprint) -> Option<Fingerprint> {
        let first = self.entries.partition_point(|entry| entry.identity < *identity);
        let mut held = self.entries[first..].iter().take_while(|entry| entry.identity == *identity);
        let first = held.next()?.fingerprint;
        let same = first == value || held.any(|entry| entry.fingerprint == value);
        Some(if same { value } else { first })
    }

    /// The first `published` behind what it covers; none where it covers all from its begin on.
    pub fn until(&self) -> Option<i64> {
        (self.until < i64::MAX).then_some(self.until)
    }

    /// Whether it holds nothing of the org in this window.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many elements; one counts once for each of its values.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// More elements of one second, or without a time, than may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("more than {capacity} elements of one second, or without a `published`, are more than may be held in memory")]
pub struct TooMany {
    /// How many may be held.
    pub capacity: usize,
}

/// The time of an element that a topic holds, in milliseconds since 1970, as a window counts it. `now` is when the topic is read:
/// of the future there is none, so that the element is in every window.
pub fn credible(published: Option<i64>, now: i64) -> Option<i64> {
    published.filter(|published| *published <= now)
}

/// Collects what a topic holds, in the order in which it is read, whatever that is.
#[derive(Debug)]
pub struct KnownBuilder {
    entries: Vec<Entry>,
    capacity: usize,
    from: i64,
    until: i64,
}

impl KnownBuilder {
    /// For elements with `published` at `from` (milliseconds since 1970) or later, and for those without; `capacity` is how
    /// many it holds at most.
    pub fn new(from: i64, capacity: usize) -> Self {
        Self { entries: Vec::new(), capacity: capacity.max(1), from, until: i64::MAX }
    }

    /// Whether an element with that `published` is of use: others need not be looked at any closer.
    pub fn wants(&self, published: Option<i64>) -> bool {
        published.is_none_or(|millis| millis >= self.from && (millis < self.until || self.until == i64::MAX))
    }

    /// Takes an element that the topic holds; one that is not wanted is left out.
    ///
    /// Over the capacity, the younger half of what has a time is forgotten, and the window ends there.
    pub fn push(
        &mut self,
        identity: Identity,
        fingerprint: Fingerprint,
        published: Option<i64>,
    ) -> Result<(), TooMany> {
        if !self.wants(published) {
            return Ok(());
        }
        let seconds = published.map_or(NO_TIME, |millis| self.seconds(millis));
        if self.entries.len() >= self.capacity {
            self.forget_younger_half()?;
            if !self.wants(published) {
                return Ok(());
            }
        }
        if self.entries.len() == self.entries.capacity() {
            // By halves, never beyond the capacity: doubling could hold twice what was promised.
            let more = (self.entries.len() / 2).max(1024).min(self.capacity - self.entries.len());
            self.entries.reserve_exact(more);
        }
        self.entries.push(Entry { identity, fingerprint, seconds });
        Ok(())
    }

    /// What was collected.
    pub fn finish(mut self) -> Known {
        self.entries.sort_unstable_by_key(|entry| (entry.identity, entry.fingerprint));
        self.entries.dedup_by_key(|entry| (entry.identity, entry.fingerprint));
        Known { entries: self.entries, from: self.from, until: self.until }
    }

    fn seconds(&self, millis: i64) -> Seconds {
        // Wanted, so not before `from`; the difference of any two may be larger than an i64 all the same.
        let seconds = millis.abs_diff(self.from) / 1000;
        Seconds::try_from(seconds).unwrap_or(NO_TIME).min(NO_TIME - 1)
    }

    fn forget_younger_half(&mut self) -> Result<(), TooMany> {
        let mut times: Vec<Seconds> =
            self.entries.iter().map(|entry| entry.seconds).filter(|seconds| *seconds != NO_TIME).collect();
        let too_many = TooMany { capacity: self.capacity };
        if times.is_empty() {
            return Err(too_many);
        }
        let middle = times.len() / 2;
        // A window of at least one second: an empty one would be asked for again and again.
        let cut = (*times.select_nth_unstable(middle).1).max(1);
        self.entries.retain(|entry| entry.seconds == NO_TIME || entry.seconds < cut);
        self.until = self.from.saturating_add(i64::from(cut) * 1000);
        if self.entries.len() >= self.capacity { Err(too_many) } else { Ok(()) }
    }
}
