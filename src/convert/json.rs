//! `format: json`: Okta's bytes, verbatim.

use crate::okta::page::RawEvent;

/// The `content-type` header of these values.
pub const CONTENT_TYPE: &str = "application/json";

/// The record's value: no byte is changed, so nothing that Okta adds can be lost.
pub fn value(event: &RawEvent) -> &[u8] {
    &event.bytes
}
