//! Where a member stands with its group, by librdkafka's statistics: nothing else tells for both group protocols.

use serde::Deserialize;

/// Where a member stands with its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStanding {
    /// No coordinator is known, or none is connected.
    Away,
    /// The coordinator answers, and a rebalance is under way. It takes as long as the group waits for a member that died,
    /// which is that one's session; with the cooperative protocol the others keep their shards meanwhile.
    Rebalancing,
    /// A member that has what is its own.
    Member,
}

/// As much of librdkafka's statistics as tells.
#[derive(Deserialize)]
struct Statistics {
    cgrp: Option<Group>,
}

#[derive(Deserialize)]
struct Group {
    /// `up`, when the coordinator is known and connected.
    state: String,
    /// `steady`, when we are a member and have what is ours.
    join_state: String,
}

impl GroupStanding {
    /// Reads librdkafka's statistics (STATISTICS.md, `cgrp`); what can't be read is [`GroupStanding::Away`].
    pub fn of_statistics(statistics: &[u8]) -> Self {
        match serde_json::from_slice::<Statistics>(statistics).ok().and_then(|statistics| statistics.cgrp) {
            Some(group) if group.state == "up" && group.join_state == "steady" => Self::Member,
            Some(group) if group.state == "up" => Self::Rebalancing,
            _ => Self::Away,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GroupStanding::{self, Away, Member, Rebalancing};

    #[test]
    fn statistics_tell_a_rebalance_from_a_coordinator_that_is_gone() {
        for (state, join_state, expected) in [
            ("up", "steady", Member),
            ("up", "wait-join", Rebalancing),
            ("up", "wait-metadata", Rebalancing),
            ("up", "wait-sync", Rebalancing),
            ("up", "wait-unassign-to-complete", Rebalancing),
            ("up", "init", Rebalancing),
            ("query-coord", "steady", Away),
            ("wait-broker-transport", "wait-join", Away),
            ("wait-coord", "init", Away),
        ] {
            let statistics = format!(r#"{{"name":"x","cgrp":{{"state":"{state}","join_state":"{join_state}"}}}}"#);
            assert_eq!(GroupStanding::of_statistics(statistics.as_bytes()), expected, "{state}, {join_state}");
        }
        for unreadable in ["{}", r#"{"cgrp":null}"#, "", r#"{"cgrp":{"state":"up"}}"#] {
            assert_eq!(GroupStanding::of_statistics(unreadable.as_bytes()), Away, "{unreadable}");
        }
    }
}
