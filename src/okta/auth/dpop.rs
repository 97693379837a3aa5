//! DPoP proofs (RFC 9449): who presents a token shows with each request that he has the key that it is bound to.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::crypto::{CryptoError, Digest, PrivateKey};
use super::jwt;

/// The key of a session's proofs: P-256, made in memory, and gone with it. It has no Debug.
pub struct ProofKey {
    key: PrivateKey,
    jwk: Jwk,
}

/// The public members alone, in the order of RFC 7638 (section 3.2).
#[derive(Serialize)]
struct Jwk {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    jwk: &'a Jwk,
}

/// RFC 9449, section 4.2.
#[derive(Serialize)]
struct Claims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
}

/// The request that a proof is for, and what the server wants in it.
pub struct Proof<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Query and fragment are left out of the proof.
    pub url: &'a Url,
    /// The server's time.
    pub now: Timestamp,
    /// One that no other proof has.
    pub id: &'a str,
    /// The server's nonce.
    pub nonce: Option<&'a str>,
    /// The access token that goes with the request.
    pub token: Option<&'a SecretString>,
}

impl ProofKey {
    /// A new key.
    pub fn generate() -> Result<Self, CryptoError> {
        let key = PrivateKey::generate()?;
        let (x, y) = key.public_point()?;
        let jwk = Jwk { crv: "P-256", kty: "EC", x: jwt::base64url(x), y: jwt::base64url(y) };
        Ok(Self { key, jwk })
    }

    /// Signs a proof; it is good for one request.
    pub fn prove(&self, proof: &Proof<'_>) -> Result<String, CryptoError> {
        let header = Header { typ: "dpop+jwt", alg: "ES256", jwk: &self.jwk };
        let htu = htu(proof.url);
        let ath = proof.token.map(|token| jwt::base64url(Sha256::digest(token.expose_secret())));
        let iat = proof.now.as_second().saturating_sub(jwt::ISSUED_BEFORE);
        let claims = Claims { jti: proof.id, htm: proof.method, htu: &htu, iat, nonce: proof.nonce, ath };
        jwt::encode(&header, &claims, |message| self.key.sign(Digest::Sha256, message))
    }
}

/// The URL without query and fragment (RFC 9449, section 4.2).
fn htu(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    fn proof(url: &str, nonce: Option<&str>, token: Option<&str>) -> (Value, Value) {
        let key = ProofKey::generate().expect("a key");
        let token = token.map(SecretString::from);
        let proof = key.prove(&Proof {
            method: "GET",
            url: &url.parse().expect("a URL"),
            now: Timestamp::from_second(1_562_262_616 + jwt::ISSUED_BEFORE).expect("a time"),
            id: "-BwC3ESc6acc2lTc",
            nonce,
            token: token.as_ref(),
        });
        let proof = proof.expect("signed");
        let mut parts = proof.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"));
        let mut part = || serde_json::from_slice(&parts.next().expect("a part")).expect("JSON");
        let shown: (Value, Value) = (part(), part());
        assert_eq!(parts.next().map(|signature| signature.len()), Some(64));
        shown
    }

    #[test]
    fn the_header_has_the_public_key_and_nothing_of_the_private_one() {
        let (header, _) = proof("https://server.example.com/token", None, None);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        let jwk = header["jwk"].as_object().expect("a key");
        assert_eq!(jwk.keys().collect::<Vec<_>>(), ["crv", "kty", "x", "y"]);
        for coordinate in ["x", "y"] {
            assert_eq!(jwk[coordinate].as_str().map(str::len), Some(43));
        }
    }

    /// The members of RFC 9449, sections 4.1 and 7.1; its example token and the hash of it are of section 7.1.
    #[test]
    fn the_claims_are_those_of_the_rfc() {
        let (_, claims) = proof(
            "https://resource.example.org/protectedresource",
            None,
            Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        );
        assert_eq!(
            claims,
            json!({
                "jti": "-BwC3ESc6acc2lTc", "htm": "GET", "htu": "https://resource.example.org/protectedresource",
                "iat": 1_562_262_616, "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
            })
        );
        let (_, claims) = proof("https://server.example.com/token", Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"), None);
        assert_eq!((&claims["nonce"], claims.get("ath")), (&json!("eyJ7S_zG.eyJH0-Z.HX4w-7v"), None));
    }

    #[test]
    fn htu_is_without_query_and_fragment() {
        for (url, expected) in [
            ("https://acme.okta.com/api/v1/logs?since=a&after=1_1#x", "https://acme.okta.com/api/v1/logs"),
            ("https://acme.okta.com:8443/api/v1/logs?", "https://acme.okta.com:8443/api/v1/logs"),
            ("http://127.0.0.1:8084/oauth2/v1/token", "http://127.0.0.1:8084/oauth2/v1/token"),
            ("https://acme.okta.com:443/api/v1/logs", "https://acme.okta.com/api/v1/logs"),
        ] {
            assert_eq!(proof(url, None, None).1["htu"], expected);
        }
    }
}
