//! The key of a service app, in the forms in which admins have it.

use std::fmt;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use serde_json::{Value, json};

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rsa,
    P256,
    P384,
    P521,
}

/// How its file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `BEGIN PRIVATE KEY`.
    Pkcs8,
    /// `BEGIN RSA PRIVATE KEY` (PKCS#1), or `BEGIN EC PRIVATE KEY` (SEC 1).
    Traditional,
    /// A private JWK with its `kid`.
    Jwk,
}

/// A private key with its id, made by OpenSSL.
#[derive(Clone)]
pub struct ServiceKey {
    key_id: String,
    kind: Kind,
    key: PKey<Private>,
}

impl ServiceKey {
    /// A new key.
    pub fn new(key_id: &str, kind: Kind) -> Self {
        let curve = |nid| PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()).unwrap();
        let key = match kind {
            Kind::Rsa => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            Kind::P256 => curve(Nid::X9_62_PRIME256V1),
            Kind::P384 => curve(Nid::SECP384R1),
            Kind::P521 => curve(Nid::SECP521R1),
        };
        Self { key_id: key_id.to_owned(), kind, key }
    }

    /// The `kid` under which the org knows it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The file's text.
    pub fn file(&self, form: Form) -> String {
        let pem = match form {
            Form::Pkcs8 => self.key.private_key_to_pem_pkcs8().unwrap(),
            Form::Traditional if self.kind == Kind::Rsa => self.key.rsa().unwrap().private_key_to_pem().unwrap(),
            Form::Traditional => self.key.ec_key().unwrap().private_key_to_pem().unwrap(),
            Form::Jwk => return self.private_jwk().to_string(),
        };
        String::from_utf8(pem).unwrap()
    }

    /// The public key as PEM.
    pub fn public_pem(&self) -> String {
        String::from_utf8(self.key.public_key_to_pem().unwrap()).unwrap()
    }

    /// The public key as the org's console takes it.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = match self.kind {
            Kind::Rsa => {
                let rsa = self.key.rsa().unwrap();
                json!({"kty": "RSA", "n": base64url(&rsa.n().to_vec()), "e": base64url(&rsa.e().to_vec())})
            }
            _ => {
                let (x, y) = self.point();
                json!({"kty": "EC", "crv": self.curve(), "x": x, "y": y})
            }
        };
        jwk["kid"] = json!(self.key_id);
        jwk
    }

    fn private_jwk(&self) -> Value {
        let mut jwk = self.public_jwk();
        if self.kind == Kind::Rsa {
            let rsa = self.key.rsa().unwrap();
            let number = |number: Option<&openssl::bn::BigNumRef>| json!(base64url(&number.unwrap().to_vec()));
            jwk["d"] = json!(base64url(&rsa.d().to_vec()));
            jwk["p"] = number(rsa.p());
            jwk["q"] = number(rsa.q());
            jwk["dp"] = number(rsa.dmp1());
            jwk["dq"] = number(rsa.dmq1());
            jwk["qi"] = number(rsa.iqmp());
        } else {
            let key = self.key.ec_key().unwrap();
            jwk["d"] = json!(base64url(&key.private_key().to_vec_padded(self.length()).unwrap()));
        }
        jwk
    }

    /// What of the key must never be seen: the private numbers as a JWK has them, and the whole lines of its PEM files.
    pub fn secret_parts(&self) -> Vec<String> {
        let jwk = self.private_jwk();
        let numbers = ["d", "p", "q", "dp", "dq", "qi"].iter().filter_map(|name| jwk[name].as_str().map(str::to_owned));
        let pem = [Form::Pkcs8, Form::Traditional].map(|form| self.file(form)).concat();
        // The first and the last line say little more than what kind of key it is.
        let lines = pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).skip(1);
        let mut parts: Vec<_> = numbers.chain(lines.filter(|line| line.len() == 64)).collect();
        let public = self.public_pem();
        parts.retain(|part| !public.contains(part.as_str()));
        parts
    }

    fn curve(&self) -> &'static str {
        match self.kind {
            Kind::P256 => "P-256",
            Kind::P384 => "P-384",
            Kind::P521 | Kind::Rsa => "P-521",
        }
    }

    /// Bytes of a coordinate.
    fn length(&self) -> i32 {
        match self.kind {
            Kind::P256 => 32,
            Kind::P384 => 48,
            Kind::P521 | Kind::Rsa => 66,
        }
    }

    fn point(&self) -> (String, String) {
        let key = self.key.ec_key().unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
        let padded = |number: BigNum| base64url(&number.to_vec_padded(self.length()).unwrap());
        (padded(x), padded(y))
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceKey({}, {:?})", self.key_id, self.kind)
    }
}

fn base64url(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}
