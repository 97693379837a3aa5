//! A broker that authorises, for the tests that run at the same time, and the user who may do only what ACLs grant.

use std::sync::{Arc, Mutex, Weak};

use super::broker::{Broker, BrokerOptions};
use super::config_yaml::ConfigYaml;

pub const USER: &str = "app";
pub const PASSWORD: &str = "app-secret";

/// The broker that these tests share; whoever comes without a login may do everything there.
pub fn broker() -> Option<Arc<Broker>> {
    static BROKER: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
    let mut shared = BROKER.lock().unwrap();
    if let Some(broker) = shared.upgrade() {
        return Some(broker);
    }
    let broker = Arc::new(Broker::start(BrokerOptions::default().login(USER, PASSWORD))?);
    *shared = Arc::downgrade(&broker);
    Some(broker)
}

/// A configuration whose program logs in as [`USER`].
pub fn config(broker: &Broker) -> ConfigYaml {
    ConfigYaml::new(&broker.login_address())
        .kafka("security.protocol: sasl_plaintext")
        .kafka("sasl.mechanism: PLAIN")
        .kafka(&format!("sasl.username: {USER}"))
        .kafka(&format!("sasl.password: {PASSWORD}"))
}
