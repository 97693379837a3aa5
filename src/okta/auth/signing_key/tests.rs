//! Every form that a key comes in, and every text that is none. Keys are made anew each time.

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use serde_json::{Value, json};

use super::*;

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key")
}

fn ec(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).expect("a curve");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

fn pkcs8(key: &PKey<Private>) -> String {
    String::from_utf8(key.private_key_to_pem_pkcs8().expect("PEM")).expect("ASCII")
}

/// PKCS#1 or SEC1.
fn traditional(key: &PKey<Private>) -> String {
    let pem = match key.rsa() {
        Ok(rsa) => rsa.private_key_to_pem(),
        Err(_) => key.ec_key().and_then(|ec| ec.private_key_to_pem()),
    };
    String::from_utf8(pem.expect("PEM")).expect("ASCII")
}

fn text(number: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(number)
}

fn rsa_jwk(key: &PKey<Private>) -> Value {
    let rsa = key.rsa().expect("RSA");
    let part = |number: Option<&openssl::bn::BigNumRef>| text(number.expect("a number").to_vec());
    json!({
        "kty": "RSA", "kid": "of-the-jwk", "use": "sig", "alg": "RS256", "n": part(Some(rsa.n())), "e": part(Some(rsa.e())),
        "d": part(Some(rsa.d())), "p": part(rsa.p()), "q": part(rsa.q()), "dp": part(rsa.dmp1()), "dq": part(rsa.dmq1()),
        "qi": part(rsa.iqmp()),
    })
}

fn ec_jwk(key: &PKey<Private>, curve: &str, width: i32) -> Value {
    let ec = key.ec_key().expect("EC");
    let mut context = openssl::bn::BigNumContext::new().expect("memory");
    let (mut x, mut y) = (openssl::bn::BigNum::new().expect("memory"), openssl::bn::BigNum::new().expect("memory"));
    ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).expect("a point");
    let padded = |number: &openssl::bn::BigNumRef| text(number.to_vec_padded(width).expect("it fits"));
    json!({"kty": "EC", "kid": "of-the-jwk", "crv": curve, "x": padded(&x), "y": padded(&y), "d": padded(ec.private_key())})
}

fn with(jwk: &Value, member: &str, value: Value) -> String {
    let mut jwk = jwk.clone();
    jwk[member] = value;
    jwk.to_string()
}

fn without(jwk: &Value, members: &[&str]) -> String {
    without_value(jwk, members).to_string()
}

fn without_value(jwk: &Value, members: &[&str]) -> Value {
    let mut jwk = jwk.clone();
    for member in members {
        jwk.as_object_mut().expect("a key").remove(*member).expect("it was there");
    }
    jwk
}

#[test]
fn every_form_of_a_key_is_read_and_its_signature_can_be_checked() {
    let (rsa, p256, p384) = (rsa(2048), ec(Nid::X9_62_PRIME256V1), ec(Nid::SECP384R1));
    let (rsa_jwk, p256_jwk) = (rsa_jwk(&rsa), ec_jwk(&p256, "P-256", 32));
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    for (key, text, algorithm, expected) in [
        (&rsa, pkcs8(&rsa), None, Algorithm::Rs256),
        (&rsa, traditional(&rsa), Some(Algorithm::Rs384), Algorithm::Rs384),
        (&rsa, traditional(&rsa).replace('\n', "\r\n"), Some(Algorithm::Rs512), Algorithm::Rs512),
        (&rsa, pkcs8(&rsa).replace('\n', "\\n"), None, Algorithm::Rs256),
        (&rsa, format!("  \n# a comment\n{}\n", pkcs8(&rsa)), None, Algorithm::Rs256),
        (&rsa, rsa_jwk.to_string(), None, Algorithm::Rs256),
        (&rsa, with(&rsa_jwk, "alg", json!("RS512")), None, Algorithm::Rs512),
        (&rsa, without(&rsa_jwk, &["alg"]), Some(Algorithm::Rs384), Algorithm::Rs384),
        (&rsa, without(&rsa_jwk, &["dp", "dq", "qi"]), None, Algorithm::Rs256),
        (&rsa, without(&rsa_jwk, &["p", "q", "dp", "dq", "qi"]), None, Algorithm::Rs256),
        (&p256, pkcs8(&p256), None, Algorithm::Es256),
        (&p256, traditional(&p256), Some(Algorithm::Es256), Algorithm::Es256),
        (&p256, format!("{parameters}{}", traditional(&p256)), None, Algorithm::Es256),
        (&p256, p256_jwk.to_string(), None, Algorithm::Es256),
        (&p384, pkcs8(&p384), None, Algorithm::Es384),
        (&p384, traditional(&p384), None, Algorithm::Es384),
        (&p384, ec_jwk(&p384, "P-384", 48).to_string(), Some(Algorithm::Es384), Algorithm::Es384),
    ] {
        let read = SigningKey::read(&text, Some("of-the-jwk"), algorithm).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((read.algorithm, read.key_id.as_str()), (expected, "of-the-jwk"));
        let signature = read.sign(b"message").expect("a signature");
        assert!(is_signed(key, expected, &signature), "{read:?}");
    }
    assert_eq!(SigningKey::read(&p256_jwk.to_string(), None, None).expect("a key").key_id, "of-the-jwk");
}

fn is_signed(key: &PKey<Private>, algorithm: Algorithm, signature: &[u8]) -> bool {
    let (digest, width) = match algorithm {
        Algorithm::Rs256 => (openssl::hash::MessageDigest::sha256(), 0),
        Algorithm::Rs384 => (openssl::hash::MessageDigest::sha384(), 0),
        Algorithm::Rs512 => (openssl::hash::MessageDigest::sha512(), 0),
        Algorithm::Es256 => (openssl::hash::MessageDigest::sha256(), 32),
        Algorithm::Es384 => (openssl::hash::MessageDigest::sha384(), 48),
    };
    let der = match width {
        0 => signature.to_vec(),
        width => {
            assert_eq!(signature.len(), 2 * width);
            let number = |bytes: &[u8]| openssl::bn::BigNum::from_slice(bytes).expect("a number");
            let (r, s) = (number(&signature[..width]), number(&signature[width..]));
            openssl::ecdsa::EcdsaSig::from_private_components(r, s)
                .and_then(|signature| signature.to_der())
                .expect("DER")
        }
    };
    let mut verifier = openssl::sign::Verifier::new(digest, key).expect("a key");
    verifier.verify_oneshot(&der, b"message").expect("it can be looked at")
}

#[test]
fn what_is_no_key_that_can_sign_says_what_to_do_and_shows_nothing() {
    let (rsa, short, other_rsa, p256) = (rsa(2048), rsa(1024), rsa(2048), ec(Nid::X9_62_PRIME256V1));
    let (rsa_jwk, p256_jwk, p521) = (rsa_jwk(&rsa), ec_jwk(&p256, "P-256", 32), ec(Nid::SECP521R1));
    let pem =
        |bytes: Result<Vec<u8>, openssl::error::ErrorStack>| String::from_utf8(bytes.expect("PEM")).expect("ASCII");
    let encrypted = pem(rsa.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"hunter2"));
    let old = rsa.rsa().and_then(|rsa| rsa.private_key_to_pem_passphrase(Cipher::aes_128_cbc(), b"hunter2"));
    let ed25519 = PKey::generate_ed25519().expect("a key");
    let other_d = text(ec(Nid::X9_62_PRIME256V1).ec_key().expect("EC").private_key().to_vec_padded(32).expect("32"));
    let other_n = text(other_rsa.rsa().expect("RSA").n().to_vec());
    let block = |label: &str| format!("-----BEGIN {label}-----\nMIIBdanger\n-----END {label}-----\n");
    for (text, expected) in [
        (String::new(), "is empty"),
        (" \n".to_owned(), "is empty"),
        ("/etc/okta/key.pem".to_owned(), "${file:PATH}"),
        ("keys/app.json".to_owned(), "${file:PATH}"),
        ("hunter2".to_owned(), "neither a PEM file"),
        (encrypted, "openssl pkey -in"),
        (pem(old), "openssl pkey -in"),
        (pem(rsa.public_key_to_pem()), "a public key"),
        (block("RSA PUBLIC KEY"), "a public key"),
        (block("CERTIFICATE"), "a certificate"),
        (block("CERTIFICATE REQUEST"), "a certificate request"),
        (block("OPENSSH PRIVATE KEY"), "ssh-keygen"),
        (block("DSA PRIVATE KEY"), "`DSA`"),
        (block("EC PARAMETERS"), "the parameters"),
        (block("PGP MESSAGE"), "neither a PEM file"),
        (block("PRIVATE KEY"), "can't be read"),
        (pkcs8(&rsa)[..900].to_owned(), "can't be read"),
        (pkcs8(&short), "1024 bits is too short"),
        (pkcs8(&p521), "P-521"),
        (ec_jwk(&p521, "P-521", 66).to_string(), "P-521"),
        (pkcs8(&ec(Nid::SECP256K1)), "`secp256k1`"),
        (pkcs8(&ed25519), "`ED25519`"),
        ("{".to_owned(), "not a JSON object"),
        ("[]".to_owned(), "not a JSON object"),
        ("{}".to_owned(), "no `kty`"),
        (json!({"keys": [rsa_jwk]}).to_string(), "JWK set"),
        (with(&rsa_jwk, "n", json!(7)), "not a JSON object"),
        (with(&rsa_jwk, "use", json!("enc")), "for encryption"),
        (without(&rsa_jwk, &["d"]), "a public key"),
        (without(&p256_jwk, &["d"]), "a public key"),
        (without(&rsa_jwk, &["n"]), "no `n`"),
        (without(&p256_jwk, &["y"]), "no `y`"),
        (without(&p256_jwk, &["crv"]), "no `crv`"),
        (with(&rsa_jwk, "d", json!("%%")), "not base64url"),
        (with(&p256_jwk, "d", json!(other_d)), "don't belong together"),
        (with(&p256_jwk, "x", json!("AAAA")), "don't belong together"),
        // With its primes, a key signs without `d`.
        (with(&without_value(&rsa_jwk, &["p", "q", "dp", "dq", "qi"]), "d", json!("AQAB")), "don't belong together"),
        (with(&rsa_jwk, "n", json!(other_n)), "don't belong together"),
        (with(&p256_jwk, "crv", json!("secp256k1")), "`secp256k1`"),
        (json!({"kty": "oct", "k": "hunter2"}).to_string(), "a shared secret"),
        (json!({"kty": "OKP", "crv": "Ed25519", "d": "x"}).to_string(), "`Ed25519`"),
        (with(&rsa_jwk, "alg", json!("PS256")), "`PS256` is not what"),
        (with(&p256_jwk, "alg", json!("RS256")), "write `ES256`"),
    ] {
        let error = SigningKey::read(&text, Some("of-the-jwk"), None).expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("danger") && !error.contains("hunter2") && error.len() < 300, "{error}");
    }
    for (text, key_id, algorithm, expected) in [
        (pkcs8(&rsa), None, None, KeyError::NoKeyId),
        (without(&rsa_jwk, &["kid"]), None, None, KeyError::NoKeyId),
        (rsa_jwk.to_string(), Some("another"), None, KeyError::OtherKeyId),
        (pkcs8(&rsa), Some(""), None, KeyError::BadKeyId),
        (pkcs8(&rsa), Some("a b"), None, KeyError::BadKeyId),
        (pkcs8(&rsa), Some(&pkcs8(&p256)), None, KeyError::BadKeyId),
        (pkcs8(&rsa), Some(&"M".repeat(160)), None, KeyError::BadKeyId),
        (with(&rsa_jwk, "kid", json!("")), None, None, KeyError::BadKeyId),
        (with(&rsa_jwk, "kid", json!("a\nb")), None, None, KeyError::BadKeyId),
        (
            pkcs8(&p256),
            Some("x"),
            Some(Algorithm::Rs256),
            KeyError::OtherAlgorithm { asked: "RS256".to_owned(), possible: "`ES256`".to_owned() },
        ),
    ] {
        assert_eq!(SigningKey::read(&text, key_id, algorithm).err(), Some(expected));
    }
}

#[test]
fn debug_shows_the_id_and_nothing_of_the_key() {
    let key = SigningKey::read(&pkcs8(&ec(Nid::X9_62_PRIME256V1)), Some("kid-1"), None).expect("a key");
    assert_eq!(format!("{key:?}"), "SigningKey(ES256 kid-1)");
}

#[test]
#[ignore = "a measurement"]
fn what_signing_costs() {
    use std::time::Instant;
    for (name, key, algorithm) in [
        ("RS256, 2048 bits", rsa(2048), Algorithm::Rs256),
        ("RS256, 4096 bits", rsa(4096), Algorithm::Rs256),
        ("ES256", ec(Nid::X9_62_PRIME256V1), Algorithm::Es256),
        ("ES384", ec(Nid::SECP384R1), Algorithm::Es384),
    ] {
        let key = SigningKey::read(&pkcs8(&key), Some("x"), Some(algorithm)).expect("a key");
        #[allow(clippy::disallowed_methods)]
        let began = Instant::now();
        for _ in 0..200 {
            let _ = key.sign(&[7; 300]).expect("signed");
        }
        println!("{name}: {:?} a signature", began.elapsed() / 200);
    }
}
