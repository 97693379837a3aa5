//! librdkafka's properties: which are taken, by whom, and which are refused.

use super::{MINIMAL, assert_one, problems, valid, with_kafka};

#[test]
fn what_librdkafka_does_not_know_or_take_is_refused() {
    for (property, key, parts) in [
        ("linger.mss: 5", "linger.mss", &["did you mean `linger.ms`"][..]),
        ("bootstrap.severs: x", "bootstrap.severs", &["did you mean `bootstrap.servers`"]),
        ("no.such.thing: x", "no.such.thing", &["unknown property"]),
        ("group_id: x", "group_id", &["move it to the top level"]),
        ("sasl: {mechanism: PLAIN}", "sasl", &["`sasl.mechanism: …` on one line"]),
        ("sasl.jaas.config: x", "sasl.jaas.config", &["Java", "`sasl.username`"]),
        ("ssl.truststore.location: x", "ssl.truststore.location", &["Java", "`ssl.ca.location`"]),
        ("max.request.size: 9000000", "max.request.size", &["`message.max.bytes`"]),
        ("socket.timeout.ms: 5", "socket.timeout.ms", &["`5`", "10 to 300000"]),
        ("socket.timeout.ms: 70000", "socket.timeout.ms", &["60 s"]),
        ("socket.timeout.ms: 010", "socket.timeout.ms", &["`010`", "whole number"]),
        ("socket.timeout.ms: 5s", "socket.timeout.ms", &["`5s`", "milliseconds, `5000`"]),
        ("socket.keepalive.enable: yes", "socket.keepalive.enable", &["`yes`", "`true` or `false`"]),
        ("security.protocol: tls", "security.protocol", &["`tls`", "`sasl_ssl`"]),
        ("compression.type: brotli", "compression.type", &["`brotli`", "`zstd`"]),
        ("linger.ms: quick", "linger.ms", &["`quick`", "a number"]),
        ("linger.ms: 30000", "linger.ms", &["30 s"]),
        ("debug: broker,everything", "debug", &["not known", "`broker`"]),
        ("linger.ms:", "linger.ms", &["has no value"]),
        ("linger.ms: [5]", "linger.ms", &["a list"]),
        ("max.in.flight.requests.per.connection: 6", "max.in.flight.requests.per.connection", &["5 or less"]),
        ("max.in.flight: 6", "max.in.flight", &["5 or less"]),
        ("message.max.bytes: 8388607", "message.max.bytes", &["8388608"]),
        ("retries: 0", "retries", &["1 or more"]),
        ("queuing.strategy: lifo", "queuing.strategy", &["fifo"]),
        ("sasl.oauthbearer.method: oidc", "sasl.oauthbearer.method", &["`sasl.mechanism: OAUTHBEARER`"]),
        ("sasl.oauthbearer.method: default", "sasl.oauthbearer.method", &["write `oidc`"]),
        ("sasl.oauthbearer.assertion.file: x", "sasl.oauthbearer.assertion.file", &["not supported", "client.secret`"]),
        (
            "sasl.oauthbearer.token.endpoint.url: http://id.example/token",
            "sasl.oauthbearer.token.endpoint.url",
            &["`https://`"],
        ),
        ("sasl.oauthbearer.extensions: a b", "sasl.oauthbearer.extensions", &["`name=value,name=value`"]),
        ("https.ca.location: /no/such/file", "https.ca.location", &["a PEM file"]),
        ("producer: {sasl.oauthbearer.client.id: x}", "producer.sasl.oauthbearer.client.id", &["in `kafka`"]),
        ("enable.sasl.oauthbearer.unsecure.jwt: true", "enable.sasl.oauthbearer.unsecure.jwt", &["oidc`"]),
        ("sasl.login.callback.handler.class: x", "sasl.login.callback.handler.class", &["Java", "`oidc`"]),
        ("ssl.truststore.certificates: x", "ssl.truststore.certificates", &["Java", "`ssl.ca.pem`"]),
        ("client.dns.lookup: default", "client.dns.lookup", &["`use_all_dns_ips`"]),
        ("ssl.keystore.location: Cargo.toml", "ssl.keystore.location", &["`ssl.keystore.password`"]),
        ("ssl.ca.location: /no/such/file", "ssl.ca.location", &["cannot be read", "check the path"]),
        ("ssl.certificate.location: Cargo.toml", "ssl.certificate.location", &["`ssl.key.location`"]),
        ("ssl.key.location: Cargo.toml", "ssl.key.location", &["`ssl.certificate.location`"]),
        ("producer: {session.timeout.ms: 6000}", "producer.session.timeout.ms", &["`kafka.consumer`"]),
        ("consumer: {linger.ms: 6}", "consumer.linger.ms", &["`kafka.producer`"]),
        ("consumer: {bootstrap.servers: x}", "consumer.bootstrap.servers", &["in `kafka`"]),
        ("producer: 5", "producer", &["a map"]),
        ("producer: {linger.ms: 5, queue.buffering.max.ms: 6}", "producer.queue.buffering.max.ms", &["another name"]),
        (
            "consumer: {session.timeout.ms: 6000, max.poll.interval.ms: 5000}",
            "consumer.max.poll.interval.ms",
            &["`session.timeout.ms`"],
        ),
        (
            "consumer: {group.protocol: consumer, session.timeout.ms: 6000}",
            "consumer.session.timeout.ms",
            &["broker's"],
        ),
        ("security.protocol: sasl_ssl", "security.protocol", &["`sasl.mechanism`"]),
    ] {
        assert_one(&with_kafka(property), &format!("kafka.{key}"), 2, parts);
    }
    let sasl = with_kafka("security.protocol: sasl_ssl\n  sasl.mechanism: PLAIN");
    assert_one(&sasl, "kafka.sasl.mechanism", 3, &["`sasl.username`"]);
    let bearer = "security.protocol: sasl_ssl\n  sasl.mechanism: OAUTHBEARER";
    assert_one(&with_kafka(bearer), "kafka.sasl.mechanism", 3, &["`sasl.oauthbearer.method: oidc`"]);
    let oidc = format!("{bearer}\n  sasl.oauthbearer.method: oidc\n  sasl.oauthbearer.client.id: x");
    assert_one(&with_kafka(&oidc), "kafka.sasl.mechanism", 3, &["`sasl.oauthbearer.client.secret`"]);
    let gssapi = with_kafka("security.protocol: sasl_ssl\n  sasl.mechanism: GSSAPI");
    assert!(problems(&gssapi).iter().any(|p| p.path == "kafka.sasl.mechanism" && p.message.contains("SCRAM-SHA-512")));
    let no_brokers = MINIMAL.replace("bootstrap.servers: localhost:9092", "client.id: x");
    assert_one(&no_brokers, "kafka.bootstrap.servers", 2, &["is missing"]);
    assert_one(&MINIMAL.replace("localhost:9092", "''"), "kafka.bootstrap.servers", 2, &["is empty"]);
    let no_kafka = MINIMAL.replace("kafka:\n  bootstrap.servers: localhost:9092\n", "");
    assert_one(&no_kafka, "kafka", 1, &["is missing"]);
    valid(&MINIMAL.replace("bootstrap.servers", "metadata.broker.list"));
}

#[test]
fn properties_that_the_program_owns_are_refused_everywhere_and_under_every_name() {
    for (name, value, says) in [
        ("transactional.id", "x", "<offsets topic>-<shard>"),
        ("enable.idempotence", "true", "always on"),
        ("acks", "all", "`request.required.acks`"),
        ("request.required.acks", "1", "`all`"),
        ("partitioner", "random", "murmur2_random"),
        ("isolation.level", "read_committed", "remove it"),
        ("enable.auto.commit", "true", "remove it"),
        ("auto.commit.enable", "true", "remove it"),
        ("enable.auto.offset.store", "true", "remove it"),
        ("auto.offset.reset", "latest", "remove it"),
        ("enable.partition.eof", "true", "remove it"),
        ("group.id", "x", "`group_id`"),
        ("group.instance.id", "x", "`group_instance_id`"),
        ("transaction.timeout.ms", "1000", "60 s"),
        ("message.timeout.ms", "1000", "30 s"),
        ("delivery.timeout.ms", "1000", "`message.timeout.ms`"),
        ("allow.auto.create.topics", "true", "create: true"),
        ("partition.assignment.strategy", "range", "cooperative-sticky"),
        ("enable.gapless.guarantee", "true", "remove it"),
        ("plugin.library.paths", "x.so", "remove it"),
    ] {
        assert_one(&with_kafka(&format!("{name}: {value}")), &format!("kafka.{name}"), 2, &[name, says]);
        for role in ["producer", "consumer"] {
            let text = with_kafka(&format!("{role}: {{{name}: {value}}}"));
            assert_one(&text, &format!("kafka.{role}.{name}"), 2, &[name, says]);
        }
    }
}

#[test]
fn properties_go_to_the_role_that_knows_them_and_overrides_win_under_any_name() {
    let config = valid(&with_kafka(
        "client.id: x
  linger.ms: 5
  fetch.min.bytes: 10
  socket.keepalive.enable: True
  compression.codec: zstd
  message.max.bytes: 10000000
  producer: {queue.buffering.max.ms: 7.5, client.id: p}
  consumer: {session.timeout.ms: 6000}",
    ));
    assert_eq!(
        config.kafka.producer().collect::<Vec<_>>(),
        [
            ("bootstrap.servers", "localhost:9092"),
            ("client.id", "p"),
            ("compression.codec", "zstd"),
            ("message.max.bytes", "10000000"),
            ("queue.buffering.max.ms", "7.5"),
            ("socket.keepalive.enable", "True"),
        ]
    );
    assert_eq!(
        config.kafka.consumer().collect::<Vec<_>>(),
        [
            ("bootstrap.servers", "localhost:9092"),
            ("client.id", "x"),
            ("fetch.min.bytes", "10"),
            ("message.max.bytes", "10000000"),
            ("session.timeout.ms", "6000"),
            ("socket.keepalive.enable", "True"),
        ]
    );
    assert_eq!(config.kafka.get_producer("linger.ms"), Some("7.5"));
    assert_eq!(config.kafka.get_producer("compression.type"), Some("zstd"));
    assert_eq!(config.warnings, []);
}
