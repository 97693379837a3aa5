//! What of a `filter` or a `q` Okta is sure to refuse, told before it is asked.
//!
//! The rule is that nothing is ever refused here that Okta may accept: [`check`] knows the form of an expression (RFC
//! 7644, section 3.4.2.2, as Okta documents it) and no more. Deliberately *not* checked:
//!
//! * attribute names, apart from `published`, which is documented as refused. Okta adds members without notice; one that
//!   looks like a slip is [`advice`].
//! * what a string holds (escapes, event types, dates), how an operator fits the type of its attribute, and numbers: what
//!   begins like one is one.
//! * the length of a filter, the depth of its groups and how many expressions it has: no limit is documented.
//! * spaces: a tab or a line break counts as one, and `eq"x"` as `eq "x"`.
//! * strings in single quotes, which are not documented, and with which checking ends. A backslash is read as JSON has
//!   it; where only the reading as a plain character makes a whole filter, that one holds.
//!
//! The simulated org has a parser of its own, which shares no line with this one.

mod advice;
mod expression;
mod keywords;
mod problem;
mod token;

pub use advice::advice;
pub use expression::check;
pub use keywords::{MAX_KEYWORD_CHARS, MAX_KEYWORDS, check_q, keywords};
pub use problem::{FilterProblem, caret, complained_position};

/// A value as a literal of the filter language: a JSON string (Okta: "String literals must be valid JSON strings").
pub fn quote(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests;
