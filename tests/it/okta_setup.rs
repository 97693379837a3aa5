//! docs/okta-setup.md: its commands make keys that the program takes, its configuration is one, and an org that has the
//! public half lets it in.

use std::path::Path;
use std::process::Command;

use okta_kafka_source::simulator::{DpopMode, OauthConfig, RegisteredKey, SimulatorConfig};

use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::{prove, skip, snapshot};

const WAIT: std::time::Duration = std::time::Duration::from_secs(60);
/// The places of the guide's own examples.
const FOLDER: &str = "/etc/okta-kafka-source/key";
const CLIENT_ID: &str = "0oa1b2c3d4e5f6g7h8i9";

/// The guide's blocks in this language, in its order.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    guide.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// What `check` says of the connector, or of the file alone.
fn check(config: &str, arguments: &[&str]) -> connector::Output {
    let file = ConfigFile::new(config);
    let path = file.path();
    let arguments: Vec<&str> = ["check", "-c", utf8(&path)].iter().chain(arguments).copied().collect();
    connector::run(&arguments, &[], WAIT)
}

/// `check` with this file is refused by an org without the key, and let in by it with the key.
fn assert_let_in(public: RegisteredKey, config: &str) {
    let oauth = OauthConfig { client_id: CLIENT_ID.to_owned(), dpop: DpopMode::Required, ..OauthConfig::default() };
    let org = Org::start(SimulatorConfig { events: 3, oauth: Some(oauth), ..SimulatorConfig::default() });
    let config = config.replace("https://acme.okta.com", org.url());
    let says = |says: &str| {
        let report = check(&config, &[]);
        assert!(report.stdout.contains(says), "not `{says}`:\n{}", report.stdout);
    };
    says("FAIL connector `acme`");
    org.oauth().unwrap().register_key(public);
    says("ok   connector `acme`");
}

#[test]
fn the_commands_of_the_guide_make_a_credential_that_works() {
    if let Some(missing) =
        ["openssl", "xxd"].into_iter().find(|program| Command::new(program).arg("-h").output().is_err())
    {
        return skip::skip(missing);
    }
    let guide = std::fs::read_to_string(snapshot::path("../../docs/okta-setup.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let commands = blocks(&guide, "sh");
    assert_eq!(commands.len(), 3, "{commands:#?}");
    let script = commands.concat();
    let made = Command::new("sh").args(["-euc", &script]).current_dir(&folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_else(|_| panic!("no {name}"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&folder.path().join("okta.key").metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "others may read the key");

    let examples = blocks(&guide, "yaml");
    assert_eq!(examples.len(), 1);
    let place = |from: &str, to: &str, text: &str| {
        assert!(text.contains(from), "{from}: {text}");
        text.replace(from, to)
    };
    let config = place(FOLDER, utf8(Path::new(folder.path())), &examples[0]);
    assert!(config.contains(CLIENT_ID));
    let offline = check(&config, &["--offline"]);
    assert_eq!((offline.code(), offline.stderr.as_str()), (0, ""), "{offline:?}");

    let config = place("localhost:9092", &format!("127.0.0.1:{}", free_port()), &config);
    let curve = place("okta.key", "okta-ec.key", &config);
    let kid = read("okta.kid");
    std::thread::scope(|scope| {
        for (public, config) in [
            ("okta.pub", &config),
            ("okta-public.jwk", &config),
            ("okta-ec.pub", &curve),
            ("okta-ec-public.jwk", &curve),
        ] {
            let public = RegisteredKey::read(kid.trim(), &read(public)).unwrap();
            let _ = scope.spawn(move || assert_let_in(public, config));
        }
    });
    prove::row(
        "okta-setup",
        "The commands of docs/okta-setup.md make a credential that works",
        "its openssl commands run as they stand, RSA and P-256; each public half registered as PEM and as JWK with an org that requires DPoP",
        "`check --offline` takes the guide's own file, and `check` is let in with each key that is registered, and with none else",
    );
}
