//! The configuration: every mistake is told with its line and what to do, and no secret is in what is told.

use okta_kafka_source::config::{Config, Problem};

/// The value of every variable of the environment that exists. Whatever the file makes of it, it is not shown.
const FROM_OUTSIDE: &str = "envS3cr3tValue";

/// Written into the file at every place where a secret may stand.
const IN_THE_FILE: &str = "fileS3cr3tValue";

/// Keys whose values are secrets.
const SECRET_KEYS: [&str; 9] = [
    "ssws",
    "sasl.password",
    "ssl.key.password",
    "ssl.keystore.password",
    "ssl.key.pem",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "private_key",
    "password",
];

/// `input`: the file.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    // A fuzzer sees what it is compared with, and would write the secrets where no secret stands.
    if text.contains(FROM_OUTSIDE) || text.contains(IN_THE_FILE) {
        return;
    }
    // A fuzzer must read no files of the machine that it runs on.
    let text =
        text.replace("${file:", "${file:/no/such/directory/").replace("ca_file: ", "ca_file: /no/such/directory/");
    told(&text);
    let mut planted = text;
    for key in SECRET_KEYS {
        planted = planted.replace(&format!("{key}: "), &format!("{key}: {IN_THE_FILE}"));
        for quote in ['"', '\''] {
            planted = planted.replace(&format!("{key}: {IN_THE_FILE}{quote}"), &format!("{key}: {quote}{IN_THE_FILE}"));
        }
    }
    for scheme in ["http://", "https://"] {
        for quote in ["", "\"", "'"] {
            let key = format!("proxy_url: {quote}{scheme}");
            planted = planted.replace(&key, &format!("{key}u:{IN_THE_FILE}@"));
        }
    }
    told(&planted);
}

/// Reads `text`; whatever comes of it, what is said of it is of use and holds no secret.
pub fn told(text: &str) {
    let env = |name: &str| match name {
        "NOPE" => None,
        "EMPTY" => Some(String::new()),
        "SPACED" => Some(format!("{FROM_OUTSIDE} {FROM_OUTSIDE}\n")),
        _ => Some(FROM_OUTSIDE.to_owned()),
    };
    let now = "2026-11-01T00:00:00Z".parse().expect("a time");
    // YAML ends a line at a carriage return as well.
    let lines = text.split(['\n', '\r']).count().max(1);
    let (shown, problems) = match Config::parse_at(text, &env, now) {
        Ok(config) => {
            assert!(!config.connectors.is_empty());
            (format!("{config:?}"), config.warnings)
        }
        Err(error) => {
            assert!(!error.problems().is_empty(), "refused without a word");
            (format!("{error}\n{error:?}"), error.problems().to_vec())
        }
    };
    for Problem { path, line, message } in &problems {
        assert!((1..=lines).contains(line), "line {line} of {lines}: {message}");
        assert!(!message.is_empty() && message.len() < 3000, "{message}");
        // A filter and the caret under it are lines of their own, set in.
        let flat = message.replace("\n    ", " ");
        assert!(!message.ends_with('.') && !flat.contains(char::is_control), "{message:?}");
        assert!(!path.contains(char::is_control) && path.len() < 1000, "{path:?}");
        for secret in [FROM_OUTSIDE, IN_THE_FILE] {
            assert!(!message.contains(secret) && !path.contains(secret), "{path}: {message}");
        }
    }
    // What was accepted may show what is no secret, as a topic's name; a secret's place never.
    assert!(problems.is_empty() || !shown.contains(IN_THE_FILE), "{shown}");
}
