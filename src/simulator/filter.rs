//! The SCIM filter language: what Okta refuses of a `filter`, as far as its words are known, and which events answer to
//! what it takes.
//!
//! It shares no line with the program's own reading of filters (`okta::filter`), and is held against a parser from PyPI
//! in tests/query.

mod expression;
mod parse;
mod token;

use serde_json::Value;

use self::expression::{Expression, Operator};
use super::error_body::OktaError;

/// The members of a LogEvent that can be filtered by; what is below them is not looked at.
const FIELDS: [&str; 16] = [
    "actor",
    "authenticationContext",
    "client",
    "debugContext",
    "device",
    "displayMessage",
    "eventType",
    "legacyEventType",
    "outcome",
    "request",
    "securityContext",
    "severity",
    "target",
    "transaction",
    "uuid",
    "version",
];

/// `co` on these is refused.
const NOT_SEARCHED: [&str; 2] = ["debugContext.debugData.url", "debugContext.debugData.requestUri"];

/// "You can't run queries on `changeDetails` or the object's `to` or `from` properties."
const NOT_QUERIED: &str = "target.changeDetails";

/// A filter that Okta takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Expression);

impl Filter {
    /// Reads a filter; an empty one is none.
    ///
    /// # Errors
    /// What is no filter, with the place; a field that there is none of (so is `published`, which "filter expressions can't
    /// use", in words that were not seen); and `co` where that is not supported.
    pub(super) fn parse(filter: &str) -> Result<Option<Self>, OktaError> {
        if filter.trim_matches(' ').is_empty() {
            return Ok(None);
        }
        let expression = parse::parse(filter)?;
        expression.each(&mut |path, operator| {
            let is_queried = path != NOT_QUERIED && !path.starts_with("target.changeDetails.");
            if !FIELDS.contains(&path.split('.').next().unwrap_or_default()) || !is_queried {
                return Err(OktaError::InvalidField { field: path.to_owned() });
            }
            if operator == Operator::Contains && NOT_SEARCHED.contains(&path) {
                return Err(OktaError::UnsupportedFilter { field: path.to_owned() });
            }
            Ok(())
        })?;
        Ok(Some(Self(expression)))
    }

    /// Whether an event answers to it.
    pub(super) fn holds(&self, event: &Value) -> bool {
        self.0.holds(event)
    }
}

#[cfg(test)]
mod tests;
