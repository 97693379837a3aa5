//! Key pairs, for `simulate --oauth` and for tests: Okta makes them too, on the app's page.

use std::fmt;

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

use super::config::RegisteredKey;
use super::jwk::PublicKey;

/// The kinds of key that Okta takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits, for RS256, RS384 and RS512.
    Rsa2048,
    /// A key on P-256, for ES256.
    P256,
    /// A key on P-384, for ES384.
    P384,
    /// A key on P-521, for ES512.
    P521,
}

/// A private key with its public one.
#[derive(Clone)]
pub struct KeyPair {
    private: PKey<Private>,
    public: PublicKey,
}

impl KeyPair {
    /// Makes a new one.
    ///
    /// # Errors
    /// When OpenSSL cannot, for want of memory or entropy.
    pub fn generate(kind: KeyKind) -> Result<Self, ErrorStack> {
        let private = match kind {
            KeyKind::Rsa2048 => PKey::from_rsa(Rsa::generate(2048)?)?,
            KeyKind::P256 => on_curve(Nid::X9_62_PRIME256V1)?,
            KeyKind::P384 => on_curve(Nid::SECP384R1)?,
            KeyKind::P521 => on_curve(Nid::SECP521R1)?,
        };
        let public = PKey::public_key_from_der(&private.public_key_to_der()?)?;
        Ok(Self { private, public: PublicKey::new(public).expect("every kind made above is one that is taken") })
    }

    /// The private key as PKCS#8 in PEM (`BEGIN PRIVATE KEY`).
    pub fn private_key_pem(&self) -> String {
        let pem = self.private.private_key_to_pem_pkcs8().expect("a key that was just made has a PEM");
        String::from_utf8(pem).expect("a PEM is ASCII")
    }

    /// The public key, to be registered under that id.
    pub fn registered(&self, key_id: impl Into<String>) -> RegisteredKey {
        RegisteredKey { key_id: key_id.into(), public: self.public.clone() }
    }

    pub(super) fn private(&self) -> &PKey<Private> {
        &self.private
    }

    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }
}

fn on_curve(curve: Nid) -> Result<PKey<Private>, ErrorStack> {
    PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(curve)?)?)
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the private key.
        f.debug_struct("KeyPair").finish_non_exhaustive()
    }
}
