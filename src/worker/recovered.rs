//! What is said of a recovery, and of old ground.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::runner::Runner;
use crate::okta::error::told_request_id;
use crate::source::action::RecoveryReason;
use crate::telemetry;

impl Runner {
    /// Where old ground begins to matter, and where it ends: then with the count of what was left out.
    pub(super) fn tell_old_ground(&self, ended: Option<usize>) {
        let connector = &self.connector;
        match ended {
            None => {
                info!(connector = connector.name, org = %connector.org, "over old ground: what the topic holds already is suppressed");
            }
            Some(duplicates_suppressed) => {
                info!(connector = connector.name, org = %connector.org, duplicates_suppressed, "old ground ends: what comes from here on is new");
            }
        }
    }

    /// All that an operator has to know, once.
    pub(super) fn tell_recovery(
        &self,
        reason: RecoveryReason,
        from: Timestamp,
        hole: Option<(Timestamp, Timestamp)>,
        said: Option<&str>,
        rest: Option<Duration>,
        suppresses: bool,
    ) {
        self.metrics.recovered(reason);
        if let Some((missing_from, missing_until)) = hole {
            self.metrics.hole(Some((seconds(missing_from), seconds(missing_until))));
        }
        if reason == RecoveryReason::QueryChanged {
            // Of the new query the topic holds no more than that.
            self.set_caught_up(seconds(from));
        }
        let why = match reason {
            RecoveryReason::CursorRefused => "okta no longer knows the position",
            RecoveryReason::SinceTooOld => "the position begins more than 180 days ago, which okta refuses",
            RecoveryReason::QueryChanged => "the position is of another `filter` or `q`",
        };
        let (connector, okta_request_id) = (&self.connector, self.okta_request_id.as_deref());
        let (missing_from, missing_until) = (hole.map(|hole| hole.0.to_string()), hole.map(|hole| hole.1.to_string()));
        let missing = match (&missing_from, &missing_until) {
            (Some(from), Some(until)) => format!("; {}", missing(from, until)),
            _ => String::new(),
        };
        let said = said.map_or_else(String::new, |said| format!(" ({said})"));
        let retry_in = rest.map(telemetry::shown).map(tracing::field::debug);
        let rests = match rest {
            Some(_) => "; it got no further than the last time, so it rests before it asks",
            None => "",
        };
        let held = if suppresses { "is left out" } else { "is published again, as `--allow-duplicates` asked" };
        // Shown as long as it rests.
        self.status.set_trouble(&format!("{why}{said}{rests}{}", told_request_id(okta_request_id)));
        warn!(
            connector = connector.name, org = %connector.org, recovery = reason.as_str(), since = %from, missing_from, missing_until, retry_in, okta_request_id,
            "{why}{said}: began again at {from}; what the topic holds already {held}{missing}{rests}"
        );
    }

    /// The same of a hole that the org's first answer showed.
    pub(super) fn tell_missing(&self, from: Timestamp, until: Timestamp) {
        self.metrics.hole(Some((seconds(from), seconds(until))));
        let (missing_from, missing_until) = (from.to_string(), until.to_string());
        let connector = &self.connector;
        warn!(connector = connector.name, org = %connector.org, missing_from, missing_until, "{}", missing(&missing_from, &missing_until));
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

fn missing(from: &str, until: &str) -> String {
    format!(
        "events from {from} to {until} may be missing, as okta keeps them for 90 days: `offsets get` shows that as `missingFrom` and `missingUntil`"
    )
}
