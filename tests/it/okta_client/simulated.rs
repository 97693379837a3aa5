//! The same against the simulated org, whose code shares nothing with ours: it checks every assertion and every proof.

use std::time::Duration;

use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::error::{RetryReason, Severity};
use okta_kafka_source::simulator::{
    DpopMode, FaultKind, OauthConfig, OauthControl, RegisteredKey, Simulator, SimulatorConfig,
};

use super::oauth::auth_with;
use super::{Client, Origin, Outcome, options, url};
use crate::support::prove;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::until::until;

const CLIENT_ID: &str = "0oa1simulated2app3x7";

/// An org, a client, and the app's credential.
struct App {
    simulator: Simulator,
    control: OauthControl,
    client: Client,
    org: Origin,
    credential: Credential,
}

impl App {
    /// `more`: further keys of `auth.oauth`, as `, dpop: true`.
    async fn start(key: &ServiceKey, more: &str, oauth: OauthConfig, config: SimulatorConfig) -> Self {
        let public = RegisteredKey::read(key.key_id(), &key.public_pem()).unwrap();
        let oauth = OauthConfig { client_id: CLIENT_ID.to_owned(), keys: vec![public], ..oauth };
        let simulator = Simulator::start(SimulatorConfig { oauth: Some(oauth), events: 3, ..config }).await.unwrap();
        let org: Origin = simulator.url().parse().unwrap();
        let file = key.file(Form::Jwk);
        let auth = auth_with(CLIENT_ID, "${env:KEY}", more, &move |name| (name == "KEY").then(|| file.clone()));
        let client = Client::new(org.clone(), options()).unwrap();
        let credential = Credential::new(&org, &auth);
        let control = simulator.oauth().unwrap();
        Self { simulator, control, client, org, credential }
    }

    async fn dpop(mode: DpopMode, more: &str) -> Self {
        let oauth = OauthConfig { dpop: mode, ..OauthConfig::default() };
        Self::start(&ServiceKey::new("kid-1", Kind::P256), more, oauth, SimulatorConfig::default()).await
    }

    async fn get(&self) -> Outcome {
        self.client.get(&url(&self.org, "limit=10"), &self.credential).await
    }

    async fn page(&self) {
        let outcome = self.get().await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }

    /// Tokens issued, and requests to the token endpoint.
    fn counts(&self) -> (usize, usize) {
        (self.control.counters().tokens_issued, self.control.token_requests().len())
    }
}

#[tokio::test]
async fn every_setting_meets_every_org() {
    for (mode, more, requests) in [
        (DpopMode::Off, "", Some(1)),
        // RFC 9449, section 5: no Bearer token for who wants a bound one.
        (DpopMode::Off, ", dpop: true", None),
        (DpopMode::Off, ", dpop: false", Some(1)),
        (DpopMode::Optional, "", Some(1)),
        (DpopMode::Optional, ", dpop: true", Some(2)),
        // Without a proof; then with one, and without a nonce; then with both.
        (DpopMode::Required, "", Some(3)),
        (DpopMode::Required, ", dpop: true", Some(2)),
        (DpopMode::Required, ", dpop: false", None),
    ] {
        let app = App::dpop(mode, more).await;
        let outcome = app.get().await;
        assert_eq!(outcome.result.is_ok(), requests.is_some(), "{mode:?} {more}: {outcome:?}");
        let Some(requests) = requests else { continue };
        app.page().await;
        assert_eq!(app.counts(), (1, requests), "{mode:?} {more}");
        assert_eq!(app.control.counters().refused_tokens.len(), 0, "{mode:?} {more}");
    }
}

#[tokio::test]
async fn nonces_are_rotated_and_no_request_fails() {
    let app = App::dpop(DpopMode::Required, "").await;
    app.control.set_resource_nonce(true);
    for old_ones_taken in [true, false, false] {
        app.page().await;
        app.control.rotate_nonce(old_ones_taken);
        app.page().await;
        app.control.revoke_tokens();
        let refused = app.get().await.result.expect_err("revoked");
        assert!(refused.is_unauthorized(), "{refused}");
        app.page().await;
    }
    assert_eq!(app.counts().0, 4);
}

#[tokio::test]
async fn an_org_that_comes_to_want_proofs_gets_them() {
    let app = App::dpop(DpopMode::Optional, "").await;
    app.page().await;
    app.control.set_dpop(DpopMode::Required);
    app.control.revoke_tokens();
    assert!(app.get().await.result.is_err_and(|error| error.is_unauthorized()));
    app.page().await;
    // And no more, in the end.
    app.control.set_dpop(DpopMode::Off);
    app.control.revoke_tokens();
    assert!(app.get().await.result.is_err_and(|error| error.is_unauthorized()));
    app.page().await;
}

#[tokio::test]
async fn a_clock_that_is_off_costs_one_request_and_none_later() {
    for (mode, offset) in [
        (DpopMode::Off, 3_600),
        (DpopMode::Off, -3_600),
        (DpopMode::Required, 3_600),
        (DpopMode::Required, -3_600),
        (DpopMode::Required, -86_400),
        (DpopMode::Off, -90),
        (DpopMode::Off, 240),
    ] {
        let app = App::dpop(mode, "").await;
        app.simulator.set_clock_offset(offset);
        app.page().await;
        let (_, requests) = app.counts();
        assert!(requests <= if mode == DpopMode::Off { 2 } else { 4 }, "{mode:?} {offset}: {requests}");
        // The org's clock jumps: the next answer teaches it, and at most one request is signed by the old one.
        app.simulator.set_clock_offset(0);
        app.page().await;
        app.page().await;
        app.control.revoke_tokens();
        assert!(app.get().await.result.is_err());
        app.page().await;
        let refused = app.control.counters().refused_assertions.clone();
        assert!(refused.values().sum::<usize>() <= 1, "{mode:?} {offset}: {refused:?}");
    }
    prove::row(
        "oauth-clock",
        "A clock that is a day off does not keep a service app out, nor one of the org's that jumps",
        "7 differences of the clocks, from a day behind to an hour ahead, with and without DPoP, at the simulated org",
        "no request for events failed; at most one assertion was refused, the first, and it was signed anew at once",
    );
}

/// Servers of an org do not agree on the second, nor does `Date` say more.
#[tokio::test]
async fn a_server_that_is_seconds_behind_refuses_nothing() {
    for (mode, requests) in [(DpopMode::Off, 1), (DpopMode::Required, 3)] {
        let app = App::dpop(mode, "").await;
        app.simulator.set_clock_offset(-3);
        app.page().await;
        let refused = app.control.counters().refused_assertions.clone();
        assert_eq!((app.counts(), refused.values().sum::<usize>()), ((1, requests), 0), "{mode:?}: {refused:?}");
    }
}

#[tokio::test]
async fn the_endpoints_troubles_are_told_from_refusals() {
    let app = App::dpop(DpopMode::Off, "").await;
    app.control.inject(FaultKind::Http500);
    let error = app.get().await.result.expect_err("a fault");
    assert!(matches!(error.severity(), Severity::Retriable { reason: RetryReason::Http5xx, .. }), "{error}");
    // Connectors that ask within the rest are told the same, and nobody is asked.
    let (_, requests) = app.counts();
    assert!(app.get().await.result.is_err());
    assert_eq!(app.counts().1, requests);
    let page = async || app.get().await.result.ok();
    let _ = until("a page after the rest", Duration::from_secs(10), page).await;
}

#[tokio::test]
async fn what_an_administrator_did_is_told_in_his_terms() {
    let key = ServiceKey::new("kid-1", Kind::Rsa);
    type Act = fn(&OauthControl);
    let acts: [(Act, &[&str]); 4] = [
        (|control| assert!(control.remove_key("kid-1")), &["`kid-1`", "Client Credentials"]),
        (|control| control.set_active(false), &["`client_id`", CLIENT_ID, "active"]),
        (|control| control.set_scopes(["okta.users.read"]), &["`okta.logs.read`", "Okta API Scopes"]),
        (
            |control| {
                let other = ServiceKey::new("kid-1", Kind::Rsa);
                control.register_key(RegisteredKey::read("kid-1", &other.public_pem()).unwrap());
            },
            &["does not belong to the KID `kid-1`"],
        ),
    ];
    for (act, parts) in acts {
        let app = App::start(&key, "", OauthConfig::default(), SimulatorConfig::default()).await;
        act(&app.control);
        let error = app.get().await.result.expect_err("refused");
        assert_eq!(error.severity(), Severity::Fatal, "{error}");
        let error = error.to_string();
        assert!(parts.iter().all(|part| error.contains(part)) && !error.contains("eyJ"), "{parts:?}: {error}");
    }
}

#[test]
fn i9_nothing_that_is_signed_or_given_is_in_a_log_not_even_at_trace() {
    let text = super::log_of(async {
        let app = App::dpop(DpopMode::Required, "").await;
        app.page().await;
        app.control.revoke_tokens();
        let refused = app.get().await.result;
        tracing::trace!(?refused, credential = ?app.credential, "asked");
        app.page().await;
    });
    // Assertions, proofs and access tokens are JSON Web Tokens, and begin so.
    let at = text.find("eyJ").map(|at| &text[at.saturating_sub(200)..(at + 60).min(text.len())]);
    assert_eq!(at, None);
    assert!(text.contains(CLIENT_ID) && !text.contains("client_assertion="));
}
