//! Public keys: read from a JWK or a PEM, checked, and named by their thumbprint (RFC 7517, 7518 section 6, 7638).

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::base64url;

/// Shorter RSA keys are refused (RFC 7518, section 3.3).
const MIN_RSA_BITS: i32 = 2048;
/// The members of a JWK that nobody but its owner may see (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The curves by their JOSE name, with the length of a coordinate.
const CURVES: [(&str, Nid, usize); 3] =
    [("P-256", Nid::X9_62_PRIME256V1, 32), ("P-384", Nid::SECP384R1, 48), ("P-521", Nid::SECP521R1, 66)];

/// A public key that is good for one of Okta's algorithms.
#[derive(Clone)]
pub(super) struct PublicKey {
    key: PKey<Public>,
    /// The curve, or `None` for RSA.
    curve: Option<Nid>,
}

impl PublicKey {
    /// Reads a JWK; `None` where it is no public key of a supported kind, and where it has a private member.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        if PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
            return None;
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let number = |name: &str, length: Option<usize>| {
            let bytes = base64url::decode(text(name)?)?;
            // Coordinates have the curve's full length; the numbers of RSA have no leading zero.
            let fits = length.map_or(bytes.first().is_some_and(|first| *first != 0), |length| bytes.len() == length);
            if fits { BigNum::from_slice(&bytes).ok() } else { None }
        };
        match text("kty")? {
            "RSA" => {
                let rsa = Rsa::from_public_components(number("n", None)?, number("e", None)?).ok()?;
                Self::new(PKey::from_rsa(rsa).ok()?)
            }
            "EC" => {
                let name = text("crv")?;
                let (_, curve, length) = CURVES.into_iter().find(|(known, ..)| *known == name)?;
                let group = EcGroup::from_curve_name(curve).ok()?;
                let (x, y) = (number("x", Some(length))?, number("y", Some(length))?);
                // Refuses a point that is not on the curve.
                let key = EcKey::from_public_key_affine_coordinates(&group, &x, &y).ok()?;
                Self::new(PKey::from_ec_key(key).ok()?)
            }
            _ => None,
        }
    }

    /// Reads a PEM of a public key (`SubjectPublicKeyInfo`).
    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        Self::new(PKey::public_key_from_pem(pem).ok()?)
    }

    /// Checks kind and strength.
    pub(super) fn new(key: PKey<Public>) -> Option<Self> {
        let curve = match key.id() {
            Id::RSA => {
                let rsa = key.rsa().ok()?;
                // An even or tiny exponent is no RSA key.
                let exponent_fits = rsa.e().is_bit_set(0) && rsa.e().num_bits() > 1;
                if rsa.n().num_bits() < MIN_RSA_BITS || !exponent_fits {
                    return None;
                }
                None
            }
            Id::EC => {
                let ec = key.ec_key().ok()?;
                ec.check_key().ok()?;
                let curve = ec.group().curve_name()?;
                CURVES.iter().find(|(_, known, _)| *known == curve)?;
                Some(curve)
            }
            _ => return None,
        };
        Some(Self { key, curve })
    }

    /// Whether this key can have made a signature of that algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.curve == algorithm.curve().map(|(curve, _)| curve)
    }

    pub(super) fn pkey(&self) -> &PKey<Public> {
        &self.key
    }

    /// The members that make the key, and no others.
    pub(super) fn jwk(&self) -> Map<String, Value> {
        let members = match self.curve {
            None => {
                let rsa = self.key.rsa().expect("an RSA key, as `new` saw");
                json!({
                    "kty": "RSA",
                    "n": base64url::encode(&rsa.n().to_vec()),
                    "e": base64url::encode(&rsa.e().to_vec()),
                })
            }
            Some(curve) => {
                let (name, _, length) =
                    CURVES.into_iter().find(|(_, known, _)| *known == curve).expect("one of the curves, as `new` saw");
                let ec = self.key.ec_key().expect("an EC key, as `new` saw");
                let (x, y) = affine_coordinates(&ec, length);
                json!({"kty": "EC", "crv": name, "x": base64url::encode(&x), "y": base64url::encode(&y)})
            }
        };
        match members {
            Value::Object(members) => members,
            _ => unreachable!("both are objects"),
        }
    }

    /// The JWK thumbprint: SHA-256 over the required members in the order of the alphabet, as base64url.
    pub(super) fn thumbprint(&self) -> String {
        // serde_json keeps no order of insertion here: a map of it is sorted by name, which is what RFC 7638 asks for.
        let mut members: Vec<(String, Value)> = self.jwk().into_iter().collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        base64url::encode(&sha256(format!("{{{}}}", members.join(",")).as_bytes()))
    }
}

/// A point's coordinates, filled up with zeros to the curve's length.
fn affine_coordinates(key: &EcKey<Public>, length: usize) -> (Vec<u8>, Vec<u8>) {
    let coordinates = || -> Result<_, openssl::error::ErrorStack> {
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut *BigNumContext::new()?)?;
        // The lengths of three curves fit.
        let length = length as i32;
        Ok((x.to_vec_padded(length)?, y.to_vec_padded(length)?))
    };
    coordinates().expect("a point on the curve, as `new` saw, has coordinates below the field's size")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(jwk: Value) -> Option<PublicKey> {
        PublicKey::from_jwk(jwk.as_object().expect("an object"))
    }

    const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let key = read(json!({"kty": "RSA", "n": RFC_7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}));
        assert_eq!(key.expect("a key").thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        // The key of RFC 7515, appendix A.3.
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        let good = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
        assert_eq!(read(good.clone()).expect("a key").jwk(), *good.as_object().expect("an object"));
        for (why, bad) in [
            ("private", json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": "AA"})),
            ("symmetric", json!({"kty": "oct", "k": "AA"})),
            ("not on the curve", json!({"kty": "EC", "crv": "P-256", "x": y, "y": x})),
            ("another curve", json!({"kty": "EC", "crv": "P-384", "x": x, "y": y})),
            ("no point", json!({"kty": "EC", "crv": "P-256", "x": x})),
            ("short", json!({"kty": "RSA", "n": &RFC_7638_N[..172], "e": "AQAB"})),
            ("even exponent", json!({"kty": "RSA", "n": RFC_7638_N, "e": "AQAA"})),
            ("exponent one", json!({"kty": "RSA", "n": RFC_7638_N, "e": "AQ"})),
            ("Edwards", json!({"kty": "OKP", "crv": "Ed25519", "x": x})),
        ] {
            assert!(read(bad).is_none(), "{why}");
        }
    }
}
