//! Waits of a runner for its topics: before the first record, and after Kafka refused one.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use super::connector_topics;
use super::runner::{Held, Runner};
use crate::config::ConnectorConfig;
use crate::kafka::topics::Topics;
use crate::source::action::ConnectorState;
use crate::source::task::FAILED_RETRY;
use crate::telemetry;

/// Between two looks at topics that can't be used: a look costs the broker little, and asks nothing of Okta.
const LOOK: Duration = Duration::from_secs(15);
/// Between two looks at the topics while Kafka can't be reached.
const KAFKA_RETRY: Duration = Duration::from_secs(10);

impl Runner {
    /// Waits until the topics are there and take our records. A missing one would stall the shard's producer for all
    /// connectors, and one that may not be written would end it, so both are looked for before anything is sent.
    pub(super) async fn await_topics(&self, cold: bool) {
        let mut said: Option<(String, Duration)> = None;
        loop {
            let topics = Arc::clone(&self.topics);
            let connector = Arc::clone(&self.connector);
            let looked = spawn_blocking(move || connector_topics::ensure(&topics, &connector, cold)).await;
            let problem = match looked {
                Ok(Ok(settings)) => {
                    if said.is_some() {
                        info!(connector = self.connector.name, "its topics can be used now");
                    }
                    return self.limits.set(&settings);
                }
                Ok(Err(problem)) => problem,
                // The blocking pool ends with the runtime only.
                Err(_) => return,
            };
            let passes = problem.passes_by_itself();
            let retry = if passes { KAFKA_RETRY } else { LOOK };
            self.set_state(if passes { ConnectorState::Recovering } else { ConnectorState::Failed });
            let (text, now) = (problem.to_string(), self.clock.elapsed());
            self.status.set_trouble(&text);
            if said.as_ref().is_none_or(|(last, at)| *last != text || now >= *at + FAILED_RETRY) {
                if passes {
                    warn!(connector = self.connector.name, retry_in = ?retry, "{text}");
                } else {
                    error!(connector = self.connector.name, org = %self.connector.org, retry_in = ?retry, "connector failed: {text}");
                }
                said = Some((text, now));
            }
            tokio::time::sleep(retry).await;
        }
    }

    /// Rests where the last life of the shard ended by this connector.
    pub(super) async fn rest_held(&self) {
        let Some(Held { until, message, state }) = &self.held else { return };
        let left = until.saturating_sub(self.clock.elapsed());
        if left.is_zero() {
            return;
        }
        self.set_state(*state);
        self.status.set_trouble(message);
        if *state == ConnectorState::Recovering {
            warn!(connector = self.connector.name, retry_in = ?telemetry::shown(left), "{message}");
        } else {
            error!(connector = self.connector.name, org = %self.connector.org, retry_in = ?telemetry::shown(left), "connector failed: {message}");
            let (topics, connector) = (Arc::clone(&self.topics), Arc::clone(&self.connector));
            // Where the broker says what we may do, waiting for the topics is waiting for the permission.
            if spawn_blocking(move || connector_topics::is_allowed_known(&topics, &connector))
                .await
                .is_ok_and(|known| known)
            {
                return;
            }
        }
        tokio::time::sleep(left).await;
    }
}

/// Waits until the topics are another than they are now: their settings, or whether they are there.
pub(super) async fn until_changed(topics: Arc<Topics>, connector: Arc<ConnectorConfig>) {
    let look = || {
        let (topics, connector) = (Arc::clone(&topics), Arc::clone(&connector));
        spawn_blocking(move || connector_topics::picture(&topics, &connector))
    };
    let mut first = None;
    loop {
        // A broker that can't be reached shows nothing, and nothing new.
        if let Ok(Some(seen)) = look().await
            && *first.get_or_insert_with(|| seen.clone()) != seen
        {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
