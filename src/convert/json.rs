//! `format: json`: Okta's bytes, verbatim.

use crate::okta::page::RawEvent;
use crate::source::record::SourceRecord;

/// The `content-type` header of these values.
pub const CONTENT_TYPE: &str = "application/json";

/// The record of an event: no byte is changed, so nothing that Okta adds can be lost.
pub fn record(event: RawEvent) -> SourceRecord {
    SourceRecord { event, encoded: None, unmapped: 0 }
}
