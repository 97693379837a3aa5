//! A service app and its org, for the tests of access tokens.

use okta_kafka_source::simulator::{DpopMode, OauthConfig, OauthControl, RegisteredKey, Simulator, SimulatorConfig};
use openssl::sha::sha256;
use serde_json::{Value, json};

use super::harness::{Reply, client, start};
use super::signer::{Key, RSA, base64url, fresh_id, now};

pub const CLIENT_ID: &str = "0oatest";
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An org with one event, whose app has the key `RSA` under the id `one`.
pub struct Org {
    pub simulator: Simulator,
    pub oauth: OauthControl,
}

impl Org {
    pub async fn start(oauth: OauthConfig) -> Self {
        let keys = vec![RegisteredKey::read("one", &RSA.public_pem()).unwrap()];
        let oauth = OauthConfig { client_id: CLIENT_ID.to_owned(), keys, ..oauth };
        Self::of(start(SimulatorConfig { events: 1, oauth: Some(oauth), ..SimulatorConfig::default() }).await)
    }

    pub fn of(simulator: Simulator) -> Self {
        let oauth = simulator.oauth().unwrap();
        Self { simulator, oauth }
    }

    pub async fn with(dpop: DpopMode) -> Self {
        Self::start(OauthConfig { dpop, ..OauthConfig::default() }).await
    }

    pub fn token_url(&self) -> String {
        format!("{}/oauth2/v1/token", self.simulator.url())
    }

    pub fn logs_url(&self) -> String {
        format!("{}/api/v1/logs", self.simulator.url())
    }

    pub fn assertion(&self) -> (Value, Value) {
        let header = json!({"alg": "RS256", "kid": "one"});
        let claims = json!({"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": self.token_url(), "iat": now(), "exp": now() + 300,
            "jti": fresh_id()});
        (header, claims)
    }

    pub fn good_assertion(&self) -> String {
        let (header, claims) = self.assertion();
        RSA.sign(&header, &claims)
    }

    /// Asks for a token with the parts of a form.
    pub async fn ask(&self, form: &[(&str, &str)], proofs: &[String]) -> Reply {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = client().post(self.token_url()).body(form);
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for proof in proofs {
            request = request.header("dpop", proof);
        }
        reply(request).await
    }

    pub async fn ask_with(&self, assertion: &str, proofs: &[String]) -> Reply {
        self.ask(&form(assertion, "okta.logs.read"), proofs).await
    }

    /// A Bearer token.
    pub async fn token(&self) -> String {
        token_of(&self.ask_with(&self.good_assertion(), &[]).await)
    }

    /// A proof's parts for the token endpoint, without a nonce.
    pub fn proof(&self, key: &Key) -> (Value, Value) {
        let header = json!({"typ": "dpop+jwt", "alg": key.algorithm, "jwk": key.jwk});
        (header, json!({"htm": "POST", "htu": self.token_url(), "iat": now(), "jti": fresh_id()}))
    }

    /// A token that is bound to `key`, got with a nonce that was asked for.
    pub async fn bound_token(&self, key: &Key) -> String {
        let (header, mut claims) = self.proof(key);
        let challenge = self.ask_with(&self.good_assertion(), &[key.sign(&header, &claims)]).await;
        assert_eq!(words(&challenge), (400, "use_dpop_nonce".into(), NONCE.into()));
        claims["nonce"] = json!(challenge.header("dpop-nonce"));
        claims["jti"] = json!(fresh_id());
        let reply = self.ask_with(&self.good_assertion(), &[key.sign(&header, &claims)]).await;
        assert_eq!(reply.json()["token_type"], "DPoP", "{}", reply.text());
        token_of(&reply)
    }

    /// A proof's parts for the System Log.
    pub fn logs_proof(&self, key: &Key, token: &str) -> (Value, Value) {
        let (header, mut claims) = self.proof(key);
        claims["htm"] = json!("GET");
        claims["htu"] = json!(self.logs_url());
        claims["ath"] = json!(base64url(&sha256(token.as_bytes())));
        (header, claims)
    }

    pub async fn logs(&self, authorization: &str, proofs: &[String]) -> Reply {
        let mut request = client().get(format!("{}?limit=1", self.logs_url())).header("authorization", authorization);
        for proof in proofs {
            request = request.header("dpop", proof);
        }
        reply(request).await
    }

    /// Asks for the System Log with a bound token and a good proof of that key.
    pub async fn logs_as(&self, key: &Key, token: &str) -> Reply {
        let (header, claims) = self.logs_proof(key, token);
        self.logs(&format!("DPoP {token}"), &[key.sign(&header, &claims)]).await
    }
}

pub const NONCE: &str = "Authorization server requires nonce in DPoP proof.";

pub fn form<'a>(assertion: &'a str, scope: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ]
}

pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

pub fn token_of(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

/// Status, `error` and `error_description` of the token endpoint.
pub fn words(reply: &Reply) -> (u16, String, String) {
    let body = reply.json();
    assert_eq!(body.as_object().map(|members| members.len()), Some(2), "{body}");
    (reply.status, body["error"].as_str().unwrap().to_owned(), body["error_description"].as_str().unwrap().to_owned())
}

/// Status and challenge of the System Log, whose body is empty.
pub fn challenge(reply: &Reply) -> (u16, String) {
    assert_eq!((reply.text().as_str(), reply.headers.get("content-type")), ("", None));
    (reply.status, reply.header("www-authenticate").to_owned())
}
