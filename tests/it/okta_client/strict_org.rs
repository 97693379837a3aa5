//! The client and the simulated org, which checks every signature: whatever the org's reading of what is not known of
//! Okta, and whatever changes under way, no request for events fails.

use std::time::Duration;

use okta_kafka_source::config::Config;
use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::error::RequestError;
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::simulator::{DpopMode, OauthConfig, OauthCounters, RegisteredKey, Simulator, SimulatorConfig};

use super::{Client, options, url};
use crate::support::prove;
use crate::support::service_key::{Form, Kind, ServiceKey};

/// How an org may be.
#[derive(Clone, Copy, Debug)]
struct Reading {
    dpop: DpopMode,
    /// The client's own setting.
    client: &'static str,
    resource_nonce: bool,
    clock_offset_seconds: i64,
}

/// What a client learns by: the first answer, and one for each thing that changed.
fn lessons(counters: &OauthCounters) -> Vec<(&str, usize)> {
    let reasons = [&counters.refused_assertions, &counters.refused_proofs, &counters.refused_tokens];
    let all = reasons.into_iter().flatten().map(|(reason, times)| (reason.as_str(), *times));
    all.chain(counters.refused_requests.iter().map(|(reason, times)| (reason.as_str(), *times))).collect()
}

#[tokio::test]
async fn no_request_fails_under_any_reading_and_whatever_changes() {
    use DpopMode::{Off, Optional, Required};
    let (keys, mut asked, mut repeated, mut orgs) = (Keys::new(), 0, 0, 0);
    for (dpop, client) in
        [(Off, "auto"), (Optional, "auto"), (Optional, "true"), (Required, "auto"), (Required, "true")]
    {
        for resource_nonce in [false, true] {
            for clock_offset_seconds in [0, 3_600, -3_600] {
                let reading = Reading { dpop, client, resource_nonce, clock_offset_seconds };
                let (times, again) = through(&keys, reading).await;
                (asked, repeated) = (asked + times, repeated + again);
                orgs += 1;
            }
        }
    }
    prove::row(
        "oauth-readings",
        "No request for events fails, however strictly the org reads what is not known of Okta",
        &format!(
            "{orgs} orgs: DPoP off, optional or required, nonces at the System Log or not, clocks an hour off either way; in \
             each, nonces replaced with and without grace, tokens revoked, the clock set right, tokens that end"
        ),
        &format!(
            "{asked} requests had their page: {} at the first asking, {repeated} at the second, as a connector asks again after a token \
             was revoked or ended",
            asked - repeated
        ),
    );
}

struct Keys {
    service: ServiceKey,
    pem: String,
}

impl Keys {
    fn new() -> Self {
        let service = ServiceKey::new("kid-1", Kind::Rsa);
        Self { pem: service.file(Form::Pkcs8), service }
    }
}

/// Asks an org of this reading through all that may change. Returns for how many pages it asked, and for how many of them
/// twice.
async fn through(keys: &Keys, reading: Reading) -> (usize, usize) {
    let oauth = OauthConfig {
        client_id: "0oa1test".to_owned(),
        keys: vec![RegisteredKey::read(keys.service.key_id(), &keys.service.public_pem()).unwrap()],
        dpop: reading.dpop,
        resource_nonce: reading.resource_nonce,
        ..OauthConfig::default()
    };
    let clock_offset_seconds = reading.clock_offset_seconds;
    let config = SimulatorConfig { events: 3, oauth: Some(oauth), clock_offset_seconds, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config).await.unwrap();
    let oauth = simulator.oauth().unwrap();
    let text = format!(
        "kafka: {{bootstrap.servers: 'localhost:1'}}\nconnectors:\n  - name: acme\n    org: https://acme.okta.com\n    auth: \
         {{oauth: {{client_id: 0oa1test, key_id: kid-1, private_key: '${{env:KEY}}', dpop: {}}}}}\n    topic: okta\n",
        reading.client
    );
    let config = Config::parse(&text, &|name| (name == "KEY").then(|| keys.pem.clone())).unwrap();
    let org: Origin = simulator.url().parse().unwrap();
    let client = Client::new(org.clone(), options()).unwrap();
    let credential = Credential::new(&org, &config.connectors[0].auth);
    let (mut asked, mut repeated) = (0, 0);
    let mut ask = async |what: &str| {
        asked += 1;
        let mut outcome = client.get(&url(&org, "limit=2"), &credential).await;
        // A token that ended or was revoked: the task asks again at once, once, and so does this.
        if matches!(outcome.result, Err(RequestError::Unauthorized { .. })) && what.contains("token") {
            repeated += 1;
            outcome = client.get(&url(&org, "limit=2"), &credential).await;
        }
        assert!(outcome.result.is_ok(), "{reading:?}, {what}: {outcome:?}\n{:?}", oauth.counters());
    };
    ask("the first").await;
    ask("the second").await;
    for old_ones_taken in [true, false] {
        oauth.rotate_nonce(old_ones_taken);
        ask("after a new nonce").await;
    }
    oauth.revoke_tokens();
    ask("after the tokens were revoked").await;
    simulator.set_clock_offset(clock_offset_seconds / 2 - 1_000);
    ask("after the clock was set").await;
    oauth.revoke_tokens();
    ask("for a token on the new clock").await;
    // Of one second, it might be over when it comes.
    oauth.set_token_life(Duration::from_secs(2));
    oauth.revoke_tokens();
    ask("for a token of two seconds").await;
    ask("with a token that may have ended").await;

    let counters = oauth.counters();
    // Each lesson is one that this org teaches, and none is taught more often than there is something new to learn.
    for (reason, times) in lessons(&counters) {
        let allowed = match reason {
            "The DPoP proof JWT header is missing." => 1,
            "The access token has been revoked." => 3,
            // The clock at the start and where it was set, at each endpoint.
            reason if reason.contains("expir") || reason.contains("issued") || reason.contains("current time") => 4,
            _ => 0,
        };
        assert!(times <= allowed, "{reading:?}: {counters:?}");
    }
    simulator.shutdown().await;
    (asked, repeated)
}
