//! What a service app's session makes of tokens, refusals and files that are not as they should be.

use okta_kafka_source::okta::auth::credential::Credential;
use serde_json::{Value, json};

use super::oauth::{APP, auth_with, form, key, page, parts, token};
use super::server::Server;
use super::{Client, options, org, url};
use crate::support::service_key::{Form, Kind, ServiceKey};

/// `echo new > okta.kid` empties the file first; and what stands in it may be the key.
#[tokio::test]
async fn a_key_id_that_is_half_written_changes_nothing_and_is_never_sent() {
    let (key, other) = (key(), ServiceKey::new("kid-2", Kind::P256));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "kid-1\n").unwrap();
    let pem = key.file(Form::Pkcs8);
    let more = format!(", key_id: '${{file:{}}}'", file.path().display());
    let auth = auth_with(APP, "${env:KEY}", &more, &move |name| (name == "KEY").then(|| pem.clone()));
    // Tokens that are at their end at once.
    let server = Server::start((0..4).flat_map(|_| [token("Bearer", "a", "0"), page()]));
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth);
    for text in ["kid-1", "", &other.file(Form::Pkcs8), "kid-3"] {
        std::fs::write(file.path(), text).unwrap();
        let reloaded = credential.reload();
        assert_eq!(reloaded.is_ok(), text.starts_with("kid"), "{reloaded:?}");
        assert!(!format!("{reloaded:?}").contains("BEGIN"), "{reloaded:?}");
        let outcome = client.get(&url(&org, "since=a"), &credential).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let bodies = server.bodies();
    let kids: Vec<Value> =
        [0, 2, 4, 6].iter().map(|at| parts(&form(&bodies[*at], "client_assertion")).0["kid"].clone()).collect();
    assert_eq!(kids, [json!("kid-1"), json!("kid-1"), json!("kid-1"), json!("kid-3")]);
}
