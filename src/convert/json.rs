//! `format: json`: Okta's bytes, verbatim.

use crate::okta::page::RawEvent;
use crate::source::record::SourceRecord;

/// The record of an event: no byte is changed, so nothing that Okta adds can be lost.
pub fn record(event: RawEvent) -> SourceRecord {
    SourceRecord { event, encoded: None, unmapped: 0 }
}
