//! No secret is printed, whatever else is wrong: secrets planted at every line of every bad file, in every spelling that
//! somebody may hit upon, and every bad file through the shipped program.

use std::collections::BTreeSet;
use std::time::Duration;

use okta_kafka_source::config::Config;

use super::bad;
use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::prove;

/// Stands in the file.
const PLANTED: &str = "Pl4nted-s3cret";

/// Stands in every variable of the environment that the files name.
const FROM_OUTSIDE: &str = "0uts1de-s3cret";

/// Keys that have a secret for their value; some are of later versions, or of other programs.
const KEYS: [&str; 13] = [
    "ssws",
    "auth",
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.jaas.config",
    "private_key",
    "basic_auth",
    "password",
    "client_secret",
    "bearer_token",
];

/// Spellings of a key and its secret: `K` and `S` stand for them.
const SPELLINGS: [&str; 20] = [
    "K: S",
    "K: \"S\"",
    "K: 'S'",
    "K: \"S",
    "K: 'S",
    "K:S",
    "K=S",
    "K S",
    "K: [S, S]",
    "K: {S: S}",
    "K: {S",
    "K: &S",
    "K: !S S",
    "K: |\n            S\n          S",
    "K: S: S",
    "K: \"S${env:NOPE}\"",
    // A value that is shown swallows the key and its secret.
    "interval: \"60s\n            K: S\"",
    "limit: >\n            K: S",
    "format: 'json K=S'",
    "since: [now, K: S",
];

/// Proxies carry their login in the URL.
const URLS: [&str; 8] = [
    "org: https://u:S@acme.okta.com",
    "org: u:S@acme",
    "okta_http: {proxy_url: \"http://u:S@proxy:3128\"}",
    "sasl.oauthbearer.token.endpoint.url: https://u:S@idp.example/token",
    "listen: http://u:S@127.0.0.1:1",
    "schema_registry: {url: \"https://a.example, https://u:S@registry.example\"}",
    "schema_registry: {url: \"https://registry.example?S\", basic_auth: u:S}",
    "schema_registry: {url: \"https://registry.example\", basic_auth: {username: \"u:S\", password: \"S${env:NOPE}\"}, bearer_token: \"S S\"}",
];

/// A private key under a key of a service app that is none of its own: a JWK, and the body of a PEM file.
const MISPLACED: [&str; 12] = [
    "key_id: '{\"kty\":\"EC\",\"d\":\"S\"}'",
    "client_id: '{\"d\":\"S\",\"kty\":\"EC\"}'",
    "algorithm: 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg S'",
    "scopes: ['{ \"kty\": \"EC\", \"d\": \"S\"}']",
    "dpop: 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49S'",
    "interval: '{\"kty\":\"EC\",\"d\":\"S\"}'",
    // In the place of a key.
    "S: x",
    "x3WS: x",
    "MIIEvAIBADANBgkqhkiG9w0S: x",
    "? q83vEjRWeJCrze8SNFZ4kKvN7xI0S",
    "{S}: x",
    "oauth: {S: x, private_key: {S: x}}",
];

/// What is planted: each key and URL in each spelling.
fn plants() -> Vec<String> {
    let keys = KEYS.iter().flat_map(|key| SPELLINGS.iter().map(|spelling| spelling.replace('K', key)));
    keys.chain(URLS.into_iter().chain(MISPLACED).map(str::to_owned)).map(|plant| plant.replace('S', PLANTED)).collect()
}

fn env(name: &str) -> Option<String> {
    (name != "NOPE").then(|| FROM_OUTSIDE.to_owned())
}

fn assert_silent(text: &str) {
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    let (shown, more) = match Config::parse_at(text, &env, now) {
        Ok(config) => (format!("{:?}", config.warnings), String::new()),
        Err(error) => (error.to_string(), format!("{error:?}")),
    };
    for secret in [PLANTED, FROM_OUTSIDE] {
        assert!(!shown.contains(secret) && !more.contains(secret), "{text}\n\n{shown}");
    }
}

#[test]
fn a_secret_planted_anywhere_in_any_bad_file_is_never_shown() {
    let plants = plants();
    // Shortened, each line of each file gets other spellings; in full, all of them.
    let step = prove::scale(1, 30);
    let mut tried = 0;
    for (number, path) in bad::files().into_iter().enumerate() {
        let text = std::fs::read_to_string(&path).unwrap();
        let text: String = text.split_inclusive('\n').filter(|line| !line.starts_with("#=")).collect();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let indent = &line[..line.len() - line.trim_start_matches([' ', '-']).len()].replace('-', " ");
            for plant in plants.iter().skip((number + at) % step).step_by(step) {
                let (before, after) = lines.split_at(at + 1);
                let planted = format!("{}\n{indent}{plant}\n{}\n", before.join("\n"), after.join("\n"));
                assert_silent(&planted);
                tried += 1;
            }
        }
        // In the place of the token itself, and at the end of a value that is shown.
        for (from, to) in [
            ("ssws: \"${env:TOKEN}", format!("ssws: \"{PLANTED}")),
            ("ssws: \"${env:TOKEN}", format!("ssws: \"{PLANTED} {PLANTED}")),
            ("ssws: \"${env:TOKEN}", format!("ssws: \"{PLANTED}${{env:TOKEN}}")),
            ("ssws: \"${env:TOKEN}\"", format!("ssws: \"{PLANTED}")),
            ("ssws: \"${env:TOKEN}\"}", format!("ssws: \"{PLANTED}\"")),
            ("Hunter2Hunter2", PLANTED.to_owned()),
        ] {
            assert_silent(&text.replace(from, &to));
            tried += 1;
        }
    }
    assert!(tried > 3_000, "{tried}");
    println!("{tried} files with a planted secret");
}

#[test]
fn every_bad_file_ends_the_program_with_2_and_no_secret() {
    let files = bad::files();
    // Of the real clock, which the expected text of these does not depend on.
    let keys = ["KEY", "JWK", "PUBLIC_KEY", "P521_KEY", "SHORT_KEY"].map(|name| (name, super::env(name).unwrap()));
    let mut environment = vec![
        ("TOKEN", "00t0ken-s3cret"),
        ("TWO_LINES", "Hunter2Hunter2\nHunter2Hunter2"),
        ("SPACED", "Hunter2Hunter2 Hunter2Hunter2"),
        ("EMPTY", ""),
    ];
    environment.extend(keys.iter().map(|(name, key)| (*name, key.as_str())));
    let commands: [&[&str]; 3] = [&["check", "--offline"], &["run"], &["offsets", "list"]];
    for (number, path) in files.iter().enumerate() {
        let text = std::fs::read_to_string(path).unwrap();
        // One process a file is enough: all commands read the file in the same way.
        let command = commands[number % commands.len()];
        let arguments: Vec<&str> = command.iter().copied().chain(["-c", utf8(path)]).collect();
        let output = connector::run(&arguments, &environment, Duration::from_secs(60));
        assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{}: {output:?}", path.display());
        let expected: BTreeSet<String> =
            text.lines()
                .filter_map(|line| line.strip_prefix("#= "))
                // A line that goes on with a problem has no place of its own.
                .map(|problem| {
                    if problem.starts_with(' ') { problem.to_owned() } else { format!("{}:{problem}", path.display()) }
                })
                .collect();
        let missing = expected.iter().find(|problem| !output.stderr.contains(problem.as_str()));
        assert!(missing.is_none(), "{missing:?} is not in\n{}", output.stderr);
        for secret in ["00t0ken-s3cret", "Hunter2Hunter2"] {
            assert!(!output.stderr.contains(secret), "{}: {}", path.display(), output.stderr);
        }
    }
    prove::row(
        "wrong-files",
        "A wrong file says which key, which line, what was found and what to write, and never a secret",
        &format!("{} wrong files, each with its expected messages, through the shipped program", files.len()),
        "exit code 2, all messages as expected, and no secret, planted at every line of every file",
    );
}

/// The new user's first file: one run names all.
#[test]
fn five_mistakes_are_named_in_one_run() {
    let text = "\
kafka:
  bootstrap.server: localhost:9092
connectors:
  - name: acme
    org: https://acme-admin.okta.com
    auth: {ssws: \"${env:OKS_NOT_SET}\"}
    topic: okta.system-log
    interval: 60
    limit: 1000
";
    let file = ConfigFile::new(text);
    let path = file.path();
    let mut shown = Vec::new();
    for command in [&["run"][..], &["check", "--offline"], &["check"]] {
        let arguments: Vec<&str> = command.iter().copied().chain(["-c", utf8(&path)]).collect();
        let output = connector::run(&arguments, &[], Duration::from_secs(60));
        assert_eq!(output.code(), 2, "{output:?}");
        let said: Vec<String> =
            output.stderr.lines().filter(|line| line.contains(utf8(&path))).map(str::to_owned).collect();
        for (line, key, what_to_do) in [
            (2, "kafka.bootstrap.server", "did you mean `bootstrap.servers`?"),
            (5, "connectors[0].org", "write `https://acme.okta.com`"),
            (6, "connectors[0].auth.ssws", "environment variable `OKS_NOT_SET` is not set"),
            (8, "connectors[0].interval", "as `60s`"),
            (9, "connectors[0].limit", "`large_pages: true`"),
        ] {
            let start = format!("{}:{line}: {key}: ", path.display());
            assert!(
                said.iter().any(|said| said.contains(&start) && said.contains(what_to_do)),
                "{key}: {}",
                output.stderr
            );
        }
        shown = said;
    }
    assert_eq!(shown.len(), 5, "five mistakes, five lines: {shown:#?}");
    prove::row(
        "five-mistakes",
        "A file with five mistakes in it: one run names all five",
        "a misspelt property, the console's host, an unset variable, a duration without a unit, a page size that has to be allowed; \
         `run`, `check`, `check --offline`",
        "five lines, each with file, line, key and what to write; exit code 2",
    );
}
