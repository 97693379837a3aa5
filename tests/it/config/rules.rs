//! One row for each rule of the file and of its connectors.

use okta_kafka_source::config::Dpop;

use super::{MINIMAL, assert_one, problems, valid, with_connector_keys, with_kafka, with_top};

#[test]
fn every_rule_of_a_connector() {
    let key = |key: &str, parts: &[&str]| {
        let path = format!("connectors[0].{}", key.split(':').next().expect("a key"));
        assert_one(&with_connector_keys(key), &path, 8, parts);
    };
    key("intervall: 60s", &["unknown key `intervall`", "did you mean `interval`"]);
    key("schedule: daily", &["unknown key `schedule`", "`interval`"]);
    for share in ["0", "1.01", "80%", "80", "-0.5", "nan", "inf", "1e-9", "\"\"", "0,8", "true"] {
        key(&format!("rate_limit_share: {share}"), &["not a part of the limit", "more than 0, and at most 1", "`0.8`"]);
    }
    for reserve in ["1.5", "50%", "-0", "half"] {
        key(&format!("rate_limit_bulk_reserve: {reserve}"), &["not a part of the limit", "0 to 1", "`0.5`"]);
    }
    key("rate_limit: 0.5", &["unknown key `rate_limit`", "`rate_limit_share`"]);
    key("partitions: 6", &["does not belong here", "topic"]);
    key("bootstrap.servers: x", &["does not belong here", "`kafka`"]);
    key("interval: 0s", &["`0s`", "60s"]);
    key("interval: 2d", &["`2d`", "more than a day"]);
    key("interval: 60", &["`60`", "has no unit", "60s"]);
    key("interval: 1h30m", &["`1h30m`", "not a duration", "one unit"]);
    key("interval: [60s]", &["single value", "a list"]);
    key("interval:", &["has no value"]);
    key("limit: 9", &["`9`", "10-100"]);
    key("limit: 101", &["`101`", "large_pages: true"]);
    key("limit: 1001", &["`1001`", "10-100"]);
    key("limit: many", &["`many`", "10-100"]);
    key("limit: 1001\nlarge_pages: true", &["10-1000"]);
    key("large_pages: yes", &["`yes`", "`true` or `false`"]);
    key("recovery_overlap: 25h", &["`25h` is more than a day", "`0s` to `1d`"]);
    key("recovery_overlap: 10", &["`10`", "no unit"]);
    key("on_lost_cursor: stop", &["`stop` is neither", "`recover` or `fail`"]);
    key("on_query_change: recover", &["`recover` is neither", "`restart_from_published` or `fail`"]);
    key("allow_overlap: 1", &["`1`", "`true` or `false`"]);
    key("since: 181d", &["more than 180 days"]);
    key("since: 2026-01-01T00:00:00Z", &["more than 180 days"]);
    key("since: 2027-01-01T00:00:00Z", &["in the future"]);
    key("since: 2026-10-01", &["zone"]);
    key("since: yesterday", &["`7d`", "`now`"]);
    key("format: xml", &["`xml`", "json"]);
    key("dead_letter_topic: okta.system-log", &["connector's own topic"]);
    key("dead_letter_topic: okta-kafka-source-offsets", &["offsets topic"]);
    key("dead_letter_topic: a/b", &["`a/b`", "A-Z"]);
    key("filter: '${env:NOPE}'", &["`NOPE`", "not set"]);
    key("filter: eventType is x", &["`is` is not an operator", "\n    eventType is x\n              ^"]);
    key("q: 12345678901234567890123456789012345678901", &["40 characters", "\n    ^"]);
}

/// What Okta may accept is valid, and no more than a word is lost on what is probably a slip.
#[test]
fn a_filter_that_okta_may_accept_is_valid() {
    let with = |filter: &str| valid(&format!("{MINIMAL}    filter: '{filter}'\n"));
    for filter in [
        "",
        " ",
        "eventType eq \"user.session.start\"",
        "some_attribute eq \"x\" and (other.path.$ref pr or not severity eq \"INFO\")",
        "uuid eq \"\\q\"",
        "client.zone eq 1e5 or client.zone ne NULL",
    ] {
        let config = with(filter);
        assert!(config.warnings.is_empty(), "{filter}: {:?}", config.warnings);
        assert_eq!(config.connectors[0].filter.as_deref(), Some(filter).filter(|filter| !filter.is_empty()));
    }
    for (filter, word) in [
        ("eventType eq \"user.sesion.start\"", "(did you mean `user.session.start`?) is not in Okta's catalogue"),
        ("eventtype sw \"user.\"", "(did you mean `eventType`?) is no attribute"),
    ] {
        let config = with(filter);
        let told = matches!(config.warnings.as_slice(), [one] if one.path == "connectors[0].filter" && one.message.contains(word));
        assert!(told, "{filter}: {:?}", config.warnings);
    }
    let warned = valid(&format!("{MINIMAL}    filter: 'eventType eq \"${{env:TOKEN}}\"'\n"));
    assert!(!format!("{:?}", warned.warnings).contains("00abcDEF"), "{:?}", warned.warnings);
    assert!(warned.warnings[0].message.contains("at character 14 of its value"), "{:?}", warned.warnings);
}

#[test]
fn every_rule_of_what_a_connector_needs() {
    let replaced = |from: &str, to: &str, path: &str, line: usize, parts: &[&str]| {
        assert!(MINIMAL.contains(from), "{from}");
        assert_one(&MINIMAL.replacen(from, to, 1), path, line, parts);
    };
    replaced("name: acme", "name: a b", "connectors[0].name", 4, &["`a b`", "1-100"]);
    replaced("name: acme", &format!("name: {}", "x".repeat(101)), "connectors[0].name", 4, &["1-100"]);
    replaced("name: acme\n    ", "", "connectors[0].name", 4, &["is missing"]);
    replaced("https://acme", "http://acme", "connectors[0].org", 5, &["https://acme.okta.com"]);
    replaced("https://acme.", "https://acme-admin.", "connectors[0].org", 5, &["admin", "https://acme.okta.com"]);
    replaced(".com\n", ".com/api\n", "connectors[0].org", 5, &["more than an origin"]);
    replaced("    org: https://acme.okta.com\n", "", "connectors[0].org", 4, &["is missing", "https://"]);
    replaced("auth: {ssws: \"${env:TOKEN}\"}", "auth: {}", "connectors[0].auth.ssws", 6, &["is missing"]);
    replaced("{ssws: \"${env:TOKEN}\"}", "token", "connectors[0].auth", 6, &["has no keys", "ssws"]);
    replaced("    auth: {ssws: \"${env:TOKEN}\"}\n", "", "connectors[0].auth", 4, &["is missing", "ssws"]);
    replaced("    topic: okta.system-log\n", "", "connectors[0].topic", 4, &["is missing"]);
    replaced("okta.system-log", "{partitions: 3}", "connectors[0].topic.name", 7, &["is missing"]);
    replaced("okta.system-log", "a b", "connectors[0].topic", 7, &["`a b`"]);
    replaced("okta.system-log", "..", "connectors[0].topic", 7, &["`..`"]);
    replaced("okta.system-log", &"x".repeat(250), "connectors[0].topic", 7, &["250 characters", "249"]);
    replaced("okta.system-log", &"x".repeat(249), "connectors[0].topic", 7, &["dead_letter_topic"]);
    replaced("okta.system-log", "okta-kafka-source-offsets", "connectors[0].topic", 7, &["offsets topic"]);
    for (topic, key, parts) in [
        ("{name: t, partitions: 0}", "partitions", ["`0`", "1 or more"]),
        ("{name: t, partitions: x}", "partitions", ["`x`", "1 or more"]),
        ("{name: t, replication_factor: 0}", "replication_factor", ["`0`", "`-1`"]),
        ("{name: t, replication_factor: -2}", "replication_factor", ["`-2`", "`-1`"]),
        ("{name: t, create: maybe}", "create", ["`maybe`", "`true` or `false`"]),
        ("{name: t, config: 5}", "config", ["a map", "a single value"]),
        ("{name: t, retention.ms: 5}", "retention.ms", ["does not belong here", "`config`"]),
        (
            "{name: t, config: {message.timestamp.type: LogAppendTime}}",
            "config.message.timestamp.type",
            ["LogAppendTime", "`CreateTime`"],
        ),
    ] {
        replaced("okta.system-log", topic, &format!("connectors[0].topic.{key}"), 7, &parts);
    }
}

#[test]
fn every_rule_of_the_top_level() {
    for (lines, path, line, parts) in [
        ("conectors: []", "conectors", 1, &["did you mean `connectors`"][..]),
        ("interval: 60s", "interval", 1, &["does not belong here", "connector"]),
        ("group_id: ''", "group_id", 1, &["is empty"]),
        ("group_id:", "group_id", 1, &["has no value"]),
        ("group_id: [a]", "group_id", 1, &["a list"]),
        ("group_instance_id: 'a b'", "group_instance_id", 1, &["`a b`"]),
        ("offsets: {partitions: 0}", "offsets.partitions", 1, &["1 or more"]),
        ("offsets: {topic: 'a b'}", "offsets.topic", 1, &["`a b`"]),
        ("offsets: {replication_factor: 0}", "offsets.replication_factor", 1, &["`-1`"]),
        ("offsets:\n  partition: 5", "offsets.partition", 2, &["did you mean `partitions`"]),
        ("offsets: topic", "offsets", 1, &["a map"]),
        ("http: {listen: localhost:8083}", "http.listen", 1, &["`localhost:8083`", "127.0.0.1:8083"]),
        ("http: {port: '127.0.0.1:8083'}", "http.port", 1, &["did you mean `listen`"]),
        ("<<: {group_id: x}", "<<", 1, &["connector_defaults"]),
        ("connector_defaults: {name: x}", "connector_defaults.name", 1, &["cannot be shared"]),
        ("connector_defaults: {intervall: 60s}", "connector_defaults.intervall", 1, &["did you mean `interval`"]),
    ] {
        assert_one(&with_top(lines), path, line, parts);
    }
    assert_one("kafka: {bootstrap.servers: x}", "connectors", 1, &["is missing"]);
    assert_one("kafka: {bootstrap.servers: x}\nconnectors: []", "connectors", 2, &["is empty"]);
    assert_one("kafka: {bootstrap.servers: x}\nconnectors: {name: x}", "connectors", 2, &["a list is expected"]);
    assert_one("kafka: {bootstrap.servers: x}\nconnectors: [acme]", "connectors[0]", 2, &["a map"]);
}

#[test]
fn every_rule_between_connectors() {
    let second = |name: &str, org: &str, topic: &str, more: &str| {
        format!(
            "{MINIMAL}  - name: {name}\n    org: {org}\n    auth: {{ssws: '${{env:TOKEN}}'}}\n    topic: {topic}\n{more}"
        )
    };
    let other_org = "https://other.okta.com";
    valid(&second("b", other_org, "okta.system-log", ""));
    valid(&second("b", "https://acme.okta.com", "other", ""));
    assert_one(&second("acme", other_org, "other", ""), "connectors[1].name", 8, &["line 4"]);
    let (same, same_org) = ("okta.system-log", "same org to the same topic");
    assert_one(
        &second("b", "https://ACME.okta.com:443", same, ""),
        "connectors[1].topic",
        11,
        &["same org to the same topic", "allow_overlap: true"],
    );
    // One org and one topic, however they are spelled; and the key itself is merged as any other.
    for org in ["https://acme.okta.com/", "https://acme.okta.com:443/", "HTTPS://Acme.Okta.Com"] {
        for topic in [same, "{name: okta.system-log, partitions: 3}"] {
            assert_one(&second("b", org, topic, ""), "connectors[1].topic", 11, &["the connector of line 7", same_org]);
            let allowed = format!("connector_defaults: {{allow_overlap: true}}\n{}", second("b", org, topic, ""));
            valid(&allowed);
            let withdrawn = format!("{allowed}    allow_overlap: false\n");
            assert_one(&withdrawn, "connectors[1].topic", 12, &[same_org, "in both"]);
        }
    }
    valid(&second("b", "https://acme.okta.com:8443", same, ""));
    valid(&second("b", "https://acme.okta.com", "OKTA.system-log", ""));
    // The third of three, whatever the second allows.
    let third =
        "  - name: c\n    org: https://acme.okta.com\n    auth: {ssws: '${env:TOKEN}'}\n    topic: okta.system-log\n";
    let other_between = second("b", other_org, same, "");
    assert_one(&format!("{other_between}{third}"), "connectors[2].topic", 15, &["the connector of line 7", same_org]);
    let one_allows = second("b", "https://acme.okta.com", same, "    allow_overlap: true\n");
    assert_one(&one_allows, "connectors[1].topic", 11, &["in both"]);
    let first_allows = with_connector_keys("allow_overlap: true");
    valid(&one_allows.replacen(MINIMAL, &first_allows, 1));
    let half_read = second("acme", other_org, "other", "    limit: 5\n");
    assert_eq!(problems(&half_read).len(), 2, "a problem elsewhere hides none between connectors");
    let dlq_is_data = second("b", other_org, "okta.system-log.dlq", "");
    assert_one(&dlq_is_data, "connectors[0]", 4, &["dead letter topic", "connector `b`"]);
}

#[test]
fn what_is_unwise_is_a_warning() {
    for (text, path, line, says) in [
        (with_connector_keys("interval: 59s"), "connectors[0].interval", 8, "`59s`"),
        (with_connector_keys("since: 91d"), "connectors[0].since", 8, "90 days"),
        (MINIMAL.replace("${env:TOKEN}", "00abc"), "connectors[0].auth.ssws", 6, "`${file:PATH}`"),
        (with_kafka("sasl.mechanism: PLAIN"), "kafka.sasl.mechanism", 2, "no effect"),
    ] {
        let warnings = valid(&text).warnings;
        let matches =
            matches!(warnings.as_slice(), [w] if w.path == path && w.line == line && w.message.contains(says));
        assert!(matches, "{text}{warnings:#?}");
    }
    let simulated = MINIMAL.replace("${env:TOKEN}", "00abc").replace("https://acme.okta.com", "http://127.0.0.1:8084");
    assert_eq!(valid(&simulated).warnings, []);
}

#[test]
fn an_unknown_setting_of_a_topic_is_a_warning_since_the_brokers_may_know_it() {
    for (setting, says) in [
        ("foo.bar: 1", "Kafka 4 has no topic setting `foo.bar`: look whether"),
        ("retention.ns: 1", "did you mean `retention.ms`?"),
    ] {
        let text = with_connector_keys("").replace("okta.system-log", &format!("{{name: a, config: {{{setting}}}}}"));
        let warnings = valid(&text).warnings;
        assert!(matches!(warnings.as_slice(), [w] if w.line == 7 && w.message.contains(says)), "{text}{warnings:#?}");
    }
    let known =
        "{name: a, config: {retention.ms: -1, min.cleanable.dirty.ratio: 0.5, cleanup.policy: \"compact,delete\"}}";
    assert_eq!(valid(&MINIMAL.replace("okta.system-log", known)).warnings, []);
}

#[test]
fn a_service_app_has_defaults_and_its_scopes_may_be_written_in_two_ways() {
    let app = |more: &str| {
        let auth = format!("oauth: {{client_id: 0oa1, private_key: \"${{env:JWK}}\"{more}}}");
        let config = valid(&MINIMAL.replace("ssws: \"${env:TOKEN}\"", &auth));
        assert_eq!(config.warnings, []);
        config.connectors[0].auth.oauth().expect("a service app").clone()
    };
    let found = app("");
    assert_eq!((found.client_id.as_str(), found.scope.as_str(), found.dpop), ("0oa1", "okta.logs.read", Dpop::Auto));
    assert_eq!(found.signing_key().key_id, "kid-1");
    assert_eq!(format!("{found:?}"), "OauthApp(0oa1, okta.logs.read, dpop Auto, ***)");
    for (more, scope) in [
        (", scopes: [okta.logs.read]", "okta.logs.read"),
        (", scopes: [okta.users.read, okta.logs.read]", "okta.users.read okta.logs.read"),
        (", scopes: okta.users.read okta.logs.read", "okta.users.read okta.logs.read"),
        (", scopes: ' okta.logs.read  okta.users.read '", "okta.logs.read okta.users.read"),
    ] {
        assert_eq!(app(more).scope, scope);
    }
    for (more, dpop) in [(", dpop: auto", Dpop::Auto), (", dpop: true", Dpop::Always), (", dpop: False", Dpop::Never)] {
        assert_eq!(app(more).dpop, dpop);
    }
    assert_eq!(app(", key_id: kid-1, algorithm: ES256").signing_key().key_id, "kid-1");
}
