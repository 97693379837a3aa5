//! Looking for a secret in everything that a program says and writes.

use super::topics::OwnedRecord;

/// A secret, and the forms in which it could get out.
pub struct Secret {
    forms: Vec<(&'static str, String)>,
}

impl Secret {
    /// `text` as it is, and in the encodings that programs of this kind use.
    pub fn new(text: &str) -> Self {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        // A debug print of bytes.
        let bytes = text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
        let forms = vec![
            ("as it is", text.to_owned()),
            ("backwards", text.chars().rev().collect()),
            ("in base64", base64(text.as_bytes())),
            ("in hex", hex),
            ("as a list of bytes", bytes),
            // Half a secret is one as well.
            ("its first half", text[..text.len() / 2].to_owned()),
            ("its second half", text[text.len() / 2..].to_owned()),
        ];
        Self { forms }
    }

    /// In which form, and on which line, `text` holds the secret.
    pub fn found_in(&self, text: &str) -> Option<(&'static str, String)> {
        self.forms.iter().find_map(|(form, needle)| {
            let at = text.find(needle.as_str())?;
            let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
            Some((*form, text[line..].lines().next().unwrap_or_default().chars().take(400).collect()))
        })
    }

    /// Panics where `text` holds the secret; `place` is how the message calls it.
    pub fn must_not_be_in(&self, place: &str, text: &str) {
        if let Some((form, line)) = self.found_in(text) {
            panic!("the secret is in {place}, {form}: {line}");
        }
    }

    /// Panics where a record's key, value or headers hold the secret.
    pub fn must_not_be_in_records(&self, place: &str, records: &[OwnedRecord]) {
        for record in records {
            let headers = record.headers.iter().flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]);
            for bytes in headers.chain([record.key.as_deref(), record.value.as_deref()]).flatten() {
                self.must_not_be_in(place, &String::from_utf8_lossy(bytes));
            }
        }
    }
}

/// RFC 4648, without the padding, since the secret may stand inside a longer text.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(ALPHABET[usize::try_from(index).unwrap()]));
        }
    }
    // The last sign of an incomplete group depends on what follows.
    if !bytes.len().is_multiple_of(3) {
        let _ = text.pop();
    }
    text
}

#[test]
fn finds_a_secret_in_its_forms_only() {
    let secret = Secret::new("00hunter2hunter2");
    for (text, form) in [
        ("nothing but 00 and hunters", None),
        ("a\nb 00hunter2hunter2 c", Some("as it is")),
        ("MDBodW50ZXIyaHVudGVyMg==", Some("in base64")),
        ("2retnuh2retnuh00", Some("backwards")),
        ("cut after 00hunter", Some("its first half")),
    ] {
        assert_eq!(secret.found_in(text).map(|(form, _)| form), form, "{text}");
    }
    assert_eq!(base64(b"Man"), "TWFu");
    assert_eq!(base64(b"Ma"), "TW");
}
