//! A service app at a simulated org, with everything that passes between the program and the org kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, OauthConfig, OauthControl, RegisteredKey, SimulatorConfig};
use tempfile::TempDir;

use crate::support::config_yaml::ConnectorYaml;
use crate::support::org::Org;
use crate::support::recorder::{Exchange, Recorder};
use crate::support::service_key::{Form, ServiceKey};
use crate::support::verifier::{Verified, Verifier};

/// The app's client id.
pub const CLIENT_ID: &str = "0oa1gdh63g214q0Hq0g4";

/// The org, the recorder before it, and the files that the program reads the app's key from.
pub struct App {
    pub org: Org,
    pub recorder: Recorder,
    pub oauth: OauthControl,
    folder: TempDir,
    form: Form,
    /// Every key there ever was, the present one last.
    keys: Vec<ServiceKey>,
}

impl App {
    /// An org that knows this key of the app, whose file is in that form. Of `config` everything but OAuth counts.
    pub fn start(config: SimulatorConfig, dpop: DpopMode, token_life: Duration, key: ServiceKey, form: Form) -> Self {
        let oauth = OauthConfig {
            client_id: CLIENT_ID.to_owned(),
            keys: vec![registered(&key)],
            dpop,
            token_life,
            ..OauthConfig::default()
        };
        let org = Org::start(SimulatorConfig { oauth: Some(oauth), ..config });
        let recorder = Recorder::before(org.address());
        let control = org.oauth().expect("the org has an OAuth side");
        let folder = TempDir::with_prefix("service-app-").unwrap();
        let app = Self { org, recorder, oauth: control, folder, form, keys: vec![key] };
        app.write_key();
        app
    }

    /// A connector of this org, as this app. A JWK has its id in it; the id of a PEM is in a file of its own.
    pub fn connector(&self, name: &str) -> ConnectorYaml {
        self.connector_with(name, "")
    }

    /// The same with more keys under `auth.oauth`, as `, dpop: true`.
    pub fn connector_with(&self, name: &str, more: &str) -> ConnectorYaml {
        let key_id = match self.form {
            Form::Jwk => String::new(),
            Form::Pkcs8 | Form::Traditional => format!(", key_id: \"{}\"", from_file(&self.key_id_file())),
        };
        let private_key = from_file(&self.key_file());
        let auth = format!("{{oauth: {{client_id: {CLIENT_ID}, private_key: \"{private_key}\"{key_id}{more}}}}}");
        ConnectorYaml::new(name, &self.recorder.origin(), "").auth(&auth).interval("500ms")
    }

    /// The admin's rotation: the new key is registered, the files are written anew, the old key is removed.
    pub fn rotate_key(&mut self, new: ServiceKey) {
        self.oauth.register_key(registered(&new));
        let old = self.key().key_id().to_owned();
        self.keys.push(new);
        self.write_key();
        assert!(self.oauth.remove_key(&old), "the old key was registered");
    }

    /// The key that is in the files now.
    pub fn key(&self) -> &ServiceKey {
        self.keys.last().expect("there is one from the start")
    }

    /// Verifies all that was signed.
    pub fn verify(&self, verifier: &Verifier) -> Verified {
        let keys: Vec<_> = self.keys.iter().collect();
        verifier.must_accept(&self.recorder.origin(), &keys, CLIENT_ID, &self.recorder.exchanges())
    }

    /// Every secret that was on the way or in a file so far: private keys, assertions, tokens, proofs.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.keys.iter().flat_map(ServiceKey::secret_parts).collect();
        for exchange in self.recorder.exchanges() {
            secrets.extend(exchange.form_member("client_assertion"));
            secrets.extend(exchange.request.headers("dpop").map(str::to_owned));
            secrets.extend(exchange.answer_json()["access_token"].as_str().map(str::to_owned));
        }
        secrets
    }

    /// The requests for a page that were not answered with one, as `401 after 4.2 s`.
    pub fn failed_polls(&self) -> Vec<String> {
        let exchanges = self.recorder.exchanges();
        let began = exchanges.first().map_or(0.0, |exchange| exchange.at);
        let failed = exchanges.iter().filter(|exchange| exchange.is_for_a_page() && exchange.status() != 200);
        failed.map(|exchange| format!("{} after {:.1} s", exchange.status(), exchange.at - began)).collect()
    }

    /// Goes on while the org gets new events with every page, until `wanted` holds. Panics after `timeout`.
    pub fn live_until(&self, what: &str, timeout: Duration, mut wanted: impl FnMut(&Self) -> bool) {
        let deadline = std::time::Instant::now() + timeout;
        while !wanted(self) {
            assert!(std::time::Instant::now() < deadline, "not {what} within {timeout:?}");
            self.org.generate(7);
            self.recorder.await_more("a page", 1, Exchange::is_for_a_page, timeout);
        }
    }

    fn write_key(&self) {
        // As an orchestrator does it: the new file takes the place of the old one in one step.
        let write = |path: &Path, text: &str| {
            let new = path.with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(&new, path).unwrap();
        };
        write(&self.key_id_file(), self.key().key_id());
        write(&self.key_file(), &self.key().file(self.form));
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("private-key")
    }

    fn key_id_file(&self) -> PathBuf {
        self.folder.path().join("key-id")
    }
}

fn from_file(path: &Path) -> String {
    format!("${{file:{}}}", path.display())
}

fn registered(key: &ServiceKey) -> RegisteredKey {
    RegisteredKey::read(key.key_id(), &key.public_jwk().to_string()).expect("a public key")
}
