//! Keys, signatures and random numbers of JSON Web Tokens, by the OpenSSL that librdkafka is linked with (ADR 0033).
//!
//! Nothing here knows what is signed. No error holds any of a key.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::{Padding, RsaPrivateKeyBuilder};
use openssl::sign::{Signer, Verifier};

/// A private key that can sign; OpenSSL clears its memory.
pub struct PrivateKey {
    key: PKey<Private>,
}

/// What a key is, as far as that decides how it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, and the bits of its modulus.
    Rsa(u32),
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Anything else, by OpenSSL's name, as `ED25519` or `secp256k1`.
    Other(String),
}

/// SHA-2, by its length in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The numbers of an RSA key, big-endian, as a JWK has them (RFC 7518, section 6.3).
pub struct RsaNumbers {
    /// Modulus.
    pub n: Vec<u8>,
    /// Public exponent.
    pub e: Vec<u8>,
    /// Private exponent.
    pub d: Vec<u8>,
    /// The two primes, which may be left out.
    pub primes: Option<(Vec<u8>, Vec<u8>)>,
    /// `dp`, `dq` and `qi`, which may be left out.
    pub crt: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

/// OpenSSL can't do it. Its own words are about its inside, and are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoError;

impl From<ErrorStack> for CryptoError {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

impl PrivateKey {
    /// The first private key of a PEM text: PKCS#1, PKCS#8 or SEC1. An encrypted one is refused, never asked for.
    pub fn from_pem(pem: &str) -> Result<Self, CryptoError> {
        // Without a callback, OpenSSL would ask the terminal for the password.
        Ok(Self { key: PKey::private_key_from_pem_callback(pem.as_bytes(), |_| Ok(0))? })
    }

    /// An RSA key by its numbers, which must belong together.
    pub fn from_rsa(numbers: RsaNumbers) -> Result<Self, CryptoError> {
        let number = |bytes: Vec<u8>| BigNum::from_slice(&bytes);
        let mut builder = RsaPrivateKeyBuilder::new(number(numbers.n)?, number(numbers.e)?, number(numbers.d)?)?;
        if let Some((p, q)) = numbers.primes {
            builder = builder.set_factors(number(p)?, number(q)?)?;
        }
        if let Some((dp, dq, qi)) = numbers.crt {
            builder = builder.set_crt_params(number(dp)?, number(dq)?, number(qi)?)?;
        }
        Self { key: PKey::from_rsa(builder.build())? }.checked()
    }

    /// A key on a NIST curve, by its private number and the coordinates of its public point, which must belong together.
    pub fn from_ec(curve: &KeyKind, d: &[u8], x: &[u8], y: &[u8]) -> Result<Self, CryptoError> {
        let nid = match curve {
            KeyKind::P256 => Nid::X9_62_PRIME256V1,
            KeyKind::P384 => Nid::SECP384R1,
            _ => return Err(CryptoError),
        };
        let group = EcGroup::from_curve_name(nid)?;
        let (x, y, d) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?, BigNum::from_slice(d)?);
        let public = EcKey::from_public_key_affine_coordinates(&group, &x, &y)?;
        let key = EcKey::from_private_components(&group, &d, public.public_key())?;
        key.check_key()?;
        Self { key: PKey::from_ec_key(key)? }.checked()
    }

    /// A new key on P-256.
    pub fn generate() -> Result<Self, CryptoError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self { key: PKey::from_ec_key(EcKey::generate(&group)?)? })
    }

    /// What it is.
    pub fn kind(&self) -> KeyKind {
        match self.key.id() {
            Id::RSA => KeyKind::Rsa(self.key.bits()),
            Id::EC => match self.key.ec_key().ok().and_then(|key| key.group().curve_name()) {
                Some(Nid::X9_62_PRIME256V1) => KeyKind::P256,
                Some(Nid::SECP384R1) => KeyKind::P384,
                Some(Nid::SECP521R1) => KeyKind::P521,
                Some(other) => KeyKind::Other(other.short_name().unwrap_or("EC").to_owned()),
                None => KeyKind::Other("EC with a curve of its own".to_owned()),
            },
            other => KeyKind::Other(Nid::from_raw(other.as_raw()).short_name().unwrap_or("unknown").to_owned()),
        }
    }

    /// The coordinates of the public point, each as long as the curve's field; only of a key on P-256 or P-384.
    pub fn public_point(&self) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        let width = self.width().ok_or(CryptoError)?;
        let key = self.key.ec_key()?;
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut *BigNumContext::new()?)?;
        Ok((x.to_vec_padded(width)?, y.to_vec_padded(width)?))
    }

    /// Signs, in the form of RFC 7518: RSASSA-PKCS1-v1_5 (section 3.3), or the two numbers of ECDSA one after the other
    /// (section 3.4).
    pub fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut signer = Signer::new(digest.of_openssl(), &self.key)?;
        if self.key.id() == Id::RSA {
            signer.set_rsa_padding(Padding::PKCS1)?;
        }
        let signature = signer.sign_oneshot_to_vec(message)?;
        let Some(width) = self.width() else { return Ok(signature) };
        let signature = EcdsaSig::from_der(&signature)?;
        Ok([signature.r().to_vec_padded(width)?, signature.s().to_vec_padded(width)?].concat())
    }

    /// Numbers that do not belong together make signatures that nobody can check.
    fn checked(self) -> Result<Self, CryptoError> {
        let message = b"a key that fits";
        let signature = Signer::new(MessageDigest::sha256(), &self.key)?.sign_oneshot_to_vec(message)?;
        let fits = Verifier::new(MessageDigest::sha256(), &self.key)?.verify_oneshot(&signature, message);
        if matches!(fits, Ok(true)) { Ok(self) } else { Err(CryptoError) }
    }

    /// Bytes of each number of an ECDSA signature.
    fn width(&self) -> Option<i32> {
        match self.kind() {
            KeyKind::P256 => Some(32),
            KeyKind::P384 => Some(48),
            _ => None,
        }
    }
}

impl Digest {
    fn of_openssl(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// Sixteen bytes that nobody can guess.
pub fn random() -> Result<[u8; 16], CryptoError> {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(bytes)
}
