//! The keywords of `q`.

use super::problem::{FilterProblem, shown};

/// As many keywords as Okta takes in one query.
pub const MAX_KEYWORDS: usize = 10;
/// The longest keyword that Okta takes, in characters.
pub const MAX_KEYWORD_CHARS: usize = 40;

const GENERAL_LONG: &str = "is longer than the 40 characters that Okta allows a keyword: shorten it, or use `filter`";
const GENERAL_MANY: &str = "is more than the 10 keywords that Okta allows: remove some, or use `filter`";

/// The keywords of a `q`, each with its first byte: split at spaces, where a text in double quotes is one.
pub fn keywords(q: &str) -> Vec<(usize, &str)> {
    let mut quoted = false;
    q.split(|character: char| {
        quoted ^= character == '"';
        character.is_whitespace() && !quoted
    })
    .filter(|keyword| !keyword.is_empty())
    .map(|keyword| (keyword.as_ptr() as usize - q.as_ptr() as usize, keyword))
    .collect()
}

/// Checks a `q`: at most 10 keywords of at most 40 characters each, before encoding.
///
/// Whether Okta takes a text in double quotes for one keyword is not documented. So it counts as one where keywords are
/// counted, and as its words where their length is: nothing is refused that may be accepted.
///
/// # Errors
/// The first keyword that is too long or too many.
pub fn check_q(q: &str) -> Result<(), FilterProblem> {
    for word in q.split([' ', '\t', '\r', '\n']) {
        let bare = word.trim_matches('"');
        if bare.chars().count() > MAX_KEYWORD_CHARS {
            let at = bare.as_ptr() as usize - q.as_ptr() as usize;
            return Err(FilterProblem::new(q, at, shown(bare), GENERAL_LONG));
        }
    }
    match keywords(q).get(MAX_KEYWORDS) {
        Some((at, keyword)) => Err(FilterProblem::new(q, *at, shown(keyword), GENERAL_MANY)),
        None => Ok(()),
    }
}
