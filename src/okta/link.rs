//! The `next` link of an answer: the `Link` header by RFC 8288.
//!
//! Okta sends a line for each link, and whatever stands between it and us may join them into one. Commas and semicolons
//! are legal inside a target and inside a quoted string, so neither separates anything there.

use std::borrow::Cow;

use thiserror::Error;

/// Why it can't be said which page comes next; such a page never moves the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkError {
    /// A header line is no list of links, and no other line has a `next` one.
    #[error("the link header is malformed at byte {at}")]
    Malformed {
        /// Where in its line.
        at: usize,
    },
    /// The target of the `next` link is not UTF-8.
    #[error("the target of the `next` link is not UTF-8")]
    NotUtf8,
    /// Two `next` links with different targets.
    #[error("there are several `next` links")]
    SeveralNext,
}

/// The target of the link whose relation is `next`, byte for byte; `None` where there is none.
///
/// Takes the values of all `Link` header lines. By RFC 8288: relation types and parameter names are compared without
/// regard to case, a `rel` may hold several types, only a link's first `rel` counts (3.3), and a link with an `anchor`
/// is about another resource (3.2). A malformed line is an error only if no `next` is found besides: something in
/// between may have added a line of its own.
pub fn next_link<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<String>, LinkError> {
    let mut next: Option<&[u8]> = None;
    let mut malformed = None;
    for line in lines {
        let mut links = Links { line, at: 0 };
        loop {
            match links.next_in_line() {
                Ok(None) => break,
                Ok(Some(link)) if !link.is_next() => {}
                Ok(Some(link)) => match next {
                    Some(known) if known != link.target => return Err(LinkError::SeveralNext),
                    _ => next = Some(link.target),
                },
                Err(error) => {
                    malformed = malformed.or(Some(error));
                    break;
                }
            }
        }
    }
    match (next, malformed) {
        (Some(target), _) => {
            std::str::from_utf8(target).map(|text| Some(text.to_owned())).map_err(|_| LinkError::NotUtf8)
        }
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// One link-value.
struct Link<'a> {
    target: &'a [u8],
    rel: Option<Cow<'a, [u8]>>,
    has_anchor: bool,
}

impl Link<'_> {
    fn is_next(&self) -> bool {
        let mut types = self.rel.as_deref().unwrap_or_default().split(u8::is_ascii_whitespace);
        !self.has_anchor && types.any(|relation| relation.eq_ignore_ascii_case(b"next"))
    }
}

/// The links of one header line, read from left to right.
struct Links<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Links<'a> {
    fn next_in_line(&mut self) -> Result<Option<Link<'a>>, LinkError> {
        // A list may have empty elements (RFC 9110, section 5.6.1).
        self.skip(|byte| is_space(byte) || byte == b',');
        if self.at == self.line.len() {
            return Ok(None);
        }
        self.expect(b'<')?;
        let target = self.take(|byte| byte != b'>');
        self.expect(b'>')?;
        let mut link = Link { target, rel: None, has_anchor: false };
        loop {
            self.skip(is_space);
            match self.peek() {
                Some(b';') => self.at += 1,
                Some(b',') | None => return Ok(Some(link)),
                Some(_) => return Err(self.malformed()),
            }
            self.skip(is_space);
            let name = self.take(|byte| !matches!(byte, b'=' | b';' | b',' | b'"') && !is_space(byte));
            self.skip(is_space);
            let value = self.value()?;
            if name.eq_ignore_ascii_case(b"rel") && link.rel.is_none() {
                link.rel = Some(value);
            } else if name.eq_ignore_ascii_case(b"anchor") {
                link.has_anchor = true;
            }
        }
    }

    /// The value of a parameter, empty where it has none.
    fn value(&mut self) -> Result<Cow<'a, [u8]>, LinkError> {
        if self.peek() != Some(b'=') {
            return Ok(Cow::Borrowed(b""));
        }
        self.at += 1;
        self.skip(is_space);
        if self.peek() != Some(b'"') {
            return Ok(Cow::Borrowed(self.take(|byte| !matches!(byte, b';' | b',' | b'"') && !is_space(byte))));
        }
        self.at += 1;
        let plain = self.take(|byte| !matches!(byte, b'"' | b'\\'));
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return Ok(Cow::Owned(text)),
                b'\\' => {
                    text.push(self.peek().ok_or_else(|| self.malformed())?);
                    self.at += 1;
                }
                _ => text.push(byte),
            }
        }
        Err(self.malformed())
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        self.skip(wanted);
        &self.line[start..self.at]
    }

    fn skip(&mut self, unwanted: impl Fn(u8) -> bool) {
        self.at += self.line[self.at..].iter().take_while(|&&byte| unwanted(byte)).count();
    }

    fn expect(&mut self, byte: u8) -> Result<(), LinkError> {
        if self.peek() != Some(byte) {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(())
    }

    fn malformed(&self) -> LinkError {
        LinkError::Malformed { at: self.at }
    }
}

/// Optional white space of a header (RFC 9110, section 5.6.3).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests;
