//! Schema ids asked for when the process starts: whoever takes a connector over while the registry is away has them.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::{info, warn};

use crate::registry::{Registry, RegistryError, Severity};
use crate::source::task::FAILED_RETRY;

/// First and longest rest between two questions to a registry that does not answer.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Between two looks at the files of its login.
const LOGIN_LOOK: Duration = Duration::from_secs(15);

/// Asks for the ids of our schema for these topics, one after the other, until all are known. Nobody waits for it: a connector
/// that needs one sooner asks for itself, and both get the same answer. Why there is none says the connector.
pub async fn ask(registry: Registry, topics: BTreeSet<String>) {
    if topics.is_empty() {
        return;
    }
    let count = topics.len();
    let mut unknown: Vec<String> = topics.into_iter().collect();
    let mut rest = RETRY.0;
    let mut said = false;
    loop {
        let login = registry.login();
        let mut left = Vec::new();
        let mut retry = FAILED_RETRY;
        let mut topics = unknown.into_iter();
        for topic in topics.by_ref() {
            let Err(problem) = registry.schema_id(&topic, &|_| ()).await else { continue };
            left.push(topic);
            let passes = problem.severity() == Severity::Retry;
            if passes {
                retry = rest;
                rest = (rest * 2).min(RETRY.1);
            }
            // What it answers to one it answers to all; and a login that is refused again and again may be locked.
            if passes || matches!(problem, RegistryError::Unauthorized { .. }) {
                break;
            }
        }
        left.extend(topics);
        if left.is_empty() {
            info!(
                topics = count,
                "the schema ids of all topics are known: the schema registry may be away from now on"
            );
            return;
        }
        if !said {
            warn!(
                topics = left.len(),
                "schema ids that this worker needs to take connectors over are not known yet, and it goes on asking; `schema check` says why"
            );
            said = true;
        }
        unknown = left;
        tokio::select! {
            () = tokio::time::sleep(retry) => {}
            () = registry.until_login_changed(&login, LOGIN_LOOK) => {}
        }
    }
}
