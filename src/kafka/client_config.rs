//! The librdkafka configuration of each kind of client: the user's properties, then ours.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::config::KafkaProperties;

/// `transaction.timeout.ms`: how long the broker lets a transaction of a silent worker block its readers.
pub const TRANSACTION_TIMEOUT_MS: u32 = 60_000;
/// `message.timeout.ms`: within a transaction's time, so that a record's failure is known before the transaction's.
const MESSAGE_TIMEOUT_MS: u32 = 30_000;
/// Session of a dynamic member: takeover takes as long, and a restart after a kill waits as long.
const SESSION_TIMEOUT_DYNAMIC_MS: &str = "10000";
/// Session of a static member: comes back under its own name at once, so its place may be kept longer.
const SESSION_TIMEOUT_STATIC_MS: &str = "60000";

/// librdkafka's default of `batch.size`.
const BATCH_BYTES: u32 = 1_000_000;
/// `metadata.recovery.rebootstrap.trigger.ms`.
const REBOOTSTRAP_MS: u32 = 10_000;

/// The producer's own limit of a record: above the largest page (64 MiB), and below what brokers take as one request
/// (`socket.request.max.bytes`, 100 MiB).
const PRODUCER_MAX_BYTES: u32 = 68 * 1024 * 1024;

/// `max.message.bytes` of a dead letter topic that we create.
pub const DEAD_LETTER_MAX_BYTES: u32 = 8 * 1024 * 1024;

fn client(properties: impl IntoIterator<Item = (String, String)>) -> ClientConfig {
    let mut config = ClientConfig::new();
    // A broker that closes a connection at once tells so that the protocol is wrong: `kafka::connection` listens.
    let _ = config.set("log.connection.close", "true");
    if !matches!(config.log_level, RDKafkaLogLevel::Debug) {
        let _ = config.set_log_level(RDKafkaLogLevel::Info);
    }
    // An only broker that comes back names no broker for a moment, and librdkafka forgets all that it knew: it is to start
    // from `bootstrap.servers` again soon, not after its default of five minutes.
    let _ = config.set("metadata.recovery.rebootstrap.trigger.ms", REBOOTSTRAP_MS.to_string());
    for (name, value) in properties {
        let _ = config.set(name, value);
    }
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    trust_this_machine(&mut config, named);
    config
}

/// TLS without a CA of the user's: that of the machine it runs on.
///
/// OpenSSL is inside the program, and its own default is a folder of the machine that it was built on. `probe` looks where
/// systems keep their CAs, but does not look at OpenSSL's environment variables, which come first where they are `named`.
fn trust_this_machine(config: &mut ClientConfig, named: bool) {
    let tls = config.get("security.protocol").is_some_and(|protocol| protocol.to_ascii_lowercase().ends_with("ssl"));
    let given = ["ssl.ca.location", "ssl.ca.pem"].iter().any(|name| config.get(name).is_some());
    if tls && !given && !named {
        let _ = config.set("ssl.ca.location", "probe");
    }
}

/// What librdkafka does not take when a client is made: files that it can't use, which it names, with OpenSSL's word for it.
pub fn refused(error: &KafkaError) -> String {
    let text = error.to_string();
    let reason = text.strip_prefix("Client creation error: ").unwrap_or(&text);
    let details = reason.find("error:").map_or("", |at| &reason[at..]);
    let known = [
        ("ssl.key.location", "is no PEM file of a key, or `ssl.key.password` is not its password"),
        ("ssl.key.pem", "is no key in PEM, or `ssl.key.password` is not its password"),
        ("ssl.certificate.location", "is no PEM file of a certificate"),
        ("ssl.certificate.pem", "is no certificate in PEM"),
        ("ssl.keystore.location", "is no PKCS#12 file, or `ssl.keystore.password` is not its password"),
        ("ssl.ca.location", "is no PEM file of certificates"),
        ("ssl.ca.pem", "has no certificate in PEM"),
        ("ssl.crl.location", "is no PEM file of a revocation list"),
    ];
    if reason.contains("key values mismatch") || reason.contains("rivate key check failed") {
        return "the key and the certificate are no pair: `ssl.key.…` must be that of `ssl.certificate.…`".to_owned();
    }
    match known.into_iter().find(|(name, _)| reason.contains(name)) {
        Some((name, what)) => format!("`{name}` {what} ({})", if details.is_empty() { reason } else { details }),
        None => reason.to_owned(),
    }
}

fn owned<'a>(properties: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `batch.size` of a producer whose smallest topic takes `batch_bytes`, as far as that is known.
pub fn batch_size(kafka: &KafkaProperties, batch_bytes: Option<u32>) -> u32 {
    let own = kafka.get_producer("batch.size").and_then(|value| value.parse().ok()).unwrap_or(BATCH_BYTES);
    batch_bytes.map_or(own, |smallest| smallest.min(own)).max(1)
}

/// A shard's producer (I5). Idempotence and `acks=all` come with the transactional id.
///
/// `batch_bytes` is the smallest `max.message.bytes` of the shard's topics, as far as it is known: librdkafka does not
/// split a batch that is too large for a topic, as Java's client does.
pub fn transactional_producer(
    kafka: &KafkaProperties,
    transactional_id: &str,
    batch_bytes: Option<u32>,
) -> ClientConfig {
    let mut config = client(owned(kafka.producer()));
    // How large a record may be is the topics' to say. The largest that there can be is a page of one element.
    let own = kafka.get_producer("message.max.bytes").and_then(|value| value.parse().ok()).unwrap_or_default();
    let _ = config.set("message.max.bytes", PRODUCER_MAX_BYTES.max(own).to_string());
    let _ = config.set("batch.size", batch_size(kafka, batch_bytes).to_string());
    let _ = config
        // What librdkafka says of a topic that may not be written is said in its log only.
        .set("log.queue", "false")
        .set("transactional.id", transactional_id)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS.to_string())
        .set("message.timeout.ms", MESSAGE_TIMEOUT_MS.to_string());
    config
}

/// How often a producer makes its statistics, where they are shown: more often than Prometheus looks by default, and what
/// one look costs is not seen (docs/measurements.md).
const STATISTICS_MS: u32 = 10_000;

/// Whether a producer makes statistics: ours to say, since nobody else reads them.
pub fn set_statistics(config: &mut ClientConfig, shown: bool) {
    let _ = config.set("statistics.interval.ms", if shown { STATISTICS_MS } else { 0 }.to_string());
}

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed transactions.
    ReadCommitted,
    /// All, aborted ones included.
    ReadUncommitted,
}

/// A consumer that reads given partitions to the end.
///
/// librdkafka wants a group for any consumer and looks for its coordinator; it is the user's, for which there is a
/// permission already. This consumer never joins it and never commits.
pub fn reader(kafka: &KafkaProperties, group_id: &str, isolation: Isolation) -> ClientConfig {
    let mut config = client(owned(kafka.consumer()));
    // What concerns members only; some of it fits no group of its own defaults.
    for name in [
        "group.protocol",
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
        "group.remote.assignor",
    ] {
        let _ = config.remove(name);
    }
    let _ = config
        .set("group.id", group_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set(
            "isolation.level",
            match isolation {
                Isolation::ReadCommitted => "read_committed",
                Isolation::ReadUncommitted => "read_uncommitted",
            },
        );
    config
}

/// The member of the group that decides who owns which shard (docs/adr/0003). It carries no data.
pub fn group_member(kafka: &KafkaProperties, group_id: &str, group_instance_id: Option<&str>) -> ClientConfig {
    let mut config = client(owned(kafka.consumer()));
    let consumer_protocol =
        kafka.get_consumer("group.protocol").is_some_and(|value| value.eq_ignore_ascii_case("consumer"));
    if !consumer_protocol && kafka.get_consumer("session.timeout.ms").is_none() {
        let session = match group_instance_id {
            Some(_) => SESSION_TIMEOUT_STATIC_MS,
            None => SESSION_TIMEOUT_DYNAMIC_MS,
        };
        let _ = config.set("session.timeout.ms", session);
    }
    if let Some(name) = group_instance_id {
        let _ = config.set("group.instance.id", name);
    }
    if !consumer_protocol {
        let _ = config.set("partition.assignment.strategy", "cooperative-sticky");
    }
    let _ = config
        .set("group.id", group_id)
        // Whether we are a member stands there only.
        .set("statistics.interval.ms", "500")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "latest")
        .set("allow.auto.create.topics", "false");
    config
}

/// A client for questions about topics.
pub fn admin(kafka: &KafkaProperties) -> ClientConfig {
    client(owned(kafka.shared()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_without_a_ca_takes_the_machines() {
        for (properties, named, wanted) in [
            (&[("security.protocol", "sasl_ssl")][..], false, Some("probe")),
            (&[("security.protocol", "SSL")], false, Some("probe")),
            (&[("security.protocol", "ssl")], true, None),
            (&[("security.protocol", "ssl"), ("ssl.ca.pem", "x")], false, None),
            (&[("security.protocol", "ssl"), ("ssl.ca.location", "/ca")], false, Some("/ca")),
            (&[("security.protocol", "sasl_plaintext")], false, None),
        ] {
            let mut config = ClientConfig::new();
            for (name, value) in properties {
                let _ = config.set(*name, *value);
            }
            trust_this_machine(&mut config, named);
            assert_eq!(config.get("ssl.ca.location"), wanted, "{properties:?} {named}");
        }
    }
}
