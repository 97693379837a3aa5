//! Private keys of service apps, made by the tests: no key stands in the repository.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use serde_json::{Value, json};

/// A new RSA key.
pub fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// A new key on a curve.
pub fn ec(curve: Nid) -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap()
}

/// PKCS#8, the form that `openssl genpkey` writes.
pub fn pkcs8(key: &PKey<Private>) -> String {
    String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap()
}

/// A private JWK as Okta's Admin Console gives it out, less what is about the key's use.
pub fn jwk(key: &PKey<Private>, kid: &str) -> Value {
    let text = |number: &BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
    if let Ok(rsa) = key.rsa() {
        let optional = |number: Option<&BigNumRef>| number.map(text).unwrap();
        return json!({
            "kty": "RSA", "kid": kid, "n": text(rsa.n()), "e": text(rsa.e()), "d": text(rsa.d()),
            "p": optional(rsa.p()), "q": optional(rsa.q()),
            "dp": optional(rsa.dmp1()), "dq": optional(rsa.dmq1()), "qi": optional(rsa.iqmp()),
        });
    }
    let ec = key.ec_key().unwrap();
    let (name, width) = match ec.group().curve_name() {
        Some(Nid::X9_62_PRIME256V1) => ("P-256", 32),
        Some(Nid::SECP384R1) => ("P-384", 48),
        _ => ("P-521", 66),
    };
    let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    let mut context = BigNumContext::new().unwrap();
    ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).unwrap();
    let padded = |number: &BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec_padded(width).unwrap());
    json!({"kty": "EC", "kid": kid, "crv": name, "x": padded(&x), "y": padded(&y), "d": padded(ec.private_key())})
}
