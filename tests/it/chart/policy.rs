//! Where the NetworkPolicy lets the Pods go: to all that the configuration names.

use std::fs;

use tempfile::TempDir;

use super::objects::{Objects, list};
use crate::support::helm::Helm;
use crate::support::prove;

/// Values beside `networkPolicy.enabled`, and the TCP ports that are let out, but for names.
const OPEN: &[(&str, &[u64])] = &[
    ("{}", &[443, 9092]),
    ("config: {kafka: {bootstrap.servers: 'a:9094,[2001:db8::1]:19092,b'}}", &[443, 9092, 9094, 19092]),
    (
        "config: {connectors: [{name: a, org: 'https://a.okta.example:8443', auth: {ssws: '${env:HOSTNAME}'}}, \
         {name: b, org: 'https://b.okta.example/', auth: {ssws: '${env:HOSTNAME}'}}]}",
        &[443, 8443, 9092],
    ),
    (
        "config: {kafka: {sasl.oauthbearer.token.endpoint.url: 'https://idp.example.com:8444/token'}}",
        &[443, 8444, 9092],
    ),
    ("config: {kafka: {sasl.oauthbearer.token.endpoint.url: 'https://idp.example.com/token'}}", &[443, 9092]),
    ("config: {schema_registry: {url: 'http://registry:8081'}}", &[443, 8081, 9092]),
    ("config: {okta_http: {proxy_url: 'http://proxy:3128'}}", &[443, 3128, 9092]),
    // With a proxy, the orgs are nobody else's.
    (
        "{networkPolicy: {okta: {ports: []}}, config: {okta_http: {proxy_url: 'http://proxy:3128'}, \
         connectors: [{name: a, org: 'https://a.okta.example:8443', auth: {ssws: '${env:HOSTNAME}'}}]}}",
        &[3128, 9092],
    ),
    ("{existingSecret: {env: {HTTPS_PROXY: proxy}}, networkPolicy: {proxy: {ports: [3128]}}}", &[443, 3128, 9092]),
];

#[test]
fn the_policy_lets_out_what_the_configuration_needs() {
    let Some(helm) = Helm::there() else { return };
    let scratch = TempDir::with_prefix("chart-").unwrap();
    let values = scratch.path().join("values.yaml");
    for (written, open) in OPEN {
        fs::write(&values, written).unwrap();
        let text = helm.template(&values, &["--set", "networkPolicy.enabled=true"]);
        let objects = Objects::parse(written, &text.unwrap_or_else(|complaint| panic!("{written}: {complaint}")));
        let rules = list(&objects.only("NetworkPolicy")["spec"]["egress"]);
        let ports = rules.iter().flat_map(|rule| list(&rule["ports"]));
        let tcp = ports.filter(|port| port["protocol"] == "TCP").map(|port| port["port"].as_u64().unwrap());
        let mut tcp: Vec<u64> = tcp.filter(|port| *port != 53).collect();
        tcp.sort_unstable();
        tcp.dedup();
        assert_eq!(tcp, *open, "{written}");
    }
    prove::row(
        "chart-policy",
        "The chart's NetworkPolicy lets out to every port that the configuration names, and to no other",
        &format!("{} configurations through `helm template`", OPEN.len()),
        "the ports of brokers, tokens, orgs, registry and proxy; where one can't be seen, refused with what to name",
    );
}
