//! The broker that all tests share which neither freeze nor kill it.

use std::path::Path;
use std::sync::LazyLock;

use super::broker::{Broker, BrokerOptions};
use super::{kafka_script, skip};

/// A broker that is there for the whole test process.
pub struct SharedKafka {
    bootstrap: String,
    // Never dropped, as statics are not: the kernel kills the broker with the test process (see `process`), and the
    // next test process removes its folder.
    _own: Option<Broker>,
}

impl SharedKafka {
    /// `host:port`, or several with commas.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

/// The shared broker: the one that `KAFKA_BOOTSTRAP` names, else one that is started at the first call. Where neither
/// is possible, says which part is missing and gives `None`: the test returns.
pub fn shared_broker() -> Option<&'static SharedKafka> {
    static SHARED: LazyLock<Result<SharedKafka, &'static str>> = LazyLock::new(|| {
        if let Some(bootstrap) = given_bootstrap() {
            return Ok(SharedKafka { bootstrap, _own: None });
        }
        kafka_script::fetched()?;
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        remove_leftovers(parent);
        let directory = parent.join(format!("shared-kafka-{}", std::process::id()));
        let broker = Broker::start_in(directory, None, BrokerOptions::default());
        Ok(SharedKafka { bootstrap: broker.bootstrap(), _own: Some(broker) })
    });
    match &*SHARED {
        Ok(kafka) => Some(kafka),
        Err(missing) => {
            skip::skip(missing);
            None
        }
    }
}

/// `KAFKA_BOOTSTRAP`, when set and not empty.
pub fn given_bootstrap() -> Option<String> {
    std::env::var("KAFKA_BOOTSTRAP").ok().filter(|bootstrap| !bootstrap.is_empty())
}

/// Removes the folders of shared brokers whose test process has ended.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("shared-kafka-")).and_then(|pid| pid.parse().ok());
        let alive = |pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok();
        if owner.is_some_and(|pid| !alive(pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
