//! The Avro encoder: it keeps the law, and refuses only what can't keep it, for each event.

use std::sync::LazyLock;

use okta_kafka_source::convert::avro::{Encoder, MAX_DEPTH, schema};

// The decoder, the comparison and the model, none of which knows the encoder: tests/it/support/law, which both crates
// that compile this file have at their root.
use crate::law;

static ENCODER: LazyLock<Encoder> = LazyLock::new(|| Encoder::new(0x0102_0304));

/// The longest explanation of a dead letter, which stands in its headers.
const LONGEST_REASON: usize = 300;

/// `input`: an event's JSON, or, behind a byte that no JSON begins with, choices from which an event is invented.
pub fn check(input: &[u8]) {
    let event = match input.split_first() {
        Some((0, choices)) => law::invent::event(schema::schema(), choices).into_bytes(),
        _ => input.to_vec(),
    };
    let made = ENCODER.encode(&event);
    if let Err(refused) = &made {
        let reason = refused.to_string();
        assert!(reason.chars().count() < LONGEST_REASON && !reason.contains(char::is_control), "{reason:?}");
    }
    let seen = match &made {
        Ok(encoded) => Ok((encoded.value.as_ref(), encoded.unmapped)),
        Err(refused) => Err(refused.as_str()),
    };
    if let Err(problem) = law::check(schema::schema(), MAX_DEPTH, &event, seen) {
        panic!("{problem}: {}", String::from_utf8_lossy(&event));
    }
}
