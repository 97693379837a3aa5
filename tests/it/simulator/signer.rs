//! A signer of these tests' own: JWTs, good and bad ones, made with OpenSSL's primitives and nothing of the program.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

/// Making an RSA key takes a while, so the tests share two.
pub static RSA: LazyLock<Key> = LazyLock::new(|| Key::rsa(2048));
pub static OTHER_RSA: LazyLock<Key> = LazyLock::new(|| Key::rsa(2048));

pub struct Key {
    pub private: PKey<Private>,
    /// The public key as a JWK.
    pub jwk: Value,
    /// The algorithm that it signs with, unless told otherwise.
    pub algorithm: &'static str,
}

impl Key {
    pub fn rsa(bits: u32) -> Self {
        let rsa = Rsa::generate(bits).unwrap();
        let jwk = json!({"kty": "RSA", "n": base64url(&rsa.n().to_vec()), "e": base64url(&rsa.e().to_vec())});
        Self { private: PKey::from_rsa(rsa).unwrap(), jwk, algorithm: "RS256" }
    }

    pub fn ec(algorithm: &'static str) -> Self {
        let (curve, name, length) = match algorithm {
            "ES256" => (Nid::X9_62_PRIME256V1, "P-256", 32),
            "ES384" => (Nid::SECP384R1, "P-384", 48),
            _ => (Nid::SECP521R1, "P-521", 66),
        };
        let key = EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
        let coordinate = |number: BigNum| base64url(&number.to_vec_padded(length).unwrap());
        let jwk = json!({"kty": "EC", "crv": name, "x": coordinate(x), "y": coordinate(y)});
        Self { private: PKey::from_ec_key(key).unwrap(), jwk, algorithm }
    }

    pub fn public_pem(&self) -> String {
        String::from_utf8(self.private.public_key_to_pem().unwrap()).unwrap()
    }

    /// Signs as the header's `alg` says, or with this key's own algorithm where that is another kind's.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed =
            format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
        let algorithm = header["alg"].as_str().unwrap_or(self.algorithm);
        let digest = match &algorithm[algorithm.len().min(2)..] {
            "384" => MessageDigest::sha384(),
            "512" => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        let mut signer = Signer::new(digest, &self.private).unwrap();
        let mut signature = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
        if self.algorithm.starts_with("ES") {
            let pair = EcdsaSig::from_der(&signature).unwrap();
            let length = match self.algorithm {
                "ES256" => 32,
                "ES384" => 48,
                _ => 66,
            };
            signature = [pair.r().to_vec_padded(length).unwrap(), pair.s().to_vec_padded(length).unwrap()].concat();
        }
        format!("{signed}.{}", base64url(&signature))
    }
}

pub fn base64url(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// The claims of a token, unverified.
pub fn part(token: &str, index: usize) -> Value {
    let mut part = token.split('.').nth(index).unwrap().replace('-', "+").replace('_', "/");
    while !part.len().is_multiple_of(4) {
        part.push('=');
    }
    serde_json::from_slice(&openssl::base64::decode_block(&part).unwrap()).unwrap()
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A `jti` that nobody had.
pub fn fresh_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}
