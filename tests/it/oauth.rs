//! OAUTHBEARER with OIDC client credentials, against a broker that checks signature, issuer, audience and time of each token.

use std::time::Duration;

use crate::support::connect_proxy::{ConnectProxy, Manner};
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::identity_provider::{CLIENT_SECRET, ODD_ID, ODD_SECRET};
use crate::support::leak::Secret;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::secure_broker::{PASSWORD, SCRAM, SecureBroker};
use crate::support::tls_front::Authority;
use crate::support::topics::{Isolation, read_all};
use crate::tls::{command, works};
use crate::tls_errors::{Mistake, each_is_named, with};

const WAIT: Duration = Duration::from_secs(60);

/// The answer of `offsets list` to whoever was let in, before any `run`.
const LOGGED_IN: &str = "it is created by the first `run`";

/// Neither the client's secret nor a token is anywhere, however much is logged.
#[test]
fn secrets_are_in_no_log() {
    let Some(broker) = SecureBroker::shared() else { return };
    let org = Org::with_events(120);
    for config in [broker.oauth(&broker.provider.url("/token")), broker.scram(SCRAM)] {
        let config = config.kafka("debug: all").connector(org.connector("acme").interval("200ms"));
        let worker = Connector::spawn(&config, &[("RUST_LOG", "trace")]);
        let _ = worker.await_of("acme", "events_committed_total", &[], |value| value == 120.0, WAIT);
        let output = command(&config, &["offsets", "list"], &[("RUST_LOG", "trace")]);
        worker.terminate();
        let _ = worker.wait(WAIT);
        let tokens = broker.provider.tokens();
        // A token's head is the same for all, so only what comes after it is secret.
        let tokens = tokens.iter().map(|token| token.rsplit('.').next().unwrap());
        assert!(worker.log().contains("sasl.mechanism"), "this is not TRACE");
        for secret in tokens.chain([CLIENT_SECRET, PASSWORD]) {
            let secret = Secret::new(secret);
            secret.must_not_be_in("the log", &worker.log());
            secret.must_not_be_in("the command's log", &output.stderr);
        }
    }
}

/// Each is named by `run` and by a command, as mistakes of TLS are.
#[test]
fn each_mistake_is_named_with_what_to_do() {
    let Some(broker) = SecureBroker::shared() else { return };
    let provider = &broker.provider;
    let at = |path: &str| broker.oauth(&provider.url(path));
    let mistake = |name, config, says| Mistake { name, config, says };
    const WRONG_SECRET: &str = "Pf8cKw3nXt6ZsVb1LmQy9GhRjD2e";
    let mistakes = [
        mistake(
            "wrong secret",
            with(
                at("/token"),
                "sasl.oauthbearer.client.secret",
                &format!("sasl.oauthbearer.client.secret: {WRONG_SECRET}"),
            ),
            &["refuses the client (401 invalid_client)", "check `sasl.oauthbearer.client.id`"],
        ),
        mistake(
            "wrong scope",
            with(at("/token"), "sasl.oauthbearer.scope", "sasl.oauthbearer.scope: other"),
            &["refuses the request (400 invalid_scope)", "check `sasl.oauthbearer.scope`"],
        ),
        mistake("wrong path", at("/tokens"), &["is no token endpoint (it answers 404)", "token.endpoint.url`"]),
        mistake(
            "a login page",
            at("/token/login-page"),
            &["is no token endpoint (the answer is no JSON", "token.endpoint.url`"],
        ),
        mistake(
            "busy",
            at("/token/busy"),
            &["can't be reached (it answers 503)", "check how the identity provider is"],
        ),
        mistake(
            "nobody there",
            broker.oauth("http://127.0.0.1:9/token"),
            &["`http://127.0.0.1:9/token` can't be reached", "check `sasl.oauthbearer.token.endpoint.url`"],
        ),
        mistake(
            "unknown authority of the endpoint",
            broker.oauth(&provider.https_url("/token")),
            &["can't be reached", "certificate", "`https.ca.location`"],
        ),
        mistake(
            "token for another audience",
            at("/token/of-another-audience"),
            &["refuses the token", "check that it is for the audience"],
        ),
    ];
    let _ = each_is_named(&mistakes, &[CLIENT_SECRET, WRONG_SECRET]);
}

/// A header that is form-encoded where that is asked for, a name of this machine that no name server is asked for, and a
/// token that says it holds for ever.
#[test]
fn ways_to_ask_for_a_token() {
    let Some(broker) = SecureBroker::shared() else { return };
    let at = |url: &str| broker.oauth(&url.replace("127.0.0.1", "idp.localhost"));
    let odd = with(
        at(&broker.provider.url("/token/encoded")),
        "sasl.oauthbearer.client.id",
        &format!("sasl.oauthbearer.client.id: '{ODD_ID}'"),
    );
    let odd = with(odd, "sasl.oauthbearer.client.secret", &format!("sasl.oauthbearer.client.secret: '{ODD_SECRET}'"));
    for (name, config, says) in [
        ("plain", at(&broker.provider.url("/token")), LOGGED_IN),
        ("not encoded", odd.clone(), "refuses the client (401 invalid_client)"),
        ("encoded", odd.kafka("sasl.oauthbearer.header.urlencode: true"), LOGGED_IN),
        ("for ever", at(&broker.provider.url("/token/for-ever")), LOGGED_IN),
    ] {
        // Whatever the environment says, nobody is asked for a way to this machine.
        let output = command(&config, &["offsets", "list"], &[("HTTPS_PROXY", "http://127.0.0.1:9")]);
        assert!(output.code() == 1 && output.stderr.contains(says), "{name}: {output:?}");
        Secret::new(ODD_SECRET).must_not_be_in("the error", &output.stderr);
    }
}

/// As for an org: the key, else the environment; and only TLS is in the tunnel.
#[test]
fn the_token_endpoint_is_asked_through_the_proxy() {
    let Some(broker) = SecureBroker::shared() else { return };
    let authority = Authority::new("corp");
    let plain = broker.provider.url("");
    let front = authority.front("id.example.test", plain.trim_start_matches("http://").parse().unwrap());
    let proxy = ConnectProxy::start([("id.example.test:443", front.address())]);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    authority.write(&ca);
    let config = broker.oauth("https://id.example.test/token").kafka(&format!("https.ca.location: {}", ca.display()));
    let mut by_key = config.clone();
    by_key.extra.push(format!("okta_http: {{proxy_url: '{}'}}", proxy.url()));
    let (url, refused) = (proxy.url(), "http://127.0.0.1:9");
    for (config, environment) in [(&by_key, [("HTTPS_PROXY", refused)]), (&config, [("ALL_PROXY", url.as_str())])] {
        let output = command(config, &["offsets", "list"], &environment);
        assert!(output.code() == 1 && output.stderr.contains(LOGGED_IN), "{output:?}");
    }
    assert_eq!(proxy.heads().len(), 2);
    assert!(proxy.heads().iter().all(|head| head.starts_with("CONNECT id.example.test:443 ")), "{:?}", proxy.heads());
    assert!(proxy.carried().len() > 1000);
    Secret::new(CLIENT_SECRET).must_not_be_in("the tunnel", &String::from_utf8_lossy(&proxy.carried()));

    proxy.set(Manner::TunnelFor("Basic bm9ib2R5".to_owned()));
    let with_login = format!("http://me:{PASSWORD}@{}", proxy.address());
    for (environment, code, says) in [
        ([("HTTPS_PROXY", with_login.as_str())], 1, "refuses ours (407), on the way to the token endpoint"),
        ([("HTTPS_PROXY", refused)], 1, "check that the proxy `http://127.0.0.1:9` (of HTTPS_PROXY) runs"),
        ([("HTTPS_PROXY", "socks5://127.0.0.1:9")], 2, "a SOCKS proxy is not supported"),
    ] {
        let output = command(&config, &["offsets", "list"], &[environment[0], ("NO_PROXY", "acme.okta.com")]);
        assert!(output.code() == code && output.stderr.contains(says), "{output:?}");
        Secret::new(PASSWORD).must_not_be_in("the error", &output.stderr);
    }
}

/// What was no file of authorities may become one: the next try reads it.
#[test]
fn a_mended_authority_of_the_endpoint_is_noticed() {
    let Some(broker) = SecureBroker::shared() else { return };
    let org = Org::with_events(10);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let config = broker
        .oauth(&broker.provider.https_url("/token"))
        .kafka(&format!("https.ca.location: {}", ca.display()))
        .connector(org.connector("acme").interval("200ms"));
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_log("what to check", |line| line.contains("check `https.ca.location`"), WAIT);
    let _ = std::fs::copy(broker.authority.path(), &ca).unwrap();
    worker.await_caught_up(&org, "acme", WAIT);
    worker.terminate();
    assert_eq!(worker.wait(WAIT).code(), Some(0));
}

#[test]
fn every_command_logs_in_with_a_token() {
    let Some(broker) = SecureBroker::shared() else { return };
    let done = works(&broker, &broker.oauth(&broker.provider.url("/token")), &[]);
    assert!(done.contains("kill -9"));
}

/// Nobody sends anything, and the tokens run out, one after the other.
#[test]
fn tokens_are_renewed_while_it_is_idle() {
    let Some(broker) = SecureBroker::start() else { return };
    // Short, so that what is not renewed breaks. The last 30 % are what a busy machine may be late by without a word in the log.
    let life = prove::scale(20, 5);
    broker.provider.set_life(life);
    let org = Org::with_events(220);
    let config = broker
        .oauth(&broker.provider.https_url("/token"))
        .kafka(&format!("https.ca.location: {}", broker.authority.path().display()))
        .connector(org.connector("acme").interval("200ms"));
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let lives = prove::scale(10, 3);
    // A token is renewed after 70 % of its life.
    broker.provider.await_tokens(lives * 3 / 2, Duration::from_secs_f64((life * lives) as f64 * 1.5) + WAIT);
    org.generate(150);
    worker.await_caught_up(&org, "acme", WAIT);
    let _ = worker.await_http("/readyz", 200, WAIT);
    let log = worker.log();
    assert!(!log.contains("fenced"), "{log}");
    if prove::full() {
        assert!(!log.contains("ERROR") && !log.contains("token"), "{log}");
    }

    // The endpoint refuses: the last token runs out, which is said, and passes when there are tokens again.
    broker.provider.set_refuses(true);
    // Before it tells why, the client may tell that a broker let a login without a token go unanswered.
    let says = "refuses the client (401 invalid_client): check `sasl.oauthbearer.client.id`";
    let told = || worker.http("/readyz").filter(|ready| ready.status == 503 && ready.body.contains(says));
    let told = worker.process().poll(WAIT, told);
    assert!(told.is_some(), "{:?}", worker.http("/readyz").map(|ready| ready.body));
    broker.provider.set_refuses(false);
    let _ = worker.await_http("/readyz", 200, WAIT);
    org.generate(130);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(&broker.broker.bootstrap(), &config.connectors[0].topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    worker.terminate();
    assert_eq!(worker.wait(WAIT).code(), Some(0));
    prove::row(
        "oauthbearer",
        "SASL/OAUTHBEARER with OIDC client credentials, renewed also when idle",
        &format!(
            "tokens of {life} s, checked by the broker; {lives} of their lives without an event; then the token \
             endpoint refuses for longer than one"
        ),
        &format!("{} tokens; no error while idle, each event once", broker.provider.tokens().len()),
    );
}
