//! The file of a secret on a mount that hangs: a FIFO that nobody writes to.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use okta_kafka_source::config::{Auth, Config};
use okta_kafka_source::okta::auth::credential::Credential;

use super::{Client, Origin, options, url};
use crate::support::recorder::{Recorder, Reply};
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::until::until;

const SECOND: Duration = Duration::from_secs(1);

fn page_or_token(token: &str) -> Reply {
    let body = match token {
        "" => "[]".to_owned(),
        token => format!(r#"{{"token_type":"Bearer","access_token":"{token}","expires_in":1}}"#),
    };
    Reply::Bytes(super::answer("200 OK", &[], body.as_bytes()))
}

fn auth(written: &str) -> Auth {
    let text = format!(
        "kafka: {{bootstrap.servers: 'localhost:1'}}\nconnectors:\n  - name: acme\n    org: https://acme.okta.com\n    \
         auth: {written}\n    topic: okta\n"
    );
    Config::parse(&text, &|_| None).expect("valid").connectors[0].auth.clone()
}

/// Until the access token, which lives a second, is over; of an API token nothing is to be awaited.
async fn ended(credential: &Credential) {
    let is_over = async || credential.token_left().unwrap_or_default().is_zero().then_some(());
    until("the end of the access token", 10 * SECOND, is_over).await;
}

/// The runtime has one thread, as all of these tests: where that reads the file, nothing goes on.
#[tokio::test]
async fn a_secret_whose_file_hangs_stalls_nobody_and_is_used_when_it_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = ServiceKey::new("kid-1", Kind::P256).file(Form::Pkcs8);
    for (name, text, later, written) in [
        ("token", "first-token", "second-token", "{ssws: '${file:PATH}'}"),
        ("key", key.as_str(), key.as_str(), "{oauth: {client_id: 0oa1, key_id: kid-1, private_key: '${file:PATH}'}}"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        let server = Recorder::start(|exchange| page_or_token(if exchange.is_for_a_token() { "t" } else { "" }));
        let org: Origin = server.origin().parse().expect("an origin");
        let client = Client::new(org.clone(), options()).expect("a client");
        let credential = Credential::new(&org, &auth(&written.replace("PATH", path.to_str().expect("UTF-8"))));
        let page = url(&org, "since=a");
        assert!(client.get(&page, &credential).await.result.is_ok(), "{name}");

        std::fs::remove_file(&path).expect("removed");
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        let hung = Hung { path: path.clone(), after: folder.path().join("after"), text: later.to_owned() };
        // So that a failure of this test has an end.
        let (done, is_done) = mpsc::channel();
        let watch = std::thread::spawn(move || {
            let _ = is_done.recv_timeout(20 * SECOND);
            hung.release();
        });
        ended(&credential).await;
        let (started, mut ticks) = (Instant::now(), 0);
        let asked = client.get(&page, &credential);
        let ticking = async {
            let mut clock = tokio::time::interval(SECOND / 20);
            loop {
                let _ = clock.tick().await;
                ticks += 1;
            }
        };
        let outcome = tokio::select! { outcome = asked => outcome, () = ticking => unreachable!() };
        assert!(outcome.result.is_ok() && started.elapsed() < 10 * SECOND, "{name}: {:?}", started.elapsed());
        assert!(ticks > 20, "{name}: others ran {ticks} times meanwhile");
        // Nobody waits a second time, and a 401 has it read again by nobody else.
        ended(&credential).await;
        let started = Instant::now();
        assert!(client.get(&page, &credential).await.result.is_ok(), "{name}");
        credential.read_again(&org, "acme").await;
        assert!(started.elapsed() < SECOND, "{name}: {:?}", started.elapsed());

        done.send(()).expect("the thread");
        watch.join().expect("released");
        if name == "token" {
            let presented =
                || server.exchanges().last().and_then(|last| last.request.header("authorization").map(str::to_owned));
            let until = Instant::now() + 10 * SECOND;
            while presented().as_deref() != Some("SSWS second-token") {
                assert!(Instant::now() < until, "{:?}", presented());
                assert!(client.get(&page, &credential).await.result.is_ok());
            }
        }
    }
}

/// A FIFO in the place of a file.
struct Hung {
    path: PathBuf,
    after: PathBuf,
    text: String,
}

impl Hung {
    /// Puts a file in its place, and lets go who waits for it.
    fn release(&self) {
        std::fs::write(&self.after, &self.text).expect("written");
        let fifo = std::fs::OpenOptions::new().read(true).write(true).open(&self.path).expect("the FIFO");
        std::fs::rename(&self.after, &self.path).expect("renamed");
        drop(fifo);
    }
}
