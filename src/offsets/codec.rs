//! Kafka Connect's bytes: key `["<connector>",{<source partition>}]`, value one flat JSON object (JsonConverter without
//! schemas, compact).

use thiserror::Error;

use crate::okta::excerpt::excerpt;
use crate::source::offset::{SourceOffset, SourcePartition};

/// Why a record of the offsets topic is not one of ours. What it shows of the record is short, and on one line.
#[derive(Debug, Error)]
pub enum CodecError {
    /// A key is a list of a name and a map (Connect's `OffsetUtils.processPartitionKey`).
    #[error("key is not Connect's `[\"<connector>\",{{<source partition>}}]`: {0}")]
    Key(String),
    /// A value is an object with at least `v`, `checkpointUrl` and `query`.
    #[error("value is not an offset of this program, `{{\"v\":1,\"checkpointUrl\":…,\"query\":…}}`: {0}")]
    Value(String),
}

/// The bytes under which a connector's offset is kept: one spelling, since lookup and compaction compare bytes.
pub fn encode_key(connector: &str, partition: &SourcePartition) -> Vec<u8> {
    serde_json::to_vec(&(connector, partition)).expect("strings and one map of strings are always JSON")
}

/// Reads a key; whatever the order and the blanks in it.
pub fn decode_key(bytes: &[u8]) -> Result<(String, SourcePartition), CodecError> {
    serde_json::from_slice(bytes).map_err(|error| CodecError::Key(excerpt(&error.to_string())))
}

/// The bytes of an offset; members in the contract's order, always all five.
pub fn encode_value(offset: &SourceOffset) -> Vec<u8> {
    serde_json::to_vec(offset).expect("numbers and strings are always JSON")
}

/// Reads an offset that this program or a tool of Connect's wrote.
pub fn decode_value(bytes: &[u8]) -> Result<SourceOffset, CodecError> {
    serde_json::from_slice(bytes).map_err(|error| CodecError::Value(excerpt(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> SourcePartition {
        SourcePartition { org: "acme.okta.com".to_owned() }
    }

    #[test]
    fn the_bytes_are_the_contracts() {
        assert_eq!(encode_key("acme", &partition()), br#"["acme",{"org":"acme.okta.com"}]"#);
        let cold = SourceOffset::cold("https://acme.okta.com/api/v1/logs?limit=100".to_owned(), "ab".to_owned());
        assert_eq!(
            String::from_utf8(encode_value(&cold)).expect("JSON is UTF-8"),
            r#"{"v":1,"checkpointUrl":"https://acme.okta.com/api/v1/logs?limit=100","query":"ab","published":null,"uuid":null}"#
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let offset = SourceOffset {
            published: Some("2026-11-15T00:00:00.000Z".to_owned()),
            uuid: Some("u-1".to_owned()),
            ..SourceOffset::cold("https://acme.okta.com/api/v1/logs?q=%22é%22".to_owned(), "ab".to_owned())
        };
        assert_eq!(decode_value(&encode_value(&offset)).expect("our own"), offset);
        assert_eq!(
            decode_key(&encode_key("a.b_c-1", &partition())).expect("our own"),
            ("a.b_c-1".to_owned(), partition())
        );
    }

    #[test]
    fn a_foreign_record_is_not_repeated_at_length() {
        let long = format!("\"{}\\n\"", "x".repeat(1_000_000));
        let key = decode_key(long.as_bytes()).expect_err("no key").to_string();
        let value = decode_value(long.as_bytes()).expect_err("no value").to_string();
        assert!(key.len() < 500 && value.len() < 500, "{key}\n{value}");
    }

    #[test]
    fn foreign_records_are_refused() {
        for key in [&b"x"[..], b"[]", br#"["a"]"#, br#"["a",{"org":1}]"#, br#"{"a":{"org":"b"}}"#] {
            assert!(decode_key(key).is_err(), "{}", String::from_utf8_lossy(key));
        }
        for value in [&b"{}"[..], br#"{"v":1}"#, br#"{"v":"1","checkpointUrl":"u","query":"q"}"#, b"\xff"] {
            assert!(decode_value(value).is_err(), "{}", String::from_utf8_lossy(value));
        }
    }
}
