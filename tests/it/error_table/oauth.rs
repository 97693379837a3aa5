//! The same for a service app: what the token endpoint refuses, and what the System Log refuses of an access token.

use okta_kafka_source::config::Config;
use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::client::{Client, ClientOptions};
use okta_kafka_source::okta::error::{RequestError, RetryReason};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page_url::PageUrl;
use okta_kafka_source::simulator::{DpopMode, OauthConfig, RegisteredKey, Simulator, SimulatorConfig, VerbatimAnswer};

use super::{LOGS, Means, Reason};
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::{prove, snapshot};

const TOKEN: &str = "/oauth2/v1/token";

/// One refusal.
struct Row {
    name: &'static str,
    at: &'static str,
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// Whether a connector has its page in the end, where this is answered once: the client, or the connector's one
    /// renewal, mends it.
    mended: bool,
    /// Where it is answered again and again.
    means: Means,
}

macro_rules! token_refusals {
    ($(($name:expr, $status:expr, $error:expr, $words:expr, $mended:expr)),+ $(,)?) => {
        [$(Row {
            name: $name,
            at: TOKEN,
            status: $status,
            headers: &[],
            body: concat!(r#"{"error":""#, $error, r#"","error_description":""#, $words, r#""}"#),
            mended: $mended,
            means: Means::Fail,
        }),+]
    };
}

/// What the token endpoint says (Okta's guide for service apps, recorded exchanges, its catalogue of OAuth errors).
const REFUSED_APPS: &[Row] = &token_refusals![
    ("assertion expired", 401, "invalid_client", "The client_assertion token is expired.", true),
    (
        "assertion too long",
        401,
        "invalid_client",
        "The client_assertion token has an expiration too far into the future.",
        true
    ),
    (
        "assertion from the future",
        401,
        "invalid_client",
        "The client_assertion token must be issued before the current time.",
        true
    ),
    ("assertion used", 401, "invalid_client", "The client_assertion token has already been used.", true),
    ("signature", 401, "invalid_client", "The client_assertion signature is invalid.", false),
    ("key id", 401, "invalid_client", "The client_assertion JWT kid is invalid.", false),
    (
        "no key",
        401,
        "invalid_client",
        "The client does not have a JWKSet configured, but the client_assertion requires one.",
        false
    ),
    (
        "audience",
        401,
        "invalid_client",
        "The audience claim for client_assertion must be the endpoint invoked for the request.",
        false
    ),
    ("issuer", 401, "invalid_client", "The issuer claim for client_assertion is not a valid client_id.", false),
    ("client id", 401, "invalid_client", "Invalid value for 'client_id' parameter.", false),
    (
        "client",
        401,
        "invalid_client",
        "Client authentication failed. Either the client or the client credentials are invalid.",
        false
    ),
    (
        "kind of app",
        401,
        "invalid_client",
        "Only clients with 'application_type' of 'service' may use the client_credentials 'grant_type' with the Org Authorization Server.",
        false
    ),
    (
        "kind of authentication",
        401,
        "invalid_client",
        "Client Credentials requests to the Org Authorization Server must use the private_key_jwt token_endpoint_auth_method.",
        false
    ),
    (
        "scope",
        400,
        "invalid_scope",
        "One or more scopes are not configured for the authorization server resource.",
        false
    ),
    ("no scope granted", 400, "consent_required", "You are not allowed any of the requested scopes.", false),
    (
        "grant type",
        400,
        "unsupported_grant_type",
        "The authorization grant type is not supported by the authorization server. Configured grant types: [authorization_code].",
        false
    ),
    (
        "grant type of the app",
        400,
        "unauthorized_client",
        "The client is not authorized to use the provided grant type. Configured grant types: [authorization_code].",
        false
    ),
    (
        "policy",
        401,
        "access_denied",
        "Policy evaluation failed for this request, please check the policy configurations.",
        false
    ),
    ("proof missing", 400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.", true),
    ("proof old", 400, "invalid_dpop_proof", "The DPoP proof JWT is issued more than five minutes in the past.", true),
];

const fn retry(reason: RetryReason, wait: Option<u64>) -> Means {
    Means::Retry { reason: Reason(reason), wait }
}

const TOO_MANY: &str = r#"{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests.","errorLink":"E0000047","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#;

/// What the System Log answers to an access token that it does not take (RFC 6750, section 3), as Okta writes it.
macro_rules! challenge {
    ($error:expr, $words:expr) => {
        (
            "www-authenticate",
            concat!(
                r#"Bearer authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", "#,
                r#"scope="okta.logs.read", error=""#,
                $error,
                r#"", error_description=""#,
                $words,
                r#"", resource="/api/v1/logs""#
            ),
        )
    };
}

/// The token endpoint's own trouble, and what the System Log says of an access token.
const OTHERS: &[Row] = &[
    Row {
        name: "nonce",
        at: TOKEN,
        status: 400,
        headers: &[("dpop-nonce", "BFzRYEMX2pCqwWoqkR7OV5aZZlVOyV7K")],
        body: r#"{"error":"use_dpop_nonce","error_description":"Authorization server requires nonce in DPoP proof."}"#,
        mended: true,
        means: Means::Fail,
    },
    Row {
        name: "window of the token endpoint",
        at: TOKEN,
        status: 429,
        headers: &[
            ("date", "Wed, 27 Jul 2022 15:35:30 GMT"),
            ("x-rate-limit-limit", "10"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1658936188"),
        ],
        body: TOO_MANY,
        mended: false,
        means: retry(RetryReason::RateLimit, Some(59)),
    },
    Row {
        name: "the token endpoint's trouble",
        at: TOKEN,
        status: 500,
        headers: &[],
        body: r#"{"error":"server_error","error_description":"Failed to create the access_token."}"#,
        mended: false,
        means: retry(RetryReason::Http5xx, None),
    },
    Row {
        name: "too many at once at the token endpoint",
        at: TOKEN,
        status: 429,
        headers: &[("x-rate-limit-limit", "0"), ("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1658936188")],
        body: TOO_MANY,
        mended: false,
        means: retry(RetryReason::Concurrency, None),
    },
    Row {
        name: "a token endpoint elsewhere",
        at: TOKEN,
        status: 302,
        headers: &[("location", "https://login.example.com/oauth2/v1/token?x=y")],
        body: "",
        mended: false,
        means: Means::Fail,
    },
    Row {
        name: "no token endpoint",
        at: TOKEN,
        status: 404,
        headers: &[],
        body: r#"{"errorCode":"E0000022","errorSummary":"The endpoint does not support the provided HTTP method","errorLink":"E0000022","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
        mended: false,
        means: Means::Fail,
    },
    Row {
        name: "token invalid",
        at: LOGS,
        status: 401,
        headers: &[challenge!("invalid_token", "The access token is invalid.")],
        body: "",
        mended: true,
        means: Means::Renew,
    },
    Row {
        name: "token expired",
        at: LOGS,
        status: 401,
        headers: &[challenge!("invalid_token", "The token has expired.")],
        body: "",
        mended: true,
        means: Means::Renew,
    },
    Row {
        name: "token invalid, with another status",
        at: LOGS,
        status: 400,
        headers: &[challenge!("invalid_token", "The access token is invalid.")],
        body: "",
        mended: true,
        means: Means::Renew,
    },
    Row {
        name: "token revoked",
        at: LOGS,
        status: 401,
        headers: &[challenge!("invalid_token", "The access token has been revoked.")],
        body: "",
        mended: true,
        means: Means::Renew,
    },
    Row {
        name: "token, in the API's own form",
        at: LOGS,
        status: 401,
        headers: &[],
        body: r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided","errorLink":"E0000011","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
        mended: true,
        means: Means::Renew,
    },
    Row {
        name: "scope missing in the token",
        at: LOGS,
        status: 403,
        headers: &[challenge!("insufficient_scope", "The access token provided does not contain the required scopes.")],
        body: "",
        mended: false,
        means: Means::Fail,
    },
    Row {
        name: "the app's role",
        at: LOGS,
        status: 403,
        headers: &[],
        body: r#"{"errorCode":"E0000006","errorSummary":"You do not have permission to perform the requested action","errorLink":"E0000006","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
        mended: false,
        means: Means::Fail,
    },
    Row {
        name: "a bound token without a proof",
        at: LOGS,
        status: 400,
        headers: &[challenge!("invalid_request", "The resource request requires a DPoP proof.")],
        body: "",
        mended: true,
        means: Means::Fail,
    },
    Row {
        name: "proof used",
        at: LOGS,
        status: 400,
        headers: &[(
            "www-authenticate",
            r#"DPoP algs="RS256 RS384 RS512 ES256 ES384 ES512", authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.logs.read", error="invalid_dpop_proof", error_description="The DPoP proof JWT has already been used.", resource="/api/v1/logs""#,
        )],
        body: "",
        mended: true,
        means: Means::Fail,
    },
];

/// An org with a service app, and the app's credential; a new session each time.
struct App {
    simulator: Simulator,
    key: ServiceKey,
}

impl App {
    async fn start() -> Self {
        let key = ServiceKey::new("kid-1", Kind::P256);
        let keys = vec![RegisteredKey::read("kid-1", &key.public_pem()).unwrap()];
        let oauth = Some(OauthConfig { keys, dpop: DpopMode::Optional, ..OauthConfig::default() });
        let config = SimulatorConfig { events: 3, oauth, ..SimulatorConfig::default() };
        Self { simulator: Simulator::start(config).await.unwrap(), key }
    }

    fn credential(&self) -> Credential {
        let pem = self.key.file(Form::Pkcs8);
        let client_id = OauthConfig::default().client_id;
        let text = format!(
            "kafka: {{bootstrap.servers: 'localhost:1'}}\nconnectors:\n  - name: acme\n    org: {}\n    auth: {{oauth: \
             {{client_id: {client_id}, private_key: '${{env:KEY}}', key_id: kid-1}}}}\n    topic: okta\n",
            self.simulator.url()
        );
        let config = Config::parse(&text, &|name| (name == "KEY").then(|| pem.clone())).unwrap();
        Credential::new(&config.connectors[0].org, &config.connectors[0].auth)
    }

    /// What a connector meets that asks, and asks once more after it renewed its credential.
    async fn ask(&self, row: &Row, times: usize) -> Result<(), RequestError> {
        let answer = VerbatimAnswer::new(row.status, row.body);
        let answer = row.headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value));
        self.ask_and_hear(row.at, answer, times).await
    }

    async fn ask_and_hear(&self, at: &str, answer: VerbatimAnswer, times: usize) -> Result<(), RequestError> {
        let org: Origin = self.simulator.url().parse().unwrap();
        let url = PageUrl::checked(&format!("{org}{LOGS}?since=2026-11-01T00%3A00%3A00.000Z"), &org).unwrap();
        let client = Client::new(org, ClientOptions::default()).unwrap();
        let credential = self.credential();
        for _ in 0..times {
            self.simulator.answer_next(at, answer.clone());
        }
        let first = client.get(&url, &credential).await.result;
        let outcome = match first {
            Err(error) if error.is_unauthorized() => {
                let _ = credential.reload();
                client.get(&url, &credential).await.result
            }
            other => other,
        };
        self.simulator.forget_answers();
        outcome.map(drop)
    }
}

#[tokio::test]
async fn every_refusal_of_a_service_app_means_what_the_table_says() {
    let app = App::start().await;
    let mut text = String::new();
    let mut wrong = Vec::new();
    for row in REFUSED_APPS.iter().chain(OTHERS) {
        let once = app.ask(row, 1).await;
        if once.is_ok() != row.mended {
            wrong.push(format!("{}: answered once: {once:?}", row.name));
        }
        let error = app.ask(row, 20).await.expect_err(row.name);
        let means = Means::of(&error);
        if means != row.means {
            wrong.push(format!("{}: {means}, not {}: {error}", row.name, row.means));
        }
        let says = error.with_advice().replace(app.simulator.url(), "https://acme.okta.com");
        assert!(!says.chars().any(char::is_control), "{says}");
        text += &format!("{} {}\n  asked   {}\n", row.status, row.name, row.at);
        text += &format!("  body    {}\n", if row.body.is_empty() { "(empty)" } else { row.body });
        for (name, value) in row.headers {
            text += &format!("  header  {name}: {value}\n");
        }
        let once = if row.mended { "; answered once, the page comes all the same" } else { "" };
        text += &format!("  means   {means}{once}\n  says    {says}\n\n");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    snapshot::assert("error_table/oauth.snapshot.txt", &text);
    prove::row(
        "error-table-oauth",
        "Every refusal of a service app, its proofs and its tokens is mended, retried or failed as it must be, with what to do",
        &format!(
            "{} answers of token endpoint and System Log, each once and again and again",
            REFUSED_APPS.len() + OTHERS.len()
        ),
        "the table's meaning for each; the operator's words are tests/it/error_table/oauth.snapshot.txt",
    );
}

/// What an org says in another language, or in new words, means the same in the end: words may only have it asked once more.
#[tokio::test]
async fn no_words_decide_what_a_refusal_of_a_service_app_means() {
    let app = App::start().await;
    for row in REFUSED_APPS.iter().chain(OTHERS) {
        let translated = |text: &str, begin: &str| match text.split_once(begin) {
            None => text.to_owned(),
            Some((before, after)) => {
                let (_, rest) = after.split_once('"').expect("the end of a text");
                format!("{before}{begin}Das ging nicht\"{rest}")
            }
        };
        let body = translated(&translated(row.body, r#""error_description":""#), r#""errorSummary":""#);
        let mut answer = VerbatimAnswer::new(row.status, body);
        for (name, value) in row.headers {
            answer = answer.header(name, &translated(value, r#"error_description=""#));
        }
        let error = app.ask_and_hear(row.at, answer, 20).await.expect_err(row.name);
        assert_eq!(Means::of(&error), row.means, "{}: {error}", row.name);
    }
}
