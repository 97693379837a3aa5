//! Placeholders, tokens that change, and secrets that no output shows.

use okta_kafka_source::config::{Look, Ssws};
use secrecy::ExposeSecret;

use super::{MINIMAL, SECRET, assert_one, parse, problems, valid, with_connector_keys, with_kafka, with_top};

#[test]
fn placeholders_that_have_no_value_name_the_key_and_the_variable() {
    for (value, parts) in [
        ("${env:NOPE}", &["`NOPE`", "not set"][..]),
        ("${file:/no/such/file}", &["`/no/such/file`", "cannot be read"]),
        ("${env:NOPE", &["without `}`"]),
        ("${vault:x}", &["unknown", "${env:NAME}"]),
        ("${NOPE}", &["unknown", "${env:NAME}"]),
        ("${env:}", &["unknown"]),
    ] {
        assert_one(&MINIMAL.replace("${env:TOKEN}", value), "connectors[0].auth.ssws", 6, parts);
        assert_one(&with_kafka(&format!("client.id: '{value}'")), "kafka.client.id", 2, parts);
    }
    let both = problems(&with_kafka("client.id: '${env:NOPE}-${env:NEITHER}'"));
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn a_token_in_a_file_is_read_again() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let write = |text: &str| std::fs::write(file.path(), text).expect("written");
    write("first\n");
    let config = valid(&MINIMAL.replace("${env:TOKEN}", &format!("${{file:{}}}", file.path().display())));
    let auth: Ssws = config.connectors[0].auth.ssws().expect("an API token").clone();
    assert_eq!(auth.token().expose_secret(), "first");
    assert!(!auth.reload().expect("readable"));
    write("second\r\n");
    assert!(auth.reload().expect("readable"));
    assert_eq!(
        config.connectors[0].auth.ssws().expect("an API token").token().expose_secret(),
        "second",
        "clones share the token"
    );
    write("third");
    assert!(matches!(auth.look(), Look::Changed) && matches!(auth.look(), Look::Same));
    write("second");
    assert!(matches!(auth.look(), Look::Changed));
    write("two words\n");
    assert!(matches!(auth.look(), Look::Failed(_)) && matches!(auth.look(), Look::Same), "said once");
    let error = auth.reload().expect_err("not a token").to_string();
    assert!(!error.contains("words"), "{error}");
    assert_eq!(auth.token().expose_secret(), "second");
    assert_eq!(format!("{auth:?}"), "Ssws(***)");
}

#[test]
fn what_yaml_refuses_is_told_with_its_line_and_without_its_text() {
    for (text, line, says) in [
        (format!("{MINIMAL}    q: \"{SECRET}\n"), 8, "quote"),
        (format!("{MINIMAL}    q: @{SECRET}\n"), 8, "quotes"),
        (format!("{MINIMAL}    q: *{SECRET}\n"), 8, "alias"),
        (format!("{MINIMAL}    q: &{SECRET} x\n"), 8, "anchors"),
        (format!("{MINIMAL}    q: !{SECRET} x\n"), 8, "tags"),
        (format!("{MINIMAL}   q: {SECRET}\n"), 8, "YAML"),
        (MINIMAL.replace("    topic: okta", &format!("\tq: {SECRET}")), 7, "tab"),
        (format!("{MINIMAL}    q: {SECRET}: {SECRET}\n"), 8, "YAML"),
        (format!("{MINIMAL}    q: [{SECRET}\n"), 8, "YAML"),
        (format!("{MINIMAL}    topic: {SECRET}\n"), 8, "twice, first on line 7"),
        (format!("{MINIMAL}    [{SECRET}]: x\n"), 8, "a key is text"),
        (format!("{MINIMAL}---\nkafka: {SECRET}\n"), 9, "second document"),
        (format!("{MINIMAL}    q: {}{SECRET}{}\n", "[".repeat(40), "]".repeat(40)), 8, "levels deep"),
        (String::new(), 1, "empty"),
        ("# nothing\n".to_owned(), 1, "empty"),
        (SECRET.to_owned(), 1, "write the keys `kafka:` and `connectors:`"),
    ] {
        let found = problems(&text);
        let at = found.iter().any(|p| p.line == line && p.message.contains(says));
        assert!(at && !format!("{found:?}").contains(SECRET), "{text}\n{found:#?}");
    }
}

#[test]
fn no_secret_is_in_any_message_or_debug_output() {
    let mistakes = [
        MINIMAL.replace("${env:TOKEN}", &format!("{SECRET} {SECRET}")),
        MINIMAL.replace("${env:TOKEN}", "${env:SPACED}"),
        MINIMAL.replace("${env:TOKEN}", &format!("SSWS {SECRET}")),
        MINIMAL.replace("\"${env:TOKEN}\"", &format!("[{SECRET}]")),
        MINIMAL.replace("${env:TOKEN}", &format!("{SECRET}\\n")),
        MINIMAL.replace("${env:TOKEN}", &format!("{SECRET}é")),
        MINIMAL.replace("${env:TOKEN}", &format!("{SECRET}${{x{SECRET}}}")),
        MINIMAL.replace("${env:TOKEN}", &format!("{SECRET}${{env:NOPE}}")),
        MINIMAL.replace("${env:TOKEN}", &format!("{SECRET} ${{env:TOKEN}}")),
        MINIMAL.replace("ssws: \"${env:TOKEN}\"", &format!("ssws:{SECRET}")),
        MINIMAL.replace("ssws: \"${env:TOKEN}\"", SECRET),
        MINIMAL.replace("{ssws: \"${env:TOKEN}\"}", SECRET),
        MINIMAL.replace("{ssws: \"${env:TOKEN}\"}", &format!("[{SECRET}]")),
        MINIMAL.replace("https://acme", &format!("https://me:{SECRET}@acme")),
        MINIMAL.replace("https://acme.okta.com", "\"${env:SECRET}\""),
        MINIMAL.replace("https://acme.okta.com", "\"http://${env:SECRET}.example\""),
        MINIMAL.replace("name: acme", "name: \"${env:SPACED}\""),
        MINIMAL.replace("okta.system-log", "\"${env:SPACED}\""),
        with_connector_keys("interval: \"${env:SECRET}\""),
        with_connector_keys("limit: \"${env:SECRET}\""),
        with_connector_keys("since: \"${env:SECRET}\""),
        with_connector_keys("format: \"${env:SECRET}\""),
        with_connector_keys("large_pages: \"${env:SECRET}\""),
        with_connector_keys(&format!("topic: {SECRET}")),
        with_top("http: {listen: \"${env:SECRET}\"}"),
        with_top("group_instance_id: \"${env:SPACED}\""),
        with_kafka("linger.ms: \"${env:SECRET}\""),
        with_kafka("security.protocol: \"${env:SECRET}\""),
        with_kafka(&format!("sasl.password: \"{SECRET}\\0\"")),
        with_kafka(&format!("sasl.password: [{SECRET}]")),
        with_kafka(&format!("sasl.passwort: {SECRET}")),
        with_kafka(&format!("sasl.jaas.config: {SECRET}")),
        with_kafka(&format!("ssl.truststore.password: {SECRET}")),
        with_kafka(&format!("sasl.oauthbearer.client.secret: {SECRET}")),
        with_kafka(&format!("producer: {{sasl.password:{SECRET}}}")),
        with_kafka(&format!("producer: {{sasl.password={SECRET}}}")),
        MINIMAL.replace("  bootstrap.servers: localhost:9092", &format!("  sasl.password={SECRET}")),
    ];
    for text in mistakes {
        let error = parse(&text).expect_err(&text);
        let shown = format!("{error}\n{error:?}");
        assert!(!shown.contains(SECRET), "{text}\n{shown}");
    }
    let config = valid(&with_kafka(&format!(
        "security.protocol: sasl_ssl
  sasl.mechanism: PLAIN
  sasl.username: '${{env:SECRET}}'
  sasl.password: '${{env:PASSWORD}}'
  ssl.key.password: {SECRET}
  ssl.key.pem: {SECRET}
  ssl.certificate.pem: x
  ssl.keystore.password: {SECRET}
  sasl.oauthbearer.config: {SECRET}"
    )));
    assert_eq!(config.kafka.get_producer("sasl.password"), Some(SECRET));
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains(SECRET) && shown.contains("***") && !shown.contains("00abcDEF"), "{shown}");
}
