//! Waits of a runner for what its topics hold: at its start, and for its task's questions.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::runner::{OpenQuestion, Runner};
use crate::source::action::ConnectorState;
use crate::source::input::{Input, LearnId, Tail};
use crate::source::offset::SourceOffset;
use crate::telemetry;

/// Between two looks at the end of the topics while Kafka does not answer.
const RETRY: Duration = Duration::from_secs(10);

impl Runner {
    /// The newest elements of the org, for a start that goes on from its own last event; another one asks for more anyway.
    ///
    /// Who may not read the topic goes on without: only a page that Okta serves twice across this start is then published twice.
    pub(super) async fn await_tail(&self, stored: &Result<Option<SourceOffset>, String>) -> Tail {
        let goes_on = |stored: &&SourceOffset| stored.uuid.is_some() && !stored.allow_duplicates;
        if stored.as_ref().ok().and_then(Option::as_ref).filter(goes_on).is_none() {
            return Tail::default();
        }
        loop {
            let error = match self.knowledge.tail(&self.connector).await {
                Ok(tail) => return tail,
                Err(error) => error,
            };
            let (connector, org) = (&self.connector.name, &self.connector.org);
            if !error.retriable {
                warn!(
                    connector, %org,
                    "{error}: goes on from its checkpoint without, and can't tell whether Okta serves a page twice"
                );
                return Tail::default();
            }
            self.set_state(ConnectorState::Recovering);
            self.status.set_trouble(&error.to_string());
            warn!(connector, %org, retry_in = ?telemetry::shown(RETRY), "{error}");
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Asks what the topics hold; gives [`Input::Learned`] or [`Input::NotLearned`].
    pub(super) fn learn(&self, id: LearnId, from: i64) -> OpenQuestion {
        let (knowledge, connector) = (self.knowledge.clone(), Arc::clone(&self.connector));
        Box::pin(async move {
            match knowledge.learn(&connector, from).await {
                Ok(known) => Input::Learned { id, known },
                Err(error) => Input::NotLearned { id, message: error.message, retriable: error.retriable },
            }
        })
    }
}
