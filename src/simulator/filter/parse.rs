//! From a filter's text to what it means: RFC 7644, section 3.4.2.2, without `[ ]`.

use serde_json::Value;

use super::expression::{Expression, Operator};
use super::token::{Part, Token, tokens};
use crate::simulator::error_body::OktaError;

/// A filter that nests deeper is refused. Okta's own bound, if there is one, is not known.
const MAX_DEPTH: usize = 200;

/// Reads a filter.
///
/// # Errors
/// What is no filter. Of the words only those for an unknown operator are Okta's; the others have their form.
pub(super) fn parse(filter: &str) -> Result<Expression, OktaError> {
    let invalid = |reason| OktaError::InvalidFilter { filter: filter.to_owned(), reason };
    let tokens = tokens(filter).map_err(invalid)?;
    let mut parser = Parser { filter, tokens: tokens.into_iter().peekable(), depth: 0 };
    let expression = parser.any()?;
    match parser.tokens.next() {
        None => Ok(expression),
        Some(token) => Err(invalid(format!("Unexpected characters at position {}", token.position))),
    }
}

struct Parser<'f> {
    filter: &'f str,
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser<'_> {
    fn invalid<T>(&self, reason: String) -> Result<T, OktaError> {
        Err(OktaError::InvalidFilter { filter: self.filter.to_owned(), reason })
    }

    fn end(&self) -> usize {
        self.filter.chars().count()
    }

    /// Takes the next part if it is this word.
    fn takes(&mut self, word: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(&token.part, Part::Word(found) if found.eq_ignore_ascii_case(word)))
            .is_some()
    }

    /// One or more, joined by `or`, which binds less than `and`.
    fn any(&mut self) -> Result<Expression, OktaError> {
        let mut terms = vec![self.all()?];
        while self.takes("or") {
            terms.push(self.all()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Expression::Any(terms) })
    }

    /// One or more, joined by `and`.
    fn all(&mut self) -> Result<Expression, OktaError> {
        let mut terms = vec![self.one()?];
        while self.takes("and") {
            terms.push(self.one()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Expression::All(terms) })
    }

    /// A comparison, a group, or `not` and a group.
    fn one(&mut self) -> Result<Expression, OktaError> {
        let negated = self.takes("not");
        let Some(token) = self.tokens.next() else {
            return self.invalid(format!("End of input at position {} but expected an expression", self.end()));
        };
        match token.part {
            Part::Open => {
                let group = self.group(token.position)?;
                Ok(if negated { Expression::Not(Box::new(group)) } else { group })
            }
            _ if negated => self.invalid(format!("Expected '(' at position {}", token.position)),
            Part::Word(path) if !["and", "or", "not"].iter().any(|word| path.eq_ignore_ascii_case(word)) => {
                self.comparison(path)
            }
            _ => self.invalid(format!("Expected an attribute name at position {}", token.position)),
        }
    }

    fn group(&mut self, opened: usize) -> Result<Expression, OktaError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.invalid(format!("More than {MAX_DEPTH} groups within each other at position {opened}"));
        }
        let group = self.any()?;
        self.depth -= 1;
        match self.tokens.next() {
            Some(Token { part: Part::Close, .. }) => Ok(group),
            Some(Token { position, .. }) => self.invalid(format!("Unexpected characters at position {position}")),
            None => self.invalid(format!("Expected ')' at position {} for the '(' at position {opened}", self.end())),
        }
    }

    fn comparison(&mut self, path: String) -> Result<Expression, OktaError> {
        let (position, name) = match self.tokens.next() {
            Some(Token { position, part: Part::Word(name) }) => (position, name),
            Some(Token { position, .. }) => {
                return self.invalid(format!("Expected an attribute operator at position {position}"));
            }
            None => {
                return self
                    .invalid(format!("End of input at position {} but expected an attribute operator", self.end()));
            }
        };
        let Some(operator) = Operator::parse(&name) else {
            let filter = self.filter.to_owned();
            return Err(OktaError::UnknownOperator { filter, operator: name, position });
        };
        let value = if operator == Operator::Present { Value::Null } else { self.value(&name)? };
        Ok(Expression::Compare { path, operator, value })
    }

    fn value(&mut self, operator: &str) -> Result<Value, OktaError> {
        match self.tokens.next() {
            Some(Token { part: Part::Text(text), .. }) => Ok(Value::String(text)),
            Some(Token { position, part: Part::Word(word) }) => match literal(&word) {
                Some(value) => Ok(value),
                None => self.invalid(format!(
                    "Invalid value '{word}' at position {position}. Expected: a string in double quotes, a number, true, false"
                )),
            },
            Some(Token { position, .. }) => {
                self.invalid(format!("Expected a value for operator {operator} at position {position}"))
            }
            None => self.invalid(format!("End of input at position {} but expected a value for operator {operator}", self.end())),
        }
    }
}

/// A number as JSON has it, `true`, `false` or `null`.
fn literal(word: &str) -> Option<Value> {
    match serde_json::from_str(word) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => Some(value),
        _ => match word.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ => None,
        },
    }
}
