//! A client's connections, as its context hears of them: what librdkafka says, and why no broker is reached.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use tracing::{debug, trace, warn};

use super::certificate::Trust;
use super::certificate_look::{self, Shared};
use super::connection_error::{self, Login, Trouble};
use super::token::source::TokenSource;
use crate::config::KafkaProperties;

/// How long a client waits for its first token before it tries without.
const FIRST_TOKEN: Duration = Duration::from_secs(4);

/// Context of every client, by itself or inside another one.
///
/// librdkafka retries a lost connection by itself, and says so in its log. That is for `RUST_LOG=debug`; whoever needs an answer
/// and gets none asks here why.
#[derive(Debug)]
pub struct Connection {
    login: Login,
    trust: Trust,
    tokens: Option<Arc<TokenSource>>,
    /// Number of the token that the client has.
    fed: AtomicU64,
    state: Shared,
}

/// Whose properties a client has: `kafka.producer` and `kafka.consumer` may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A producer.
    Producer,
    /// A consumer, or a client for administration.
    Consumer,
}

impl Connection {
    /// Of a client with these properties.
    pub fn new(kafka: &KafkaProperties, side: Side) -> Self {
        let get = |name: &str| match side {
            Side::Producer => kafka.get_producer(name),
            Side::Consumer => kafka.get_consumer(name),
        };
        let protocol = get("security.protocol").unwrap_or_default().to_ascii_lowercase();
        let certificate = ["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"];
        let sasl = protocol.starts_with("sasl");
        let login = Login {
            mechanism: get("sasl.mechanisms").filter(|_| sasl).unwrap_or_default().to_owned(),
            has_certificate: certificate.into_iter().any(|name| get(name).is_some()),
            tls: protocol.ends_with("ssl"),
        };
        Self {
            login,
            trust: Trust::of(get),
            tokens: kafka.oidc().map(TokenSource::of),
            fed: AtomicU64::new(0),
            state: Arc::default(),
        }
    }

    /// Gives the client a newer token, where there is one. To be called often, by whoever polls it.
    pub fn feed<C: ClientContext>(&self, client: &Client<C>) {
        if let Some(tokens) = &self.tokens {
            self.fed.store(tokens.feed(client, self.fed.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }

    /// Gives the client its first token, as soon as there is one: for a client whose next call blocks. Blocks for some
    /// seconds at most.
    pub fn feed_first<C: ClientContext>(&self, client: &Client<C>) {
        if let Some(tokens) = &self.tokens {
            tokens.await_first(FIRST_TOKEN);
            self.feed(client);
        }
    }

    /// Takes one line of librdkafka's log.
    pub fn hear_log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // Of lost connections, and of their count, whoever needs one speaks.
            _ if matches!(facility, "FAIL" | "ERROR" | "SSL") => debug!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                warn!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => debug!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => trace!(target: "librdkafka", facility, "{message}"),
        }
        // With `debug` it says the same once more, with the code: as the line is longer, it is another one.
        if facility == "FAIL" && level as u8 <= RDKafkaLogLevel::Info as u8 {
            self.failed(message);
        }
    }

    /// Takes an error of librdkafka's, which it handles by itself and has logged.
    pub fn hear_error(&self, error: &KafkaError, reason: &str) {
        trace!(target: "librdkafka", %error, "{reason}");
    }

    /// A broker has answered: what was wrong before is over.
    pub fn answered(&self) {
        *lock(&self.state) = None;
    }

    /// Why no broker is reached, ending in the next thing to do, where anybody said so since one answered.
    pub fn trouble(&self) -> Option<String> {
        let tokens = self.tokens.as_ref();
        // Without a token nothing is tried, and one that is about to run out explains a refused login.
        tokens.and_then(|tokens| tokens.problem()).or_else(|| {
            let trouble = lock(&self.state).as_ref().map(|trouble| trouble.message().to_owned())?;
            Some(tokens.and_then(|tokens| tokens.renewal_problem()).unwrap_or(trouble))
        })
    }

    fn failed(&self, line: &str) {
        let Some((address, reason)) = connection_error::parse(line) else { return };
        let trouble = connection_error::explain(address, reason, &self.login);
        let mut state = lock(&self.state);
        match (&trouble, &*state) {
            // Asked with the lock held, so that what is seen at once comes after this.
            (Trouble::Certificate(_), _) => {
                let known = certificate_look::ask(address, &self.trust, &self.state);
                *state = Some(known.map_or(trouble, Trouble::Known));
            }
            // A connection that is closed without a word may be the same trouble once more.
            (Trouble::Other(_), Some(Trouble::Known(_) | Trouble::Certificate(_))) => {}
            _ => *state = Some(trouble),
        }
    }
}

/// A consumer of its own, whose next call may block: it has its token, where one is needed. Blocks for some seconds at most.
pub fn consumer(kafka: &KafkaProperties, config: &ClientConfig) -> KafkaResult<BaseConsumer<Connection>> {
    let consumer: BaseConsumer<Connection> = config.create_with_context(Connection::new(kafka, Side::Consumer))?;
    consumer.context().feed_first(consumer.client());
    Ok(consumer)
}

fn lock(state: &Shared) -> MutexGuard<'_, Option<Trouble>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Connection {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.hear_log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.hear_error(&error, reason);
    }
}

impl ConsumerContext for Connection {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_producer_is_judged_by_its_own_properties() {
        let text = "kafka:\n  bootstrap.servers: kafka:9093\n  security.protocol: ssl\n  producer: {ssl.endpoint.identification.algorithm: none}\n\
                    connectors: [{name: acme, org: https://acme.okta.com, auth: {ssws: '${env:TOKEN}'}, topic: okta}]\n";
        let config = Config::parse(text, &|_| Some("00Wq8nLtXv2RbYk5HsZc7MfPj3GdAu9EoTiVxNh641".to_owned()));
        let kafka = config.expect("valid").kafka;
        let trust_of = |side| Connection::new(&kafka, side).trust;
        let (any_host, its_name) = (trust_of(Side::Producer), trust_of(Side::Consumer));
        assert_ne!(any_host, its_name);
        assert_eq!(its_name, Trust::default());
    }
}
