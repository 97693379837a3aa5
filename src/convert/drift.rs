//! Which members of a connector's events its schema does not hold: each kind once, for who watches the log.

use std::collections::BTreeSet;

use crate::okta::excerpt::excerpt;

/// So many kinds are told of a connector: Okta changes a handful a year, and who makes up names gets no further.
const MOST: usize = 50;
/// The longest kind that is told, in characters.
const MAX_SHOWN: usize = 120;
/// Maps whose keys are data: a name in them says nothing of Okta's schema.
const OPEN_MAPS: [&str; 5] = ["detailEntry", "debugData", "detail", "from", "to"];

/// What is told of values that stand in `unmapped`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A kind for the first time: a JSON Pointer with `*` for the indexes of arrays and the keys of open maps.
    Kind(String),
    /// There are more kinds than are told.
    NoMore,
}

/// The kinds that were told of one connector. Never a value; bounded, whatever an event holds.
#[derive(Debug, Default)]
pub struct Drift {
    told: BTreeSet<String>,
}

impl Drift {
    /// What is to be told of a value that stands in `unmapped` under `pointer`.
    pub fn note(&mut self, pointer: &str) -> Option<News> {
        if self.told.len() > MOST {
            return None;
        }
        let kind = kind(pointer);
        if self.told.contains(&kind) {
            return None;
        }
        let _ = self.told.insert(kind.clone());
        Some(if self.told.len() > MOST { News::NoMore } else { News::Kind(kind) })
    }
}

fn kind(pointer: &str) -> String {
    let mut kind = String::with_capacity(pointer.len());
    let mut before = "";
    for segment in pointer.split('/').skip(1) {
        let is_index = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        kind.push('/');
        kind.push_str(if is_index || OPEN_MAPS.contains(&before) { "*" } else { segment });
        before = segment;
    }
    let kind = excerpt(&kind);
    match kind.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &kind[..end]),
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_names_the_member_and_no_index_or_key() {
        for (pointer, expected) in [
            ("/riskScore", "/riskScore"),
            ("/target/17/name", "/target/*/name"),
            ("/securityContext/userBehaviors", "/securityContext/userBehaviors"),
            ("/debugContext/debugData/jane@example.com", "/debugContext/debugData/*"),
            ("/target/0/changeDetails/to/mobile~1phone", "/target/*/changeDetails/to/*"),
            ("/new\nmember", "/new\\u{a}member"),
            ("/", "/"),
        ] {
            assert_eq!(Drift::default().note(pointer), Some(News::Kind(expected.to_owned())), "{pointer}");
        }
        let Some(News::Kind(long)) = Drift::default().note(&format!("/{}", "x".repeat(10_000))) else { panic!("told") };
        assert_eq!(long.chars().count(), MAX_SHOWN + 1);
    }

    #[test]
    fn each_kind_is_told_once_and_no_more_than_so_many() {
        let mut drift = Drift::default();
        assert_eq!(drift.note("/target/0/name"), Some(News::Kind("/target/*/name".to_owned())));
        assert_eq!(drift.note("/target/1/name"), None);
        for n in 1..MOST {
            assert!(matches!(drift.note(&format!("/made-up-{n}")), Some(News::Kind(_))), "{n}");
        }
        assert_eq!(drift.note("/one-too-many"), Some(News::NoMore));
        for n in 0..1000 {
            assert_eq!(drift.note(&format!("/still-more-{n}")), None);
        }
        assert_eq!(drift.told.len(), MOST + 1);
    }
}
