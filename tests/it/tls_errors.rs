//! What is wrong with TLS or a login is said, with the next thing to do, by the service and by commands.

use std::fs;
use std::time::{Duration, Instant};

use openssl::pkey::PKey;
use openssl::symm::Cipher;
use tempfile::TempDir;

use crate::support::certificates::{Authority, Leaf};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::leak::Secret;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::secure_broker::{EXPIRED, MUTUAL, OTHER_HOST, PASSWORD, SCRAM, SecureBroker, ca};
use crate::tls::command;

const WAIT: Duration = Duration::from_secs(60);
/// A command that can't reach its broker ends within this: in 10 s, and more where two cores have all of this at once.
const COMMAND: Duration = Duration::from_secs(40);
/// So many at the same time.
const BATCH: usize = 7;
const WRONG_PASSWORD: &str = "Hd3wK8sQz5VnYt7LmRc2XbGj";

/// A configuration with one mistake.
pub struct Mistake {
    pub name: &'static str,
    pub config: ConfigYaml,
    /// In the message, with the next thing to do.
    pub says: &'static [&'static str],
}

/// The line that begins so goes, and this one comes.
pub fn with(mut config: ConfigYaml, begins: &str, line: &str) -> ConfigYaml {
    let before = config.kafka.len();
    config.kafka.retain(|line| !line.starts_with(begins));
    assert_eq!(config.kafka.len(), before - 1, "one line begins with {begins}");
    if !line.is_empty() {
        config.kafka.push(line.to_owned());
    }
    config
}

fn mistakes(broker: &SecureBroker) -> Vec<Mistake> {
    let scram = || broker.scram(SCRAM);
    let at = |mut config: ConfigYaml, address: String| {
        config.bootstrap = address;
        config
    };
    let mistake = |name, config, says| Mistake { name, config, says };
    vec![
        mistake(
            "wrong password",
            with(scram(), "sasl.password", &format!("sasl.password: {WRONG_PASSWORD}")),
            &["refuses the login", "`sasl.username` and `sasl.password`"],
        ),
        mistake(
            "wrong mechanism",
            with(scram(), "sasl.mechanism", "sasl.mechanism: PLAIN"),
            &["does not take PLAIN, but SCRAM-SHA-512", "set `sasl.mechanism`"],
        ),
        mistake(
            "wrong CA",
            with(scram(), "ssl.ca", &ca(&broker.other_authority.path())),
            &["no CA in `ssl.ca.location` has signed", "but `authority`", "set `ssl.ca.location`"],
        ),
        mistake("no CA", with(scram(), "ssl.ca", ""), &["no CA of this machine has signed", "set `ssl.ca.location`"]),
        mistake("expired certificate", broker.scram(EXPIRED), &["expired on", "renew it"]),
        mistake(
            "wrong host name",
            broker.scram(OTHER_HOST),
            &["is for `kafka.example`, not for `127.0.0.1`", "use a name that it has"],
        ),
        mistake(
            "TLS to a plaintext port",
            at(broker.mutual(), broker.broker.bootstrap()),
            &["does not speak TLS", "use its TLS port"],
        ),
        mistake(
            "plaintext to a TLS port",
            ConfigYaml::new(&broker.broker.listener_address(MUTUAL)),
            &["does not speak without TLS", "set `security.protocol` to `ssl`"],
        ),
        mistake(
            "a login without TLS to a TLS port",
            with(scram(), "security.protocol", "security.protocol: sasl_plaintext"),
            &["does not speak without TLS", "set `security.protocol` to `sasl_ssl`"],
        ),
        mistake(
            "no login",
            at(broker.mutual(), broker.broker.listener_address(SCRAM)),
            &["asks for a login", "set `security.protocol` to `sasl_ssl`"],
        ),
        mistake(
            "no client certificate",
            with(with(broker.mutual(), "ssl.certificate", ""), "ssl.key", ""),
            &["asks for a client certificate", "set `ssl.certificate.location`"],
        ),
        mistake(
            "a client certificate of another CA",
            with(
                with(
                    broker.mutual(),
                    "ssl.certificate",
                    &line("ssl.certificate.location", &broker.stranger.certificate),
                ),
                "ssl.key",
                &line("ssl.key.location", &broker.stranger.key),
            ),
            &["refuses our certificate", "check that a CA which it trusts"],
        ),
        mistake("nobody there", ConfigYaml::new("127.0.0.1:9"), &["nobody listens at `127.0.0.1:9`", "check"]),
        mistake("unknown name", ConfigYaml::new("kafka.invalid:9092"), &["`kafka.invalid:9092` is not known", "check"]),
    ]
}

fn line(key: &str, path: &std::path::Path) -> String {
    format!("{key}: {}", path.display())
}

#[test]
fn each_mistake_is_named_with_what_to_do() {
    let Some(broker) = SecureBroker::shared() else { return };
    let mistakes = mistakes(&broker);
    let longest = each_is_named(&mistakes, &[PASSWORD, WRONG_PASSWORD]);
    prove::row(
        "tls-errors",
        "What is wrong with TLS or a login is named, with the next thing to do",
        &format!("{} mistakes, each with `run` (log and /readyz) and `offsets list`", mistakes.len()),
        &format!("each named; `offsets list` ended with 1 within {:.0} s", longest.as_secs_f64().ceil()),
    );
}

/// Tries each mistake with `run` and with a command, some at the same time, and gives how long the longest command took.
pub fn each_is_named(mistakes: &[Mistake], secrets: &[&str]) -> Duration {
    let org = Org::with_events(10);
    let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(secret)).collect();
    let in_batch = |batch: &[Mistake]| {
        std::thread::scope(|scope| {
            let tries: Vec<_> = batch
                .iter()
                .map(|mistake| {
                    let (org, secrets) = (&org, &secrets);
                    scope.spawn(move || {
                        let config = mistake.config.clone().connector(org.connector("acme"));
                        let worker = Connector::spawn(&config, &[]);
                        let began = Instant::now();
                        let output = command(&config, &["offsets", "list"], &[]);
                        let took = began.elapsed();
                        let is_named = |text: &str| mistake.says.iter().all(|words| text.contains(words));
                        assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{}: {output:?}", mistake.name);
                        assert!(is_named(&output.stderr), "{}: {}", mistake.name, output.stderr);
                        assert_eq!(output.stderr.lines().count(), 1, "{}: {}", mistake.name, output.stderr);
                        assert!(took < COMMAND, "{}: {took:?}", mistake.name);
                        let _ = worker.await_log(mistake.name, is_named, WAIT);
                        let ready = worker.await_http("/readyz", 503, WAIT);
                        assert!(is_named(&ready.body), "{}: {}", mistake.name, ready.body);
                        worker.terminate();
                        assert_eq!(worker.wait(WAIT).code(), Some(0), "{}", mistake.name);
                        for secret in secrets {
                            secret.must_not_be_in("the log", &worker.log());
                            secret.must_not_be_in("the error", &output.stderr);
                        }
                        took
                    })
                })
                .collect();
            tries.into_iter().map(|one| one.join().unwrap()).max()
        })
    };
    let longest = mistakes.chunks(BATCH).filter_map(in_batch).max();
    assert_eq!(org.request_count(), 0);
    longest.unwrap_or_default()
}

/// Found when a client is made, without a broker.
#[test]
fn files_that_are_none_are_named() {
    let folder = TempDir::with_prefix("certificates-").unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let (one, other) = (authority.sign(Leaf::new("one")), authority.sign(Leaf::new("other")));
    let certificate = line("ssl.certificate.location", &one.certificate);
    let encrypted = folder.path().join("encrypted.pem");
    let key = PKey::private_key_from_pem(&fs::read(&one.key).unwrap()).unwrap();
    let pem = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), PASSWORD.as_bytes()).unwrap();
    fs::write(&encrypted, pem).unwrap();
    let encrypted = line("ssl.key.location", &encrypted);
    let wrong = format!("ssl.key.password: {WRONG_PASSWORD}");
    let right = format!("ssl.key.password: {PASSWORD}");
    let secret = Secret::new(WRONG_PASSWORD);
    for (lines, code, words) in [
        (&[ca(&one.key)][..], 2, "`ssl.ca.location` is no PEM file of certificates"),
        (&[certificate.clone(), encrypted.clone(), wrong.clone()], 2, "`ssl.key.password` is not its password"),
        (&[certificate.clone(), encrypted.clone()], 2, "`ssl.key.password` is not its password"),
        (&[certificate.clone(), line("ssl.key.location", &other.key)], 2, "no pair"),
        (&[line("ssl.keystore.location", &one.key), wrong.replace("key", "keystore")], 2, "no PKCS#12 file"),
        (&[format!("ssl.ca.pem: {WRONG_PASSWORD}")], 2, "`ssl.ca.pem` has no certificate in PEM"),
        // As it should be: then nobody is there.
        (&[certificate.clone(), encrypted, right], 1, "nobody listens"),
    ] {
        let mut config = ConfigYaml::new("127.0.0.1:9").kafka("security.protocol: ssl");
        config.kafka.extend_from_slice(lines);
        let output = command(&config, &["offsets", "list"], &[]);
        assert!(output.code() == code && output.stderr.contains(words), "{lines:?}: {output:?}");
        secret.must_not_be_in("the error", &output.stderr);
    }
}

/// The service tries on, and goes on by itself when the broker has a new certificate.
#[test]
fn a_renewed_certificate_is_noticed() {
    let Some(broker) = SecureBroker::start() else { return };
    let org = Org::with_events(120);
    let config = broker.scram(EXPIRED).connector(org.connector("acme").interval("200ms"));
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_log("that the certificate expired", |line| line.contains("expired on"), WAIT);
    let _ = broker.authority.sign(Leaf::new("expired"));
    broker.broker.restart();
    worker.await_caught_up(&org, "acme", WAIT);
    let _ = worker.await_http("/readyz", 200, WAIT);
    worker.terminate();
    assert_eq!(worker.wait(WAIT).code(), Some(0));
}
