//! Ids that look like Okta's.

use std::fmt::Write;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 100 ns intervals from the UUID epoch (1582-10-15) to the Unix epoch (RFC 9562, 5.1).
const UUID_EPOCH_OFFSET: u64 = 0x01B2_1DD2_1381_4000;

/// An object's id: its type's prefix and 17 more characters.
pub(super) fn okta_id(rng: &mut fastrand::Rng, prefix: &str) -> String {
    let mut id = String::with_capacity(20);
    id.push_str(prefix);
    push_base62(&mut id, rng, 20 - prefix.len());
    id
}

/// Adds random letters and digits.
pub(super) fn push_base62(out: &mut String, rng: &mut fastrand::Rng, length: usize) {
    push_from(out, rng, BASE62, length);
}

/// Adds random characters of the URL-safe alphabet, as session and request ids have them.
pub(super) fn push_base64(out: &mut String, rng: &mut fastrand::Rng, length: usize) {
    push_from(out, rng, BASE64, length);
}

fn push_from(out: &mut String, rng: &mut fastrand::Rng, alphabet: &[u8], length: usize) {
    // One draw of 64 bits gives ten characters; the slight unevenness of the remainder is of no matter here.
    let mut left = length;
    while left > 0 {
        let mut bits = rng.u64(..);
        for _ in 0..left.min(10) {
            out.push(alphabet[(bits % alphabet.len() as u64) as usize] as char);
            bits /= alphabet.len() as u64;
        }
        left -= left.min(10);
    }
}

/// Adds lower-case hexadecimal digits; `length` is a multiple of 16.
pub(super) fn push_hex(out: &mut String, rng: &mut fastrand::Rng, length: usize) {
    for _ in 0..length / 16 {
        let _ = write!(out, "{:016x}", rng.u64(..));
    }
}

/// Makes version 1 UUIDs, whose time is `published` as in recorded events; each is another one.
pub(super) struct UuidV1 {
    node: u64,
    made: u64,
}

impl UuidV1 {
    pub(super) fn new(rng: &mut fastrand::Rng) -> Self {
        // The lowest ten bits of the node carry the rest of the counter, so that no two of 2^24 events are alike.
        Self { node: rng.u64(..) & 0xFFFF_FFFF_FC00, made: 0 }
    }

    /// The UUID of an event published at `millis`, up to 25 µs behind it.
    pub(super) fn next(&mut self, millis: i64, rng: &mut fastrand::Rng) -> String {
        let ticks = (millis.max(0) as u64) * 10_000 + rng.u64(..250) + UUID_EPOCH_OFFSET;
        let sequence = self.made & 0x3FFF;
        let node = self.node | ((self.made >> 14) & 0x3FF);
        self.made += 1;
        format!(
            "{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}",
            ticks & 0xFFFF_FFFF,
            (ticks >> 32) & 0xFFFF,
            (ticks >> 48) & 0x0FFF,
            0x8000 | sequence,
            node,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_tell_the_time_of_publication() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut uuids = UuidV1::new(&mut rng);
        // Recorded with published 2020-11-16T18:15:12.862Z: ab62c0bc-2837-11eb-9823-9fb8f750c5a9.
        let uuid = uuids.next(1_605_550_512_862, &mut rng);
        assert!(uuid.starts_with("ab62") && &uuid[8..19] == "-2837-11eb-", "{uuid}");
        assert_eq!(uuid.len(), 36);
    }
}
