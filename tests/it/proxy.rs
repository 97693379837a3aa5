//! Orgs behind a proxy, and with an authority of their own: what gets through, what the proxy sees, what is said when
//! it goes wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::client::{Client, ClientOptions};
use okta_kafka_source::okta::error::{RequestError, Severity};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page_url::PageUrl;
use okta_kafka_source::okta::proxy::{CaFile, Network, NoProxy, Proxy};
use okta_kafka_source::simulator::SimulatorConfig;
use secrecy::SecretString;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connect_proxy::{ConnectProxy, Manner};
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::exactly_once::Difference;
use crate::support::leak::Secret;
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::tls_front::Authority;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);
/// A name that no name server knows: only the proxy does.
const ORG: &str = "https://acme.okta.test";
const TARGET: &str = "acme.okta.test:443";
const TOKEN: &str = "00Wq8nLtXv2RbYk5HsZc7MfPj3GdAu9EoTiVxNh641";
const PASSWORD: &str = "q7Zt4WmXc2LkVb9R";

/// An org that says of itself that it is at [`ORG`].
fn org(events: usize) -> Org {
    let token = Some(TOKEN.to_owned());
    Org::start(SimulatorConfig { events, token, origin: Some(ORG.to_owned()), ..Default::default() })
}

#[test]
fn the_proxy_sees_a_tunnel_and_nothing_in_it() {
    let Some(kafka) = shared_broker() else { return };
    let events = prove::scale(50_000, 2_000);
    let (private, near) = (org(events), Org::with_events(300));
    let authority = Authority::new("corp");
    let front = authority.front("acme.okta.test", private.address());
    let proxy = ConnectProxy::start([(TARGET, front.address())]);
    // `me:` and the password, in Base64.
    let login = format!("Basic {}", base64(format!("me@corp:{PASSWORD}").as_bytes()));
    proxy.set(Manner::TunnelFor(login.clone()));
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    authority.write(&ca);

    let mut acme = private.connector("acme").interval("200ms");
    acme.org = ORG.to_owned();
    let topic = acme.topic.clone();
    let mut config = ConfigYaml::new(kafka.bootstrap()).connector(acme).connector(near.connector("near"));
    config.extra.push(format!("okta_http: {{proxy_url: '${{env:PROXY}}', ca_file: {}}}", utf8(&ca)));
    let with_login = format!("http://me%40corp:{PASSWORD}@{}", proxy.address());
    // Nobody listens where the environment points to: the file's own proxy goes first, and this machine has none.
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let environment =
        [("PROXY", with_login.as_str()), ("HTTPS_PROXY", &nowhere), ("HTTP_PROXY", &nowhere), ("RUST_LOG", "trace")];
    let worker = Connector::spawn(&config, &environment);
    for (name, count) in [("acme", events), ("near", 300)] {
        let _ = worker.await_of(name, "events_committed_total", &[], |value| value == count as f64, WAIT);
    }
    let metrics = worker.http("/metrics").unwrap().body;
    worker.terminate();
    assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));

    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(private.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    let (heads, carried) = (proxy.heads(), proxy.carried());
    for head in &heads {
        assert!(head.starts_with(&format!("CONNECT {TARGET} HTTP/1.1\r\n")), "{head}");
        assert!(
            head.to_ascii_lowercase().contains("\r\nproxy-authorization: basic ") && head.contains(&login),
            "{head}"
        );
        assert!(!head.contains("SSWS"), "{head}");
    }
    // A TLS record of a handshake comes first (RFC 8446, section 5.1).
    assert_eq!(carried[..2], [0x16, 0x03]);
    let token = Secret::new(TOKEN);
    token.must_not_be_in("what the proxy saw", &String::from_utf8_lossy(&carried));
    token.must_not_be_in("the requests to the proxy", &heads.concat());
    let log = worker.log();
    assert!(log.contains("TRACE") && log.contains("asking through a proxy"), "{}", worker.process().tail(20));
    for secret in [&token, &Secret::new(PASSWORD), &Secret::new(login.trim_start_matches("Basic "))] {
        secret.must_not_be_in("the log", &log);
        secret.must_not_be_in("/metrics", &metrics);
    }
    prove::row(
        "proxy",
        "Behind a proxy, the token travels inside the tunnel's TLS only; an org on this machine is asked directly",
        &format!(
            "{events} events through a CONNECT proxy with a login, which keeps all bytes that it sees; a second org on loopback, \
             with HTTPS_PROXY and HTTP_PROXY pointing to nobody; log at TRACE"
        ),
        &format!(
            "{difference}; {} tunnels to `{TARGET}`, {} bytes, all TLS: neither the token in them, nor the proxy's password in \
             {} lines of log",
            heads.len(),
            carried.len(),
            log.lines().count()
        ),
    );
}

#[test]
fn an_authority_of_its_own_is_trusted_once_it_is_named() {
    let Some(kafka) = shared_broker() else { return };
    let private = org(500);
    let authority = Authority::new("corp");
    let front = authority.front("acme.okta.test", private.address());
    let proxy = ConnectProxy::start([(TARGET, front.address())]);
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    // A bundle, with words around the certificates as such files have them.
    let bundle = format!("# the other one\n{}\n# ours\n{}", Authority::new("other").pem(), authority.pem());
    std::fs::write(&ca, bundle).unwrap();
    let mut acme = private.connector("acme").interval("200ms");
    acme.org = ORG.to_owned();
    let topic = acme.topic.clone();
    let mut config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let environment = [("HTTPS_PROXY", &*proxy.url())];

    let file = ConfigFile::new(&config.render());
    let checked = connector::run(&["check", "-c", utf8(&file.path())], &environment, WAIT).stdout;
    let is_told = |line: &str| line.starts_with("FAIL connector `acme`") && line.contains("set `okta_http.ca_file`");
    assert!(checked.lines().any(is_told), "{checked}");

    let worker = Connector::spawn(&config, &environment);
    let is_advice = |line: &str| line.contains("set `okta_http.ca_file`");
    let advice = worker.await_log("what to do", is_advice, WAIT);
    assert!(advice.contains("WARN") && advice.contains("`acme.okta.test`"), "{advice}");
    worker.await_state("acme", "recovering", WAIT);
    let tries = |value: f64| value >= 4.0;
    let _ = worker.await_of("acme", "retries_total", &[("reason", "connection")], tries, WAIT);
    assert!(!worker.log().contains("ERROR"), "{}", worker.process().tail(20));
    assert_eq!(worker.log().lines().filter(|line| is_advice(line)).count(), 1, "the advice is given once");
    worker.terminate();
    let _ = worker.wait(Duration::from_secs(10));
    assert_eq!(private.request_count(), 0, "nothing was asked of who cannot prove what it is");

    config.extra.push(format!("okta_http: {{ca_file: {}}}", utf8(&ca)));
    let file = ConfigFile::new(&config.render());
    let checked = connector::run(&["check", "-c", utf8(&file.path())], &environment, WAIT).stdout;
    assert!(checked.lines().any(|line| line.starts_with("ok   connector `acme`")), "{checked}");
    let worker = Connector::spawn(&config, &environment);
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value == 500.0, WAIT);
    worker.terminate();
    let _ = worker.wait(Duration::from_secs(10));

    // Whoever is named in NO_PROXY is asked directly; here, its name is not even known.
    let heads = proxy.heads().len();
    let worker = Connector::spawn(&config, &[environment[0], ("NO_PROXY", "example.com, .okta.test")]);
    let line =
        worker.await_log("that the name is unknown", |line| line.contains("`org` and this machine's name"), WAIT);
    assert!(line.contains("dns error"), "{line}");
    assert_eq!(proxy.heads().len(), heads);
    drop(worker);

    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(private.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    prove::row(
        "org-ca",
        "An org whose certificate comes from an authority of the company's own is asked once that is named, and not before",
        "500 events of an org behind TLS and a CONNECT proxy (HTTPS_PROXY), first without `okta_http.ca_file`, then with a bundle",
        &format!(
            "without: no request, one warning that names `okta_http.ca_file`, `recovering`; with: {difference}; with NO_PROXY the \
             proxy is not asked"
        ),
    );
}

/// What a client is told when there is no way to the org, and whether asking again can help.
#[test]
fn every_way_to_fail_says_what_to_do() {
    let private = org(10);
    let (authority, unknown) = (Authority::new("corp"), Authority::new("nobody's"));
    let plain = private.address();
    let good = authority.front("acme.okta.test", plain);
    let by_unknown = unknown.front("acme.okta.test", plain);
    let expired = authority.expired_front("acme.okta.test", plain);
    let other_name = authority.front("other.okta.test", plain);
    let through = |behind: SocketAddr, manner: Manner| {
        let proxy = ConnectProxy::start([(TARGET, behind)]);
        proxy.set(manner);
        proxy
    };
    let nobody = format!("127.0.0.1:{}", free_port());
    let login = |proxy: &ConnectProxy| format!("http://me:wrong@{}", proxy.address());
    let wants_login = through(good.address(), Manner::TunnelFor("Basic no".to_owned()));
    let forbids = through(good.address(), Manner::Answer("403 Forbidden", ""));
    let cannot = through(good.address(), Manner::Answer("502 Bad Gateway", ""));
    let redirects = through(good.address(), Manner::Answer("302 Found", "location: http://127.0.0.1:1/\r\n"));
    let closes = through(good.address(), Manner::Close);
    let stalls = through(good.address(), Manner::Stall);
    let impostor = through(good.address(), Manner::Impostor);
    let [of_unknown, of_expired, of_other, of_plain] =
        [by_unknown.address(), expired.address(), other_name.address(), plain].map(|at| through(at, Manner::Tunnel));
    // A proxy that is reached by TLS itself.
    let inner = through(good.address(), Manner::Tunnel);
    let tls_proxy = authority.front("localhost", inner.address());
    let unknown_tls_proxy = unknown.front("localhost", inner.address());
    let by_tls = |front: SocketAddr| format!("https://localhost:{}", front.port());

    let fatal = "fatal";
    for (name, org, proxy, reason, parts) in [
        ("good", ORG, Some(through(good.address(), Manner::Tunnel).url()), "none", &[][..]),
        ("by TLS", ORG, Some(by_tls(tls_proxy.address())), "none", &[]),
        (
            "nobody there",
            ORG,
            Some(format!("http://{nobody}")),
            "connection",
            &[&*nobody, "check the proxy's name", "NO_PROXY"],
        ),
        (
            "unknown name",
            ORG,
            Some("http://proxy.okta.test:3128".to_owned()),
            "connection",
            &["dns error", "check the proxy's name"],
        ),
        ("login", ORG, Some(wants_login.url()), fatal, &["wants a login (407)", "`okta_http.proxy_url`"]),
        ("wrong login", ORG, Some(login(&wants_login)), fatal, &["refuses our login (407)", "`okta_http.proxy_url`"]),
        (
            "403",
            ORG,
            Some(forbids.url()),
            "connection",
            &["refused the tunnel with 403 Forbidden", "allow CONNECT to `acme.okta.test:443`"],
        ),
        ("502", ORG, Some(cannot.url()), "connection", &["refused the tunnel with 502 Bad Gateway", "allow CONNECT"]),
        ("302", ORG, Some(redirects.url()), "connection", &["refused the tunnel with 302 Found", "allow CONNECT"]),
        (
            "closes",
            ORG,
            Some(closes.url()),
            "connection",
            &["through the proxy", "unexpected end of file", "allow CONNECT"],
        ),
        ("stalls", ORG, Some(stalls.url()), "timeout", &["no connection within 1.5 s", "check that the proxy"]),
        ("impostor", ORG, Some(impostor.url()), "connection", &["speaks TLS"]),
        ("unknown authority", ORG, Some(of_unknown.url()), "connection", &["UnknownIssuer", "set `okta_http.ca_file`"]),
        ("expired", ORG, Some(of_expired.url()), "connection", &["expired", "renewed"]),
        ("other name", ORG, Some(of_other.url()), "connection", &["other.okta.test", "check the host name in `org`"]),
        ("no TLS", ORG, Some(of_plain.url()), "connection", &["speaks TLS"]),
        (
            "proxy's authority",
            ORG,
            Some(by_tls(unknown_tls_proxy.address())),
            "connection",
            &["of the proxy `https://localhost:", "set `okta_http.ca_file`"],
        ),
        ("no such name", ORG, None, "connection", &["dns error", "host name in `org`", "`okta_http.proxy_url`"]),
        (
            "refused here",
            &format!("https://{nobody}"),
            None,
            "connection",
            &["check `org`, and that something listens"],
        ),
    ] {
        let network = Network {
            proxy: proxy.map(|proxy| Proxy::parse(&proxy, "okta_http.proxy_url").unwrap()),
            no_proxy: NoProxy::default(),
            ca: Some(CaFile { certificates: Arc::new(vec![authority.der()]) }),
        };
        let result = ask(org, network);
        let (found, said) = match &result {
            None => ("none", String::new()),
            Some(error) => match error.severity() {
                Severity::Retriable { reason, .. } => (reason.as_str(), error.with_advice()),
                Severity::Fatal => (fatal, error.to_string()),
            },
        };
        println!("{name}: {said}");
        assert_eq!(found, reason, "{name}: {said}");
        for part in parts {
            assert!(said.contains(part), "{name}: no `{part}` in {said}");
        }
        assert!(!said.contains("wrong@") && !said.contains(TOKEN), "{name}: {said}");
    }
    assert_eq!(
        private.request_count(),
        2,
        "the token went to the org by the two ways that are good, and to nobody else"
    );
    for proxy in [&wants_login, &forbids, &cannot, &redirects, &closes, &stalls, &impostor, &inner] {
        let seen = proxy.heads().concat() + &String::from_utf8_lossy(&proxy.carried());
        assert!(!seen.contains(TOKEN) && !seen.contains("SSWS"), "{seen}");
        assert!(!proxy.heads().is_empty());
    }
}

/// One request of a client with a short patience.
fn ask(org: &str, network: Network) -> Option<RequestError> {
    let org: Origin = org.parse().unwrap();
    let options = ClientOptions { connect_timeout: Duration::from_millis(1500), network, ..ClientOptions::default() };
    let client = Client::new(org.clone(), options).unwrap();
    let shown = format!("{client:?}");
    assert!(!shown.contains("wrong"), "{shown}");
    let url = PageUrl::checked(&format!("{org}/api/v1/logs?limit=10"), &org).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.get(&url, &Credential::ssws(SecretString::from(TOKEN)).unwrap())).result.err()
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, index| bits << 8 | u32::from(*chunk.get(index).unwrap_or(&0)));
        for place in 0..4 {
            let is_filled = place <= chunk.len();
            text.push(if is_filled { ALPHABET[(bits >> (18 - 6 * place) & 63) as usize] as char } else { '=' });
        }
    }
    text
}
