//! A connector's record values: made where a page arrives, by the schema that the registry knows.

use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use super::context::WorkerContext;
use super::report::ConnectorStatus;
use super::topic_format::FormatLook;
use crate::clock::Clock;
use crate::config::{ConnectorConfig, Format};
use crate::convert::Converter;
use crate::convert::avro::{Encoder, Misfit, Place};
use crate::convert::drift::{Drift, MOST_NEW, News};
use crate::kafka::topics::Topics;
use crate::metrics::{ConnectorMetrics, DriftKind};
use crate::okta::page::RawElement;
use crate::registry::{Registry, RegistryError, Severity};
use crate::source::action::ConnectorState;
use crate::source::record::Element;
use crate::source::task::FAILED_RETRY;
use crate::telemetry;

/// First and longest rest between two questions to a registry that does not answer.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The second of [`RETRY`] with the most that chance adds to it.
const LONGEST: Duration = Duration::from_millis(37_500);
/// Between two questions to a registry that refuses: somebody has to act there, and it costs the org nothing. Between two looks
/// at the files of its login.
const REFUSED_RETRY: Duration = Duration::from_secs(15);
/// A registry answers within milliseconds; one that takes so long is told, before its time for an answer is over.
const SLOW: Duration = Duration::from_secs(3);
/// After so many bytes of a page others have a turn on the thread: ten milliseconds' work.
const TURN_BYTES: usize = 1024 * 1024;

/// Makes one connector's values, for as long as its shard is ours.
pub struct Values {
    connector: Arc<ConnectorConfig>,
    registry: Option<Registry>,
    format_look: Option<FormatLook>,
    topics: Arc<Topics>,
    metrics: Arc<ConnectorMetrics>,
    status: Arc<ConnectorStatus>,
    clock: Clock,
    converter: OnceLock<Converter>,
    drift: Mutex<Drift>,
}

impl Values {
    /// Of a connector.
    pub fn new(
        connector: &Arc<ConnectorConfig>,
        context: &WorkerContext,
        metrics: &Arc<ConnectorMetrics>,
        status: &Arc<ConnectorStatus>,
    ) -> Self {
        Self {
            connector: Arc::clone(connector),
            registry: context.registry.clone(),
            format_look: context.format_look.clone(),
            topics: Arc::clone(&context.topics),
            metrics: Arc::clone(metrics),
            status: Arc::clone(status),
            clock: context.clock,
            converter: OnceLock::new(),
            drift: Mutex::default(),
        }
    }

    /// What makes the values. Waits until the topic is one for them, and where it is the registry that says how, until it did:
    /// nothing is asked of the org that could not be published.
    pub async fn ready(&self) -> Converter {
        if let Some(converter) = self.converter.get() {
            return converter.clone();
        }
        self.await_format().await;
        let made = match (self.connector.format, &self.registry) {
            (Format::Avro, Some(registry)) => Converter::Avro(Arc::new(Encoder::new(self.schema_id(registry).await))),
            // The configuration has no Avro without a registry.
            (Format::Json | Format::Avro, _) => Converter::Json,
        };
        self.converter.get_or_init(|| made).clone()
    }

    /// A page's elements as Kafka gets them.
    pub async fn convert(&self, converter: &Converter, elements: Vec<RawElement>) -> Vec<Element> {
        let mut converted = Vec::with_capacity(elements.len());
        let mut bytes = 0;
        for element in elements {
            bytes += element.bytes().len();
            converted.push(converter.convert(element, &mut |misfit| self.tell_drift(&misfit)));
            if bytes >= TURN_BYTES {
                bytes = 0;
                tokio::task::yield_now().await;
            }
        }
        converted
    }

    /// Waits for as long as the topic's records are of the other format.
    async fn await_format(&self) {
        let mut said = false;
        while let Some(look) = self.format_look.clone() {
            let (topics, connector) = (Arc::clone(&self.topics), Arc::clone(&self.connector));
            // The blocking pool ends with the runtime only.
            let looked = spawn_blocking(move || look.other_format(&topics, &connector)).await;
            let Ok(Some(other)) = looked else { break };
            self.set_state(ConnectorState::Failed);
            self.status.set_trouble(&other.to_string());
            if !said {
                error!(connector = self.connector.name, org = %self.connector.org, retry_in = ?REFUSED_RETRY, "connector failed: {other}");
                said = true;
            }
            tokio::time::sleep(REFUSED_RETRY).await;
        }
        if said {
            info!(connector = self.connector.name, "its topic can be used now");
            self.set_state(ConnectorState::Running);
        }
    }

    /// The schema's id, however long it takes. A refusal is said at once and then as seldom as that of an org.
    async fn schema_id(&self, registry: &Registry) -> u32 {
        let connector = &self.connector;
        let mut said: Option<(String, Duration)> = None;
        let mut rest = RETRY.0;
        loop {
            let count = |result| self.metrics.schema_registry_request(result);
            let login = registry.login();
            let mut asking = pin!(registry.schema_id(&connector.topic.name, &count));
            let asked = match tokio::time::timeout(SLOW, &mut asking).await {
                Ok(asked) => asked,
                Err(_) => {
                    if said.is_none() {
                        said = Some((self.tell_slow(), self.clock.elapsed()));
                    }
                    asking.await
                }
            };
            let problem = match asked {
                Ok(id) => {
                    let subject = registry.subject(&connector.topic.name);
                    let text = match said {
                        Some(_) => "the schema registry knows the schema now",
                        None => "writes Avro by the schema that the registry has",
                    };
                    info!(connector = connector.name, subject, schema_id = id, "{text}");
                    if said.is_some() {
                        self.set_state(ConnectorState::Running);
                    }
                    return id;
                }
                Err(problem) => problem,
            };
            let passes = problem.severity() == Severity::Retry;
            let retry = match problem {
                _ if passes => rest.mul_f64(1.0 + self.clock.now().jitter / 4.0),
                // So as to lock no account.
                RegistryError::Unauthorized { .. } => FAILED_RETRY,
                _ => REFUSED_RETRY,
            };
            rest = (rest * 2).min(RETRY.1);
            self.set_state(if passes { ConnectorState::Recovering } else { ConnectorState::Failed });
            let (text, now) = (problem.to_string(), self.clock.elapsed());
            self.status.set_trouble(&text);
            if said.as_ref().is_none_or(|(last, at)| *last != text || now >= *at + FAILED_RETRY) {
                let retry_in = telemetry::shown(retry);
                if passes {
                    warn!(connector = connector.name, org = %connector.org, ?retry_in, "{text}; asked again after pauses that grow to {LONGEST:?}");
                } else {
                    error!(connector = connector.name, org = %connector.org, ?retry_in, "connector failed: {text}");
                }
                said = Some((text, now));
            }
            tokio::select! {
                () = tokio::time::sleep(retry) => {}
                () = registry.until_login_changed(&login, REFUSED_RETRY) => {
                    info!(connector = connector.name, "the login at the schema registry changed: asking again");
                }
            }
        }
    }

    /// Gives what was said.
    fn tell_slow(&self) -> String {
        let text = format!("the schema registry has not answered for {SLOW:?}: waiting for it");
        self.set_state(ConnectorState::Recovering);
        self.status.set_trouble(&text);
        warn!(connector = self.connector.name, org = %self.connector.org, "{text}");
        text
    }

    fn set_state(&self, state: ConnectorState) {
        self.metrics.state(state);
        self.status.set_state(state);
    }

    fn tell_drift(&self, misfit: &Misfit<'_>) {
        let (connector, org) = (&self.connector.name, &self.connector.org);
        match self.drift.lock().unwrap_or_else(PoisonError::into_inner).note(misfit) {
            Some(News::Kind { place: Place::Unknown, member, found }) => {
                self.metrics.drifted(DriftKind::New);
                info!(connector, %org, member, found, "the schema does not know this member: it is kept in `unmapped`");
            }
            Some(News::Kind { place: Place::Field(expected), member, found }) => {
                self.metrics.drifted(DriftKind::Retyped);
                info!(
                    connector, %org, member, found, expected,
                    "the schema has no place for this member as Okta sends it: it is kept in `unmapped`, and its field is null there"
                );
            }
            Some(News::Kind { place: Place::OpenMap, member, found }) => {
                info!(connector, %org, member, found, "this map holds strings alone: what is none, as often here, is kept in `unmapped`");
            }
            Some(News::NoMore) => {
                self.metrics.drifted(DriftKind::New);
                info!(
                    connector, %org,
                    "more than {MOST_NEW} members are unknown to the schema: the others are not named here, and kept in `unmapped`; \
                     schemas/README.md has a program that lists a topic's"
                );
            }
            None => {}
        }
    }
}
