//! The properties that a file may not set, and the values that ours may not have.

use super::librdkafka::canonical;

/// Properties that the guarantees rest on, by canonical name: why, and what to write instead.
const OWNED: &[(&str, &str)] = &[
    ("transactional.id", "it is `<offsets topic>-<shard>`, so that a second writer is fenced: remove it"),
    ("enable.idempotence", "transactions need it, so it is always on: remove it"),
    ("request.required.acks", "transactions need it to be `all`: remove it"),
    ("partitioner", "it is `murmur2_random`, so that Java clients find a key in the same partition: remove it"),
    ("isolation.level", "each reader needs its own: remove it"),
    ("enable.auto.commit", "the offset is committed with the events, in one transaction: remove it"),
    ("auto.commit.enable", "the offset is committed with the events, in one transaction: remove it"),
    ("enable.auto.offset.store", "the offset is committed with the events, in one transaction: remove it"),
    ("offset.store.method", "the group's offsets are kept by the broker: remove it"),
    ("auto.offset.reset", "the offsets topic is always read from its beginning: remove it"),
    ("enable.partition.eof", "it tells when the offsets topic was read to its end: remove it"),
    ("group.id", "workers of one group share the connectors: write `group_id` at the top level of the file"),
    ("group.instance.id", "it names this worker: write `group_instance_id` at the top level of the file"),
    ("transaction.timeout.ms", "it is 60 s, on which fencing relies: remove it"),
    ("message.timeout.ms", "it is 30 s, below the transaction's time-out: remove it"),
    ("allow.auto.create.topics", "a topic is only created with the settings asked for: write `topic: {create: true}`"),
    (
        "partition.assignment.strategy",
        "it is `cooperative-sticky`: remove it, or write `group.protocol: consumer` under `kafka.consumer`",
    ),
    ("enable.gapless.guarantee", "a refused record is found and set aside without it: remove it"),
    ("plugin.library.paths", "foreign code could change what is sent: remove it"),
    ("delivery.report.only.error", "a commit waits for every delivery report: remove it"),
    (
        "enable.sasl.oauthbearer.unsecure.jwt",
        "a token that nobody has signed is no login: remove it, and write `sasl.oauthbearer.method: oidc`",
    ),
    ("enabled_events", "the program needs the events that it asks for: remove it"),
];

/// Names of the Java client that librdkafka does not have, and what it has instead.
const JAVA: &[(&str, &str)] = &[
    (
        "sasl.jaas.config",
        "write `sasl.username` and `sasl.password`, or for OAUTHBEARER `sasl.oauthbearer.client.id` and `sasl.oauthbearer.client.secret`",
    ),
    ("sasl.login.class", "remove it"),
    ("sasl.login.callback.handler.class", "write `sasl.oauthbearer.method` as `oidc`, or remove it"),
    ("sasl.client.callback.handler.class", "remove it"),
    ("sasl.login.connect.timeout.ms", "remove it: a token endpoint has 10 s"),
    ("sasl.login.read.timeout.ms", "remove it: a token endpoint has 10 s"),
    ("sasl.login.refresh.buffer.seconds", "remove it: a token is renewed after 70 % of its time"),
    ("sasl.login.refresh.min.period.seconds", "remove it: a token is renewed after 70 % of its time"),
    ("sasl.login.refresh.window.factor", "remove it: a token is renewed after 70 % of its time"),
    ("sasl.login.refresh.window.jitter", "remove it: a token is renewed after 70 % of its time"),
    ("sasl.login.retry.backoff.ms", "remove it: a token endpoint is asked again after 1 s to 10 s"),
    ("sasl.login.retry.backoff.max.ms", "remove it: a token endpoint is asked again after 1 s to 10 s"),
    ("sasl.oauthbearer.client.credentials.scope", "write `sasl.oauthbearer.scope`"),
    ("sasl.oauthbearer.jwt.retriever.class", "write `sasl.oauthbearer.method` as `oidc`"),
    ("sasl.oauthbearer.jwt.validator.class", "remove it: the broker checks the token"),
    ("sasl.oauthbearer.jwks.endpoint.url", "remove it: the broker checks the token"),
    ("sasl.oauthbearer.expected.audience", "remove it: the broker checks the token"),
    ("sasl.oauthbearer.expected.issuer", "remove it: the broker checks the token"),
    ("sasl.oauthbearer.clock.skew.seconds", "remove it: the broker checks the token"),
    ("sasl.oauthbearer.scope.claim.name", "remove it: the broker checks the token"),
    ("sasl.oauthbearer.sub.claim.name", "remove it: the broker checks the token"),
    ("sasl.kerberos.ticket.renew.jitter", "write `sasl.mechanism` with what this build has, as `SCRAM-SHA-512`"),
    ("sasl.kerberos.ticket.renew.window.factor", "write `sasl.mechanism` with what this build has, as `SCRAM-SHA-512`"),
    ("ssl.truststore.location", "write `ssl.ca.location` with a PEM file"),
    ("ssl.truststore.password", "write `ssl.ca.location` with a PEM file, which has no password"),
    ("ssl.truststore.type", "write `ssl.ca.location` with a PEM file"),
    ("ssl.truststore.certificates", "write `ssl.ca.pem`"),
    ("ssl.keystore.type", "write `ssl.keystore.location` with a PKCS#12 file, or `ssl.key.location` with a PEM file"),
    ("ssl.keystore.key", "write `ssl.key.pem`"),
    ("ssl.keystore.certificate.chain", "write `ssl.certificate.pem`"),
    ("ssl.protocol", "remove it: OpenSSL chooses the newest TLS that both sides have"),
    ("ssl.enabled.protocols", "remove it: OpenSSL chooses the newest TLS that both sides have"),
    ("ssl.provider", "write `ssl.providers`"),
    ("security.providers", "write `ssl.providers`"),
    ("ssl.keymanager.algorithm", "remove it"),
    ("ssl.trustmanager.algorithm", "remove it"),
    ("ssl.secure.random.implementation", "remove it"),
    ("ssl.engine.factory.class", "remove it"),
    ("key.serializer", "remove it: a record's key is the event's uuid"),
    ("value.serializer", "remove it: a connector's `format` says what a record's value is"),
    ("key.deserializer", "remove it"),
    ("value.deserializer", "remove it"),
    ("buffer.memory", "write `queue.buffering.max.kbytes`"),
    ("max.block.ms", "remove it: the program never waits for space in the queue"),
    ("max.request.size", "write `message.max.bytes`"),
    ("partitioner.class", "remove it: keys are placed as Java's default partitioner places them"),
    ("interceptor.classes", "remove it"),
    ("metric.reporters", "remove it: metrics are at `/metrics`"),
    ("send.buffer.bytes", "write `socket.send.buffer.bytes`"),
    ("receive.buffer.bytes", "write `socket.receive.buffer.bytes`"),
    ("default.api.timeout.ms", "write `socket.timeout.ms`"),
    ("socket.connection.setup.timeout.max.ms", "write `socket.connection.setup.timeout.ms`"),
    ("fetch.max.wait.ms", "write `fetch.wait.max.ms`"),
    ("max.poll.records", "remove it"),
    ("exclude.internal.topics", "remove it"),
    ("compression.gzip.level", "write `compression.level`"),
    ("compression.lz4.level", "write `compression.level`"),
    ("compression.zstd.level", "write `compression.level`"),
    ("metadata.max.idle.ms", "remove it"),
];

/// Why the file may not set a property at all; `None` for the others, unknown ones included.
pub(super) fn refusal(name: &str) -> Option<String> {
    let canonical = canonical(name);
    if let Some((owned, reason)) = OWNED.iter().find(|(owned, _)| *owned == canonical) {
        let shown = if *owned == name { format!("`{name}`") } else { format!("`{name}` (`{owned}`)") };
        return Some(format!("{shown} is the program's to set: {reason}"));
    }
    if let Some((_, instead)) = JAVA.iter().find(|(java, _)| *java == name) {
        return Some(format!("`{name}` is a name of the Java client, which librdkafka does not know: {instead}"));
    }
    // Other ways to a token than a client's secret.
    let other_grant =
        ["sasl.oauthbearer.assertion.", "sasl.oauthbearer.metadata."].iter().any(|of| name.starts_with(of));
    if other_grant {
        return Some(format!(
            "`{name}` is not supported by this version: write `sasl.oauthbearer.client.id` and `sasl.oauthbearer.client.secret`"
        ));
    }
    None
}

/// Why a value that librdkafka would take is refused here, without the value.
pub(super) fn limit(name: &str, value: &str) -> Option<String> {
    const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
    let number = value.parse::<f64>().unwrap_or_default();
    match canonical(name) {
        "metadata.broker.list"
            if value.split(',').any(|one| scheme(one).is_some_and(|scheme| !is_protocol(scheme))) =>
        {
            Some("has the scheme of a URL: write host and port alone, as `localhost:9092`".to_owned())
        }
        "max.in.flight.requests.per.connection" if number > 5.0 => {
            Some("would lose the order of records, which transactions keep up to 5: write 5 or less".to_owned())
        }
        "message.max.bytes" if number < 8_388_608.0 => {
            Some("is less than the largest dead letter, 8 MiB: write 8388608 or more, or remove it".to_owned())
        }
        "message.send.max.retries" if number < 1.0 => {
            Some("would fail a transaction at the first hiccup: write 1 or more, or remove it".to_owned())
        }
        "queue.buffering.max.ms" if number >= 30_000.0 => {
            Some("is not below the time that a message has, 30 s: write less than 30000".to_owned())
        }
        "socket.timeout.ms" if number > 60_100.0 => {
            Some("is longer than a transaction may take, 60 s: write 60000 or less".to_owned())
        }
        "queuing.strategy" if !value.eq_ignore_ascii_case("fifo") => {
            Some("would lose the order of records: write `fifo`, or remove it".to_owned())
        }
        "queue.buffering.backpressure.threshold" if number > 1.0 => {
            Some("must be 1 with transactions: remove it".to_owned())
        }
        "sasl.mechanisms" if !MECHANISMS.contains(&value) => {
            Some(format!("is not a mechanism that this build has: write {}", crate::config::section::list(&MECHANISMS)))
        }
        _ => None,
    }
}

/// What stands before the `://` of a broker's address.
pub(super) fn scheme(address: &str) -> Option<&str> {
    address.trim().split_once("://").map(|(scheme, _)| scheme)
}

/// librdkafka takes the name of the protocol before an address, where it is that of `security.protocol`.
fn is_protocol(scheme: &str) -> bool {
    ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].iter().any(|protocol| protocol.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::super::librdkafka::find;
    use super::*;

    #[test]
    fn what_is_owned_is_known_and_what_is_java_is_not() {
        for (name, _) in OWNED {
            assert!(find(name).is_some() && canonical(name) == *name, "{name}");
        }
        for (name, instead) in JAVA {
            assert!(find(name).is_none(), "{name}");
            if let Some(named) = instead.strip_prefix("write `").and_then(|rest| rest.split('`').next()) {
                assert!(find(named).is_some(), "{name}: {named}");
            }
        }
    }
}
