//! The schema registry, by Confluent's REST API: the id that stands before every Avro record.
//!
//! `schema` (pure) holds what a registry says against our schema; `request` asks, one URL after the other, with `login`; `answer`
//! judges what came back; `subject` is the order of questions. None of it is asked again once an id is known: a registry
//! that is down later has no effect. docs/adr/0045 says why no library does this.

mod answer;
mod error;
mod login;
mod reach;
mod request;
mod schema;
mod subject;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use error::{RegistryError, Severity};
pub use login::Credentials;
pub use request::RequestResult;
pub use subject::Found;

use crate::clock::Clock;
use crate::config::{SchemaRegistryConfig, SubjectStrategy};
use crate::convert::avro::schema::FULL_NAME;
use crate::okta::proxy::Network;
use request::Requests;

/// A schema registry, and the ids that it gave. Clones share both.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    requests: Requests,
    auto_register: bool,
    strategy: SubjectStrategy,
    clock: Clock,
    /// By subject. The lock of one is held while it is asked for: of all the connectors that want it, one asks.
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    id: Option<u32>,
    /// When the last attempt failed, and why: it answers those who waited for it.
    failed: Option<(Duration, RegistryError)>,
}

impl Registry {
    /// A client of the registry that the configuration names; `network` is the way to it. Nothing is asked yet.
    ///
    /// # Errors
    /// The TLS library has no root certificates.
    pub fn new(config: &SchemaRegistryConfig, network: &Network) -> Result<Self, RegistryError> {
        let inner = Inner {
            requests: Requests::new(config, network)?,
            auto_register: config.auto_register,
            strategy: config.subject_strategy,
            clock: Clock::new(),
            slots: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The subject of a topic's values.
    pub fn subject(&self, topic: &str) -> String {
        self.inner.strategy.subject(topic, FULL_NAME)
    }

    /// The id of our schema for the records of `topic`: from memory, else looked up, else registered where that is
    /// allowed and the schema gets on with what is there.
    ///
    /// `count` is told of each request, for `schema_registry_requests_total`. The future may be dropped at any time.
    ///
    /// # Errors
    /// [`RegistryError::severity`] says whether to try again or to wait for somebody.
    pub async fn schema_id(
        &self,
        topic: &str,
        count: &(dyn Fn(RequestResult) + Send + Sync),
    ) -> Result<u32, RegistryError> {
        let subject = self.subject(topic);
        let called = self.inner.clock.elapsed();
        let slot = {
            let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(subject.clone()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(id) = slot.id {
            return Ok(id);
        }
        if let Some((_, error)) = slot.failed.as_ref().filter(|(at, _)| *at > called) {
            return Err(error.clone());
        }
        match subject::obtain(&self.inner.requests, &subject, self.inner.auto_register, count).await {
            Ok(id) => {
                slot.id = Some(id);
                Ok(id)
            }
            Err(error) => {
                slot.failed = Some((self.inner.clock.elapsed(), error.clone()));
                Err(error)
            }
        }
    }

    /// The login that is sent now: to be taken before the question, for [`until_login_changed`](Self::until_login_changed).
    pub fn login(&self) -> Credentials {
        self.inner.requests.login()
    }

    /// Waits until the login is another than that, which it may be already, since somebody else's question was refused as well;
    /// looks at its files every so often, and waits for ever where it is in none.
    pub async fn until_login_changed(&self, than: &Credentials, every: Duration) {
        self.inner.requests.until_login_changed(than, every).await;
    }

    /// What there is for `topic`, without changing anything: `schema check`.
    ///
    /// # Errors
    /// As [`schema_id`](Self::schema_id); also where our schema is not there and would not be taken.
    pub async fn look(&self, topic: &str) -> Result<Found, RegistryError> {
        subject::look(&self.inner.requests, &self.subject(topic), self.inner.auto_register, &|_| ()).await
    }

    /// The rule of compatibility that the registry says it has for the subject of `topic`; `None` where it does not say.
    pub async fn rule(&self, topic: &str) -> Option<String> {
        subject::rule(&self.inner.requests, &self.subject(topic)).await
    }

    /// Registers our schema for `topic`, also where `auto_register` is false: `schema register`.
    ///
    /// # Errors
    /// As [`schema_id`](Self::schema_id).
    pub async fn register(&self, topic: &str) -> Result<u32, RegistryError> {
        subject::obtain(&self.inner.requests, &self.subject(topic), true, &|_| ()).await
    }
}
