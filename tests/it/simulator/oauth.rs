//! Access tokens: the token endpoint, assertions, and tokens at the System Log, one deviation at a time.

use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, FaultKind, OauthConfig, RegisteredKey, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{client, start};
use super::service_app::{CLIENT_ID, Org, challenge, form, reply, token_of, words};
use super::signer::{Key, OTHER_RSA, RSA, now, part};
use crate::support::prove;

#[tokio::test]
async fn a_service_app_gets_a_token_and_reads_with_it() {
    let org = Org::with(DpopMode::Off).await;
    let reply = org.ask_with(&org.good_assertion(), &[]).await;
    let token = token_of(&reply);
    assert_eq!(
        reply.text(),
        format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}","scope":"okta.logs.read"}}"#)
    );
    let url = org.simulator.url();
    for (name, value) in [("cache-control", "no-cache, no-store"), ("content-type", "application/json")] {
        assert_eq!(reply.header(name), value);
    }
    assert_eq!((reply.number("x-rate-limit-limit"), reply.number("x-rate-limit-remaining")), (6_000, 5_999));
    assert!(!reply.headers.contains_key("dpop-nonce"), "a nonce is for proofs");
    let header = part(&token, 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("application/okta-internal-at+jwt"), &json!("RS256")));
    let claims = part(&token, 1);
    let expected = [
        ("ver", json!(1)),
        ("iss", json!(url)),
        ("aud", json!(url)),
        ("sub", json!(CLIENT_ID)),
        ("cid", json!(CLIENT_ID)),
        ("scp", json!(["okta.logs.read"])),
        ("exp", json!(claims["iat"].as_i64().unwrap() + 3600)),
    ];
    for (name, value) in expected {
        assert_eq!(claims[name], value, "{name}");
    }
    assert!(claims["jti"].as_str().unwrap().starts_with("AT."));

    assert_eq!(org.simulator.request_count(), 0, "requests for tokens are counted apart");
    let page = org.logs(&format!("Bearer {token}"), &[]).await;
    assert_eq!((page.status, page.uuids().len()), (200, 1));
    assert_eq!((org.simulator.request_count(), org.oauth.token_requests().len()), (1, 1));
    assert_eq!(org.simulator.requests()[0].scheme.as_deref(), Some("Bearer"));
    assert_eq!((org.oauth.counters().tokens_issued, org.oauth.counters().refused()), (1, 0));
    // The API token goes on working beside it.
    let ssws = format!("SSWS {}", org.simulator.token());
    assert_eq!(org.logs(&ssws, &[]).await.status, 200);
}

#[tokio::test]
async fn every_algorithm_and_form_of_key_is_taken() {
    let org = Org::with(DpopMode::Off).await;
    for algorithm in ["ES256", "ES384", "ES512"] {
        let key = Key::ec(algorithm);
        org.oauth.register_key(RegisteredKey::read(algorithm, &key.jwk.to_string()).unwrap());
        let (mut header, claims) = org.assertion();
        header["alg"] = json!(algorithm);
        header["kid"] = json!(algorithm);
        token_of(&org.ask_with(&key.sign(&header, &claims), &[]).await);
    }
    for algorithm in ["RS256", "RS384", "RS512"] {
        let (mut header, claims) = org.assertion();
        header["alg"] = json!(algorithm);
        token_of(&org.ask_with(&RSA.sign(&header, &claims), &[]).await);
    }
    // `iat` and `jti` are optional.
    let (header, mut claims) = org.assertion();
    claims.as_object_mut().unwrap().retain(|name, _| !["iat", "jti"].contains(&name.as_str()));
    for _ in 0..2 {
        token_of(&org.ask_with(&RSA.sign(&header, &claims), &[]).await);
    }
    assert!(
        RegisteredKey::read("private", &String::from_utf8(RSA.private.private_key_to_pem_pkcs8().unwrap()).unwrap())
            .is_err()
    );
}

#[tokio::test]
async fn every_deviation_of_an_assertion_is_refused_in_oktas_words() {
    let org = Org::with(DpopMode::Optional).await;
    let far = "https://acme.okta.com/oauth2/v1/token";
    let algorithm = "The client_assertion JWT signature algorithm is invalid.";
    let audience = "The audience claim for client_assertion must be the endpoint invoked for the request.";
    let issuer = "The issuer claim for client_assertion is not a valid client_id.";
    let subject = "The subject claim for client_assertion is not a valid client_id.";
    let kid = "The client_assertion JWT kid is invalid.";
    let signature = "The client_assertion signature is invalid.";
    let expiry = "The client_assertion must contain the 'exp' claim as seconds since epoch.";
    let future = "The client_assertion token must be issued before the current time.";
    let table: &[(&str, Value, &str)] = &[
        ("alg", json!("HS256"), algorithm),
        ("alg", json!("none"), algorithm),
        ("alg", json!("PS256"), algorithm),
        ("kid", json!("two"), kid),
        ("kid", json!(1), kid),
        ("iss", json!("0oaother"), issuer),
        ("iss", Value::Null, issuer),
        ("sub", json!("0oaother"), subject),
        ("aud", json!(org.simulator.url()), audience),
        ("aud", json!(format!("{}/", org.token_url())), audience),
        ("aud", json!(far), audience),
        ("aud", json!([far]), audience),
        ("aud", Value::Null, audience),
        ("exp", Value::Null, expiry),
        ("exp", json!("soon"), expiry),
        ("exp", json!(now() as f64 + 60.5), expiry),
        ("exp", json!(now()), "The client_assertion token is expired."),
        ("exp", json!(now() + 3660), "The client_assertion token has an expiration too far into the future."),
        ("iat", json!(now() + 60), future),
        ("crit", json!(["b64"]), "The parsing of the client_assertion failed."),
    ];
    let deviations = table.len();
    for (member, value, description) in table {
        let (mut header, mut claims) = org.assertion();
        let target = if ["alg", "kid", "crit"].contains(member) { &mut header } else { &mut claims };
        target[member] = value.clone();
        let refused = org.ask_with(&RSA.sign(&header, &claims), &[]).await;
        assert_eq!(words(&refused), (401, "invalid_client".into(), (*description).into()), "{member}: {value}");
        assert_eq!(org.oauth.counters().refused_assertions[*description], 1);
        org.oauth.reset_counters();
    }

    // Another key, another digest than the header says, a flipped bit, half a signature.
    let (header, claims) = org.assertion();
    let good = RSA.sign(&header, &claims);
    let (signed, of_good) = good.rsplit_once('.').unwrap();
    let other_header = json!({"alg": "RS512", "kid": "one"});
    let digests = format!("{}.{}", RSA.sign(&other_header, &claims).rsplit_once('.').unwrap().0, of_good);
    let flipped = if of_good.starts_with('A') { "B" } else { "A" };
    for bad in [
        OTHER_RSA.sign(&header, &claims),
        digests,
        format!("{signed}.{flipped}{}", &of_good[1..]),
        format!("{signed}.{}", &of_good[..(of_good.len() / 2) & !3]),
        format!("{signed}."),
    ] {
        let refused = org.ask_with(&bad, &[]).await;
        assert_eq!(words(&refused), (401, "invalid_client".into(), signature.into()));
    }
    // None of these has spent the `jti`; the good one does.
    token_of(&org.ask_with(&good, &[]).await);
    let replayed = org.ask_with(&good, &[]).await;
    assert_eq!(words(&replayed).2, "The client_assertion token has already been used.");
    for garbage in ["", "x", "a.b.c", "..", good.split_once('.').unwrap().0] {
        let refused = org.ask_with(garbage, &[]).await;
        assert_eq!(words(&refused).2, "The parsing of the client_assertion failed.", "{garbage}");
    }
    prove::row(
        "simulated-assertions",
        "The simulated org, which the client is tested against, lets no wrong client assertion through",
        "a good assertion with one thing changed, signed by the tests' own code: claims, header, key, signature, use",
        &format!("{deviations} changed members, 5 signatures, 5 broken texts and a replay refused in Okta's words"),
    );
}

#[tokio::test]
async fn every_deviation_of_the_form_is_refused_in_oktas_words() {
    let org = Org::with(DpopMode::Optional).await;
    let without = |name: &str, assertion: &str| -> Vec<(String, String)> {
        let kept = form(assertion, "okta.logs.read").into_iter().filter(|(member, _)| *member != name);
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let table: &[(&str, Option<&str>, u16, &str, &str)] = &[
        (
            "grant_type",
            None,
            400,
            "invalid_request",
            "The token request must specify a 'grant_type'. Valid values: [client_credentials]",
        ),
        (
            "grant_type",
            Some("password"),
            400,
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server. Configured grant types: [client_credentials].",
        ),
        ("client_assertion_type", None, 400, "invalid_request", "The client_assertion_type is invalid."),
        ("client_assertion_type", Some("jwt"), 400, "invalid_request", "The client_assertion_type is invalid."),
        ("client_assertion", None, 401, "invalid_client", "No client credentials found."),
        ("client_id", Some("0oaother"), 401, "invalid_client", "Invalid value for 'client_id' parameter."),
        (
            "client_secret",
            Some("s"),
            401,
            "invalid_request",
            "Cannot supply multiple client credentials. Use one of the following: credentials in the Authorization header, credentials in the post body, or a client_assertion in the post body.",
        ),
        (
            "scope",
            None,
            400,
            "invalid_scope",
            "The authorization server resource does not have any configured default scopes, 'scope' must be provided.",
        ),
        ("scope", Some("openid"), 400, "invalid_scope", "Cannot request 'openid' scopes using client credentials."),
        (
            "scope",
            Some("okta.users.read.self"),
            400,
            "client_credentials_self_scope_requested",
            "The 'client_credentials' grant type may not request .self scopes.",
        ),
        (
            "scope",
            Some("logs"),
            400,
            "invalid_scope",
            "One or more scopes are not configured for the authorization server resource.",
        ),
        (
            "scope",
            Some("okta.logs.read okta.logs.reed"),
            400,
            "invalid_scope",
            "One or more scopes are not configured for the authorization server resource.",
        ),
        ("scope", Some("okta.users.read"), 400, "consent_required", "You are not allowed any of the requested scopes."),
    ];
    for (name, value, status, error, description) in table {
        let mut form = without(name, &org.good_assertion());
        form.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let refused = org.ask(&form, &[]).await;
        assert_eq!(words(&refused), (*status, (*error).into(), (*description).into()), "{name}: {value:?}");
    }
    let assertion = org.good_assertion();
    for again in form(&assertion, "okta.logs.read") {
        let twice = [form(&assertion, "okta.logs.read").as_slice(), &[again]].concat();
        assert_eq!(words(&org.ask(&twice, &[]).await).1, "invalid_request", "{again:?} twice");
    }
    let basic = client().post(org.token_url()).header("content-type", "application/x-www-form-urlencoded");
    let basic = reply(basic.basic_auth("a", Some("b")).body("grant_type=client_credentials")).await;
    assert!(
        words(&basic).2.starts_with("Client Credentials requests to the Org Authorization Server must use the private")
    );
    let got = reply(client().get(org.token_url())).await;
    assert_eq!((got.status, got.error_code().as_str()), (405, "E0000022"));
    // Of several scopes the granted ones are in the token.
    let granted = org.ask(&form(&org.good_assertion(), "okta.users.read okta.logs.read"), &[]).await;
    assert_eq!(granted.json()["scope"], "okta.logs.read", "{}", granted.text());
}

#[tokio::test]
async fn what_an_admin_changes_holds_from_the_next_request_on() {
    let org = Org::start(OauthConfig {
        dpop: DpopMode::Off,
        scopes: vec!["okta.logs.read".to_owned(), "okta.users.read".to_owned()],
        ..OauthConfig::default()
    })
    .await;
    let token = format!("Bearer {}", org.token().await);
    let host = org.simulator.url().trim_start_matches("http://").to_owned();
    let expected = |error: &str, description: &str| {
        format!(
            "Bearer authorization_uri=\"http://{host}/oauth2/v1/authorize\", realm=\"http://{host}\", \
             scope=\"okta.logs.read\", error=\"{error}\", error_description=\"{description}\", resource=\"/api/v1/logs\""
        )
    };
    let users = token_of(&org.ask(&form(&org.good_assertion(), "okta.users.read"), &[]).await);
    let refused = org.logs(&format!("Bearer {users}"), &[]).await;
    let no_scope = expected("insufficient_scope", "The access token provided does not contain the required scopes.");
    assert_eq!(challenge(&refused), (403, no_scope.clone()));

    org.oauth.set_scopes(["okta.users.read"]);
    assert_eq!(challenge(&org.logs(&token, &[]).await), (403, no_scope));
    assert_eq!(words(&org.ask_with(&org.good_assertion(), &[]).await).1, "consent_required");
    org.oauth.set_scopes(["okta.logs.read"]);

    org.oauth.set_admin_role(false);
    let refused = org.logs(&token, &[]).await;
    assert_eq!((refused.status, refused.error_code().as_str()), (403, "E0000006"));
    org.oauth.set_admin_role(true);
    assert_eq!(org.logs(&token, &[]).await.status, 200);

    let invalid = (401, expected("invalid_token", "The access token is invalid."));
    org.oauth.set_active(false);
    assert_eq!(words(&org.ask_with(&org.good_assertion(), &[]).await).1, "invalid_client");
    assert_eq!(challenge(&org.logs(&token, &[]).await), invalid);
    org.oauth.set_active(true);
    for wrong in
        ["Bearer x", "Bearer ", &token[..token.len() - 2], &format!("{}.e30.", token.split('.').next().unwrap())]
    {
        assert_eq!(challenge(&org.logs(wrong, &[]).await), invalid, "{wrong}");
    }
    let elsewhere = Org::with(DpopMode::Off).await;
    assert_eq!(challenge(&elsewhere.logs(&token, &[]).await).0, 401, "another org's token");

    org.oauth.revoke_tokens();
    let revoked = expected("invalid_token", "The access token has been revoked.");
    assert_eq!(challenge(&org.logs(&token, &[]).await), (401, revoked));
    org.oauth.set_token_life(Duration::from_secs(1));
    let short = format!("Bearer {}", org.token().await);
    tokio::time::sleep(Duration::from_millis(1_100)).await; // a token ends by time alone
    let expired = expected("invalid_token", "The token has expired.");
    assert_eq!(challenge(&org.logs(&short, &[]).await), (401, expired));

    // Key rotation: a new one beside the old one, then the new one alone, and one id given to another key.
    org.oauth.register_key(RegisteredKey::read("two", &OTHER_RSA.public_pem()).unwrap());
    let (mut header, claims) = org.assertion();
    header["kid"] = json!("two");
    token_of(&org.ask_with(&OTHER_RSA.sign(&header, &claims), &[]).await);
    header.as_object_mut().unwrap().remove("kid");
    let ambiguous = org.ask_with(&OTHER_RSA.sign(&header, &org.assertion().1), &[]).await;
    assert_eq!(words(&ambiguous).2, "The client_assertion JWT kid is invalid.");
    assert!(org.oauth.remove_key("one") && !org.oauth.remove_key("one"));
    assert_eq!(words(&org.ask_with(&org.good_assertion(), &[]).await).2, "The client_assertion JWT kid is invalid.");
    // As in the recorded exchange: no `kid`, and no choice.
    token_of(&org.ask_with(&OTHER_RSA.sign(&header, &org.assertion().1), &[]).await);
    org.oauth.register_key(RegisteredKey::read("two", &RSA.public_pem()).unwrap());
    header["kid"] = json!("two");
    let replaced = org.ask_with(&OTHER_RSA.sign(&header, &org.assertion().1), &[]).await;
    assert_eq!(words(&replaced).2, "The client_assertion signature is invalid.");
    org.oauth.remove_key("two");
    assert!(words(&org.ask_with(&org.good_assertion(), &[]).await).2.starts_with("The client does not have a JWKSet"));
}

/// Seconds since the epoch of the answer's own clock.
fn date(reply: &super::harness::Reply) -> i64 {
    let date = httpdate::parse_http_date(reply.header("date")).unwrap();
    date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

#[tokio::test]
async fn an_org_whose_clock_is_off_checks_times_on_its_own_clock() {
    for offset in [3_600, -3_600] {
        let org = Org::with(DpopMode::Off).await;
        org.simulator.set_clock_offset(offset);
        let wrong = org.ask_with(&org.good_assertion(), &[]).await;
        let words = words(&wrong).2;
        let expected = if offset > 0 { "is expired." } else { "has an expiration too far into the future." };
        assert!(words.ends_with(expected), "{words}");
        let difference = date(&wrong) - now();
        assert!((difference - offset).abs() <= 1, "{difference}");
        assert!((1..=60).contains(&(wrong.number("x-rate-limit-reset") - date(&wrong))));
        let (header, mut claims) = org.assertion();
        for name in ["iat", "exp"] {
            claims[name] = json!(claims[name].as_i64().unwrap() + offset);
        }
        let token = token_of(&org.ask_with(&RSA.sign(&header, &claims), &[]).await);
        assert!((part(&token, 1)["iat"].as_i64().unwrap() - now() - offset).abs() <= 1);
        let page = org.logs(&format!("Bearer {token}"), &[]).await;
        assert_eq!((page.status, (date(&page) - now() - offset).abs() <= 1), (200, true));
        assert!((1..=60).contains(&(page.number("x-rate-limit-reset") - date(&page))));
        // The other clock is put right: the token goes on to live.
        org.simulator.set_clock_offset(0);
        assert_eq!(org.logs(&format!("Bearer {token}"), &[]).await.status, 200);
    }
}

#[tokio::test]
async fn faults_at_the_token_endpoint_are_for_one_request_each() {
    let org = Org::with(DpopMode::Off).await;
    for (kind, status, code) in [
        (FaultKind::Http500, 500, "E0000009"),
        (FaultKind::Http503, 503, "E0000010"),
        (FaultKind::RateLimit, 429, "E0000047"),
    ] {
        org.oauth.inject(kind);
        let failed = org.ask_with(&org.good_assertion(), &[]).await;
        assert_eq!((failed.status, failed.error_code().as_str()), (status, code), "{kind}");
        assert_eq!(org.ask_with(&org.good_assertion(), &[]).await.status, 200, "after {kind}");
    }
    org.oauth.inject(FaultKind::Cut);
    let body = url::form_urlencoded::Serializer::new(String::new());
    let body = { body }.extend_pairs(form(&org.good_assertion(), "okta.logs.read")).finish();
    let request = client().post(org.token_url()).header("content-type", "application/x-www-form-urlencoded").body(body);
    assert!(request.send().await.is_err());
    assert_eq!(org.oauth.token_requests().last().map(|request| request.status), Some(None));
    assert_eq!(org.simulator.request_count(), 0);

    // A token that the System Log refuses by fault is refused as one: no body, and a challenge.
    let token = org.token().await;
    org.simulator.inject(FaultKind::Http401);
    let (status, header) = challenge(&org.logs(&format!("Bearer {token}"), &[]).await);
    assert!(status == 401 && header.contains("error=\"invalid_token\""), "{header}");
}

#[tokio::test]
async fn the_token_endpoint_has_a_bucket_of_its_own() {
    let org = Org::start(OauthConfig { token_rate_limit: 2, dpop: DpopMode::Off, ..OauthConfig::default() }).await;
    let token = org.token().await;
    org.token().await;
    let refused = org.ask_with(&org.good_assertion(), &[]).await;
    assert_eq!((refused.status, refused.error_code().as_str()), (429, "E0000047"));
    assert_eq!((refused.number("x-rate-limit-limit"), refused.number("x-rate-limit-remaining")), (2, 0));
    assert_eq!(org.logs(&format!("Bearer {token}"), &[]).await.status, 200);
    assert!(!org.oauth.token_requests().last().unwrap().in_rate_limit_window, "it could not know");
    org.ask_with(&org.good_assertion(), &[]).await;
    assert!(org.oauth.token_requests().last().unwrap().in_rate_limit_window);
}

#[tokio::test]
async fn an_org_behind_tls_is_known_by_its_own_name() {
    let keys = vec![RegisteredKey::read("one", &RSA.public_pem()).unwrap()];
    let oauth = OauthConfig { client_id: CLIENT_ID.to_owned(), keys, dpop: DpopMode::Off, ..OauthConfig::default() };
    let origin = Some("https://acme.okta.com".to_owned());
    let config = SimulatorConfig { events: 1, origin, oauth: Some(oauth), ..SimulatorConfig::default() };
    let org = Org::of(start(config).await);
    let inner = org.ask_with(&org.good_assertion(), &[]).await;
    assert!(words(&inner).2.starts_with("The audience claim"), "the address that it listens on is not its name");
    let (header, mut claims) = org.assertion();
    claims["aud"] = json!("https://acme.okta.com/oauth2/v1/token");
    let token = token_of(&org.ask_with(&RSA.sign(&header, &claims), &[]).await);
    assert_eq!(part(&token, 1)["iss"], "https://acme.okta.com");
    assert_eq!(org.logs(&format!("Bearer {token}"), &[]).await.status, 200);
    let (_, header) = challenge(&org.logs("Bearer wrong", &[]).await);
    // As captured live: the challenge says `http`.
    assert!(header.contains(r#"realm="http://acme.okta.com""#), "{header}");
}
