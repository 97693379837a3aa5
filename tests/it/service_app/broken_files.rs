//! A configuration with a private key in it and a mistake beside it: nothing of the key is in what is said of it.

use std::time::Duration;

use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::leak::Secret;
use crate::support::service_key::{Form, Kind, ServiceKey};

const WAIT: Duration = Duration::from_secs(20);

/// A private key in the file itself, and a mistake right beside it.
#[test]
fn broken_configurations_show_no_part_of_the_key() {
    let mut count = 0;
    for kind in [Kind::Rsa, Kind::P256] {
        let key = ServiceKey::new("key-1", kind);
        let secrets: Vec<_> = key.secret_parts().iter().map(|part| Secret::new(part)).collect();
        for text in broken(&key) {
            let file = ConfigFile::new(&text);
            let path = file.path();
            let output = connector::run(&["check", "--offline", "-c", utf8(&path)], &[("RUST_LOG", "trace")], WAIT);
            assert_eq!(output.code(), 2, "{text}\n{output:?}");
            for secret in &secrets {
                secret.must_not_be_in("the errors of a broken configuration", &output.stderr);
                secret.must_not_be_in("the output of a broken configuration", &output.stdout);
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// Configurations with one mistake each, all near the key.
fn broken(key: &ServiceKey) -> Vec<String> {
    let config = |auth: &str| {
        format!(
            "kafka:\n  bootstrap.servers: 127.0.0.1:9\nconnectors:\n  - name: acme\n    org: https://acme.okta.com\n    \
             topic: t\n    auth:\n{auth}\n"
        )
    };
    let (pem, jwk) = (key.file(Form::Pkcs8), key.file(Form::Jwk));
    let inline = |text: &str| serde_json::Value::from(text).to_string();
    let block = |text: &str, indent: &str| text.lines().map(|line| format!("{indent}{line}\n")).collect::<String>();
    let pem_line = pem.lines().nth(1).unwrap_or_default();
    let (one, short) = (inline(&pem), inline(&pem[..pem.len() / 2]));
    let ok = "client_id: 0oa1, key_id: k";
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().join("\n");
    // Nobody knows beforehand under which key somebody writes it, and in which form.
    let forms = [inline(&jwk), inline(&body), inline(&body.replace('\n', "")), inline(&body.replace('\n', " "))];
    let misplaced = ["client_id", "key_id", "algorithm", "scopes", "dpop"].into_iter().flat_map(|place| {
        let others = [("client_id", "0oa1"), ("key_id", "k")].into_iter().filter(move |(key, _)| *key != place);
        let others: Vec<String> = others.map(|(key, value)| format!("{key}: {value}, ")).collect();
        let list = if place == "scopes" { forms.iter().map(|form| format!("[{form}]")).collect() } else { Vec::new() };
        let values: Vec<String> = forms.iter().cloned().chain(list).collect();
        values
            .into_iter()
            .map(move |value| format!("      oauth: {{{}{place}: {value}, private_key: x}}", others.concat()))
    });
    let as_a_key = forms.iter().map(|form| format!("      oauth: {{{ok}, {form}: x, private_key: x}}"));
    let broken_jwk = inline(&jwk.replace("\"d\":\"", "\"d\":\"!"));
    let lines = [
        format!("      oauth: {one}"),
        format!("      oauth: {{{ok}, private_kee: {one}}}"),
        format!("      oauth: {{{ok}, privatekey: {one}}}"),
        format!("      oauth: {{{ok}, private_key: [{one}]}}"),
        format!("      oauth: {{{ok}, private_key: {{{one}: x}}}}"),
        format!("      oauth: {{{ok}, private_key: {short}}}"),
        format!("      oauth: {{{ok}, private_key: {}}}", inline(pem_line)),
        format!("      oauth: {{{ok}, private_key: {}}}", inline(&pem.replace("PRIVATE", "PUBLIC"))),
        format!("      oauth: {{{ok}, private_key: {}}}", inline(&pem.replace("PRIVATE", "ENCRYPTED PRIVATE"))),
        format!("      oauth: {{{ok}, private_key: {}}}", inline(&format!("${{file:{pem_line}}}"))),
        format!("      oauth: {{{ok}, private_key: {}}}", inline(&format!("${{env:{pem_line}"))),
        format!("      oauth: {{client_id: {one}, key_id: k, private_key: x}}"),
        format!("      oauth: {{client_id: 0oa1, key_id: {one}, private_key: x}}"),
        format!("      oauth: {{{ok}, scopes: {one}, private_key: x}}"),
        format!("      oauth: {{{ok}, dpop: {one}, private_key: x}}"),
        format!("      oauth: {{{ok}, algorithm: {one}, private_key: x}}"),
        format!("      oauth: {{{ok}, private_key: {jwk}}}"),
        format!("      oauth: {{{ok}, private_key: {broken_jwk}}}"),
        format!("      oauth: {{{ok}, private_key: {}}}", inline(&format!("{{\"keys\":[{jwk}]}}"))),
        format!("      oauth: {{{ok}, private_key: {}}}", inline(&jwk[..jwk.len() - 9])),
        format!(
            "      oauth: {{{ok}, private_key: {}}}",
            inline(&jwk.replace("\"kid\":\"key-1\"", "\"kid\":\"other\""))
        ),
        format!("      oauth: {{{ok}, client_secret: {one}, private_key: x}}"),
        format!("      private_key: {one}\n      oauth: {{{ok}}}"),
        format!("      ssws: {one}"),
        format!("      ssws: x\n      oauth: {{{ok}, private_key: {one}}}"),
        // Block scalars as people get them wrong.
        format!(
            "      oauth:\n        client_id: 0oa1\n        key_id: k\n        private_key:\n{}",
            block(&pem, "          ")
        ),
        format!(
            "      oauth:\n        client_id: 0oa1\n        key_id: k\n        private_key: |\n{}",
            block(&pem, "        ")
        ),
        format!(
            "      oauth:\n        client_id: 0oa1\n        key_id: k\n        private_key: >\n{}",
            block(&pem, "          ")
        ),
        format!("      oauth:\n        client_id: 0oa1\n        private_key: |\n{}", block(&pem, "          ")),
    ];
    let lines = lines.into_iter().chain(misplaced).chain(as_a_key);
    lines.map(|auth| config(&auth)).collect()
}
