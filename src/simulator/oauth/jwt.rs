//! JSON web tokens in their compact form: taken apart, verified, and made (RFC 7515, 7519).

use std::fmt;

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::sign::{Signer, Verifier};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::base64url;
use super::jwk::PublicKey;

/// A token taken apart. Nothing in it is to be believed before [`Jwt::is_signed_by`].
pub(super) struct Jwt<'a> {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// What is signed: the first two parts with the dot.
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart; `None` where it is none, or has a member twice (RFC 7515, section 4; RFC 7519, section 4). A header that asks for extensions (`crit`) is not understood.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| Some(serde_json::from_slice::<Members>(&base64url::decode(part)?).ok()?.0);
        let (header, claims) = (object(header)?, object(claims)?);
        if header.contains_key("crit") {
            return None;
        }
        Some(Self { header, claims, signed: signed.as_bytes(), signature: base64url::decode(signature)? })
    }

    /// The header's algorithm, where Okta takes it.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(self.header.get("alg")?.as_str()?)
    }

    /// A claim that is text.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a time, in whole seconds since the Unix epoch: whether Okta takes others is not known.
    pub(super) fn seconds(&self, claim: &str) -> Option<i64> {
        self.claims.get(claim)?.as_i64()
    }

    /// Whether that key made the signature, with the algorithm that the header names.
    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let Some(algorithm) = self.algorithm().filter(|algorithm| key.fits(*algorithm)) else { return false };
        let verify = || -> Result<bool, ErrorStack> {
            let mut verifier = Verifier::new(algorithm.digest(), key.pkey())?;
            let Some((_, length)) = algorithm.curve() else {
                return verifier.verify_oneshot(&self.signature, self.signed);
            };
            // JOSE puts the two numbers side by side; OpenSSL wants them as ASN.1.
            if self.signature.len() != 2 * length {
                return Ok(false);
            }
            let (r, s) = self.signature.split_at(length);
            let signature = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
            verifier.verify_oneshot(&signature.to_der()?, self.signed)
        };
        // OpenSSL's errors about a signature mean that it is none.
        verify().unwrap_or(false)
    }
}

/// An object whose members have each a name of their own.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}

/// Signs with RS256. `header` and `claims` are JSON.
pub(super) fn sign_rs256(header: &str, claims: &str, key: &PKey<Private>) -> Result<String, ErrorStack> {
    let signed = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(claims.as_bytes()));
    let signature = Signer::new(Algorithm::Rs256.digest(), key)?.sign_oneshot_to_vec(signed.as_bytes())?;
    Ok(format!("{signed}.{}", base64url::encode(&signature)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7515, appendix A.3: ES256.
    const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    /// RFC 7515, appendix A.2: RS256.
    const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    fn key(jwk: Value) -> PublicKey {
        PublicKey::from_jwk(jwk.as_object().expect("an object")).expect("a key")
    }

    #[test]
    fn the_examples_of_rfc_7515_verify_and_nothing_near_them() {
        let ec = key(json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}));
        let rsa = key(
            json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}),
        );
        let verifies = |text: &str, key: &PublicKey| Jwt::parse(text).is_some_and(|jwt| jwt.is_signed_by(key));
        assert!(verifies(ES256, &ec) && verifies(RS256, &rsa));
        assert!(!verifies(ES256, &rsa) && !verifies(RS256, &ec));
        for text in [ES256, RS256] {
            let (signed, signature) = text.rsplit_once('.').expect("a dot");
            let (header, claims) = signed.split_once('.').expect("a dot");
            let other = base64url::encode(br#"{"iss":"jane"}"#);
            for bad in [
                format!("{header}.{other}.{signature}"),
                format!("{}.{claims}.{signature}", base64url::encode(br#"{"alg":"RS384"}"#)),
                format!("{}.{claims}.{signature}", base64url::encode(br#"{"alg":"none"}"#)),
                format!("{header}.{claims}."),
                format!("{header}.{claims}"),
                format!("{header}.{claims}.{signature}.{signature}"),
                format!("{header}.{claims}.{}", base64url::encode(&[0; 64])),
            ] {
                assert!(!verifies(&bad, &ec) && !verifies(&bad, &rsa), "{bad}");
            }
        }
    }

    #[test]
    fn a_member_is_there_once_and_a_time_has_whole_seconds() {
        let parse = |header: &str, claims: &str| {
            let text = format!("{}.{}.AA", base64url::encode(header.as_bytes()), base64url::encode(claims.as_bytes()));
            Jwt::parse(&text).map(|jwt| jwt.seconds("exp"))
        };
        assert_eq!(parse(r#"{"alg":"ES256"}"#, r#"{"exp":17}"#), Some(Some(17)));
        assert_eq!(parse(r#"{"alg":"ES256"}"#, r#"{"exp":17.5}"#), Some(None));
        assert_eq!(parse(r#"{"alg":"none","alg":"ES256"}"#, r#"{"exp":17}"#), None);
        assert_eq!(parse(r#"{"alg":"ES256"}"#, r#"{"exp":1,"exp":17}"#), None);
        assert_eq!(parse(r#"["alg"]"#, r#"{"exp":17}"#), None);
    }
}
