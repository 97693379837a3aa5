//! The form of a filter expression.

use super::problem::{FilterProblem, shown};
use super::token::{Kind, Token, tokens};

/// Those that Okta takes; `ew` and `ne` came later than its own complaint about unknown ones.
pub(super) const OPERATORS: [&str; 10] = ["eq", "ne", "gt", "ge", "lt", "le", "sw", "ew", "co", "pr"];

/// Okta refuses `co` on these (E0000031).
const NOT_SEARCHED: [&str; 2] = ["debugContext.debugData.url", "debugContext.debugData.requestUri"];

const GENERAL_QUOTE: &str = "is not closed: write `\"` at the end of the string, and `\\\"` for a quote inside it";
const GENERAL_SQUARE: &str =
    "is not supported by the System Log: write `target.id eq \"…\"` instead of `target[id eq \"…\"]`";
const GENERAL_OPERATOR: &str =
    "is not an operator: write one of `eq`, `ne`, `gt`, `ge`, `lt`, `le`, `sw`, `ew`, `co`, `pr`";
const GENERAL_PUBLISHED: &str =
    "can't be filtered by, as Okta documents: bounds of time are `since` and `until`, so remove it from the filter";
const GENERAL_URL: &str = "can't be searched with `co`, which Okta refuses (E0000031): write `sw`, `ew` or `eq`";
const GENERAL_BARE: &str = "is neither a string, a number, `true` nor `false`: write it in double quotes, as `eventType eq \"user.session.start\"`";
const GENERAL_NO_OPERATOR: &str = "is not followed by an operator: write `ATTRIBUTE eq \"VALUE\"`, or `ATTRIBUTE pr`";
const GENERAL_NO_VALUE: &str = "is not followed by a value: write one, as `eventType eq \"user.session.start\"`";
const GENERAL_NO_TERM: &str = "stands where an expression is expected: write `ATTRIBUTE eq \"VALUE\"` there";
const GENERAL_END: &str = "ends where an expression is expected: write one behind the last `and`, `or`, `not` or `(`";
const GENERAL_NOT_JOINED: &str = "is not joined to what comes before it: write `and` or `or` between the two";
const GENERAL_GLUED: &str =
    "stands right behind a string: one of the quotes before it is too many or not there, or `and` or `or` is missing";
const GENERAL_UNOPENED: &str = "closes no bracket: remove it, or write `(` where the group begins";
const GENERAL_UNCLOSED: &str = "is not closed: write `)` where the group ends";
const GENERAL_ENCODED: &str = "looks percent-encoded: write the filter as plain text, it is encoded when it is sent";

/// Checks the form of a filter, as far as it is certain that Okta refuses it ([module](super) docs); of several problems,
/// the first. An empty text is no filter at all, and fine.
///
/// # Errors
/// What is wrong, where, and what to write instead.
pub fn check(filter: &str) -> Result<(), FilterProblem> {
    let Err(problem) = walk(filter, true, &mut |_| {}) else { return Ok(()) };
    if filter.contains('\\') && walk(filter, false, &mut |_| {}).is_ok() {
        return Ok(());
    }
    Err(problem)
}

/// One comparison of a filter.
pub(super) struct Comparison<'t> {
    pub(super) path: Token<'t>,
    pub(super) operator: Token<'t>,
    /// None of `pr`.
    pub(super) value: Option<Token<'t>>,
}

/// What is expected next.
enum Expected<'t> {
    Term,
    Operator { path: Token<'t> },
    Value { path: Token<'t>, operator: Token<'t> },
    Junction,
}

/// Goes through a filter, which may nest as deeply as it likes, and shows each comparison.
pub(super) fn walk<'t>(
    filter: &'t str,
    escapes: bool,
    compared: &mut impl FnMut(Comparison<'t>),
) -> Result<(), FilterProblem> {
    let problem = |token: Token<'_>, general| FilterProblem::new(filter, token.at, shown(token.text), general);
    let mut open: Vec<Token<'_>> = Vec::new();
    let mut expected = Expected::Term;
    let mut last = None;
    for token in tokens(filter, escapes) {
        match token.kind {
            Kind::Unclosed => return Err(problem(token, GENERAL_QUOTE)),
            Kind::Square => return Err(problem(token, GENERAL_SQUARE)),
            _ => {}
        }
        expected = match expected {
            Expected::Term => match token.kind {
                Kind::Open => {
                    open.push(token);
                    Expected::Term
                }
                Kind::Word if token.is_word("not") => Expected::Term,
                Kind::Word if !token.is_word("and") && !token.is_word("or") => Expected::Operator { path: token },
                Kind::Close if open.is_empty() => return Err(problem(token, GENERAL_UNOPENED)),
                _ => return Err(problem(token, GENERAL_NO_TERM)),
            },
            Expected::Operator { path } => operator(filter, path, token, compared)?,
            Expected::Value { path, operator } => match token.kind {
                // What its end is, nobody documents: all that follows may be part of it.
                Kind::Word if token.text.starts_with('\'') => return Ok(()),
                Kind::Word if !is_value(token.text) => {
                    let is_missing = token.is_word("and") || token.is_word("or");
                    let (token, general) =
                        if is_missing { (operator, GENERAL_NO_VALUE) } else { (token, GENERAL_BARE) };
                    return Err(problem(token, general));
                }
                Kind::Text | Kind::Word => {
                    compared(Comparison { path, operator, value: Some(token) });
                    Expected::Junction
                }
                _ => return Err(problem(operator, GENERAL_NO_VALUE)),
            },
            Expected::Junction => match token.kind {
                Kind::Close => {
                    open.pop().ok_or_else(|| problem(token, GENERAL_UNOPENED))?;
                    Expected::Junction
                }
                Kind::Word if token.is_word("and") || token.is_word("or") => Expected::Term,
                _ => {
                    let is_glued = last.is_some_and(|last: Token<'_>| {
                        last.kind == Kind::Text && last.at + last.text.len() == token.at
                    });
                    return Err(problem(token, if is_glued { GENERAL_GLUED } else { GENERAL_NOT_JOINED }));
                }
            },
        };
        last = Some(token);
    }
    match (expected, last) {
        (Expected::Term, None) => Ok(()),
        (Expected::Term, Some(_)) => Err(FilterProblem::new(filter, filter.len(), "the filter", GENERAL_END)),
        (Expected::Operator { path }, _) if is_encoded(path.text) => Err(problem(path, GENERAL_ENCODED)),
        (Expected::Operator { path }, _) => Err(problem(path, GENERAL_NO_OPERATOR)),
        (Expected::Value { operator, .. }, _) => Err(problem(operator, GENERAL_NO_VALUE)),
        (Expected::Junction, _) => match open.last() {
            Some(open) => Err(problem(*open, GENERAL_UNCLOSED)),
            None => Ok(()),
        },
    }
}

/// What stands behind an attribute.
fn operator<'t>(
    filter: &str,
    path: Token<'t>,
    token: Token<'t>,
    compared: &mut impl FnMut(Comparison<'t>),
) -> Result<Expected<'t>, FilterProblem> {
    let problem = |token: Token<'_>, general| FilterProblem::new(filter, token.at, shown(token.text), general);
    if token.kind != Kind::Word || token.is_word("and") || token.is_word("or") {
        let general = if is_encoded(path.text) { GENERAL_ENCODED } else { GENERAL_NO_OPERATOR };
        return Err(problem(path, general));
    }
    if !OPERATORS.iter().any(|known| token.is_word(known)) {
        return Err(problem(token, GENERAL_OPERATOR));
    }
    if path.text == "published" {
        return Err(problem(path, GENERAL_PUBLISHED));
    }
    if token.is_word("co") && NOT_SEARCHED.contains(&path.text) {
        return Err(problem(path, GENERAL_URL));
    }
    if token.is_word("pr") {
        compared(Comparison { path, operator: token, value: None });
        return Ok(Expected::Junction);
    }
    Ok(Expected::Value { path, operator: token })
}

/// Whether a bare word is a value: what begins like a number may be one.
fn is_value(word: &str) -> bool {
    let is_name = ["true", "false", "null"].iter().any(|name| word.eq_ignore_ascii_case(name));
    is_name || word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
}

fn is_encoded(word: &str) -> bool {
    ["%20", "%22", "+eq+"].iter().any(|mark| word.contains(mark))
}
