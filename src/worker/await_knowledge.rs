//! Waits of a runner for what its topics hold: at its start, and for its task's questions.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::runner::{OpenQuestion, Runner};
use crate::source::input::{Input, LearnId, Tail};
use crate::source::offset::SourceOffset;

/// Between two looks at the end of the topics.
const RETRY: Duration = Duration::from_secs(2);
/// A start is not held up for longer by topics that are slow, or can't be read for now.
const PATIENCE: Duration = Duration::from_secs(15);

impl Runner {
    /// The newest elements of the org, for a start that goes on from its own last event; another one asks for more anyway.
    ///
    /// Who may not read the topic, or gets no answer in time, goes on without: only a page that Okta serves twice across this start
    /// is then published twice, and an offset record that was put back by hand is not known for one.
    pub(super) async fn await_tail(&self, stored: &Result<Option<SourceOffset>, String>) -> Tail {
        let goes_on = |stored: &&SourceOffset| stored.uuid.is_some() && !stored.allow_duplicates;
        if stored.as_ref().ok().and_then(Option::as_ref).filter(goes_on).is_none() {
            return Tail::default();
        }
        let begun = self.clock.elapsed();
        loop {
            let left = (begun + PATIENCE).saturating_sub(self.clock.elapsed());
            let why = match tokio::time::timeout(left, self.knowledge.tail(&self.connector)).await {
                Ok(Ok(tail)) => return tail,
                Ok(Err(error)) if error.retriable && left > RETRY => {
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("the end of the topics was not read within {} s", PATIENCE.as_secs()),
            };
            warn!(
                connector = self.connector.name, org = %self.connector.org,
                "{why}: goes on from its checkpoint without, and can't tell whether Okta serves a page twice"
            );
            return Tail::default();
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
