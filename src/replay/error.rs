//! Why a replay ends before its end.

use std::io;

use thiserror::Error;

use super::SILENCE;
use crate::dead_letter::receipt::ReceiptError;
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::transaction::InitError;

/// Whatever it is: what is published has its receipt, and nothing else has; so it can be started again.
///
/// Each message ends in the next thing to do.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// No transactional id.
    #[error(transparent)]
    Init(InitError),
    /// The dead letter topic can't be read.
    #[error(transparent)]
    Reader(RecordReaderError),
    /// Nothing came.
    #[error(
        "nothing came from topic `{topic}` for {} s, and its end is not reached: check the brokers and open transactions on it",
        SILENCE.as_secs()
    )]
    Silent {
        /// The dead letter topic.
        topic: String,
    },
    /// Another replay has the id, or the coordinator took it back.
    #[error(
        "another replay of dead letter topic `{topic}` took transactional id `{topic}-replay`, and goes on in the place of this one: wait for its end; nothing is published twice. Where there is no other one, this one stood still for more than a minute, and Kafka ended its transaction: run the same command again"
    )]
    Fenced {
        /// The dead letter topic.
        topic: String,
    },
    /// A receipt that says nothing that can be gone by.
    #[error(
        "the record at offset {offset} of partition {partition} of `{topic}` is marked as a receipt for letters that were published again, and {error}: {}",
        way_out(error, *partition, *offset)
    )]
    Receipt {
        /// The dead letter topic.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// What is wrong.
        error: ReceiptError,
    },
    /// Kafka does not take it for good; ends in what to do.
    #[error("{0}")]
    Refused(String),
    /// No broker took it in time.
    #[error("Kafka did not take a transaction ({0}): check that the brokers are up, and run the same command again")]
    NotTaken(String),
    /// No answer to a commit.
    #[error(
        "nobody knows whether the last transaction was committed ({why}): run the same command again, which reads in `{topic}` what was published"
    )]
    Unknown {
        /// Kafka's or librdkafka's word.
        why: String,
        /// The dead letter topic.
        topic: String,
    },
    /// What is to be said can't be written.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// Told to stop.
    #[error("stopped before its end: run the same command again to go on")]
    Stopped,
}

/// What to do about a receipt that can't be used.
fn way_out(error: &ReceiptError, partition: i32, offset: i64) -> String {
    match error {
        ReceiptError::NoReceipt(_) => format!(
            "find out who else writes to this topic, and pass over the record with `--skip-receipt {partition}@{offset}`"
        ),
        ReceiptError::Version(_) => "use the version of this program that wrote it, or a newer one".to_owned(),
        ReceiptError::Copied { .. } => {
            "replay from the original, whose offsets it names: here letters would be lost, and others published twice"
                .to_owned()
        }
    }
}

impl From<InitError> for ReplayError {
    fn from(error: InitError) -> Self {
        match error {
            InitError::Stopped => Self::Stopped,
            other => Self::Init(other),
        }
    }
}

impl From<RecordReaderError> for ReplayError {
    fn from(error: RecordReaderError) -> Self {
        match error {
            RecordReaderError::Stopped => Self::Stopped,
            other => Self::Reader(other),
        }
    }
}
