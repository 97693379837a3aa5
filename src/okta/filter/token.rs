//! The words, strings and brackets of a filter.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[` or `]`
    Square,
    /// In double quotes, which are part of it.
    Text,
    /// From a double quote to the end of the filter.
    Unclosed,
    /// Anything else up to a space, a bracket or a double quote.
    Word,
}

/// A part of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// Its first byte.
    pub(super) at: usize,
    pub(super) text: &'t str,
}

impl Token<'_> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// Takes a filter apart. With `escapes`, a backslash in a string keeps the next character from closing it.
pub(super) fn tokens(filter: &str, escapes: bool) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += filter[at..].find(|c: char| !c.is_whitespace())?;
        let rest = &filter[at..];
        let (kind, length) = match rest.as_bytes()[0] {
            b'(' => (Kind::Open, 1),
            b')' => (Kind::Close, 1),
            b'[' | b']' => (Kind::Square, 1),
            b'"' => match closing_quote(rest, escapes) {
                Some(end) => (Kind::Text, end + 1),
                None => (Kind::Unclosed, rest.len()),
            },
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"');
                (Kind::Word, rest.find(ends).unwrap_or(rest.len()))
            }
        };
        let token = Token { kind, at, text: &rest[..length] };
        at += length;
        Some(token)
    })
}

/// The place of the quote that closes the one at 0.
fn closing_quote(text: &str, escapes: bool) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let closes = byte == b'"' && !escaped;
        escaped = escapes && byte == b'\\' && !escaped;
        closes.then_some(at)
    })
}
