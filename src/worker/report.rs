//! What a worker says of a shard's connectors: the metadata of the group's offset for that shard, for `status` to read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde::Serialize;

use crate::source::action::ConnectorState;

/// `offset.metadata.max.bytes`, the broker's bound on such a text, less some room.
const MAX_BYTES: usize = 4000;

/// One connector's part, written by its runner and read by its shard.
#[derive(Debug, Default)]
pub struct ConnectorStatus {
    state: AtomicU8,
    caught_up: AtomicU64,
}

impl ConnectorStatus {
    /// Notes the state.
    pub fn set_state(&self, state: ConnectorState) {
        let index = ConnectorState::ALL.iter().position(|each| *each == state).unwrap_or_default();
        self.state.store(u8::try_from(index).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Notes the caught-up time in Unix seconds.
    pub fn set_caught_up(&self, seconds: f64) {
        // Whole seconds are enough here; a time before 1970 is shown as 1970.
        self.caught_up.store(seconds as u64, Ordering::Relaxed);
    }

    fn line(&self) -> ConnectorLine {
        let state = ConnectorState::ALL[usize::from(self.state.load(Ordering::Relaxed))];
        ConnectorLine { state: state.as_str(), caught_up: self.caught_up.load(Ordering::Relaxed) }
    }
}

#[derive(Serialize)]
struct ConnectorLine {
    state: &'static str,
    caught_up: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    worker: &'a str,
    connectors: BTreeMap<&'a str, ConnectorLine>,
}

/// The report as compact JSON. Where it would be longer than a broker takes, the last connectors are left out.
pub fn report<'a>(worker: &str, connectors: impl Iterator<Item = (&'a str, &'a Arc<ConnectorStatus>)>) -> String {
    let connectors = connectors.map(|(name, status)| (name, status.line())).collect();
    let mut report = Report { worker, connectors };
    loop {
        let text = serde_json::to_string(&report).expect("strings and numbers are always JSON");
        if text.len() <= MAX_BYTES || report.connectors.pop_last().is_none() {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_compact_and_bounded() {
        let status = Arc::new(ConnectorStatus::default());
        status.set_state(ConnectorState::Waiting);
        status.set_caught_up(1_763_769_600.9);
        assert_eq!(
            report("worker-0", [("acme", &status)].into_iter()),
            r#"{"worker":"worker-0","connectors":{"acme":{"state":"waiting","caught_up":1763769600}}}"#
        );
        let names: Vec<String> = (0..200).map(|index| format!("{index:0>100}")).collect();
        assert!(report("w", names.iter().map(|name| (name.as_str(), &status))).len() <= MAX_BYTES);
    }
}
