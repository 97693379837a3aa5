//! A real broker that speaks TLS, and asks who comes: SCRAM, certificates, tokens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;

use super::broker::{Broker, BrokerOptions};
use super::certificates::{Authority, Leaf, Pem};
use super::config_yaml::ConfigYaml;
use super::identity_provider::{AUDIENCE, CLIENT_ID, CLIENT_SECRET, IdentityProvider, SCOPE};

/// Who logs in with SCRAM-SHA-512.
pub const USER: &str = "app";
/// The password: nothing that could stand anywhere by chance.
pub const PASSWORD: &str = "Xq7vT2mWz9KpLc4RbNs8JdYh";

/// Names of the listeners.
pub const SCRAM: &str = "SCRAM";
/// Asks for a certificate.
pub const MUTUAL: &str = "MUTUAL";
/// SCRAM, with a certificate whose time is over.
pub const EXPIRED: &str = "EXPIRED";
/// SCRAM, with another machine's certificate.
pub const OTHER_HOST: &str = "OTHERHOST";

/// Asks for a token.
pub const OAUTH: &str = "OAUTH";

/// The broker with all that is needed to come to it.
pub struct SecureBroker {
    pub broker: Broker,
    /// Gives the tokens that the broker takes.
    pub provider: IdentityProvider,
    /// Signed the broker's certificates, and the client's.
    pub authority: Authority,
    /// Signed nothing.
    pub other_authority: Authority,
    /// The client's certificate.
    pub client: Pem,
    /// The other authority's client.
    pub stranger: Pem,
    _folder: TempDir,
}

impl SecureBroker {
    /// One broker for the tests that run at the same time.
    pub fn shared() -> Option<Arc<Self>> {
        static BROKER: Mutex<Weak<SecureBroker>> = Mutex::new(Weak::new());
        let mut shared = BROKER.lock().unwrap();
        if let Some(broker) = shared.upgrade() {
            return Some(broker);
        }
        let broker = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&broker);
        Some(broker)
    }

    /// A broker of a test's own, whose certificates it may change.
    pub fn start() -> Option<Self> {
        let folder = TempDir::with_prefix("certificates-").unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let other_authority = Authority::new(folder.path(), "other-authority");
        let server = authority.sign(Leaf::new("server"));
        let expired = authority.sign(Leaf { valid: (-7200, -3600), ..Leaf::new("expired") });
        let other_host = authority.sign(Leaf { hosts: &["kafka.example"], ..Leaf::new("other-host") });
        let client = authority.sign(Leaf::new("client"));
        let stranger = other_authority.sign(Leaf::new("stranger"));
        let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let scram = |pem: &Pem| {
            let mut settings = key_store(pem);
            settings.push(("sasl.enabled.mechanisms", "SCRAM-SHA-512".to_owned()));
            settings.push(("scram-sha-512.sasl.jaas.config", jaas.to_owned()));
            settings
        };
        let mut mutual = key_store(&server);
        mutual.push(("ssl.client.auth", "required".to_owned()));
        mutual.push(("ssl.truststore.type", "PEM".to_owned()));
        mutual.push(("ssl.truststore.location", text(&authority.path())));
        let provider = IdentityProvider::start(&server);
        let mut oauth = key_store(&server);
        let of_kafka = "org.apache.kafka.common.security.oauthbearer";
        oauth.push(("sasl.enabled.mechanisms", "OAUTHBEARER".to_owned()));
        oauth.push(("oauthbearer.sasl.jaas.config", format!("{of_kafka}.OAuthBearerLoginModule required;")));
        let handler = format!("{of_kafka}.OAuthBearerValidatorCallbackHandler");
        oauth.push(("oauthbearer.sasl.server.callback.handler.class", handler));
        // A login holds as long as its token.
        oauth.push(("oauthbearer.connections.max.reauth.ms", "3600000".to_owned()));
        let keys = provider.url("/keys");
        let mut options = BrokerOptions::default()
            .scram(USER, PASSWORD)
            .java(&format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}"))
            .set("sasl.oauthbearer.jwks.endpoint.url", &keys)
            .set("sasl.oauthbearer.expected.audience", AUDIENCE)
            .set("sasl.oauthbearer.expected.issuer", provider.issuer())
            .set("sasl.oauthbearer.clock.skew.seconds", 0);
        for (name, protocol, settings) in [
            (SCRAM, "SASL_SSL", scram(&server)),
            (EXPIRED, "SASL_SSL", scram(&expired)),
            (OTHER_HOST, "SASL_SSL", scram(&other_host)),
            (MUTUAL, "SSL", mutual),
            (OAUTH, "SASL_SSL", oauth),
        ] {
            let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
            options = options.listener(name, protocol, &settings);
        }
        let broker = Broker::start(options)?;
        Some(Self { broker, provider, authority, other_authority, client, stranger, _folder: folder })
    }

    /// A configuration that logs in with SCRAM at this listener.
    pub fn scram(&self, listener: &str) -> ConfigYaml {
        ConfigYaml::new(&self.broker.listener_address(listener))
            .kafka("security.protocol: sasl_ssl")
            .kafka("sasl.mechanism: SCRAM-SHA-512")
            .kafka(&format!("sasl.username: {USER}"))
            .kafka(&format!("sasl.password: {PASSWORD}"))
            .kafka(&ca(&self.authority.path()))
    }

    /// A configuration that logs in with tokens of this endpoint.
    pub fn oauth(&self, token_endpoint: &str) -> ConfigYaml {
        ConfigYaml::new(&self.broker.listener_address(OAUTH))
            .kafka("security.protocol: sasl_ssl")
            .kafka("sasl.mechanism: OAUTHBEARER")
            .kafka("sasl.oauthbearer.method: oidc")
            .kafka(&format!("sasl.oauthbearer.client.id: {CLIENT_ID}"))
            .kafka(&format!("sasl.oauthbearer.client.secret: {CLIENT_SECRET}"))
            .kafka(&format!("sasl.oauthbearer.token.endpoint.url: {token_endpoint}"))
            .kafka(&format!("sasl.oauthbearer.scope: {SCOPE}"))
            .kafka("sasl.oauthbearer.extensions: logicalCluster=lkc-1,identityPoolId=pool-1")
            .kafka(&ca(&self.authority.path()))
    }

    /// A configuration that shows the client's certificate.
    pub fn mutual(&self) -> ConfigYaml {
        ConfigYaml::new(&self.broker.listener_address(MUTUAL))
            .kafka("security.protocol: ssl")
            .kafka(&ca(&self.authority.path()))
            .kafka(&format!("ssl.certificate.location: {}", text(&self.client.certificate)))
            .kafka(&format!("ssl.key.location: {}", text(&self.client.key)))
    }
}

/// `ssl.ca.location`, as a line of the file.
pub fn ca(path: &Path) -> String {
    format!("ssl.ca.location: {}", text(path))
}

fn key_store(pem: &Pem) -> Vec<(&'static str, String)> {
    vec![("ssl.keystore.type", "PEM".to_owned()), ("ssl.keystore.location", text(&pem.store))]
}

fn text(path: &Path) -> String {
    PathBuf::from(path).into_os_string().into_string().unwrap()
}
