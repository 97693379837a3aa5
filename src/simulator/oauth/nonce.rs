//! The nonces that proofs must hold (RFC 9449, sections 8 and 9): one that is current, and older ones in their grace.

use super::super::error_body::token_text;

/// The nonces of one server.
#[derive(Debug)]
pub(super) struct Nonces {
    current: String,
    made_at: i64,
    /// Replaced ones with the second at which each ends.
    previous: Vec<(String, i64)>,
    /// A nonce is replaced when it is so old.
    pub(super) life_seconds: i64,
    /// A replaced nonce goes on being taken for so long.
    pub(super) grace_seconds: i64,
}

impl Nonces {
    pub(super) fn new(life_seconds: i64, grace_seconds: i64, now: i64, rng: &mut fastrand::Rng) -> Self {
        Self { current: token_text(rng, 32), made_at: now, previous: Vec::new(), life_seconds, grace_seconds }
    }

    /// The nonce to hand out at `now` (seconds); it is replaced first where it is old enough.
    pub(super) fn current(&mut self, now: i64, rng: &mut fastrand::Rng) -> String {
        if now >= self.made_at + self.life_seconds {
            self.rotate(now, self.grace_seconds, rng);
        }
        self.current.clone()
    }

    /// Makes a new nonce; the old one is taken for `grace_seconds` more. With 0, older ones end too.
    pub(super) fn rotate(&mut self, now: i64, grace_seconds: i64, rng: &mut fastrand::Rng) {
        self.previous.retain(|(_, until)| *until > now && grace_seconds > 0);
        let old = std::mem::replace(&mut self.current, token_text(rng, 32));
        self.previous.push((old, now + grace_seconds));
        self.made_at = now;
    }

    /// Whether a proof with that nonce is taken at `now`.
    pub(super) fn accepts(&mut self, nonce: &str, now: i64, rng: &mut fastrand::Rng) -> bool {
        self.current(now, rng) == nonce
            || self.previous.iter().any(|(previous, until)| previous == nonce && now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_rotate_on_their_period_and_on_demand() {
        let rng = &mut fastrand::Rng::with_seed(1);
        let mut nonces = Nonces::new(60, 30, 1000, rng);
        let first = nonces.current(1059, rng);
        assert!(nonces.accepts(&first, 1059, rng));
        let second = nonces.current(1060, rng);
        assert_ne!(first, second);
        assert!(nonces.accepts(&first, 1089, rng) && !nonces.accepts(&first, 1090, rng));
        nonces.rotate(1091, 5, rng);
        assert!(nonces.accepts(&second, 1095, rng) && !nonces.accepts(&second, 1096, rng));
        let third = nonces.current(1096, rng);
        nonces.rotate(1096, 0, rng);
        assert!(!nonces.accepts(&third, 1096, rng) && !nonces.accepts("", 1096, rng));
    }
}
