//! The properties that librdkafka 2.12.1 knows, from its CONFIGURATION.md, and `sasl.oauthbearer.header.urlencode` of the Java
//! client, since the program asks for tokens by itself.
//!
//! Left out are those that are set through calls only. Where a property exists globally and for topics, the global
//! row counts: that is the one that a program's properties set.

use Kind::{Bool, Enum, Flags, Float, Int, Text};
use Role::{Both, Consumer, Producer};

/// Which client a property is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Role {
    /// Every client.
    Both,
    /// Producers only.
    Producer,
    /// Consumers only.
    Consumer,
}

/// What values a property takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number, both ends included.
    Int(i64, i64),
    /// A number, both ends included.
    Float(f64, f64),
    /// One of these words, in any case.
    Enum(&'static [&'static str]),
    /// Any of these words, comma-separated.
    Flags(&'static [&'static str]),
    /// Anything.
    Text,
}

/// A property of librdkafka.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Property {
    /// Its name, or one of its names.
    pub name: &'static str,
    /// Who knows it.
    pub role: Role,
    /// What it takes.
    pub kind: Kind,
}

/// The row of a property, under any of its names.
pub(in crate::config) fn find(name: &str) -> Option<&'static Property> {
    PROPERTIES.binary_search_by(|row| row.name.cmp(name)).ok().map(|at| &PROPERTIES[at])
}

/// The one name of a property that has several.
pub(in crate::config) fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

/// Whether a property's value may be a secret, and so is never shown.
///
/// librdkafka's own `_RK_SENSITIVE`, less the names of files, and what may hold a secret inside.
pub(in crate::config) fn is_sensitive(name: &str) -> bool {
    const SENSITIVE: [&str; 9] = [
        "sasl.kerberos.kinit.cmd",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.extensions",
        "sasl.password",
        "sasl.username",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "ssl.ca.pem",
    ];
    let name = canonical(name);
    SENSITIVE.contains(&name)
        || ["secret", "passphrase", "password", "private.key"].iter().any(|word| name.contains(word))
}

/// Second names, from the rows that say `Alias for`.
const ALIASES: [(&str, &str); 11] = [
    ("acks", "request.required.acks"),
    ("bootstrap.servers", "metadata.broker.list"),
    ("compression.type", "compression.codec"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("retries", "message.send.max.retries"),
    ("sasl.mechanism", "sasl.mechanisms"),
    ("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"),
    ("sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"),
];

/// A row of the table below.
const fn row(name: &'static str, role: Role, kind: Kind) -> Property {
    Property { name, role, kind }
}

/// By name.
pub(in crate::config) const PROPERTIES: &[Property] = &[
    row("acks", Producer, Int(-1, 1_000)),
    row("allow.auto.create.topics", Both, Bool),
    row("api.version.fallback.ms", Both, Int(0, 604_800_000)),
    row("api.version.request", Both, Bool),
    row("api.version.request.timeout.ms", Both, Int(1, 300_000)),
    row("auto.commit.enable", Consumer, Bool),
    row("auto.commit.interval.ms", Consumer, Int(0, 86_400_000)),
    row(
        "auto.offset.reset",
        Consumer,
        Enum(&["smallest", "earliest", "beginning", "largest", "latest", "end", "error"]),
    ),
    row("batch.num.messages", Producer, Int(1, 1_000_000)),
    row("batch.size", Producer, Int(1, 2_147_483_647)),
    row("bootstrap.servers", Both, Text),
    row("broker.address.family", Both, Enum(&["any", "v4", "v6"])),
    row("broker.address.ttl", Both, Int(0, 86_400_000)),
    row("broker.version.fallback", Both, Text),
    row("builtin.features", Both, Text),
    row("check.crcs", Consumer, Bool),
    row("client.dns.lookup", Both, Enum(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
    row("client.id", Both, Text),
    row("client.rack", Both, Text),
    row("compression.codec", Producer, Enum(&["none", "gzip", "snappy", "lz4", "zstd"])),
    row("compression.level", Producer, Int(-1, 12)),
    row("compression.type", Producer, Enum(&["none", "gzip", "snappy", "lz4", "zstd"])),
    row("connections.max.idle.ms", Both, Int(0, 2_147_483_647)),
    row("consume.callback.max.messages", Consumer, Int(0, 1_000_000)),
    row("coordinator.query.interval.ms", Consumer, Int(1, 3_600_000)),
    row(
        "debug",
        Both,
        Flags(&[
            "generic",
            "broker",
            "topic",
            "metadata",
            "feature",
            "queue",
            "msg",
            "protocol",
            "cgrp",
            "security",
            "fetch",
            "interceptor",
            "plugin",
            "consumer",
            "admin",
            "eos",
            "mock",
            "assignor",
            "conf",
            "telemetry",
            "all",
        ]),
    ),
    row("delivery.report.only.error", Producer, Bool),
    row("delivery.timeout.ms", Producer, Int(0, 2_147_483_647)),
    row("enable.auto.commit", Consumer, Bool),
    row("enable.auto.offset.store", Consumer, Bool),
    row("enable.gapless.guarantee", Producer, Bool),
    row("enable.idempotence", Producer, Bool),
    row("enable.metrics.push", Both, Bool),
    row("enable.partition.eof", Consumer, Bool),
    row("enable.random.seed", Both, Bool),
    row("enable.sasl.oauthbearer.unsecure.jwt", Both, Bool),
    row("enable.ssl.certificate.verification", Both, Bool),
    row("enabled_events", Both, Int(0, 2_147_483_647)),
    row("fetch.error.backoff.ms", Consumer, Int(0, 300_000)),
    row("fetch.max.bytes", Consumer, Int(0, 2_147_483_135)),
    row("fetch.message.max.bytes", Consumer, Int(1, 1_000_000_000)),
    row("fetch.min.bytes", Consumer, Int(1, 100_000_000)),
    row("fetch.queue.backoff.ms", Consumer, Int(0, 300_000)),
    row("fetch.wait.max.ms", Consumer, Int(0, 300_000)),
    row("group.id", Consumer, Text),
    row("group.instance.id", Consumer, Text),
    row("group.protocol", Consumer, Enum(&["classic", "consumer"])),
    row("group.protocol.type", Consumer, Text),
    row("group.remote.assignor", Consumer, Text),
    row("heartbeat.interval.ms", Consumer, Int(1, 3_600_000)),
    row("https.ca.location", Both, Text),
    row("https.ca.pem", Both, Text),
    row("internal.termination.signal", Both, Int(0, 128)),
    row("isolation.level", Consumer, Enum(&["read_uncommitted", "read_committed"])),
    row("linger.ms", Producer, Float(0.0, 900000.0)),
    row("log.connection.close", Both, Bool),
    row("log.queue", Both, Bool),
    row("log.thread.name", Both, Bool),
    row("log_level", Both, Int(0, 7)),
    row("max.in.flight", Both, Int(1, 1_000_000)),
    row("max.in.flight.requests.per.connection", Both, Int(1, 1_000_000)),
    row("max.partition.fetch.bytes", Consumer, Int(1, 1_000_000_000)),
    row("max.poll.interval.ms", Consumer, Int(1, 86_400_000)),
    row("message.copy.max.bytes", Both, Int(0, 1_000_000_000)),
    row("message.max.bytes", Both, Int(1_000, 1_000_000_000)),
    row("message.send.max.retries", Producer, Int(0, 2_147_483_647)),
    row("message.timeout.ms", Producer, Int(0, 2_147_483_647)),
    row("metadata.broker.list", Both, Text),
    row("metadata.max.age.ms", Both, Int(1, 86_400_000)),
    row("metadata.recovery.rebootstrap.trigger.ms", Both, Int(0, 2_147_483_647)),
    row("metadata.recovery.strategy", Both, Enum(&["none", "rebootstrap"])),
    row("offset.store.method", Consumer, Enum(&["none", "file", "broker"])),
    row("offset.store.path", Consumer, Text),
    row("offset.store.sync.interval.ms", Consumer, Int(-1, 86_400_000)),
    row("partition.assignment.strategy", Consumer, Text),
    row("partitioner", Producer, Text),
    row("plugin.library.paths", Both, Text),
    row("produce.offset.report", Producer, Bool),
    row("queue.buffering.backpressure.threshold", Producer, Int(1, 1_000_000)),
    row("queue.buffering.max.kbytes", Producer, Int(1, 2_147_483_647)),
    row("queue.buffering.max.messages", Producer, Int(0, 2_147_483_647)),
    row("queue.buffering.max.ms", Producer, Float(0.0, 900000.0)),
    row("queued.max.messages.kbytes", Consumer, Int(1, 2_097_151)),
    row("queued.min.messages", Consumer, Int(1, 10_000_000)),
    row("queuing.strategy", Producer, Enum(&["fifo", "lifo"])),
    row("receive.message.max.bytes", Both, Int(1_000, 2_147_483_647)),
    row("reconnect.backoff.jitter.ms", Both, Int(0, 3_600_000)),
    row("reconnect.backoff.max.ms", Both, Int(0, 3_600_000)),
    row("reconnect.backoff.ms", Both, Int(0, 3_600_000)),
    row("request.required.acks", Producer, Int(-1, 1_000)),
    row("request.timeout.ms", Producer, Int(1, 900_000)),
    row("retries", Producer, Int(0, 2_147_483_647)),
    row("retry.backoff.max.ms", Both, Int(1, 300_000)),
    row("retry.backoff.ms", Both, Int(1, 300_000)),
    row("sasl.kerberos.keytab", Both, Text),
    row("sasl.kerberos.kinit.cmd", Both, Text),
    row("sasl.kerberos.min.time.before.relogin", Both, Int(0, 86_400_000)),
    row("sasl.kerberos.principal", Both, Text),
    row("sasl.kerberos.service.name", Both, Text),
    row("sasl.mechanism", Both, Text),
    row("sasl.mechanisms", Both, Text),
    row("sasl.oauthbearer.assertion.algorithm", Both, Enum(&["RS256", "ES256"])),
    row("sasl.oauthbearer.assertion.claim.aud", Both, Text),
    row("sasl.oauthbearer.assertion.claim.exp.seconds", Both, Int(1, 2_147_483_647)),
    row("sasl.oauthbearer.assertion.claim.iss", Both, Text),
    row("sasl.oauthbearer.assertion.claim.jti.include", Both, Bool),
    row("sasl.oauthbearer.assertion.claim.nbf.seconds", Both, Int(0, 2_147_483_647)),
    row("sasl.oauthbearer.assertion.claim.sub", Both, Text),
    row("sasl.oauthbearer.assertion.file", Both, Text),
    row("sasl.oauthbearer.assertion.jwt.template.file", Both, Text),
    row("sasl.oauthbearer.assertion.private.key.file", Both, Text),
    row("sasl.oauthbearer.assertion.private.key.passphrase", Both, Text),
    row("sasl.oauthbearer.assertion.private.key.pem", Both, Text),
    row("sasl.oauthbearer.client.credentials.client.id", Both, Text),
    row("sasl.oauthbearer.client.credentials.client.secret", Both, Text),
    row("sasl.oauthbearer.client.id", Both, Text),
    row("sasl.oauthbearer.client.secret", Both, Text),
    row("sasl.oauthbearer.config", Both, Text),
    row("sasl.oauthbearer.extensions", Both, Text),
    row(
        "sasl.oauthbearer.grant.type",
        Both,
        Enum(&["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"]),
    ),
    row("sasl.oauthbearer.header.urlencode", Both, Bool),
    row("sasl.oauthbearer.metadata.authentication.type", Both, Enum(&["none", "azure_imds"])),
    row("sasl.oauthbearer.method", Both, Enum(&["default", "oidc"])),
    row("sasl.oauthbearer.scope", Both, Text),
    row("sasl.oauthbearer.token.endpoint.url", Both, Text),
    row("sasl.password", Both, Text),
    row("sasl.username", Both, Text),
    row("security.protocol", Both, Enum(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])),
    row("session.timeout.ms", Consumer, Int(1, 3_600_000)),
    row("socket.blocking.max.ms", Both, Int(1, 60_000)),
    row("socket.connection.setup.timeout.ms", Both, Int(1_000, 2_147_483_647)),
    row("socket.keepalive.enable", Both, Bool),
    row("socket.max.fails", Both, Int(0, 1_000_000)),
    row("socket.nagle.disable", Both, Bool),
    row("socket.receive.buffer.bytes", Both, Int(0, 100_000_000)),
    row("socket.send.buffer.bytes", Both, Int(0, 100_000_000)),
    row("socket.timeout.ms", Both, Int(10, 300_000)),
    row("ssl.ca.certificate.stores", Both, Text),
    row("ssl.ca.location", Both, Text),
    row("ssl.ca.pem", Both, Text),
    row("ssl.certificate.location", Both, Text),
    row("ssl.certificate.pem", Both, Text),
    row("ssl.cipher.suites", Both, Text),
    row("ssl.crl.location", Both, Text),
    row("ssl.curves.list", Both, Text),
    row("ssl.endpoint.identification.algorithm", Both, Enum(&["none", "https"])),
    row("ssl.engine.id", Both, Text),
    row("ssl.engine.location", Both, Text),
    row("ssl.key.location", Both, Text),
    row("ssl.key.password", Both, Text),
    row("ssl.key.pem", Both, Text),
    row("ssl.keystore.location", Both, Text),
    row("ssl.keystore.password", Both, Text),
    row("ssl.providers", Both, Text),
    row("ssl.sigalgs.list", Both, Text),
    row("statistics.interval.ms", Both, Int(0, 86_400_000)),
    row("sticky.partitioning.linger.ms", Producer, Int(0, 900_000)),
    row("topic.blacklist", Both, Text),
    row("topic.metadata.propagation.max.ms", Both, Int(0, 3_600_000)),
    row("topic.metadata.refresh.fast.cnt", Both, Int(0, 1_000)),
    row("topic.metadata.refresh.fast.interval.ms", Both, Int(1, 60_000)),
    row("topic.metadata.refresh.interval.ms", Both, Int(-1, 3_600_000)),
    row("topic.metadata.refresh.sparse", Both, Bool),
    row("transaction.timeout.ms", Producer, Int(1_000, 2_147_483_647)),
    row("transactional.id", Producer, Text),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_aliases_lead_to_rows() {
        assert!(PROPERTIES.windows(2).all(|pair| pair[0].name < pair[1].name));
        for (alias, name) in ALIASES {
            let rows = (find(alias), find(name));
            assert!(matches!(rows, (Some(a), Some(b)) if a.role == b.role), "{alias}: {rows:?}");
        }
    }
}
