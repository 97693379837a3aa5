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
    /// Another replay has the id.
    #[error(
        "another replay of dead letter topic `{topic}` took transactional id `{topic}-replay`, and goes on in the place of this one: wait for its end; nothing is published twice"
    )]
    Fenced {
        /// The dead letter topic.
        topic: String,
    },
    /// A receipt that may be of another version.
    #[error(
        "the record at offset {offset} of partition {partition} of `{topic}` says which letters were published again, and {error}: use the version of this program that wrote it, or a newer one"
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
    /// Who listens has gone.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// Told to stop.
    #[error("stopped before its end: run the same command again to go on")]
    Stopped,
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
