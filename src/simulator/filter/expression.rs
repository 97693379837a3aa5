//! What a filter means, and whether an event answers to it.
//!
//! As Okta documents it (developer.okta.com/docs/reference/core-okta-api, "Filter"), and where that says nothing, as RFC
//! 7644 does: a path leads through arrays to every element, and a comparison holds if it does for one of the values there.
//! Strings are compared with their case, and ordered by code points; none of the attributes that may be filtered by is a
//! date. `ne` is `not eq`, so it holds where there is no value. What is of another type is not equal, and in no order.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// A filter, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Compare {
        /// As written, with dots.
        path: String,
        operator: Operator,
        /// Null of `pr`, which has none.
        value: Value,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Starts,
    Ends,
    Contains,
    Present,
}

impl Operator {
    /// Operators are case-insensitive. `ew` and `ne` came later than the words of the refusal, which do not name them.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            "sw" => Self::Starts,
            "ew" => Self::Ends,
            "co" => Self::Contains,
            "pr" => Self::Present,
            _ => return None,
        })
    }
}

impl Expression {
    /// Shows each comparison's path and operator, in their order.
    pub(super) fn each<E>(&self, see: &mut impl FnMut(&str, Operator) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Any(terms) | Self::All(terms) => terms.iter().try_for_each(|term| term.each(see)),
            Self::Not(term) => term.each(see),
            Self::Compare { path, operator, .. } => see(path, *operator),
        }
    }

    /// Whether an event answers to it.
    pub(super) fn holds(&self, event: &Value) -> bool {
        match self {
            Self::Any(terms) => terms.iter().any(|term| term.holds(event)),
            Self::All(terms) => terms.iter().all(|term| term.holds(event)),
            Self::Not(term) => !term.holds(event),
            Self::Compare { path, operator, value } => compare(event, path, *operator, value),
        }
    }
}

fn compare(event: &Value, path: &str, operator: Operator, literal: &Value) -> bool {
    let any = |test: &dyn Fn(&Value) -> bool| some_value(event, Some(path), test);
    let ordered = |fits: fn(Ordering) -> bool| any(&|value| order(value, literal).is_some_and(fits));
    let text = |fits: fn(&str, &str) -> bool| {
        any(&|value| matches!((value, literal), (Value::String(value), Value::String(part)) if fits(value, part)))
    };
    match operator {
        Operator::Equal if literal.is_null() => !any(&|value| !value.is_null()),
        Operator::NotEqual if literal.is_null() => any(&|value| !value.is_null()),
        Operator::Equal => any(&|value| is_equal(value, literal)),
        Operator::NotEqual => !any(&|value| is_equal(value, literal)),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::LessOrEqual => ordered(Ordering::is_le),
        Operator::Starts => text(|value, part| value.starts_with(part)),
        Operator::Ends => text(|value, part| value.ends_with(part)),
        Operator::Contains => text(|value, part| value.contains(part)),
        Operator::Present => any(&has_content),
    }
}

/// Whether one of the values at the end of a path passes; `None` is the end.
fn some_value(value: &Value, path: Option<&str>, test: &dyn Fn(&Value) -> bool) -> bool {
    match (value, path) {
        (Value::Array(elements), _) => elements.iter().any(|element| some_value(element, path, test)),
        (value, None) => test(value),
        (Value::Object(members), Some(path)) => {
            let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
            members.get(name).is_some_and(|member| some_value(member, rest, test))
        }
        _ => false,
    }
}

fn is_equal(value: &Value, literal: &Value) -> bool {
    match (value, literal) {
        (Value::Bool(value), Value::Bool(literal)) => value == literal,
        _ => order(value, literal) == Some(Ordering::Equal),
    }
}

/// How a string stands to a string, and a number to a number.
fn order(value: &Value, literal: &Value) -> Option<Ordering> {
    match (value, literal) {
        (Value::String(value), Value::String(literal)) => Some(value.as_str().cmp(literal)),
        (Value::Number(value), Value::Number(literal)) => match (integer(value), integer(literal)) {
            (Some(value), Some(literal)) => Some(value.cmp(&literal)),
            _ => value.as_f64()?.partial_cmp(&literal.as_f64()?),
        },
        _ => None,
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// "Has a non-empty value or … contains a non-empty node".
fn has_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => elements.iter().any(has_content),
        Value::Object(members) => members.values().any(has_content),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
