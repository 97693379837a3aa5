//! Okta's bytes: one event a line, or all of them as one array.

use std::fmt::Write as _;

use super::Format;
use crate::okta::page::RawElement;
use crate::query::sink::ResultPage;

/// `--output ndjson`.
pub struct Lines {
    /// Whether what is written may be shown by a terminal.
    pub is_shown: bool,
}

/// `--output json`.
pub struct Array {
    /// Whether what is written may be shown by a terminal.
    pub is_shown: bool,
    /// Whether an element was written.
    has_elements: bool,
}

impl Array {
    /// Nothing written yet.
    pub fn new(is_shown: bool) -> Self {
        Self { is_shown, has_elements: false }
    }
}

impl Format for Lines {
    fn begin(&mut self, _: Option<&ResultPage>, _: &mut Vec<u8>) {}

    fn element(&mut self, element: &RawElement, out: &mut Vec<u8>) {
        add(element.bytes(), self.is_shown, out);
        out.push(b'\n');
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}

impl Format for Array {
    fn begin(&mut self, _: Option<&ResultPage>, out: &mut Vec<u8>) {
        out.push(b'[');
    }

    fn element(&mut self, element: &RawElement, out: &mut Vec<u8>) {
        out.extend_from_slice(if std::mem::replace(&mut self.has_elements, true) { b",\n" } else { b"\n" });
        add(element.bytes(), self.is_shown, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.has_elements { b"\n]\n" } else { b"]\n" });
    }
}

/// The element verbatim, on one line. Okta's have no line breaks; between the tokens of JSON one may be, and is a space then.
///
/// Where a terminal shows it, control characters become escapes, which JSON has as the same text.
fn add(element: &[u8], is_shown: bool, out: &mut Vec<u8>) {
    if !is_shown {
        out.extend(element.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        return;
    }
    let mut text = String::with_capacity(element.len());
    for character in String::from_utf8_lossy(element).chars() {
        match character {
            '\n' | '\r' | '\t' => text.push(' '),
            // Writing to a String cannot fail.
            character if super::steers(character) => drop(write!(text, "\\u{:04x}", u32::from(character))),
            character => text.push(character),
        }
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::okta::page;

    fn written(format: &mut dyn Format, body: &'static [u8]) -> Vec<u8> {
        let mut out = Vec::new();
        format.begin(None, &mut out);
        for element in page::split(&Bytes::from_static(body)).expect("an array") {
            format.element(&element, &mut out);
        }
        format.end(&mut out);
        out
    }

    #[test]
    fn elements_are_verbatim_and_each_on_one_line() {
        let body =
            b"[{\"uuid\":\"a\", \"n\":1.0e400,\"x\":\"\\u001b\xc2\x9b\"} ,{\"uuid\":\n\"b\"},7,{\"x\":\"\xff\"}]";
        let first: &[u8] = b"{\"uuid\":\"a\", \"n\":1.0e400,\"x\":\"\\u001b\xc2\x9b\"}";
        let rest: [&[u8]; 3] = [b"{\"uuid\": \"b\"}", b"7", b"{\"x\":\"\xff\"}"];
        let lines = [first, rest[0], rest[1], rest[2], b""].join(&b"\n"[..]);
        assert_eq!(written(&mut Lines { is_shown: false }, body), lines);
        let array = [&b"[\n"[..], &[first, rest[0], rest[1], rest[2]].join(&b",\n"[..]), b"\n]\n"].concat();
        assert_eq!(written(&mut Array::new(false), body), array);
        assert_eq!(written(&mut Array::new(false), b"[]"), b"[]\n");
    }

    #[test]
    fn what_a_terminal_shows_does_not_steer_it() {
        let shown = written(&mut Lines { is_shown: true }, b"[{\"uuid\":\"a\",\"x\":\"\xc2\x9b31m\x7f\xe2\x80\xae\"}]");
        assert_eq!(shown, b"{\"uuid\":\"a\",\"x\":\"\\u009b31m\\u007f\\u202e\"}\n");
    }
}
