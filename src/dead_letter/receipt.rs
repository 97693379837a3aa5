//! A receipt: a record in the dead letter topic that says which letters of its partition were published again.
//!
//! It is written in the transaction that publishes them (docs/adr/0048). It lies behind them in their partition, so Kafka
//! deletes it after them and never before.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ranges::OffsetRanges;

/// The header that tells a receipt from a letter; its value is the connector's name.
pub const HEADER: &str = "okta_dead_letters_replayed";

/// Version of the value's format.
const VERSION: u64 = 1;

/// What was published again of one partition, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Whose letters.
    pub connector: String,
    /// Where they went.
    pub topic: String,
    /// Their offsets in the partition that the receipt is in.
    pub offsets: OffsetRanges,
}

/// A record with [`HEADER`] that can't be read. What it stands for may have been published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// No such JSON.
    #[error("it is no receipt that this version can read ({0})")]
    Unreadable(String),
    /// Written by another version.
    #[error("it is of version {0} of the format")]
    Version(u64),
}

#[derive(Serialize, Deserialize)]
struct Value<'a> {
    v: u64,
    #[serde(borrow)]
    connector: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    topic: std::borrow::Cow<'a, str>,
    /// First and last offset of each range.
    replayed: Vec<(i64, i64)>,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

impl Receipt {
    /// Its key: another one for each receipt, so that a compacted topic keeps them all.
    pub fn key(&self, partition: i32) -> String {
        format!("replayed-{partition}-{}", self.offsets.first().unwrap_or_default())
    }

    /// Its value: one JSON object.
    pub fn value(&self) -> Vec<u8> {
        let value = Value {
            v: VERSION,
            connector: self.connector.as_str().into(),
            topic: self.topic.as_str().into(),
            replayed: self.offsets.iter().collect(),
        };
        serde_json::to_vec(&value).expect("strings and numbers are always JSON")
    }

    /// Reads a value.
    pub fn read(value: &[u8]) -> Result<Self, ReceiptError> {
        let unreadable = |error: serde_json::Error| ReceiptError::Unreadable(error.to_string());
        let Version { v } = serde_json::from_slice(value).map_err(unreadable)?;
        if v != VERSION {
            return Err(ReceiptError::Version(v));
        }
        let value: Value<'_> = serde_json::from_slice(value).map_err(unreadable)?;
        let mut offsets = OffsetRanges::default();
        for (first, last) in value.replayed {
            offsets.insert_range(first, last);
        }
        Ok(Self { connector: value.connector.into_owned(), topic: value.topic.into_owned(), offsets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_comes_back_as_it_went() {
        let mut offsets = OffsetRanges::default();
        offsets.insert_range(3, 7);
        offsets.insert(9);
        let receipt = Receipt { connector: "acme".to_owned(), topic: "okta.system-log".to_owned(), offsets };
        let value = receipt.value();
        // The contract: other versions read it.
        let text = r#"{"v":1,"connector":"acme","topic":"okta.system-log","replayed":[[3,7],[9,9]]}"#;
        assert_eq!(String::from_utf8_lossy(&value), text);
        assert_eq!(Receipt::read(&value), Ok(receipt.clone()));
        assert_eq!(receipt.key(2), "replayed-2-3");
    }

    #[test]
    fn what_it_cannot_read_is_an_error_and_not_nothing() {
        assert_eq!(Receipt::read(br#"{"v":2,"other":true}"#), Err(ReceiptError::Version(2)));
        for value in [&b""[..], b"{}", b"[]", br#"{"v":1}"#, br#"{"v":1,"connector":"a","topic":"b","replayed":[3]}"#] {
            assert!(matches!(Receipt::read(value), Err(ReceiptError::Unreadable(_))), "{value:?}");
        }
    }
}
