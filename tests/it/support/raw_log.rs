//! A topic's log files, read as bytes: who wrote each batch, which no consumer tells.
//!
//! Source: Kafka's documentation, "Record Batch" (magic 2) and "Control Batches". The broker's folder is needed, so this works
//! with a broker of the test's own.

use std::fs;
use std::path::Path;

/// Length of a batch's header up to its first record.
const HEADER: usize = 61;

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records.
    Data,
    /// The marker that ends a transaction here; true: committed.
    End { committed: bool },
}

/// One record batch as it lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub partition: i32,
    pub offset: i64,
    pub producer_id: i64,
    pub epoch: i16,
    pub kind: Kind,
    pub records: i32,
}

/// Every batch of a topic, by partition and offset. `data` is the broker's `log.dirs`.
pub fn batches(data: &Path, topic: &str) -> Vec<Batch> {
    let mut batches = Vec::new();
    for entry in fs::read_dir(data).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let partition = name.strip_prefix(topic).and_then(|rest| rest.strip_prefix('-'));
        let Some(partition) = partition.and_then(|number| number.parse().ok()) else { continue };
        for file in fs::read_dir(entry.path()).unwrap().flatten() {
            if file.path().extension().is_some_and(|extension| extension == "log") {
                read(partition, &fs::read(file.path()).unwrap(), &mut batches);
            }
        }
    }
    batches.sort_by_key(|batch| (batch.partition, batch.offset));
    batches
}

/// Adds the batches of one segment; a segment may end in bytes that are not written yet.
fn read(partition: i32, mut bytes: &[u8], batches: &mut Vec<Batch>) {
    while bytes.len() >= HEADER {
        let length = 12 + usize::try_from(i32::from_be_bytes(at(bytes, 8))).unwrap();
        if length <= 12 || bytes.len() < length {
            return;
        }
        assert_eq!(bytes[16], 2, "the batch format that every broker since 0.11 writes");
        let attributes = i16::from_be_bytes(at(bytes, 21));
        let kind = match attributes & 0x20 {
            0 => Kind::Data,
            // The control record's key is its version and its type, after its own length, attributes and two deltas.
            _ => Kind::End { committed: control_type(&bytes[HEADER..length]) == 1 },
        };
        batches.push(Batch {
            partition,
            offset: i64::from_be_bytes(at(bytes, 0)),
            producer_id: i64::from_be_bytes(at(bytes, 43)),
            epoch: i16::from_be_bytes(at(bytes, 51)),
            kind,
            records: i32::from_be_bytes(at(bytes, 57)),
        });
        bytes = &bytes[length..];
    }
}

/// A control record: length, attributes, timestamp delta, offset delta and key length as one byte each (they are small), then
/// the key: version and type, 16 bits each.
fn control_type(record: &[u8]) -> i16 {
    i16::from_be_bytes(at(record, 5 + 2))
}

fn at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes[offset..offset + N].try_into().unwrap()
}
