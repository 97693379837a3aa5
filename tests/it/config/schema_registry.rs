//! `schema_registry`: what is read of it. What is refused stands in `bad/registry-*.yaml`.

use okta_kafka_source::config::{RegistryAuth, SchemaRegistryConfig, SubjectStrategy};
use secrecy::ExposeSecret;

use super::{MINIMAL, SECRET, assert_one, valid, with_top};

fn read(section: &str) -> SchemaRegistryConfig {
    valid(&with_top(&format!("schema_registry: {{{section}}}"))).schema_registry.expect("a section")
}

#[test]
fn urls_are_one_or_several_with_a_path_or_without() {
    assert!(valid(MINIMAL).schema_registry.is_none());
    for (url, read_as) in [
        ("http://localhost:8081", &["http://localhost:8081"][..]),
        ("https://registry.example.com/", &["https://registry.example.com"]),
        ("http://localhost:8080/apis/ccompat/v7/", &["http://localhost:8080/apis/ccompat/v7"]),
        ("HTTPS://A.example, https://b.example/x ,,https://a.example", &["https://a.example", "https://b.example/x"]),
        ("http://registry:8081", &["http://registry:8081"]),
    ] {
        let urls: Vec<String> = read(&format!("url: '{url}'")).urls.iter().map(ToString::to_string).collect();
        assert_eq!(urls, read_as, "{url}");
    }
    let listed = read("url: ['http://localhost:8081', 'http://localhost:8082,http://localhost:8083']").urls;
    let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
    assert_eq!(listed, ["http://localhost:8081", "http://localhost:8082", "http://localhost:8083"]);
    let config = read("url: http://localhost:8081");
    assert!(matches!(config.auth, RegistryAuth::None) && config.ca.is_none() && config.auto_register);
    assert_eq!(config.subject_strategy, SubjectStrategy::Topic);
}

#[test]
fn the_subject_is_called_as_confluents_serializers_do() {
    for (strategy, subject) in
        [("topic", "t-value"), ("record", "okta.systemlog.LogEvent"), ("topic_record", "t-okta.systemlog.LogEvent")]
    {
        let strategy = read(&format!("url: http://localhost:8081, subject_strategy: {strategy}, auto_register: false"));
        assert!(!strategy.auto_register);
        assert_eq!(strategy.subject_strategy.subject("t", "okta.systemlog.LogEvent"), subject);
    }
}

#[test]
fn a_login_is_read_and_never_shown() {
    let url = "url: https://registry.example.com";
    for (login, expected) in [
        ("basic_auth: {username: me, password: '${env:PASSWORD}'}", &["me", SECRET][..]),
        ("bearer_token: '${env:PASSWORD}'", &[SECRET]),
    ] {
        let config = read(&format!("{url}, {login}"));
        let found: Vec<String> =
            config.auth.secrets().map(|secret| secret.value().expose_secret().to_owned()).collect();
        assert_eq!(found, expected);
        assert!(!format!("{config:?}").contains(SECRET), "{config:?}");
    }
    // In the clear only where nobody can listen.
    let _ = read("url: 'http://127.0.0.1:8081,https://registry.example.com', bearer_token: '${env:PASSWORD}'");
    let mixed = "schema_registry: {url: 'https://a.example,http://b.example', bearer_token: '${env:PASSWORD}'}";
    assert_one(&with_top(mixed), "schema_registry.url", 1, &["in the clear", "https://"]);
    // What stands in the file itself is told.
    let config = valid(&with_top(&format!("schema_registry: {{{url}, bearer_token: {SECRET}}}")));
    let [warning] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
    assert!(warning.path == "schema_registry.bearer_token" && warning.message.contains("${file:PATH}"), "{warning}");
}

#[test]
fn a_secret_in_a_file_is_read_again() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let write = |text: &str| std::fs::write(file.path(), text).expect("written");
    write("first\n");
    let config = read(&format!("url: http://localhost:8081, bearer_token: '${{file:{}}}'", file.path().display()));
    let RegistryAuth::Bearer(token) = &config.auth else { panic!("{config:?}") };
    assert!(token.has_file() && !token.reload());
    write("second\n");
    assert!(token.reload());
    assert_eq!(token.value().expose_secret(), "second");
    write("two words\n");
    assert!(!token.reload(), "what cannot be sent is not taken");
    assert_eq!(token.value().expose_secret(), "second");
}
