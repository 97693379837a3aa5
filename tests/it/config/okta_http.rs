//! `okta_http`, and what the environment says of proxies.

use okta_kafka_source::config::{Config, ConfigError};
use okta_kafka_source::okta::origin::Origin;
use secrecy::ExposeSecret;

use super::{MINIMAL, SECRET, assert_one, env, valid, with_top};
use crate::support::connector::utf8;
use crate::support::tls_front::Authority;

fn acme() -> Origin {
    "https://acme.okta.com".parse().expect("an origin")
}

/// The proxy of acme, and where it was named.
fn proxy_of(config: &Config) -> Option<(String, &'static str)> {
    config.okta_http.proxy_for(&acme()).map(|proxy| (proxy.to_string(), proxy.named_by()))
}

fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let given = |name: &str| {
        variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()).or_else(|| env(name))
    };
    Config::parse_at(text, &given, "2026-11-01T00:00:00Z".parse().expect("a time"))
}

#[test]
fn the_default_is_no_proxy_and_no_authority_more() {
    for text in [MINIMAL.to_owned(), with_top("okta_http: {proxy_url: '', ca_file: ''}")] {
        let config = valid(&text);
        assert!(config.okta_http.proxy.is_none() && config.okta_http.ca.is_none());
    }
    assert_one(&with_top("okta_http:"), "okta_http", 1, &["has no keys"]);
    assert_one(&with_top("okta_http: {proxy_uri: x}"), "okta_http.proxy_uri", 1, &["did you mean `proxy_url`"]);
    assert_one(&with_top("proxy_url: http://p:1"), "proxy_url", 1, &["move it to `okta_http`"]);
}

#[test]
fn a_proxy_is_the_files_else_the_environments() {
    let file = with_top("okta_http: {proxy_url: 'http://file:3128'}");
    let upper = ("HTTPS_PROXY", "http://upper:3128");
    let lower = ("https_proxy", "lower:3128");
    let all = ("all_proxy", "http://all:3128");
    let plain = ("HTTP_PROXY", "http://plain:3128");
    for (text, variables, expected) in [
        (file.as_str(), &[upper, lower][..], Some(("http://file:3128", "okta_http.proxy_url"))),
        (MINIMAL, &[all, lower, upper], Some(("http://upper:3128", "HTTPS_PROXY"))),
        (MINIMAL, &[all, lower], Some(("http://lower:3128", "https_proxy"))),
        (MINIMAL, &[all, ("HTTPS_PROXY", "")], Some(("http://all:3128", "all_proxy"))),
        (MINIMAL, &[plain], None),
        (&file, &[("NO_PROXY", "okta.com")], None),
        (MINIMAL, &[upper, ("no_proxy", "other.com,.okta.com")], None),
        (MINIMAL, &[upper, ("NO_PROXY", ""), ("no_proxy", "okta.com")], None),
        (MINIMAL, &[upper, ("NO_PROXY", "a"), ("no_proxy", "okta.com")], Some(("http://upper:3128", "HTTPS_PROXY"))),
    ] {
        let config = with_environment(text, variables).expect("valid");
        let expected = expected.map(|(proxy, named_by)| (proxy.to_owned(), named_by));
        assert_eq!(proxy_of(&config), expected, "{variables:?}");
    }
}

#[test]
fn a_proxy_that_is_none_is_told_without_its_text() {
    for (url, says) in [
        (format!("socks5://me:{SECRET}@p:1080"), "SOCKS proxy is not supported: write"),
        (format!("ftp://{SECRET}"), "begins with `http://` or `https://`: write"),
        (format!("http://p:3128/{SECRET}"), "has no path: write"),
        (format!("http://me:{SECRET}@"), "not the URL of a proxy: write"),
        (format!("{SECRET} {SECRET}"), "not the URL of a proxy: write"),
    ] {
        assert_one(&with_top(&format!("okta_http: {{proxy_url: '{url}'}}")), "okta_http.proxy_url", 1, &[says]);
        let error = with_environment(MINIMAL, &[("https_proxy", &url)]).expect_err("no proxy");
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!((problem.path.as_str(), problem.line), ("okta_http.proxy_url", 1));
        for part in ["environment variable `https_proxy`", says, "`acme.okta.com` in `NO_PROXY`"] {
            assert!(problem.message.contains(part), "{problem}");
        }
        assert!(!error.to_string().contains(SECRET), "{error}");
        // Who does not need it does not mind it.
        let loopback = MINIMAL.replace("https://acme.okta.com", "http://127.0.0.1:8084");
        with_environment(&loopback, &[("https_proxy", &url)]).expect("valid");
        with_environment(MINIMAL, &[("https_proxy", &url), ("NO_PROXY", "*")]).expect("valid");
        with_environment(&with_top("okta_http: {proxy_url: p}"), &[("https_proxy", &url)]).expect("valid");
    }
    assert_one(&with_top("okta_http: {proxy_url: '${env:NOPE}'}"), "okta_http.proxy_url", 1, &["`NOPE`"]);
}

#[test]
fn a_proxys_password_is_a_secret() {
    let from_outside = valid(&with_top("okta_http: {proxy_url: 'http://me:${env:PASSWORD}@p:3128'}"));
    let literal = valid(&with_top(&format!("okta_http: {{proxy_url: 'http://me:{SECRET}@p:3128'}}")));
    for config in [&from_outside, &literal] {
        let proxy = config.okta_http.proxy.as_ref().expect("a proxy");
        assert_eq!(proxy.url().expose_secret(), format!("http://me:{SECRET}@p:3128/"));
        let shown = format!("{config:?} {proxy}");
        assert!(!shown.contains(SECRET) && shown.contains("http://p:3128"), "{shown}");
    }
    assert_eq!(from_outside.warnings, []);
    let [warning] = literal.warnings.as_slice() else { panic!("{:?}", literal.warnings) };
    assert!(warning.path == "okta_http.proxy_url" && warning.message.contains("${env:NAME}"), "{warning}");
}

#[test]
fn a_ca_file_is_read_and_tried_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    };
    let pem = Authority::new("one").pem().to_owned();
    let two = write("two.pem", format!("{pem}\nwords\n{}", Authority::new("two").pem()).as_bytes());
    let config = valid(&with_top(&format!("okta_http: {{ca_file: {}}}", utf8(&two))));
    assert_eq!(config.okta_http.ca.expect("read").certificates.len(), 2);

    let cut = &pem[..pem.len() / 2];
    let other = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
    for (path, says) in [
        (directory.path().join("nothing.pem"), "cannot be read"),
        (directory.path().to_owned(), "cannot be read"),
        (write("empty.pem", b""), "holds no certificate"),
        (write("der.pem", &Authority::new("x").der()), "holds no certificate"),
        (write("key.pem", key.as_bytes()), "holds no certificate"),
        (write("cut.pem", cut.as_bytes()), "certificate"),
        (write("other.pem", other.as_bytes()), "something else than an X.509 certificate, as number 1"),
        (write("second.pem", format!("{pem}{other}").as_bytes()), "as number 2"),
        (write("large.pem", &vec![b'x'; 2_000_000]), "larger than 1 MiB"),
    ] {
        let text = with_top(&format!("okta_http: {{ca_file: {}}}", utf8(&path)));
        assert_one(&text, "okta_http.ca_file", 1, &[&format!("`{}` ", path.display()), says, ": "]);
    }
}
