//! An ad hoc query of the System Log: a bounded request, which ends.
//!
//! `since` and `until` are always sent, so that no query polls by mistake (Okta's reference, "Bounded requests").

mod complaint;
mod shorthand;

use jiff::Timestamp;

use super::origin::Origin;
use super::page_url::{LOGS_PATH, PageUrl};
use super::query::encoded;

pub use complaint::marked;
pub use shorthand::Shorthands;

/// The order of the events, by `published`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// Oldest first; Okta's default.
    Ascending,
    /// Newest first.
    Descending,
}

impl SortOrder {
    /// The value of `sortOrder`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "ASCENDING",
            Self::Descending => "DESCENDING",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdHocQuery {
    /// Events published at this time or later; sent cut to milliseconds.
    pub since: Timestamp,
    /// Events published before this time; sent cut to milliseconds.
    pub until: Timestamp,
    /// A SCIM filter expression.
    pub filter: Option<String>,
    /// Keywords, with spaces between them.
    pub q: Option<String>,
    /// None: as Okta has it, which is ascending.
    pub order: Option<SortOrder>,
    /// Page size.
    pub limit: u16,
}

impl AdHocQuery {
    /// The URL of the first page.
    pub fn url(&self, org: &Origin) -> PageUrl {
        let Self { since, until, .. } = self;
        let (since, until, limit) = (format!("{since:.3}"), format!("{until:.3}"), self.limit.to_string());
        let parameters = [
            ("since", Some(since.as_str())),
            ("until", Some(until.as_str())),
            ("filter", self.filter.as_deref()),
            ("q", self.q.as_deref()),
            ("sortOrder", self.order.map(SortOrder::as_str)),
            ("limit", Some(limit.as_str())),
        ];
        let query: Vec<String> = parameters
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let url = format!("{org}{LOGS_PATH}?{}", query.join("&"));
        PageUrl::checked(&url, org).expect("it is the org's origin, the System Log's path and percent-encoded values")
    }

    /// Whether the newest events come first.
    pub fn is_descending(&self) -> bool {
        self.order == Some(SortOrder::Descending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_bounded_and_has_what_is_asked_for_in_okta_s_order() {
        let org: Origin = "https://acme.okta.com".parse().expect("an origin");
        let plain = AdHocQuery {
            since: "2026-11-15T00:00:00.1239Z".parse().expect("a time"),
            until: "2026-11-22T01:00:00+01:00".parse().expect("a time"),
            filter: None,
            q: None,
            order: None,
            limit: 100,
        };
        let base =
            "https://acme.okta.com/api/v1/logs?since=2026-11-15T00%3A00%3A00.123Z&until=2026-11-22T00%3A00%3A00.000Z";
        assert_eq!(plain.url(&org).as_str(), format!("{base}&limit=100"));
        let full = AdHocQuery {
            filter: Some("eventType eq \"a&b\"".to_owned()),
            q: Some("é +".to_owned()),
            order: Some(SortOrder::Descending),
            limit: 7,
            ..plain.clone()
        };
        let rest = "&filter=eventType%20eq%20%22a%26b%22&q=%C3%A9%20%2B&sortOrder=DESCENDING&limit=7";
        assert_eq!(full.url(&org).as_str(), format!("{base}{rest}"));
        assert_eq!(full.url(&org).limit(), 7);
        let empty = AdHocQuery { filter: Some(String::new()), order: Some(SortOrder::Ascending), ..plain };
        assert_eq!(empty.url(&org).as_str(), format!("{base}&sortOrder=ASCENDING&limit=100"));
    }
}
