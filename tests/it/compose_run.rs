//! The services of docker-compose.yml, run by hand: each with the command, the variables and the files that it has there, on
//! the versions that the tests have of them. Only addresses and folders are changed, since all are on one machine here.
//! Grafana is in no package registry: its dashboard's queries are tested elsewhere.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use tempfile::TempDir;

use crate::compose::mounted;
use crate::support::compose::{Project, Service};
use crate::support::metrics;
use crate::support::ports::free_port;
use crate::support::process::{Process, Stream};
use crate::support::registry::Registry;
use crate::support::topics::{self, Isolation};
use crate::support::{connector, kafka_script, prometheus, prove, registry};

const WAIT: Duration = Duration::from_secs(90);

/// What stands for the addresses of the compose file's network, and for its folders.
struct Here {
    changes: Vec<(String, String)>,
}

impl Here {
    /// A text of the compose file's, or of a file that it mounts.
    fn change(&self, text: &str) -> String {
        self.changes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn command(&self, program: &Path, service: Service<'_>) -> Command {
        let mut command = Command::new(program);
        let _ = command.envs(service.environment().into_iter().map(|(name, value)| (name, self.change(value))));
        command
    }

    /// Asks, as Docker does, until the service's own health check says yes.
    fn await_health(&self, what: &str, service: Service<'_>, process: &Process) {
        let test: Vec<String> = service.healthcheck().into_iter().map(|argument| self.change(argument)).collect();
        let deadline = Instant::now() + WAIT;
        loop {
            let output = Command::new(&test[0]).args(&test[1..]).output().unwrap();
            if output.status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "{what} is not healthy: {output:?}\n{}", process.tail(40));
            process.runs_on(Duration::from_millis(200));
        }
    }
}

#[test]
fn the_services_of_the_compose_file_work_together() {
    let Some(project) = Project::ours() else { return };
    let Some(tools) = prometheus::tools() else { return };
    if let Err(missing) = kafka_script::fetched().and_then(|()| registry::fetched()) {
        return crate::support::skip::skip(missing);
    }
    let data = TempDir::with_prefix("compose-").unwrap();
    let [inside, outside, controller, schemas, org, http, prometheus_port] =
        std::array::from_fn(|_| format!("127.0.0.1:{}", free_port()));
    let replaced = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect::<Vec<_>>()
    };
    let port_of = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    let in_shell = |address: &str| format!("/dev/tcp/127.0.0.1/{}", port_of(address));
    let kafka_data = data.path().join("kafka");
    let here = Here {
        changes: replaced(&[
            ("0.0.0.0:29092", &inside),
            ("kafka:29092", &inside),
            ("/dev/tcp/localhost/29092", &in_shell(&inside)),
            ("0.0.0.0:9092", &outside),
            ("localhost:9092", &outside),
            ("localhost:9093", &controller),
            ("/var/lib/kafka/data", connector::utf8(&kafka_data)),
            ("registry:8080", &schemas),
            ("/dev/tcp/localhost/8080", &in_shell(&schemas)),
            ("127.0.0.1:8084", &org),
            ("0.0.0.0:8083", &http),
            ("connector:8083", &http),
        ]),
    };

    // It waits for nobody. Asks more often, so as to make the test short.
    let service = project.service("prometheus");
    let (folder, _files) =
        mounted(&project, "prometheus", |text| here.change(&text).replace("_interval: 5s", "_interval: 1s"));
    let mut command = here.command(&tools.join("prometheus"), service);
    for argument in service.command() {
        let (option, path) = argument.split_once('=').expect("an option with a path");
        let _ = command.arg(format!("{option}={}{path}", folder.path().display()));
    }
    let _ = command.arg(format!("--web.listen-address={prometheus_port}"));
    let prometheus = Process::spawn("prometheus", command);

    // The order is that of `depends_on`.
    let began = Instant::now();
    let kafka = project.service("kafka");
    let mut command = here.command(&kafka_script::path(), kafka);
    let _ = command.arg("start-as-image").arg(data.path().join("image"));
    let broker = Process::spawn("kafka", command);
    let simulated = project.service("org");
    let arguments: Vec<String> = simulated.command().into_iter().map(|argument| here.change(argument)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let simulated = connector::spawn(&arguments, &[]);
    here.await_health("kafka", kafka, &broker);
    let healthy = began.elapsed();

    let service = project.service("registry");
    let mut command = here.command(&registry::script(), service);
    let _ = command.arg("start").arg(port_of(&schemas));
    let schema_registry = Process::spawn("registry", command);
    here.await_health("registry", service, &schema_registry);

    let service = project.service("connector");
    let (_folder, files) = mounted(&project, "connector", |text| here.change(&text));
    let environment = [service.environment(), vec![("OKTA_KAFKA_SOURCE_CONFIG", connector::utf8(&files[0]))]].concat();
    let worker = connector::spawn(&service.command(), &environment);

    // A consumer of this machine's, who comes to the port that is published, reads Avro by the registry's schema.
    let records = worker
        .poll(WAIT, || {
            let there = topics::topic_exists(&outside, "okta.system-log");
            let records =
                if there { topics::read_all(&outside, "okta.system-log", Isolation::ReadCommitted) } else { vec![] };
            (records.len() >= 300).then_some(records)
        })
        .unwrap_or_else(|| panic!("no records:\n{}", worker.tail(40)));
    let registered = Registry::at(port_of(&schemas).parse().unwrap());
    let id = |value: &[u8]| u32::from_be_bytes(value[1..5].try_into().unwrap());
    let values = || records.iter().map(|record| record.value.as_deref().unwrap());
    let schema = Schema::parse_str(&registered.schema(values().map(id).next().unwrap())).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    for (record, value) in records.iter().zip(values()) {
        let event = reader.read_value(&mut &value[5..]).expect("it is of the registry's schema");
        assert!(format!("{event:?}").contains(record.key_text()), "its uuid");
    }

    // Prometheus sees the connector, and has the rules and the alerts.
    let _ = prometheus.await_line("that it is ready", |line| line.contains("Server is ready"), WAIT);
    let up = prometheus
        .poll(WAIT, || {
            let answer = metrics::get(&prometheus_port, "/api/v1/query?query=up{job=%22okta-kafka-source%22}").ok()?;
            answer.body.contains("\"1\"").then_some(answer.body)
        })
        .expect("Prometheus sees the connector");
    assert!(up.contains(&http), "{up}");
    let fresh = prometheus.poll(WAIT, || {
        let answer = metrics::get(&prometheus_port, "/api/v1/query?query=okta_kafka_source:freshness_seconds").ok()?;
        answer.body.contains("\"connector\":\"simulated\"").then_some(())
    });
    assert!(fresh.is_some(), "the recording rule gives the connector's freshness:\n{}", prometheus.tail(20));
    let rules = metrics::get(&prometheus_port, "/api/v1/rules").unwrap().body;
    assert!(rules.contains("OktaKafkaSourceConnectorFailed") && !rules.contains("\"health\":\"err\""), "{rules}");

    // `docker compose stop`: the connector ends within the grace that it has.
    let stopping = Instant::now();
    worker.terminate();
    assert!(worker.wait(Duration::from_secs(15)).success(), "{}", worker.tail(20));
    let stopped = stopping.elapsed();
    simulated.terminate();
    assert!(simulated.wait(Duration::from_secs(15)).success(), "{}", simulated.tail(20));
    assert!(!worker.text(Stream::Stderr).contains("ERROR"), "{}", worker.text(Stream::Stderr));
    prove::row(
        "compose",
        "`docker compose up` shows the whole pipeline: Kafka, a registry, the connector on Avro, Prometheus with the alerts",
        "each service but Grafana started with the compose file's command, variables, files and health checks, without an engine; \
         addresses and folders are this machine's",
        &format!(
            "Kafka healthy after {:.1} s; {} records read back by the registry's schema; `up` is 1, freshness is recorded; stopped in {:.1} s",
            healthy.as_secs_f64(),
            records.len(),
            stopped.as_secs_f64()
        ),
    );
}
