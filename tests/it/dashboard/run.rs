//! A run in which everything happens that the dashboard shows, scraped by a real Prometheus with the rules that ship.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, DriftFrom, FaultKind, OauthConfig, RegisteredKey, SimulatorConfig};
use tempfile::TempDir;

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::{Connector, utf8};
use crate::support::org::Org;
use crate::support::prometheus::{Prometheus, Scrapes};
use crate::support::registry::shared_registry;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;

/// The label of the workers' targets.
pub const JOB: &str = "okta-kafka-source";
pub const CLUSTER: &str = "eu-1";
pub const NAMESPACE: &str = "siem";

const WAIT: Duration = Duration::from_secs(60);
const SCRAPED_EVERY: Duration = Duration::from_millis(250);

/// Two workers of one group, and a third that is gone again, with three connectors: `acme`, whose org does everything wrong that it can; `hooli`, a service
/// app that catches up slowly; and `initech`, whose token is refused. The first two write Avro.
pub struct Run {
    pub prometheus: Prometheus,
    workers: [Connector; 2],
    /// `host:port` of all three, which is their label `instance`.
    pub instances: [String; 3],
    orgs: [Org; 2],
    _folder: TempDir,
}

impl Run {
    /// Starts everything, and waits until all of it was met. `None` where a part is missing, which is said.
    pub fn start() -> Option<Self> {
        let (kafka, registry) = (shared_broker()?, shared_registry()?);
        let folder = TempDir::with_prefix("dashboard-").unwrap();
        let acme = odd_org();
        let (hooli, auth) = slow_org(folder.path());
        let slow = ConnectorYaml::new("hooli", hooli.url(), "").auth(&auth).interval("500ms").extra("format: avro");
        let config = ConfigYaml::new(kafka.bootstrap())
            .schema_registry(&registry.url())
            .connector(acme.connector("acme").interval("200ms").extra("format: avro"))
            .connector(slow.extra("limit: 10"))
            .connector(ConnectorYaml::new("initech", acme.url(), "no-such-token"));
        let (second, third) = (config.second_worker(), config.second_worker());
        let instances = [&config, &second, &third].map(|one| one.http_listen.clone());
        let mut scrapes = Scrapes::new().interval(SCRAPED_EVERY);
        for instance in &instances {
            scrapes = scrapes.target(instance, &[("cluster", CLUSTER), ("namespace", NAMESPACE), ("job", JOB)]);
        }
        for name in ["recording.yaml", "alerts.yaml"] {
            scrapes = scrapes.rules(&at_once(name, folder.path()));
        }
        let prometheus = Prometheus::start(&scrapes)?;
        let workers = [&config, &second].map(|one| Connector::spawn(one, &[]));
        let gone = Connector::spawn(&third, &[]);
        let three = |series: &[_]| series.len() == 3;
        let _ = prometheus.await_query("okta_kafka_source_build_info", three, WAIT);
        gone.stop();
        // Only now: what the third met is gone with it.
        for fault in [FaultKind::RateLimit, FaultKind::Http500, FaultKind::Http503, FaultKind::Cut] {
            acme.inject(fault);
        }
        let run = Self { prometheus, workers, instances, orgs: [acme, hooli], _folder: folder };
        // A fault is used up by the next request, also by one whose cursor is refused anyway.
        run.await_met(r#"okta_kafka_source_retries_total{reason="connection"}"#);
        run.orgs[0].lose_cursors();
        run.await_everything();
        Some(run)
    }

    /// What a query finds is worth little where there was nothing to see.
    fn await_everything(&self) {
        for met in [
            r#"okta_kafka_source_okta_requests_total{code="429"}"#,
            r#"okta_kafka_source_okta_requests_total{code=~"5.*"}"#,
            r#"okta_kafka_source_retries_total{reason="rate_limit"}"#,
            r#"okta_kafka_source_dead_letters_total{stage="KEY_CONVERTER"}"#,
            r#"okta_kafka_source_dead_letters_total{stage="VALUE_CONVERTER"}"#,
            r#"okta_kafka_source_events_committed_total{connector="hooli"}"#,
            r#"okta_kafka_source:cursor_recoveries:increase1h{reason="cursor_refused"}"#,
            "okta_kafka_source_duplicates_suppressed_total",
            "okta_kafka_source_unmapped_fields_total",
            "okta_kafka_source_token_requests_total",
            "okta_kafka_source_kafka_round_trips_total",
            r#"okta_kafka_source_connector_state{connector="initech", state="failed"}"#,
            r#"okta_kafka_source:catch_up_seconds{connector="hooli"}"#,
            r#"ALERTS{alertstate="firing", severity="page"}"#,
            r#"ALERTS{alertstate="firing", severity="ticket"}"#,
            r#"ALERTS{alertstate="firing", alertname="OktaKafkaSourceWorkerDown"}"#,
        ] {
            self.await_met(met);
        }
    }

    fn await_met(&self, met: &str) {
        let seen = |series: &[_]| !series.is_empty();
        let _ = self.prometheus.await_query(&format!("sum({met}) > 0"), seen, WAIT);
    }

    /// The worker that has a connector.
    pub fn owner(&self, connector: &str) -> String {
        let query = format!("okta_kafka_source_poll_interval_seconds{{connector=\"{connector}\"}}");
        self.prometheus.query(&query)[0].labels["instance"].clone()
    }

    /// Ends the workers as an operator would.
    pub fn stop(&self) {
        self.workers.iter().for_each(Connector::stop);
    }
}

/// With events that no schema and no topic can hold, and new ones all the time.
fn odd_org() -> Org {
    Org::start(SimulatorConfig {
        events: 500,
        live_rate: 50.0,
        drift_from: Some(DriftFrom::Event(100)),
        awkward: 0.2,
        unpublishable: 0.05,
        rate_limit_wait: Duration::from_secs(1),
        ..Default::default()
    })
}

/// With a backlog that lasts for the whole run, and the `auth` of its service app.
fn slow_org(folder: &Path) -> (Org, String) {
    let key = ServiceKey::new("key-1", Kind::P256);
    let registered = RegisteredKey::read(key.key_id(), &key.public_jwk().to_string()).expect("a public key");
    let oauth = OauthConfig { keys: vec![registered], dpop: DpopMode::Off, ..OauthConfig::default() };
    let client_id = oauth.client_id.clone();
    let org = Org::start(SimulatorConfig {
        events: 20_000,
        latency: Duration::from_millis(100),
        oauth: Some(oauth),
        ..Default::default()
    });
    let file = folder.join("key.json");
    fs::write(&file, key.file(Form::Jwk)).unwrap();
    (org, format!("{{oauth: {{client_id: {client_id}, private_key: \"${{file:{}}}\"}}}}", utf8(&file)))
}

/// A file of rules as it ships, but for how long an alert waits: what would be pending for minutes fires at once.
fn at_once(name: &str, folder: &Path) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus").join(name);
    let text = fs::read_to_string(shipped).expect("the rules are there");
    let lines = text.lines().map(|line| match line.split_once("for: ") {
        Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 0s\n"),
        _ => format!("{line}\n"),
    });
    let file = folder.join(name);
    fs::write(&file, lines.collect::<String>()).unwrap();
    file
}
