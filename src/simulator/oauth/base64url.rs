//! Base64url without padding (RFC 7515, section 2), read strictly: every text has one meaning and every meaning one text.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            text.push(ALPHABET[(group >> (18 - 6 * index)) as usize & 63] as char);
        }
    }
    text
}

/// Reads bytes; `None` for a character outside the alphabet (padding too), an impossible length, or bits left over that
/// are not zero.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut group = 0_u32;
        for character in chunk {
            let value = ALPHABET.iter().position(|candidate| candidate == character)?;
            group = (group << 6) | value as u32;
        }
        let (whole, spare_bits) = match chunk.len() {
            4 => (3, 0),
            3 => (2, 2),
            2 => (1, 4),
            _ => return None,
        };
        if group & ((1 << spare_bits) - 1) != 0 {
            return None;
        }
        let group = (group >> spare_bits).to_be_bytes();
        bytes.extend_from_slice(&group[4 - whole..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfcs_read_and_write() {
        // RFC 4648 section 10, RFC 7515 appendix C.
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (&[3, 236, 255, 224, 193], "A-z_4ME"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn what_has_another_form_is_refused() {
        for text in ["Zg==", "Zh", "Zm9=", "Zm9v\n", "A+z/4ME", "Z", "Zm9vZ", "é"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
