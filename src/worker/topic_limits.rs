//! What a connector's two topics take, as far as the broker shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::record_time::RecordTime;
use super::sending_time::SendingTime;
use crate::dead_letter::Reason;
use crate::okta::page::RawEvent;

/// `max.message.bytes`, and what times are taken. Set before the first record, and again when a record is refused.
#[derive(Debug)]
pub struct TopicLimits {
    /// What times the data topic takes.
    pub record_time: RecordTime,
    /// The time of records that have none of their own.
    pub sending_time: SendingTime,
    event_bytes: AtomicU64,
    dead_letter_bytes: AtomicU64,
    /// Events that Kafka refused alone, by uuid, until they are committed as dead letters.
    refused: Mutex<BTreeMap<String, (Bytes, Reason)>>,
}

/// Settings of the two topics; `None` where the broker does not show them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicSettings {
    /// Of the data topic.
    pub data: Option<BTreeMap<String, String>>,
    /// Of the dead letter topic.
    pub dead_letters: Option<BTreeMap<String, String>>,
}

/// The name of the setting that bounds a record, and a batch of them.
pub const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// No bound is known: then Kafka's answer tells.
const UNKNOWN: u64 = u64::MAX;

impl Default for TopicLimits {
    fn default() -> Self {
        Self {
            record_time: RecordTime::default(),
            sending_time: SendingTime::default(),
            event_bytes: AtomicU64::new(UNKNOWN),
            dead_letter_bytes: AtomicU64::new(UNKNOWN),
            refused: Mutex::default(),
        }
    }
}

impl TopicLimits {
    /// Takes what the broker shows; a size that it does not show is unknown from now on.
    pub fn set(&self, settings: &TopicSettings) {
        // What was learned of the times stays where nothing is shown.
        if let Some(data) = &settings.data {
            self.record_time.set(data);
        }
        self.event_bytes.store(bytes(settings.data.as_ref()), Ordering::Relaxed);
        self.dead_letter_bytes.store(bytes(settings.dead_letters.as_ref()), Ordering::Relaxed);
    }

    /// Takes note that Kafka refused this event alone: the next life of the shard is not to find that out again.
    pub fn add_refused(&self, event: &RawEvent, reason: Reason) {
        // A copy: the event is a slice of its page, which would stay in memory.
        let bytes = Bytes::copy_from_slice(&event.bytes);
        let _ = self.refused().insert(event.uuid.clone(), (bytes, reason));
    }

    /// Why Kafka refused this very event, where it did.
    pub fn refusal_of(&self, event: &RawEvent) -> Option<Reason> {
        let refused = self.refused();
        refused.get(&event.uuid).filter(|(bytes, _)| *bytes == event.bytes).map(|(_, reason)| reason.clone())
    }

    /// Forgets an event that is committed.
    pub fn forget_refused(&self, uuid: &str) {
        let _ = self.refused().remove(uuid);
    }

    fn refused(&self) -> MutexGuard<'_, BTreeMap<String, (Bytes, Reason)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `max.message.bytes` of the data topic, where it is known.
    pub fn event_bytes(&self) -> Option<u64> {
        Some(self.event_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes != UNKNOWN)
    }

    /// `max.message.bytes` of the dead letter topic, where it is known.
    pub fn dead_letter_bytes(&self) -> Option<u64> {
        Some(self.dead_letter_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes != UNKNOWN)
    }
}

fn bytes(settings: Option<&BTreeMap<String, String>>) -> u64 {
    settings.and_then(|settings| settings.get(MAX_MESSAGE_BYTES)?.parse().ok()).unwrap_or(UNKNOWN)
}
