//! In the place of src/okta/auth/crypto.rs, so that no C library is built (ADR 0030): every key is good, and none signs.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyKind {
    Rsa(u32),
    P256,
    P384,
    P521,
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

pub struct RsaNumbers {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    pub d: Vec<u8>,
    pub primes: Option<(Vec<u8>, Vec<u8>)>,
    pub crt: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoError;

pub struct PrivateKey(KeyKind);

impl PrivateKey {
    pub fn from_pem(_: &str) -> Result<Self, CryptoError> {
        Ok(Self(KeyKind::P256))
    }

    pub fn from_rsa(numbers: RsaNumbers) -> Result<Self, CryptoError> {
        Ok(Self(KeyKind::Rsa(u32::try_from(numbers.n.len()).unwrap_or(u32::MAX).saturating_mul(8))))
    }

    pub fn from_ec(curve: &KeyKind, _: &[u8], _: &[u8], _: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self(curve.clone()))
    }

    pub fn kind(&self) -> KeyKind {
        self.0.clone()
    }

    pub fn sign(&self, _: Digest, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError)
    }
}
