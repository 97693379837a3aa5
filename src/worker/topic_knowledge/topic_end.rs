//! The newest elements of a topic, and of its dead letters.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{LearnError, Shared, Subject};
use crate::clock::Clock;
use crate::dead_letter::{header, receipt};
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::topic_clients::TopicClients;
use crate::kafka::topic_reading::{Begin, BorrowedRecord, TopicReading};
use crate::source::input::Tail;
use crate::source::known::Identity;

/// How many pages back, of the connector with the largest: twice of what a task remembers, since markers of transactions
/// and other orgs' records are among them.
const PAGES: i64 = 40;
/// The least of each partition.
const LEAST: i64 = 100;
/// A start is not held up for longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One question.
#[derive(Debug)]
pub struct EndAsk {
    pub subject: Subject,
    pub answer: oneshot::Sender<Result<Tail, LearnError>>,
}

/// An element, in the order of the records' times.
struct Found {
    timestamp: i64,
    identity: Identity,
    is_own: bool,
}

/// What was found for one question.
#[derive(Default)]
struct End {
    found: Vec<Found>,
}

/// Reads the end of `topic` and gives everybody the answer. Blocks.
pub fn answer(shared: &Shared, clients: &mut Option<TopicClients>, topic: &str, asks: Vec<EndAsk>) {
    let read = read(shared, clients, topic, &asks);
    let (mut ends, error) = match read {
        Ok(ends) => (ends, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    for (place, ask) in asks.into_iter().enumerate() {
        let answer = match &error {
            Some(error) => Err(error.clone()),
            None => Ok(ends.get_mut(place).map(std::mem::take).unwrap_or_default().into_tail()),
        };
        // Nobody there any more: its shard was stopped.
        let _ = ask.answer.send(answer);
    }
}

/// One answer for each question, in the same order.
fn read(
    shared: &Shared,
    clients: &mut Option<TopicClients>,
    topic: &str,
    asks: &[EndAsk],
) -> Result<Vec<End>, LearnError> {
    let mut ends: Vec<End> = asks.iter().map(|_| End::default()).collect();
    let mut letters: Vec<&str> = asks.iter().map(|ask| ask.subject.dead_letter_topic.as_str()).collect();
    letters.sort_unstable();
    letters.dedup();
    let topics: Vec<&str> = [topic].into_iter().chain(letters).collect();
    let limit = asks.iter().map(|ask| ask.subject.limit).max().unwrap_or_default();
    let clock = Clock::new();
    for (place, partitions) in shared.partitions(&topics)?.into_iter().enumerate() {
        let (name, is_data) = (topics[place], place == 0);
        // What is not there holds nothing.
        let Some(partitions) = partitions else { continue };
        let depth = (PAGES * i64::from(limit) / partitions.len().max(1) as i64).max(LEAST);
        let mut reading = TopicReading::stable(shared.clients(clients), name, &partitions)?;
        reading.begin(Begin::Last(depth))?;
        while !reading.is_at_end() {
            if asks.iter().all(|ask| ask.answer.is_closed()) {
                return Err(LearnError::stopped());
            }
            if clock.elapsed() >= TIMEOUT {
                return Err(RecordReaderError::TimedOut { topic: name.to_owned(), seconds: TIMEOUT.as_secs() }.into());
            }
            let _ = reading.poll_borrowed(|record| {
                for (ask, end) in asks.iter().zip(&mut ends) {
                    end.take(record, &ask.subject, is_data);
                }
            })?;
        }
        *clients = Some(reading.into_clients());
    }
    Ok(ends)
}

impl End {
    fn take(&mut self, record: &BorrowedRecord<'_>, subject: &Subject, is_data: bool) {
        let (is_the_orgs, connector) = if is_data {
            let [source, connector] = record.headers(["ce_source", "okta_connector"]);
            (source == Some(subject.source.as_bytes()), connector)
        } else {
            let names = [header::TOPIC, header::SOURCE_PARTITION, receipt::HEADER, header::CONNECTOR];
            let [topic, partition, receipt, connector] = record.headers(names);
            let is_letter = topic == Some(subject.topic.as_bytes()) && receipt.is_none();
            (is_letter && partition == Some(subject.partition.as_bytes()), connector)
        };
        if let Some(key) = record.key().filter(|_| is_the_orgs) {
            let is_own = connector == Some(subject.connector.as_bytes());
            let timestamp = record.timestamp().unwrap_or_default();
            self.found.push(Found { timestamp, identity: Identity::of(key), is_own });
        }
    }

    fn into_tail(mut self) -> Tail {
        self.found.sort_by_key(|found| found.timestamp);
        let (own, others): (Vec<Found>, Vec<Found>) = self.found.into_iter().partition(|found| found.is_own);
        let identities = |found: Vec<Found>| found.into_iter().map(|found| found.identity).collect();
        Tail { own: identities(own), others: identities(others) }
    }
}
