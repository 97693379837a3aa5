//! Okta's catalogue of event types: which names there are, and which one a misspelt one was meant to be.
//!
//! A name that is not in it may be newer than the catalogue, so it is never an error, only worth a word.

use std::sync::LazyLock;

use crate::spelling::distance;

/// Which catalogue this is.
pub const RELEASE: &str = "2026.08.1";

/// As many suggestions as a message can hold.
const MAX_SUGGESTIONS: usize = 3;
/// Longer than any name, with a slip or two; the catalogue's longest has 93 characters.
const MAX_NAME: usize = 120;

static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    include_str!("event_types.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});

/// All names of the catalogue, sorted by bytes.
pub fn all() -> &'static [&'static str] {
    &NAMES
}

/// Whether the catalogue has exactly this name. Okta compares them with their case.
pub fn is_known(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// The catalogue's names that `name` was probably meant to be, nearest first; at most three, often none.
///
/// First those that a slip of the hand or two away, whatever the case, then those that have `name` as some of
/// their parts between dots, as `session.start` or `user.session`.
pub fn suggestions(name: &str) -> Vec<&'static str> {
    if name.len() > MAX_NAME || name.trim_matches('.').is_empty() {
        return Vec::new();
    }
    let folded: Vec<char> = fold(name);
    let allowed = (folded.len() / 6).clamp(1, 4);
    let mut near: Vec<(usize, &'static str)> = NAMES
        .iter()
        .filter(|known| known.len().abs_diff(folded.len()) <= allowed)
        .map(|known| (distance(&folded, &fold(known)), *known))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort();
    if near.is_empty() {
        let part = format!(".{}.", name.trim_matches('.').to_lowercase());
        let has_part = |known: &&&str| format!(".{}.", known.to_lowercase()).contains(&part);
        near = NAMES.iter().filter(has_part).map(|known| (known.len(), *known)).collect();
        near.sort();
    }
    near.into_iter().take(MAX_SUGGESTIONS).map(|(_, known)| known).collect()
}

/// `_` and `-` are taken for each other as often as a letter for its neighbour.
fn fold(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_and_whole() {
        assert!(NAMES.len() > 1_100, "{}", NAMES.len());
        assert!(NAMES.is_sorted() && NAMES.iter().all(|name| name.contains('.') && name.len() < MAX_NAME));
    }

    #[test]
    fn names_are_known_with_their_case_and_slips_find_theirs() {
        assert!(is_known("user.session.start") && is_known("policy.evaluate_sign_on"));
        assert!(!is_known("User.Session.Start") && !is_known("") && !is_known("# Okta's"));
        for (misspelt, expected) in [
            ("user.sesion.start", &["user.session.start"][..]),
            ("user.session.started", &["user.session.start"]),
            ("User.Session.Start", &["user.session.start"]),
            ("user.authentication.auth-via-mfa", &["user.authentication.auth_via_mfa"]),
            ("session.start", &["user.session.start"]),
            ("user.lifecycle.crate", &["user.lifecycle.create"]),
            ("", &[]),
            ("...", &[]),
            ("something.else.entirely", &[]),
        ] {
            let found = suggestions(misspelt);
            assert!(found.len() <= MAX_SUGGESTIONS && found.starts_with(expected), "{misspelt}: {found:?}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{misspelt}: {found:?}");
        }
        assert_eq!(suggestions(&"x".repeat(100_000)), [""; 0]);
    }
}
