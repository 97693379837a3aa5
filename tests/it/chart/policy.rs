//! Where the NetworkPolicy lets the Pods go: to all that the configuration names.

use std::fs;

use serde_json::{Value, json};
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
    // The program's own defaults.
    ("config: {email: {host: smtp.example.com, from: a@example.com}}", &[443, 587, 9092]),
    ("config: {email: {host: smtp.example.com, from: a@example.com, security: tls}}", &[443, 465, 9092]),
    ("config: {email: {host: localhost, from: a@example.com, security: none}}", &[25, 443, 9092]),
    ("config: {email: {host: smtp.example.com, from: a@example.com, port: 2525}}", &[443, 2525, 9092]),
    (
        "{existingSecret: {env: {P: p}}, config: {email: {host: s, from: a@example.com, port: '${env:P}'}}, \
         networkPolicy: {smtp: {ports: [2526]}}}",
        &[443, 2526, 9092],
    ),
];

/// What all of these have, and then the arguments of queries, and where their Pods are let out to.
const MAIL: &str =
    "config: {email: {host: smtp.example.com, from: a@example.com}, schema_registry: {url: 'http://registry:8081'}}";
const QUERIES: &[(&[&[&str]], &[u64])] = &[
    (&[&["acme", "--email", "soc@example.com"]], &[443, 587]),
    (&[&["acme", "--email=soc@example.com"]], &[443, 587]),
    (&[&["acme", "--to-file", "/results/x"]], &[443]),
    (&[&["acme", "--to-topic", "x"]], &[443, 8081, 9092]),
    (&[&["acme", "--to-topic=x"], &["acme", "--email", "soc@example.com"]], &[443, 587, 8081, 9092]),
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
        assert_eq!(let_out(objects.only("NetworkPolicy")), *open, "{written}");
    }
    fs::write(&values, MAIL).unwrap();
    for (jobs, open) in QUERIES {
        let jobs = jobs
            .iter()
            .enumerate()
            .map(|(index, args)| json!({"name": format!("job-{index}"), "schedule": "@daily", "args": args, "volume": {"emptyDir": {}}}));
        let jobs = format!("cronJobs={}", Value::from_iter(jobs));
        let text = helm.template(&values, &["--set", "networkPolicy.enabled=true", "--set-json", &jobs]);
        let objects = Objects::parse(&jobs, &text.unwrap_or_else(|complaint| panic!("{jobs}: {complaint}")));
        let policies = objects.of("NetworkPolicy");
        assert_eq!([let_out(policies[0]), let_out(policies[1])], [vec![443, 587, 8081, 9092], open.to_vec()], "{jobs}");
        assert_eq!(policies[1]["spec"]["ingress"], json!([]), "{jobs}");
    }
    prove::row(
        "chart-policy",
        "The chart's NetworkPolicy lets out to every port that the configuration names, and to no other",
        &format!("{} configurations and {} sets of CronJobs through `helm template`", OPEN.len(), QUERIES.len()),
        "the ports of brokers, tokens, orgs, registry, proxy and mail server, and for queries on a schedule those of Kafka only with --to-topic; where one can't be seen, refused with what to name",
    );
}

/// TCP ports, but for names.
fn let_out(policy: &Value) -> Vec<u64> {
    let ports = list(&policy["spec"]["egress"]).iter().flat_map(|rule| list(&rule["ports"]));
    let tcp = ports.filter(|port| port["protocol"] == "TCP").map(|port| port["port"].as_u64().unwrap());
    let mut tcp: Vec<u64> = tcp.filter(|port| *port != 53).collect();
    tcp.sort_unstable();
    tcp.dedup();
    tcp
}
