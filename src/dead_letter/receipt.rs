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
    /// The id of the cluster that it was written in, where that was known.
    pub cluster: Option<String>,
    /// The dead letter topic that it was written in: only there its offsets say anything.
    pub dead_letter_topic: String,
    /// Whose letters.
    pub connector: String,
    /// Where they went.
    pub topic: String,
    /// Their offsets in the partition that the receipt is in.
    pub offsets: OffsetRanges,
}

/// A record with [`HEADER`] that can't be used. What it stands for may have been published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// Nothing that any version wrote.
    #[error("is no receipt of any version ({0})")]
    NoReceipt(String),
    /// Written by another version.
    #[error("is of version {0} of the format")]
    Version(u64),
    /// The offsets in it are those of another topic.
    #[error("was written in topic `{topic}` of cluster `{}`, of which this is a copy", cluster.as_deref().unwrap_or("unknown"))]
    Copied {
        /// The cluster that it names.
        cluster: Option<String>,
        /// The dead letter topic that it names.
        topic: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Value<'a> {
    v: u64,
    #[serde(borrow)]
    cluster: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    dead_letter_topic: std::borrow::Cow<'a, str>,
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
            cluster: self.cluster.as_deref().map(Into::into),
            dead_letter_topic: self.dead_letter_topic.as_str().into(),
            connector: self.connector.as_str().into(),
            topic: self.topic.as_str().into(),
            replayed: self.offsets.iter().collect(),
        };
        serde_json::to_vec(&value).expect("strings and numbers are always JSON")
    }

    /// Reads a value.
    pub fn read(value: &[u8]) -> Result<Self, ReceiptError> {
        let unreadable = |error: serde_json::Error| ReceiptError::NoReceipt(error.to_string());
        let Version { v } = serde_json::from_slice(value).map_err(unreadable)?;
        if v != VERSION {
            return Err(ReceiptError::Version(v));
        }
        let value: Value<'_> = serde_json::from_slice(value).map_err(unreadable)?;
        let mut offsets = OffsetRanges::default();
        for (first, last) in value.replayed {
            offsets.insert_range(first, last);
        }
        Ok(Self {
            cluster: value.cluster.map(std::borrow::Cow::into_owned),
            dead_letter_topic: value.dead_letter_topic.into_owned(),
            connector: value.connector.into_owned(),
            topic: value.topic.into_owned(),
            offsets,
        })
    }

    /// Fails where it was written in another topic, or in another cluster, as far as both are known: a copy's offsets are
    /// not those of the original.
    pub fn must_be_of(&self, cluster: Option<&str>, topic: &str) -> Result<(), ReceiptError> {
        let is_elsewhere = matches!((self.cluster.as_deref(), cluster), (Some(theirs), Some(ours)) if theirs != ours);
        if is_elsewhere || self.dead_letter_topic != topic {
            return Err(ReceiptError::Copied { cluster: self.cluster.clone(), topic: self.dead_letter_topic.clone() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(cluster: Option<&str>) -> Receipt {
        let mut offsets = OffsetRanges::default();
        offsets.insert_range(3, 7);
        offsets.insert(9);
        Receipt {
            cluster: cluster.map(str::to_owned),
            dead_letter_topic: "okta.system-log.dlq".to_owned(),
            connector: "acme".to_owned(),
            topic: "okta.system-log".to_owned(),
            offsets,
        }
    }

    #[test]
    fn a_receipt_comes_back_as_it_went() {
        // The contract: other versions read it.
        for (cluster, text) in [
            (
                Some("MkU3OEVBNTcwNTJENDM2Qg"),
                r#"{"v":1,"cluster":"MkU3OEVBNTcwNTJENDM2Qg","dead_letter_topic":"okta.system-log.dlq","connector":"acme","topic":"okta.system-log","replayed":[[3,7],[9,9]]}"#,
            ),
            (
                None,
                r#"{"v":1,"cluster":null,"dead_letter_topic":"okta.system-log.dlq","connector":"acme","topic":"okta.system-log","replayed":[[3,7],[9,9]]}"#,
            ),
        ] {
            let receipt = receipt(cluster);
            let value = receipt.value();
            assert_eq!(String::from_utf8_lossy(&value), text);
            assert_eq!(Receipt::read(&value), Ok(receipt.clone()));
            assert_eq!(receipt.key(2), "replayed-2-3");
        }
    }

    #[test]
    fn what_it_cannot_read_is_an_error_and_not_nothing() {
        assert_eq!(Receipt::read(br#"{"v":2,"other":true}"#), Err(ReceiptError::Version(2)));
        for value in [&b""[..], b"{}", b"[]", br#"{"v":1}"#, br#"{"v":1,"connector":"a","topic":"b","replayed":[3]}"#] {
            assert!(matches!(Receipt::read(value), Err(ReceiptError::NoReceipt(_))), "{value:?}");
        }
    }

    #[test]
    fn a_copy_s_receipt_says_nothing_of_the_copy() {
        let own = "okta.system-log.dlq";
        for (theirs, ours, topic, is_own) in [
            (Some("a"), Some("a"), own, true),
            // Whoever has no id can't compare.
            (None, Some("a"), own, true),
            (Some("a"), None, own, true),
            (Some("a"), Some("b"), own, false),
            (Some("a"), Some("a"), "source.okta.system-log.dlq", false),
            (None, None, "copy", false),
        ] {
            let receipt = receipt(theirs);
            let judged = receipt.must_be_of(ours, topic);
            assert_eq!(judged.is_ok(), is_own, "{theirs:?} {ours:?} {topic}");
        }
    }
}
