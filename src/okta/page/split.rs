//! Tells the elements of a page apart, by their bytes alone.
//!
//! A page is a JSON array, and what is kept of it are its elements, verbatim. So only what separates elements is looked
//! at: strings with their escapes, brackets and commas. Whether an element is UTF-8, JSON or an event is decided later
//! and for that element alone: one bad element is one dead letter and never a refused page.

use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

/// Why a body's elements can't be told apart; such a page never moves the cursor (I8).
///
/// Positions are byte offsets into the (decompressed) body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SplitError {
    /// The first byte that is not white space is not `[`.
    #[error("the body is not a JSON array")]
    NotAnArray,
    /// The body ends before the array does.
    #[error("the body is cut off after {length} bytes")]
    CutOff {
        /// Bytes that came.
        length: usize,
    },
    /// A bracket closes another kind of bracket, so what follows may belong to any element.
    #[error("the bracket at byte {at} closes none that is open")]
    Unbalanced {
        /// Where the bracket is.
        at: usize,
    },
    /// Two commas in a row, or one before the first or after the last element.
    #[error("an element is missing at byte {at}")]
    NoElement {
        /// Where the comma or the closing bracket is.
        at: usize,
    },
    /// Something follows the array.
    #[error("the body goes on after the array, at byte {at}")]
    TrailingBytes {
        /// Where the first byte is that is not white space.
        at: usize,
    },
}

/// Splits a body into its elements: slices of it, in order, without the white space around them.
pub(super) fn elements(body: &Bytes) -> Result<Vec<Bytes>, SplitError> {
    Ok(ranges(body)?.into_iter().map(|range| body.slice(range)).collect())
}

/// Where the elements of the array `body` are, without the white space around them.
fn ranges(body: &[u8]) -> Result<Vec<Range<usize>>, SplitError> {
    let first = skip_space(body, 0);
    match body.get(first) {
        None => return Err(SplitError::CutOff { length: body.len() }),
        Some(b'[') => {}
        Some(_) => return Err(SplitError::NotAnArray),
    }
    let mut found = Vec::new();
    let mut start = first + 1;
    // What closes the brackets that are open inside the element. It grows by a byte a level and is no call stack:
    // nesting is bounded by the body's size cap only.
    let mut closers: Vec<u8> = Vec::with_capacity(16);
    let mut at = start;
    loop {
        let Some(length) = body[at..].iter().position(|&byte| is_structural(byte)) else {
            return Err(SplitError::CutOff { length: body.len() });
        };
        at += length;
        match body[at] {
            b'"' => {
                at = end_of_string(body, at + 1).ok_or(SplitError::CutOff { length: body.len() })?;
                continue;
            }
            b'{' => closers.push(b'}'),
            b'[' => closers.push(b']'),
            b',' if closers.is_empty() => {
                found.push(trimmed(body, start..at).ok_or(SplitError::NoElement { at })?);
                start = at + 1;
            }
            b',' => {}
            b']' if closers.is_empty() => break,
            closer => {
                if closers.pop() != Some(closer) {
                    return Err(SplitError::Unbalanced { at });
                }
            }
        }
        at += 1;
    }
    match trimmed(body, start..at) {
        Some(last) => found.push(last),
        // `[]` and `[ ]` are arrays, `[1,]` is none.
        None if found.is_empty() => {}
        None => return Err(SplitError::NoElement { at }),
    }
    match skip_space(body, at + 1) {
        end if end == body.len() => Ok(found),
        at => Err(SplitError::TrailingBytes { at }),
    }
}

/// A table look-up, as half of an event's bytes outside of strings are none of these.
fn is_structural(byte: u8) -> bool {
    const STRUCTURAL: [bool; 256] = {
        let mut table = [false; 256];
        let mut index = 0;
        let bytes = *b"\"{}[],";
        while index < bytes.len() {
            table[bytes[index] as usize] = true;
            index += 1;
        }
        table
    };
    STRUCTURAL[usize::from(byte)]
}

/// The position after the string's closing quote, where `at` is the one after its opening quote.
fn end_of_string(body: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', body.get(at..)?)?;
        if body[at] == b'"' {
            return Some(at + 1);
        }
        // Whatever is escaped, one byte further the string goes on: `\u` and its digits hold neither byte.
        at += 2;
    }
}

/// White space as JSON has it (RFC 8259, section 2).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The position of the first byte at `from` or later that is not white space, or the end.
pub(super) fn skip_space(body: &[u8], from: usize) -> usize {
    body[from..].iter().position(|&byte| !is_space(byte)).map_or(body.len(), |length| from + length)
}

fn trimmed(body: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let start = range.start + body[range.clone()].iter().position(|&byte| !is_space(byte))?;
    let last = range.start + body[range].iter().rposition(|&byte| !is_space(byte))?;
    Some(start..last + 1)
}

#[cfg(test)]
pub(super) mod tests;
