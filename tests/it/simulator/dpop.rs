//! Proofs of possession (RFC 9449): at the token endpoint and at the System Log, one deviation at a time.

use okta_kafka_source::simulator::{DpopMode, OauthConfig};
use serde_json::{Value, json};

use super::service_app::{NONCE, Org, challenge, token_of, words};
use super::signer::{Key, OTHER_RSA, RSA, fresh_id, now};
use crate::support::prove;

/// The `error` and `error_description` of a challenge.
fn error(challenge: &str) -> (String, String) {
    let value =
        |name: &str| challenge.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0.to_owned();
    (value("error"), value("error_description"))
}

#[tokio::test]
async fn a_token_is_bound_to_the_key_of_its_proof() {
    for key in [&*OTHER_RSA, &Key::ec("ES256"), &Key::ec("ES384"), &Key::ec("ES512")] {
        let org = Org::with(DpopMode::Required).await;
        let token = org.bound_token(key).await;
        let page = org.logs_as(key, &token).await;
        assert_eq!((page.status, page.uuids().len()), (200, 1), "{}", key.algorithm);
        assert!(!page.headers.contains_key("dpop-nonce"), "this resource asks for no nonce");
        let counters = org.oauth.counters();
        assert_eq!((counters.tokens_issued, counters.nonce_challenges, counters.refused()), (1, 1, 0));
        assert_eq!(org.simulator.requests()[0].scheme.as_deref(), Some("DPoP"));
        let seen: Vec<(bool, Option<u16>)> =
            org.oauth.token_requests().iter().map(|request| (request.dpop, request.status)).collect();
        assert_eq!(seen, [(true, Some(400)), (true, Some(200))]);
    }
}

#[tokio::test]
async fn the_mode_says_who_needs_a_proof() {
    let org = Org::with(DpopMode::Required).await;
    let refused = org.ask_with(&org.good_assertion(), &[]).await;
    let missing = (400, "invalid_dpop_proof".into(), "The DPoP proof JWT header is missing.".into());
    assert_eq!(words(&refused), missing);
    assert!(!refused.headers.contains_key("dpop-nonce"));
    org.oauth.set_dpop(DpopMode::Optional);
    assert_eq!(org.ask_with(&org.good_assertion(), &[]).await.json()["token_type"], "Bearer");
    org.bound_token(&OTHER_RSA).await;
    org.oauth.set_dpop(DpopMode::Off);
    let (header, claims) = org.proof(&OTHER_RSA);
    let reply = org.ask_with(&org.good_assertion(), &[OTHER_RSA.sign(&header, &claims)]).await;
    assert_eq!((&reply.json()["token_type"], reply.headers.get("dpop-nonce")), (&json!("Bearer"), None));
}

/// One deviation: where, which member, its value, and Okta's words for it.
type Deviation = (&'static str, &'static str, Value, &'static str);

fn deviations(url: &str) -> Vec<Deviation> {
    let (typ, alg) =
        ("'typ' must be 'dpop+jwt' in the DPoP proof JWT.", "The DPoP proof JWT signature algorithm is invalid.");
    let (htm, htu) = ("'htm' claim in the DPoP proof JWT is invalid.", "'htu' claim in the DPoP proof JWT is invalid.");
    let (iat, jti) = ("'iat' claim in the DPoP proof JWT is invalid.", "'jti' claim in the DPoP proof JWT is invalid.");
    let invalid = "The DPoP proof JWT is invalid.";
    let signature = "The DPoP proof JWT signature is invalid.";
    let mut private = OTHER_RSA.jwk.clone();
    private["d"] = json!("AQAB");
    vec![
        ("header", "typ", json!("JWT"), typ),
        ("header", "typ", Value::Null, typ),
        ("header", "alg", json!("HS256"), alg),
        ("header", "alg", json!("none"), alg),
        ("header", "alg", json!("ES256"), signature),
        ("header", "jwk", Value::Null, invalid),
        ("header", "jwk", private, invalid),
        ("header", "jwk", json!({"kty": "oct", "k": "AQAB"}), invalid),
        ("header", "jwk", RSA.jwk.clone(), signature),
        ("header", "crit", json!([]), "The DPoP proof JWT cannot be parsed."),
        ("claims", "htm", json!("PUT"), htm),
        ("claims", "htm", json!("post"), htm),
        ("claims", "htm", Value::Null, htm),
        ("claims", "htu", json!(format!("{url}?limit=1")), htu),
        ("claims", "htu", json!(format!("{url}#")), htu),
        ("claims", "htu", json!(format!("{url}/")), htu),
        ("claims", "htu", json!(url.replace("http", "https")), htu),
        ("claims", "htu", json!("/oauth2/v1/token"), htu),
        ("claims", "htu", Value::Null, htu),
        ("claims", "iat", Value::Null, iat),
        ("claims", "iat", json!("now"), iat),
        ("claims", "iat", json!(now() + 60), "The DPoP proof JWT is issued in the future."),
        ("claims", "iat", json!(now() - 310), "The DPoP proof JWT is issued more than five minutes in the past."),
        ("claims", "exp", json!(now() - 1), "The DPoP proof JWT is expired."),
        ("claims", "jti", Value::Null, jti),
        ("claims", "jti", json!(""), jti),
        ("claims", "jti", json!(7), jti),
    ]
}

/// Applies it to a good proof's parts.
fn deviate(deviation: &Deviation, header: &mut Value, claims: &mut Value) {
    let (part, member, value, _) = deviation;
    let target = if *part == "header" { header } else { claims };
    target[member] = value.clone();
}

#[tokio::test]
async fn every_deviation_of_a_proof_is_refused_at_the_token_endpoint() {
    let org = Org::with(DpopMode::Optional).await;
    let key = &*OTHER_RSA;
    let (header, mut claims) = org.proof(key);
    let nonce =
        org.ask_with(&org.good_assertion(), &[key.sign(&header, &claims)]).await.header("dpop-nonce").to_owned();
    for deviation in deviations(&org.token_url()) {
        let (mut header, mut claims) = org.proof(key);
        claims["nonce"] = json!(nonce);
        deviate(&deviation, &mut header, &mut claims);
        let refused = org.ask_with(&org.good_assertion(), &[key.sign(&header, &claims)]).await;
        assert_eq!(words(&refused), (400, "invalid_dpop_proof".into(), deviation.3.into()), "{deviation:?}");
        assert_eq!(refused.header("dpop-nonce"), nonce);
    }
    // The nonce that is asked for, and no other.
    for wrong in [json!("guessed"), json!(""), json!(7)] {
        claims["nonce"] = wrong;
        claims["jti"] = json!(fresh_id());
        let challenged = org.ask_with(&org.good_assertion(), &[key.sign(&header, &claims)]).await;
        assert_eq!(words(&challenged), (400, "use_dpop_nonce".into(), NONCE.into()));
    }
    claims["nonce"] = json!(nonce);
    claims["jti"] = json!(fresh_id());
    let good = key.sign(&header, &claims);
    for (proofs, description) in [
        (vec![good.clone(), good.clone()], "Multiple DPoP proof JWT headers are not allowed."),
        (vec!["x".to_owned()], "The DPoP proof JWT cannot be parsed."),
        (vec![format!("{good}=")], "The DPoP proof JWT cannot be parsed."),
        (vec![RSA.sign(&header, &claims)], "The DPoP proof JWT signature is invalid."),
    ] {
        assert_eq!(words(&org.ask_with(&org.good_assertion(), &proofs).await).2, description);
    }
    // None of these has spent its `jti`.
    token_of(&org.ask_with(&org.good_assertion(), std::slice::from_ref(&good)).await);
    let replayed = org.ask_with(&org.good_assertion(), &[good]).await;
    assert_eq!(words(&replayed).2, "The DPoP proof JWT has already been used.");
    // An assertion is spent by the request that is told to use a nonce.
    let assertion = org.good_assertion();
    for description in [NONCE, "The client_assertion token has already been used."] {
        let (header, claims) = org.proof(key);
        assert_eq!(words(&org.ask_with(&assertion, &[key.sign(&header, &claims)]).await).2, description);
    }
}

#[tokio::test]
async fn every_deviation_of_a_proof_is_refused_at_the_system_log() {
    let org = Org::with(DpopMode::Optional).await;
    let key = &*OTHER_RSA;
    let token = org.bound_token(key).await;
    let ath = "'ath' claim in the DPoP proof does not match the presented access_token.";
    let mut table = deviations(&org.logs_url());
    table.push(("claims", "ath", Value::Null, ath));
    table.push(("claims", "ath", json!("LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"), ath));
    let refused = table.len();
    for deviation in table {
        let (mut header, mut claims) = org.logs_proof(key, &token);
        deviate(&deviation, &mut header, &mut claims);
        let refused = org.logs(&format!("DPoP {token}"), &[key.sign(&header, &claims)]).await;
        let host = org.simulator.url().trim_start_matches("http://");
        let expected = format!(
            "DPoP algs=\"RS256 RS384 RS512 ES256 ES384 ES512\", authorization_uri=\"http://{host}/oauth2/v1/authorize\", \
             realm=\"http://{host}\", scope=\"okta.logs.read\", error=\"invalid_dpop_proof\", \
             error_description=\"{}\", resource=\"/api/v1/logs\"",
            deviation.3
        );
        assert_eq!(challenge(&refused), (400, expected), "{deviation:?}");
    }
    let (header, claims) = org.logs_proof(key, &token);
    let good = key.sign(&header, &claims);
    assert_eq!(org.logs(&format!("DPoP {token}"), std::slice::from_ref(&good)).await.status, 200);
    let bearer = token_of(&org.ask_with(&org.good_assertion(), &[]).await);
    let (of_bearer_header, of_bearer) = org.logs_proof(key, &bearer);
    for (scheme, token, proofs, status, code, description) in [
        ("DPoP", &token, vec![good.clone()], 400, "invalid_dpop_proof", "The DPoP proof JWT has already been used."),
        ("DPoP", &token, vec![], 400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."),
        ("Bearer", &token, vec![], 400, "invalid_request", "The resource request requires a DPoP proof."),
        (
            "Bearer",
            &token,
            vec![good],
            400,
            "invalid_request",
            "The resource request must use the DPoP authentication scheme when using a DPoP bound token.",
        ),
        (
            "DPoP",
            &bearer,
            vec![key.sign(&of_bearer_header, &of_bearer)],
            401,
            "invalid_token",
            "The presented access_token is not DPoP bound.",
        ),
    ] {
        let (seen, header) = challenge(&org.logs(&format!("{scheme} {token}"), &proofs).await);
        assert!(header.starts_with(scheme), "{header}");
        assert_eq!((seen, error(&header)), (status, (code.to_owned(), description.to_owned())));
    }
    prove::row(
        "simulated-proofs",
        "The simulated org, which the client is tested against, lets no wrong proof of possession through",
        "a good proof with one thing changed, signed by the tests' own code, at both endpoints; stolen tokens, replays and \
         nonces by tests beside it",
        &format!(
            "{refused} changed members and 5 wrong ways to send a token refused at the System Log in Okta's words"
        ),
    );
}

#[tokio::test]
async fn a_stolen_token_is_of_no_use_with_another_key() {
    let org = Org::with(DpopMode::Required).await;
    let token = org.bound_token(&OTHER_RSA).await;
    for thief in [&*RSA, &Key::ec("ES256")] {
        let (status, header) = challenge(&org.logs_as(thief, &token).await);
        let description = "The access_token is not bound to the provided DPoP proof.".to_owned();
        assert_eq!((status, error(&header)), (400, ("invalid_dpop_proof".to_owned(), description)));
    }
    assert_eq!(org.logs_as(&OTHER_RSA, &token).await.status, 200);
    org.oauth.revoke_tokens();
    let (status, header) = challenge(&org.logs_as(&OTHER_RSA, &token).await);
    assert_eq!((status, error(&header).0.as_str()), (401, "invalid_token"));
}

#[tokio::test]
async fn a_replaced_nonce_is_taken_in_its_grace_or_not_at_all() {
    let org = Org::start(OauthConfig { dpop: DpopMode::Required, ..OauthConfig::default() }).await;
    let key = &*OTHER_RSA;
    let ask = async |nonce: &str| {
        let (header, mut claims) = org.proof(key);
        claims["nonce"] = json!(nonce);
        org.ask_with(&org.good_assertion(), &[key.sign(&header, &claims)]).await
    };
    let first = ask("").await.header("dpop-nonce").to_owned();
    assert_eq!(ask(&first).await.status, 200);
    org.oauth.rotate_nonce(true);
    let in_grace = ask(&first).await;
    let second = in_grace.header("dpop-nonce").to_owned();
    assert_eq!(in_grace.status, 200, "{}", in_grace.text());
    assert_ne!(first, second, "the new one is told with the answer");
    org.oauth.rotate_nonce(false);
    for old in [&first, &second] {
        assert_eq!(words(&ask(old).await).1, "use_dpop_nonce");
    }
    let third = ask("").await.header("dpop-nonce").to_owned();
    assert_eq!(ask(&third).await.status, 200);
}

#[tokio::test]
async fn a_resource_that_asks_for_nonces_has_its_own() {
    let org = Org::start(OauthConfig { resource_nonce: true, ..OauthConfig::default() }).await;
    let key = &*OTHER_RSA;
    let token = org.bound_token(key).await;
    let (header, mut claims) = org.logs_proof(key, &token);
    let of_tokens = org.ask_with(&org.good_assertion(), &[key.sign(&header, &claims)]).await;
    for nonce in [Value::Null, json!(of_tokens.header("dpop-nonce"))] {
        claims["nonce"] = nonce;
        claims["jti"] = json!(fresh_id());
        let (status, challenge) = challenge(&org.logs(&format!("DPoP {token}"), &[key.sign(&header, &claims)]).await);
        assert_eq!((status, error(&challenge).0.as_str()), (401, "use_dpop_nonce"));
    }
    let challenged = org.logs_as(key, &token).await;
    claims["nonce"] = json!(challenged.header("dpop-nonce"));
    claims["jti"] = json!(fresh_id());
    let page = org.logs(&format!("DPoP {token}"), &[key.sign(&header, &claims)]).await;
    assert_eq!((page.status, page.header("dpop-nonce")), (200, challenged.header("dpop-nonce")));
}
