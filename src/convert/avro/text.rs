//! A JSON string as it is written, and what it means.

use std::borrow::Cow;

/// The inside of a JSON string, without its quotes: checked to be one, not yet unescaped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    written: &'a str,
    /// Whether a backslash is in it. Hardly any string has one, and the others are their own text.
    escaped: bool,
}

impl<'a> Text<'a> {
    /// A text without escapes.
    pub(super) const fn plain(written: &'a str) -> Self {
        Self { written, escaped: false }
    }

    /// A text with escapes that are checked: each is one of RFC 8259, section 7.
    pub(super) const fn escaped(written: &'a str) -> Self {
        Self { written, escaped: true }
    }

    /// Whether it is written with escapes, so that its own text has to be made.
    pub(super) const fn is_escaped(self) -> bool {
        self.escaped
    }

    /// The text, or `None` where it holds a surrogate without its other half (`"\ud800"`): JSON allows that, but it is
    /// no Unicode text, and neither Avro nor a JSON Pointer can hold it.
    pub(super) fn unicode(self) -> Option<Cow<'a, str>> {
        if !self.escaped {
            return Some(Cow::Borrowed(self.written));
        }
        String::from_utf8(unescaped(self.written)).ok().map(Cow::Owned)
    }

    /// The text with U+FFFD in the place of what is no Unicode text.
    pub(super) fn lossy(self) -> Cow<'a, str> {
        self.unicode().unwrap_or_else(|| String::from_utf8_lossy(&unescaped(self.written)).into_owned().into())
    }

    /// Bytes that are equal where the texts are: UTF-8, and for an unpaired surrogate the three bytes that UTF-8 would
    /// have for it.
    pub(super) fn key(self) -> Cow<'a, [u8]> {
        if self.escaped { unescaped(self.written).into() } else { self.written.as_bytes().into() }
    }

    /// Whether both mean the same text, however each is written.
    pub(super) fn means_the_same(self, other: Text<'_>) -> bool {
        if self.escaped || other.escaped { self.key() == other.key() } else { self.written == other.written }
    }
}

fn unescaped(written: &str) -> Vec<u8> {
    let bytes = written.as_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(length) = memchr::memchr(b'\\', &bytes[at..]) {
        text.extend_from_slice(&bytes[at..at + length]);
        at += length + 2;
        match bytes[at - 1] {
            b'u' => {
                let (code, end) = code_point(bytes, at);
                at = end;
                push_code_point(&mut text, code);
            }
            b'b' => text.push(0x08),
            b'f' => text.push(0x0c),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            itself => text.push(itself),
        }
    }
    text.extend_from_slice(&bytes[at..]);
    text
}

/// What the digits at `at` stand for, together with the low surrogate that may follow, and where they end.
fn code_point(bytes: &[u8], at: usize) -> (u32, usize) {
    let high = hex4(&bytes[at..]);
    if let (0xd800..0xdc00, [b'\\', b'u', low @ ..]) = (high, &bytes[at + 4..]) {
        let low = hex4(low);
        if (0xdc00..0xe000).contains(&low) {
            return (0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), at + 10);
        }
    }
    (high, at + 4)
}

fn hex4(digits: &[u8]) -> u32 {
    digits[..4].iter().fold(0, |value, &digit| value << 4 | char::from(digit).to_digit(16).unwrap_or_default())
}

fn push_code_point(text: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => text.extend_from_slice(&[0xed, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_serde_json_reads_them() {
        for written in [
            "",
            "plain",
            r"\u0041\u00e9\u20ac",
            r"\ud83d\ude00",
            r"a\ud83D\uDE00b",
            r#"\"\\\/\b\f\n\r\t"#,
            r"\u0000",
            "é€😀",
            r"é\n€",
            r"\\u0041",
        ] {
            let expected: String = serde_json::from_str(&format!("\"{written}\"")).expect(written);
            assert_eq!(Text::escaped(written).unicode().as_deref(), Some(expected.as_str()), "{written}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        for written in
            [r"\ud800", r"\udc00", r"a\ud83dz", r"\ud83d\ud83d", r"\ude00\ud83d", r"\ud83d\u0041", r"\udfff\n"]
        {
            assert_eq!(Text::escaped(written).unicode(), None, "{written}");
            assert!(Text::escaped(written).lossy().contains('\u{fffd}'));
        }
        // Joined from two halves it would be a character, and as it is written it is not.
        assert!(!Text::escaped(r"\ude00\ud83d").means_the_same(Text::escaped(r"\ud83d\ude00")));
        assert!(!Text::escaped(r"\ud800").means_the_same(Text::escaped(r"\ud801")));
    }

    #[test]
    fn names_are_the_same_by_what_they_mean() {
        assert!(Text::plain("uuid").means_the_same(Text::escaped(r"\u0075uid")));
        assert!(Text::plain("😀").means_the_same(Text::escaped(r"\uD83D\ude00")));
        assert!(Text::escaped(r"\uDFFF").means_the_same(Text::escaped(r"\udfff")));
        assert!(!Text::plain("uuid").means_the_same(Text::plain("uuiD")));
        assert!(!Text::plain("\u{fffd}").means_the_same(Text::escaped(r"\ud800")));
    }
}
