//! The signature algorithms that Okta takes, in client assertions and in proofs: RS and ES, 256 to 512 (RFC 7518).

use openssl::hash::MessageDigest;
use openssl::nid::Nid;

/// An algorithm by its JOSE name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    Es512,
}

/// The names as the `algs` of a challenge list them.
pub(super) const NAMES: &str = "RS256 RS384 RS512 ES256 ES384 ES512";

impl Algorithm {
    /// Reads the `alg` of a header; symmetric ones and `none` are unknown here.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            "ES512" => Algorithm::Es512,
            _ => return None,
        })
    }

    pub(super) fn digest(self) -> MessageDigest {
        match self {
            Algorithm::Rs256 | Algorithm::Es256 => MessageDigest::sha256(),
            Algorithm::Rs384 | Algorithm::Es384 => MessageDigest::sha384(),
            Algorithm::Rs512 | Algorithm::Es512 => MessageDigest::sha512(),
        }
    }

    /// The only curve that goes with it, and the length of one half of its signatures; `None` for RSA.
    pub(super) fn curve(self) -> Option<(Nid, usize)> {
        match self {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => None,
            Algorithm::Es256 => Some((Nid::X9_62_PRIME256V1, 32)),
            Algorithm::Es384 => Some((Nid::SECP384R1, 48)),
            Algorithm::Es512 => Some((Nid::SECP521R1, 66)),
        }
    }
}
