//! The event types: Okta's catalogue, trimmed, and how often each occurs.

use std::sync::LazyLock;

static EVENT_TYPES: &str = include_str!("event_types.tsv");

/// One of the rest of the catalogue, all alike, so many times in a hundred.
const REST_PERCENT: u32 = 25;

/// What an org's log is mostly made of, with weights among themselves.
const FREQUENT: [(&str, u32); 18] = [
    ("user.authentication.sso", 24),
    ("policy.evaluate_sign_on", 16),
    ("user.session.start", 14),
    ("user.authentication.auth_via_mfa", 12),
    ("user.authentication.verify", 5),
    ("user.session.end", 4),
    ("user.session.access_admin_app", 3),
    ("user.mfa.okta_verify", 2),
    ("application.user_membership.add", 3),
    ("application.user_membership.remove", 2),
    ("group.user_membership.add", 4),
    ("group.user_membership.remove", 2),
    ("user.account.update_profile", 3),
    ("user.account.update_password", 1),
    ("user.lifecycle.create", 1),
    ("user.lifecycle.activate", 1),
    ("application.lifecycle.update", 1),
    ("system.email.delivery", 2),
];

/// What kind of thing an event is about; it decides which members are null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// A person in a browser or an app.
    Person,
    /// An administrator or an API token changes something.
    Admin,
    /// Okta itself: no client, no addresses.
    System,
}

/// An event type of the catalogue.
#[derive(Debug)]
pub(super) struct EventType {
    pub(super) id: &'static str,
    /// Empty where the catalogue has no words, as real events have it.
    pub(super) display: &'static str,
    pub(super) legacy: Option<&'static str>,
    /// The catalogue lists changeDetails for it.
    pub(super) has_changes: bool,
    pub(super) family: Family,
}

/// The catalogue.
pub(super) struct Catalog {
    pub(super) types: Vec<EventType>,
    frequent: Vec<usize>,
    weights: u32,
}

/// Read once; the file is part of the program.
pub(super) static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::read);

impl Catalog {
    fn read() -> Self {
        let types: Vec<EventType> = EVENT_TYPES
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let mut columns = line.split('\t');
                let mut column = || columns.next().unwrap_or_default();
                let (id, display, legacy, changes) = (column(), column(), column(), column());
                EventType {
                    id,
                    display,
                    legacy: (!legacy.is_empty()).then_some(legacy),
                    has_changes: changes == "changes",
                    family: family(id),
                }
            })
            .collect();
        let index_of = |id: &str| types.iter().position(|event_type| event_type.id == id);
        let frequent = FREQUENT.iter().filter_map(|(id, _)| index_of(id)).collect();
        Self { types, frequent, weights: FREQUENT.iter().map(|(_, weight)| weight).sum() }
    }

    /// Draws an event type as often as it occurs.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> &EventType {
        if rng.u32(..100) < REST_PERCENT {
            return &self.types[rng.usize(..self.types.len())];
        }
        let mut dice = rng.u32(..self.weights);
        for (index, (_, weight)) in self.frequent.iter().zip(FREQUENT) {
            if dice < weight {
                return &self.types[*index];
            }
            dice -= weight;
        }
        &self.types[0]
    }
}

fn family(id: &str) -> Family {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| id.starts_with(prefix));
    if begins(&[
        "user.authentication.",
        "user.session.",
        "user.mfa.",
        "user.device_session.",
        "policy.evaluate",
        "app.",
    ]) {
        Family::Person
    } else if begins(&[
        "system.import",
        "system.agent",
        "system.email.",
        "core.",
        "application.provision.",
        "mim.",
        "directory.",
    ]) {
        Family::System
    } else {
        Family::Admin
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_catalogue_reads() {
        let catalog = &*CATALOG;
        let ids: HashSet<&str> = catalog.types.iter().map(|event_type| event_type.id).collect();
        assert!(ids.len() >= 400, "{}", ids.len());
        assert_eq!(ids.len(), catalog.types.len(), "each type once");
        assert_eq!(catalog.frequent.len(), FREQUENT.len(), "every frequent type is in the catalogue");
        assert!(catalog.types.iter().all(|event_type| event_type.id.contains('.')));
    }
}
