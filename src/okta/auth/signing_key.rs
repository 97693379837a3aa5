//! The private key of a service app, as people have it: PEM or JWK.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use thiserror::Error;

use super::crypto::{CryptoError, Digest, KeyKind, PrivateKey, RsaNumbers};

/// Okta and RFC 7518 (section 3.3) take no shorter RSA key.
const MIN_RSA_BITS: u32 = 2048;

/// Okta's have 20 to 64 characters; the shortest private key in PEM has 160 without its frame.
const MAX_ID: usize = 128;

/// How a signature is made (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// The same with SHA-384.
    Rs384,
    /// The same with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rs256, Self::Rs384, Self::Rs512, Self::Es256, Self::Es384];

    /// Its name in JOSE.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }

    /// The algorithm of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    fn digest(self) -> Digest {
        match self {
            Self::Rs256 | Self::Es256 => Digest::Sha256,
            Self::Rs384 | Self::Es384 => Digest::Sha384,
            Self::Rs512 => Digest::Sha512,
        }
    }

    /// What a key of this kind signs with, the first where nothing is asked for.
    fn of(kind: &KeyKind) -> &'static [Self] {
        match kind {
            KeyKind::Rsa(_) => &[Self::Rs256, Self::Rs384, Self::Rs512],
            KeyKind::P256 => &[Self::Es256],
            KeyKind::P384 => &[Self::Es384],
            KeyKind::P521 | KeyKind::Other(_) => &[],
        }
    }
}

/// Why a text is no key that can sign for Okta. No message shows any of the text (I9).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Nothing.
    #[error("the key is empty: write the private key, as `${{file:PATH}}`")]
    Empty,
    /// The name of a file.
    #[error("this is a path, not a key: write `${{file:PATH}}` with it")]
    Path,
    /// Neither PEM nor JSON.
    #[error(
        "this is neither a PEM file (`-----BEGIN PRIVATE KEY-----`) nor a JWK (`{{\"kty\": …}}`): write the private key itself, as `${{file:PATH}}`"
    )]
    NotAKey,
    /// A PEM file that needs a password.
    #[error(
        "the key is encrypted, and there is nobody to ask for its password: write it without one, as `openssl pkey -in KEY -out PLAIN` does"
    )]
    Encrypted,
    /// The other half of the pair, or a certificate with it.
    #[error("this is {0}, which can't sign: write the private key that belongs to it")]
    NotPrivate(&'static str),
    /// OpenSSH's own format.
    #[error("this is OpenSSH's own format: write it as PEM, as `ssh-keygen -p -m PEM -f KEY` does")]
    OpenSsh,
    /// PEM that can't be read.
    #[error("the PEM can't be read: it is cut off, or its lines are not as they were; take the file as it was made")]
    BrokenPem,
    /// PEM without its line breaks, as YAML's `>` and values without `|` fold them.
    #[error("the PEM has no line breaks: write it under `private_key: |` (not `>`), or better as `${{file:PATH}}`")]
    FoldedPem,
    /// A set of keys.
    #[error("this is a JWK set: write the one key in it, `{{\"kty\": …}}`")]
    JwkSet,
    /// A JWK that is no private key.
    #[error("the JWK has no `{0}`: write the whole private key, as Okta showed it when it was made")]
    JwkLacks(&'static str),
    /// A member that is not base64url, or numbers that don't belong together.
    #[error("the JWK can't be used: {0}; take it as it was made")]
    BrokenJwk(&'static str),
    /// A key for encryption.
    #[error("the JWK is for encryption (`use: enc`): write a key for signing")]
    ForEncryption,
    /// RSA below 2048 bits.
    #[error(
        "an RSA key of {0} bits is too short: make one of 2048 bits or more, and register its public half with the app"
    )]
    TooShort(u32),
    /// P-521.
    #[error(
        "a key on P-521 needs ES512, with which this program does not sign: make an RSA key of 2048 bits, or one on P-256 or P-384"
    )]
    P521,
    /// Ed25519 and others.
    #[error(
        "a key of the kind `{0}` is not one that Okta takes: make an RSA key of 2048 bits, or one on P-256 or P-384"
    )]
    OtherKind(String),
    /// `algorithm` or `alg` that the key can't sign with.
    #[error("`{asked}` is not what this key signs with: write {possible}, or leave it out")]
    OtherAlgorithm {
        /// What is asked for.
        asked: String,
        /// What there is.
        possible: String,
    },
    /// No key id.
    #[error("the key has no id: write `key_id`, the KID that the app's page shows beside the key")]
    NoKeyId,
    /// Two key ids.
    #[error("`key_id` is not the JWK's own `kid`: leave `key_id` out, or write the key that it belongs to")]
    OtherKeyId,
    /// A key id that can't be one.
    #[error(
        "the key's id is empty, too long, or has characters that no ID has: write the KID that the app's page shows"
    )]
    BadKeyId,
}

/// A private key with the algorithm and the id that go into a JWT's header.
pub struct SigningKey {
    key: PrivateKey,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The `kid` under which Okta knows its public half.
    pub key_id: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm.as_str(), self.key_id)
    }
}

/// A private JWK (RFC 7517), as far as we use it. It has no Debug.
#[derive(Deserialize)]
struct Jwk {
    kty: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    crv: Option<String>,
    keys: Option<serde::de::IgnoredAny>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl SigningKey {
    /// Reads a key; `key_id` and `algorithm` are those of the configuration.
    ///
    /// # Errors
    /// It is not a private key, or not one that Okta takes; the message says what to do.
    pub fn read(text: &str, key_id: Option<&str>, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        // An environment variable often has its line ends written out.
        let unescaped = if text.contains("-----BEGIN") { text.replace("\\n", "\n") } else { text.to_owned() };
        let text = unescaped.trim();
        let (key, kid, alg) = match text {
            "" => return Err(KeyError::Empty),
            text if text.starts_with('{') || text.starts_with('[') => from_jwk(text)?,
            text if text.contains("-----BEGIN") => (from_pem(text)?, None, None),
            text if text.len() < 1024 && is_path(text) => return Err(KeyError::Path),
            _ => return Err(KeyError::NotAKey),
        };
        let kind = key.kind();
        match &kind {
            KeyKind::Rsa(bits) if *bits < MIN_RSA_BITS => return Err(KeyError::TooShort(*bits)),
            KeyKind::P521 => return Err(KeyError::P521),
            KeyKind::Other(name) => return Err(KeyError::OtherKind(name.clone())),
            KeyKind::Rsa(_) | KeyKind::P256 | KeyKind::P384 => {}
        }
        let possible = Algorithm::of(&kind);
        let asked = algorithm.map(|algorithm| algorithm.as_str().to_owned()).or(alg);
        let algorithm = match &asked {
            None => possible.first().copied(),
            Some(name) => possible.iter().find(|algorithm| algorithm.as_str() == name).copied(),
        };
        let algorithm = algorithm.ok_or_else(|| KeyError::OtherAlgorithm {
            asked: asked.unwrap_or_default().chars().take(20).collect(),
            possible: possible
                .iter()
                .map(|algorithm| format!("`{}`", algorithm.as_str()))
                .collect::<Vec<_>>()
                .join(", "),
        })?;
        // A file is read while somebody writes it: what is half there must not be sent, nor a key in the place of its ID.
        if [key_id, kid.as_deref()].into_iter().flatten().any(|id| !is_id(id)) {
            return Err(KeyError::BadKeyId);
        }
        let key_id = match (key_id, kid) {
            (Some(configured), Some(kid)) if configured != kid => return Err(KeyError::OtherKeyId),
            (Some(configured), _) => configured.to_owned(),
            (None, Some(kid)) => kid,
            (None, None) => return Err(KeyError::NoKeyId),
        };
        Ok(Self { key, algorithm, key_id })
    }

    /// Signs as the algorithm says.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.key.sign(self.algorithm.digest(), message)
    }
}

/// Whether a text can be a client ID or a key ID, which go into a JWT or a form and are shown in messages: visible ASCII,
/// without what begins a placeholder of somebody's, and too short for a private key.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !b"{}<>\"".contains(&b))
}

fn is_path(text: &str) -> bool {
    let is_line = !text.contains(char::is_whitespace);
    is_line
        && (text.starts_with(['/', '.', '~'])
            || [".pem", ".key", ".json", ".jwk"].iter().any(|end| text.ends_with(end)))
}

/// The labels of RFC 7468 and of OpenSSL say more than what a parser makes of the rest.
fn from_pem(text: &str) -> Result<PrivateKey, KeyError> {
    let has = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    if has("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    if has("PRIVATE KEY") || has("RSA PRIVATE KEY") || has("EC PRIVATE KEY") {
        let broken = if text.contains('\n') { KeyError::BrokenPem } else { KeyError::FoldedPem };
        return PrivateKey::from_pem(text).map_err(|_| broken);
    }
    Err(match () {
        () if has("OPENSSH PRIVATE KEY") => KeyError::OpenSsh,
        () if has("DSA PRIVATE KEY") => KeyError::OtherKind("DSA".to_owned()),
        () if has("PUBLIC KEY") || has("RSA PUBLIC KEY") => KeyError::NotPrivate("a public key"),
        () if has("CERTIFICATE REQUEST") => KeyError::NotPrivate("a certificate request"),
        () if has("CERTIFICATE") || has("TRUSTED CERTIFICATE") => KeyError::NotPrivate("a certificate"),
        () if has("EC PARAMETERS") => KeyError::NotPrivate("only the parameters of a key"),
        () => KeyError::NotAKey,
    })
}

/// The key, its `kid` and its `alg`.
fn from_jwk(text: &str) -> Result<(PrivateKey, Option<String>, Option<String>), KeyError> {
    let jwk: Jwk = serde_json::from_str(text)
        .map_err(|_| KeyError::BrokenJwk("it is not a JSON object, or a member is not a text"))?;
    if jwk.keys.is_some() {
        return Err(KeyError::JwkSet);
    }
    if jwk.used_for.as_deref() == Some("enc") {
        return Err(KeyError::ForEncryption);
    }
    let key = match (jwk.kty.as_deref(), jwk.crv.as_deref()) {
        (None, _) => return Err(KeyError::JwkLacks("kty")),
        (Some("RSA" | "EC"), _) if jwk.d.is_none() => return Err(KeyError::NotPrivate("a public key")),
        (Some("RSA"), _) => {
            let optional = |member: &Option<String>| member.as_ref().map(|text| bytes(text)).transpose();
            let (p, q) = (optional(&jwk.p)?, optional(&jwk.q)?);
            let (dp, dq, qi) = (optional(&jwk.dp)?, optional(&jwk.dq)?, optional(&jwk.qi)?);
            PrivateKey::from_rsa(RsaNumbers {
                n: number(&jwk.n, "n")?,
                e: number(&jwk.e, "e")?,
                d: number(&jwk.d, "d")?,
                primes: p.zip(q),
                crt: dp.zip(dq).zip(qi).map(|((dp, dq), qi)| (dp, dq, qi)),
            })
        }
        (Some("EC"), curve) => {
            let curve = match curve {
                Some("P-256") => KeyKind::P256,
                Some("P-384") => KeyKind::P384,
                Some("P-521") => return Err(KeyError::P521),
                Some(other) => return Err(KeyError::OtherKind(other.chars().take(20).collect())),
                None => return Err(KeyError::JwkLacks("crv")),
            };
            PrivateKey::from_ec(&curve, &number(&jwk.d, "d")?, &number(&jwk.x, "x")?, &number(&jwk.y, "y")?)
        }
        (Some("oct"), _) => return Err(KeyError::NotPrivate("a shared secret")),
        (Some("OKP"), curve) => return Err(KeyError::OtherKind(curve.unwrap_or("OKP").chars().take(20).collect())),
        (Some(other), _) => return Err(KeyError::OtherKind(other.chars().take(20).collect())),
    };
    let key = key.map_err(|_| KeyError::BrokenJwk("its numbers don't belong together"))?;
    Ok((key, jwk.kid, jwk.alg))
}

fn number(member: &Option<String>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    bytes(member.as_deref().ok_or(KeyError::JwkLacks(name))?)
}

fn bytes(text: &str) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| KeyError::BrokenJwk("a number in it is not base64url"))
}

#[cfg(test)]
mod tests;
