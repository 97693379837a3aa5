//! Results into a topic: each page as one transaction, as `run` would write it.
//!
//! Nothing is remembered of it: whoever runs the same query again has its events there again, under the same keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::error::QueryError;
use super::sink::{QueryResult, ResultPage, Sink};
use crate::clock::Clock;
use crate::config::{Config, ConnectorConfig, Format, Since};
use crate::convert::Converter;
use crate::convert::avro::Encoder;
use crate::dead_letter::Reason;
use crate::kafka::deliveries::{RecordKind, Tag, Undelivered};
use crate::kafka::error::{self, Verdict, judge};
use crate::kafka::topics::{TopicError, Topics};
use crate::kafka::transaction::{InitError, ProducerRecord, TransactionalProducer};
use crate::kafka::transaction_end::TransactionEnd;
use crate::okta::ad_hoc::AdHocQuery;
use crate::okta::query::SystemLogQuery;
use crate::registry::{Registry, RegistryError};
use crate::source::offset::SourceOffset;
use crate::source::record::{PageRecords, Sequence};
use crate::worker::bisection::Bisection;
use crate::worker::connector_topics::{self, ConnectorTopicError};
use crate::worker::judgement;
use crate::worker::publish::{self, Destination};
use crate::worker::shutdown::Stop;
use crate::worker::topic_format::FormatLook;
use crate::worker::topic_limits::TopicLimits;

/// How long a transactional id is tried for.
const OWN_WITHIN: Duration = Duration::from_secs(60);
/// How long an open transaction goes on after a stop.
const GRACE: Duration = Duration::from_secs(3);
/// How long a trial of records that Kafka may refuse goes on without a word.
const PATIENCE: Duration = Duration::from_secs(15);
/// A dead letter says which shard it is of: a query is of none.
const NO_SHARD: i32 = -1;

/// Why results don't get into the topic. What was published until then is whole pages. Each message ends in the next thing to
/// do.
#[derive(Debug, Error)]
pub enum TopicSinkError {
    /// No client for topics, or none of its answers.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// The topics can't be written.
    #[error("{0}")]
    Unusable(String),
    /// No schema id.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// No transactional id.
    #[error(transparent)]
    Init(#[from] InitError),
    /// Another query has the id.
    #[error(
        "another `query --to-topic` of this connector took transactional id `{id}`, and goes on; this one ends, and its last page is not published: run one after the other"
    )]
    Fenced {
        /// The transactional id.
        id: String,
    },
    /// Kafka does not take it for good; ends in what to do.
    #[error("{0}")]
    Refused(String),
    /// No broker took it in time.
    #[error(
        "Kafka did not take a page ({0}), and nothing of it is published: check that the brokers are up, and go on with the command that is printed"
    )]
    NotTaken(String),
    /// No answer to a commit.
    #[error(
        "nobody knows whether the last page was committed ({0}): look for its keys in the topic; going on from there may publish it twice"
    )]
    Unknown(String),
}

/// `--to-topic`.
pub struct TopicSink {
    kafka: crate::config::KafkaProperties,
    to: Destination,
    converter: Converter,
    id: String,
    query: String,
    stop: Stop,
    clock: Clock,
    dead_letters: u64,
    /// None after a refusal, which librdkafka can't go on after.
    producer: Option<TransactionalProducer>,
}

impl TopicSink {
    /// Makes sure of the topic and the dead letter topic of `connector`, and takes the transactional id: whoever had it is
    /// fenced. The events of the query would have to stay: a topic that keeps less than it asks for is refused. Blocks.
    ///
    /// # Errors
    /// The topic can't be written as it should be.
    pub fn open(
        config: &Config,
        connector: &ConnectorConfig,
        topic: &str,
        request: &AdHocQuery,
        schema_id: Option<u32>,
        stop: &Stop,
    ) -> Result<Self, TopicSinkError> {
        let mut connector = connector.clone();
        topic.clone_into(&mut connector.topic.name);
        connector.since = Since::At(request.since);
        if config.connectors.iter().any(|one| topic == one.dead_letter_topic) || topic == config.offsets.topic {
            return Err(TopicSinkError::Unusable(format!(
                "`{topic}` is a dead letter topic of the file or the offsets topic: write another --to-topic"
            )));
        }
        let topics = Topics::new(&config.kafka)?;
        let settings = connector_topics::ensure(&topics, &connector, true).map_err(|error| match error {
            ConnectorTopicError::Topic(error) => error.into(),
            // In the words of a query.
            error => TopicSinkError::Unusable(
                error.to_string().replace("the cold start", "--since").replace("`since`", "--since"),
            ),
        })?;
        if let Some(other) = FormatLook::of(config).and_then(|look| look.other_format(&topics, &connector)) {
            return Err(TopicSinkError::Unusable(other.to_string()));
        }
        let limits = TopicLimits::default();
        limits.set(&settings);
        let query = SystemLogQuery { filter: request.filter.clone(), q: request.q.clone(), limit: request.limit };
        let mut sink = Self {
            kafka: config.kafka.clone(),
            to: Destination::of(&connector, Arc::new(limits)),
            converter: schema_id.map_or(Converter::Json, |id| Converter::Avro(Arc::new(Encoder::new(id)))),
            id: transactional_id(&config.group_id, &connector.name),
            query: query.hash(),
            stop: stop.clone(),
            clock: Clock::new(),
            dead_letters: 0,
            producer: None,
        };
        sink.own()?;
        Ok(sink)
    }

    /// The id of the schema that the topic's records are written by; none where they are JSON.
    ///
    /// # Errors
    /// The registry does not give it.
    pub async fn schema_id(
        config: &Config,
        connector: &ConnectorConfig,
        topic: &str,
    ) -> Result<Option<u32>, TopicSinkError> {
        match (connector.format, &config.schema_registry) {
            (Format::Avro, Some(registry)) => {
                let registry = Registry::new(registry, &config.okta_http)?;
                Ok(Some(registry.schema_id(topic, &|_| ()).await?))
            }
            _ => Ok(None),
        }
    }

    fn own(&mut self) -> Result<&TransactionalProducer, TopicSinkError> {
        // The old one ends first.
        self.producer = None;
        let limits = [self.to.limits.event_bytes(), self.to.limits.dead_letter_bytes()];
        let batch_bytes = limits.into_iter().flatten().min().and_then(|bytes| u32::try_from(bytes).ok());
        let until = self.clock.elapsed() + OWN_WITHIN;
        let give_up = || self.stop.is_stopped() || self.clock.elapsed() >= until;
        let producer = TransactionalProducer::init(&self.kafka, &self.id, batch_bytes, &give_up)?;
        Ok(self.producer.insert(producer))
    }

    /// The page's events and dead letters, judged by what is known of the topics.
    fn records(&self, page: &ResultPage) -> Result<PageRecords, TopicSinkError> {
        let converted = page.elements.iter().map(|element| self.converter.convert(element.clone(), &mut |_| {}));
        let asked = page.asked.as_str().to_owned();
        let before = SourceOffset::cold(asked.clone(), self.query.clone());
        let sequence = Sequence { generation: 0, number: page.number };
        let mut records = PageRecords::new(sequence, converted.collect(), page.body_bytes, asked, &before);
        judgement::judge(&mut records, &self.to, NO_SHARD).map_err(TopicSinkError::Refused)?;
        Ok(records)
    }

    fn publish(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        if let Some(date) = page.server_date {
            self.to.limits.sending_time.learn(date.as_millisecond(), self.clock.elapsed());
        }
        loop {
            let records = self.records(page)?;
            let expected = records.events.len() + records.dead_letters.len();
            if self.producer.is_none() {
                self.own()?;
            }
            let Some(producer) = &self.producer else { return Err(QueryError::Stopped) };
            let now = self.clock.elapsed();
            let send = |send: &mut dyn FnMut(ProducerRecord<'_>) -> bool| self.send(&records, None, now, send);
            let give_up = || self.stop.is_stopped_since(GRACE);
            let end = producer.publish(expected, send, None, &give_up);
            if let TransactionEnd::Committed { .. } = end {
                self.dead_letters += records.dead_letters.len() as u64;
                return Ok(());
            }
            let suspects = self.judge(producer, end)?;
            self.set_aside(&records, &suspects)?;
        }
    }

    /// All records of a page, or those of the chosen events, until `send` says no.
    fn send(
        &self,
        records: &PageRecords,
        chosen: Option<&[u32]>,
        now: Duration,
        send: &mut dyn FnMut(ProducerRecord<'_>) -> bool,
    ) {
        for (event, index) in records.events.iter().zip(0..) {
            let tag = Tag { owner: 0, kind: RecordKind::Event, index };
            let is_chosen = chosen.is_none_or(|chosen| chosen.contains(&index));
            if is_chosen && !publish::send_event(event, &self.to, tag, now, send) {
                return;
            }
        }
        if chosen.is_none() {
            publish::send_dead_letters(records, &self.to, 0, NO_SHARD, now, send);
        }
    }

    /// Kafka refused some of these: finds which, by halves of transactions that are aborted. They are dead letters from then on.
    fn set_aside(&mut self, records: &PageRecords, suspects: &[u32]) -> Result<(), QueryError> {
        let mut bisection = Bisection::new(suspects.to_vec());
        let mut answers: BTreeMap<u32, Undelivered> = BTreeMap::new();
        self.producer = None;
        while let Some(trial) = bisection.trial().map(<[u32]>::to_vec) {
            if self.producer.is_none() {
                self.own()?;
            }
            let Some(producer) = &self.producer else { return Err(QueryError::Stopped) };
            let now = self.clock.elapsed();
            let send = |send: &mut dyn FnMut(ProducerRecord<'_>) -> bool| self.send(records, Some(&trial), now, send);
            let give_up = || self.stop.is_stopped_since(GRACE);
            let Some(refused) = producer.rehearse(send, PATIENCE, &give_up) else {
                return Err(TopicSinkError::NotTaken("no answer in time".to_owned()).into());
            };
            let first = refused.iter().find(|one| judge(one.code) == Verdict::Record).copied();
            if let (Some(first), [alone]) = (first, trial.as_slice()) {
                let _ = answers.insert(*alone, first);
            }
            bisection.answer(first.is_some());
            if !refused.is_empty() {
                self.producer = None;
            }
        }
        if answers.is_empty() {
            let topic = &self.to.topic;
            return Err(TopicSinkError::Refused(format!(
                "topic `{topic}` refuses a batch of records of which it takes each: raise its `max.message.bytes`"
            ))
            .into());
        }
        for (index, refused) in answers {
            let Some(record) = records.events.get(index as usize) else { continue };
            let limits = &self.to.limits;
            let now = limits.sending_time.now(self.clock.elapsed());
            let own = record.event.published.as_ref();
            let own = own.and_then(|published| limits.record_time.of(published.millis, now));
            match own.filter(|_| error::is_time(refused.code)) {
                // From now on it has the time of sending.
                Some(own) => limits.record_time.learn_refused(own, now),
                None => {
                    let (class, bytes) = (error::record_class(refused.code), self.to.event_bytes(record));
                    let reason = Reason::RefusedByKafka { class, topic: self.to.topic.clone(), bytes };
                    limits.add_refused(&record.event, reason);
                }
            }
        }
        Ok(())
    }

    /// What an end means that is no commit: an error, or which events are suspected to be refused for good.
    fn judge(&self, producer: &TransactionalProducer, end: TransactionEnd) -> Result<Vec<u32>, QueryError> {
        if let Some(refused) = producer.refused_topics().first() {
            return Err(TopicSinkError::Refused(error::advice(error::TOPIC_REFUSED, refused)).into());
        }
        let (undelivered, code) = end.reasons();
        let topic_of = |one: &Undelivered| match one.tag.kind {
            RecordKind::Event => &self.to.topic,
            _ => &self.to.dead_letter_topic,
        };
        if let Some(refused) = undelivered.iter().find(|one| judge(one.code) == Verdict::Topic) {
            return Err(TopicSinkError::Refused(error::advice(refused.code, topic_of(refused))).into());
        }
        let is_refused = |one: &&Undelivered| judge(one.code) == Verdict::Record;
        if let Some(refused) = undelivered.iter().filter(is_refused).find(|one| one.tag.kind != RecordKind::Event) {
            return Err(TopicSinkError::Refused(error::advice(refused.code, topic_of(refused))).into());
        }
        let suspects: Vec<u32> = undelivered.iter().filter(is_refused).map(|one| one.tag.index).collect();
        if !suspects.is_empty() {
            return Ok(suspects);
        }
        let why = code.map_or_else(|| "no answer in time".to_owned(), error::fenced_by);
        Err(match end {
            TransactionEnd::Fenced { .. } => TopicSinkError::Fenced { id: self.id.clone() },
            TransactionEnd::Unknown { .. } if producer.asked_to_commit().is_some() => TopicSinkError::Unknown(why),
            _ if self.stop.is_stopped() => return Err(QueryError::Stopped),
            _ => TopicSinkError::NotTaken(producer.trouble().unwrap_or(why)),
        }
        .into())
    }
}

/// Of the queries of one connector, by whatever worker (docs/adr/0058).
fn transactional_id(group_id: &str, connector: &str) -> String {
    format!("{group_id}-job-query-{connector}")
}

impl Sink for TopicSink {
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        if page.elements.is_empty() {
            return Ok(());
        }
        self.publish(page)
    }

    fn end(&mut self, _: &QueryResult) -> Result<(), QueryError> {
        self.producer = None;
        Ok(())
    }

    fn dead_letters(&self) -> u64 {
        self.dead_letters
    }
}
