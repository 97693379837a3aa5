//! The Helm chart: what it renders is valid, fits together, and is a configuration that the program takes; what is wrong in
//! values is refused before anything runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config_yaml::ConfigYaml;
use crate::support::helm::{self, Helm};
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::shared_broker::shared_broker;
use crate::support::{metrics, prove, python};
use objects::{Objects, list};
use pod::Pod;

mod objects;
mod pod;
mod policy;
mod queries;
mod readme;
mod refused;

const WAIT: Duration = Duration::from_secs(60);

/// All that kubernetes-validate has, from the oldest that Chart.yaml allows.
const VERSIONS: &str = "1.25,1.26,1.27,1.28,1.29,1.30,1.31,1.32,1.33,1.34,1.35,1.36,1.37";
/// Those that kubeconform looks at.
const OLDEST_AND_NEWEST: [&str; 2] = ["1.25", "1.37"];

#[test]
fn every_set_of_values_renders_what_kubernetes_takes() {
    let (Some(helm), Some(python)) = (Helm::there(), python::there()) else { return };
    let scratch = TempDir::with_prefix("chart-").unwrap();
    let mut files = Vec::new();
    let mut objects = 0;
    let mut kinds = BTreeMap::new();
    for values in helm::sets_of_values() {
        let name = values.file_name().unwrap().to_str().unwrap();
        helm.lint(&values).unwrap_or_else(|complaint| panic!("{name}: {complaint}"));
        let text = helm.template(&values, &[]).unwrap_or_else(|complaint| panic!("{name}: {complaint}"));
        let rendered = Objects::parse(name, &text);
        rendered.must_fit_together();
        objects += rendered.all().len();
        for object in rendered.all() {
            *kinds.entry(object["kind"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let file = scratch.path().join(name);
        fs::write(&file, text).unwrap();
        files.push(file);
    }
    assert!(files.len() >= 6, "{files:?}");
    for kind in ["CronJob", "NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor", "PodMonitor", "PrometheusRule"] {
        assert!(kinds.contains_key(kind), "no set of values has a {kind}");
    }
    println!("{objects} objects of {} sets of values: {kinds:?}", files.len());

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helm/validate.py");
    let validate = |arguments: &[&str], files: &[PathBuf]| {
        let output = Command::new(python).arg("-B").arg(&script).args(arguments).args(files).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        text
    };
    let checked = validate(&["check", VERSIONS], &files);
    println!("kubernetes-validate: {checked}");
    let definitions = helm.definitions();
    for version in OLDEST_AND_NEWEST {
        let schemas = scratch.path().join(version);
        let _ = validate(&["schemas", version, definitions.to_str().unwrap(), schemas.to_str().unwrap()], &[]);
        let said = helm.kubeconform(&schemas, &files);
        let all = format!("{objects} resources found in {} files - Valid: {objects}, Invalid: 0", files.len());
        assert!(said.contains(&all), "kubeconform for {version}, {objects} objects: {said}");
    }
    // Both would say so if something were wrong.
    let wrong = scratch.path().join("wrong.yaml");
    let text = fs::read_to_string(&files[0]).unwrap().replace("targetPort:", "targetPorts:");
    fs::write(&wrong, text).unwrap();
    let schemas = scratch.path().join(OLDEST_AND_NEWEST[0]);
    let said = helm.kubeconform(&schemas, std::slice::from_ref(&wrong));
    assert!(said.contains("targetPorts"), "{said}");
    prove::row(
        "chart",
        "What the chart renders, Kubernetes 1.25 to 1.37 takes, and its parts fit together",
        &format!(
            "{} sets of values through `helm lint --strict` and `helm template`; kubernetes-validate for 13 versions, kubeconform \
             for the oldest and the newest, with the Prometheus operator's definitions",
            files.len()
        ),
        &format!("{objects} objects, none refused"),
    );
}

/// The file in the ConfigMap is what the values say, and the program takes it with what the Pod gives it.
#[test]
fn every_rendered_configuration_passes_check() {
    let Some(helm) = Helm::there() else { return };
    let defaults = yaml(&helm::chart().join("values.yaml"));
    for values in helm::sets_of_values() {
        let name = values.file_name().unwrap().to_str().unwrap().to_owned();
        let pod = Pod::new(&Objects::parse(&name, &helm.template(&values, &[]).unwrap()));

        let mut config = defaults["config"].clone();
        merge(&mut config, &yaml(&values)["config"]);
        let mut rendered = pod.config();
        let listen = rendered.as_object_mut().unwrap().remove("http").unwrap();
        assert_eq!(rendered, config, "{name}");
        let (address, port) = listen["listen"].as_str().unwrap().rsplit_once(':').unwrap();
        assert!(["0.0.0.0", "[::]"].contains(&address), "{name}: {listen}");
        assert_eq!(port, pod.port().to_string(), "{name}");

        let output = pod.run(&["check", "--offline"], WAIT);
        assert_eq!(output.code(), 0, "{name}: {output:?}");
        assert!(output.stdout.starts_with("ok "), "{name}: {output:?}");
        assert!(!output.stdout.contains("warn"), "{name}: {output:?}");
    }
}

/// The container's command with its variables, its file and its Secret, against a real Kafka: what the probes ask answers, and it ends within its
/// grace.
#[test]
fn the_pod_runs_as_its_specification_says() {
    let Some(helm) = Helm::there() else { return };
    let Some(broker) = shared_broker() else { return };
    let org = Org::with_events(100);
    let mut connector = org.connector("acme");
    let token =
        std::mem::replace(&mut connector.token, "${file:/etc/okta-kafka-source/secrets/okta-api-token}".to_owned());
    let mut config: Value =
        serde_saphyr::from_str(&ConfigYaml::new(broker.bootstrap()).connector(connector).render()).unwrap();
    let _ = config.as_object_mut().unwrap().remove("http");
    let scratch = TempDir::with_prefix("chart-").unwrap();
    let values = scratch.path().join("values.yaml");
    let port = free_port();
    fs::write(&values, json!({"config": config, "listen": {"port": port}}).to_string()).unwrap();
    let objects = Objects::parse("values", &helm.template(&values, &[]).unwrap());
    let mut pod = Pod::new(&objects);
    pod.secret("okta-api-token", &token);

    let worker = pod.spawn();
    let address = format!("127.0.0.1:{port}");
    let _ = worker.await_line("that it is caught up", |line| line.contains("caught up"), WAIT);
    for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        let container = objects.container();
        assert_eq!(container[probe]["httpGet"]["path"], path);
        // The kubelet asks again, too: how the group stands is known twice a second.
        let deadline = Instant::now() + WAIT;
        while let Some(answer) = Some(metrics::get(&address, path).unwrap()).filter(|answer| answer.status != 200) {
            let is_over = Instant::now() > deadline || worker.try_wait(Duration::from_millis(20)).is_some();
            assert!(!is_over, "{probe}: {}", answer.body);
        }
    }
    assert!(metrics::get(&address, "/metrics").unwrap().body.contains("okta_kafka_source_events_committed_total"));
    let line = worker.lines().pop().unwrap().text;
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "the log is JSON: {line}");
    // As `kubectl exec` does it: another process with the same variables.
    let status = pod.run(&["status"], WAIT);
    assert!(status.code() == 0 && status.stdout.contains("\"acme\""), "{status:?}");
    worker.terminate();
    let grace = objects.pod()["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert_eq!(worker.wait(Duration::from_secs(grace)).code(), Some(0), "{}", worker.tail(20));
    prove::row(
        "chart-configuration",
        "A configuration that the chart renders is what its values say, and the program takes it",
        "the ConfigMap of each set of values with the Pod's variables and files through `check --offline`; the Pod's own command against \
         a real Kafka, its probes, `status` beside it, and SIGTERM",
        "equal to the values, and accepted; probes 200; ended with 0 within the grace",
    );
}

/// A changed file restarts the Pods, and nothing else does.
#[test]
fn the_checksum_is_that_of_the_configuration() {
    let Some(helm) = Helm::there() else { return };
    let values = helm::chart().join("ci/default-values.yaml");
    let checksum = |arguments: &[&str]| {
        let objects = Objects::parse("default", &helm.template(&values, arguments).unwrap());
        objects.template()["metadata"]["annotations"]["checksum/config"].clone()
    };
    let plain = checksum(&[]);
    assert_eq!(plain.as_str().unwrap().len(), 64);
    assert_ne!(plain, checksum(&["--set", "config.group_id=other"]));
    assert_ne!(plain, checksum(&["--set", "listen.port=9999"]));
    assert_eq!(plain, checksum(&["--set", "log.format=text,dashboard.enabled=true,global.anything=1"]));
}

/// The chart's version of the program is this one, and its copies are what they are copies of: a chart reads files of its own only.
#[test]
fn the_chart_is_of_this_version_and_its_files_are_those_of_deploy() {
    let chart = yaml(&helm::chart().join("Chart.yaml"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["prometheus/alerts.yaml", "prometheus/recording.yaml", "grafana/okta-kafka-source.json"] {
        let (original, copy) = (root.join("deploy").join(file), helm::chart().join("files").join(file));
        let text = fs::read_to_string(&original).unwrap();
        if std::env::var_os("OKS_BLESS").is_some() {
            fs::write(&copy, &text).unwrap();
        }
        let is_equal = fs::read_to_string(&copy).unwrap() == text;
        assert!(is_equal, "{} is not deploy/{file}: OKS_BLESS=1 copies it", copy.display());
    }
}

/// The chart names no command, no user's name and no folder that the image does not have.
#[test]
fn the_chart_is_for_the_image_of_the_dockerfile() {
    let dockerfile = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    let values = yaml(&helm::chart().join("values.yaml"));
    let context = &values["podSecurityContext"];
    let pod = fs::read_to_string(helm::chart().join("templates/_pod.tpl")).unwrap();
    for line in [
        format!("USER {}:{}", context["runAsUser"], context["runAsGroup"]),
        r#"ENTRYPOINT ["/usr/local/bin/okta-kafka-source"]"#.to_owned(),
        "ENV OKTA_KAFKA_SOURCE_CONFIG=/etc/okta-kafka-source/config.yaml".to_owned(),
        format!("EXPOSE {}", values["listen"]["port"]),
    ] {
        assert!(dockerfile.lines().any(|has| has.trim() == line), "the Dockerfile has no line `{line}`");
    }
    assert!(pod.contains("value: /etc/okta-kafka-source/config.yaml"));
    // The image's own entry point is run, with arguments.
    let deployment = fs::read_to_string(helm::chart().join("templates/deployment.yaml")).unwrap();
    assert!(!deployment.contains("command:") && !pod.contains("command:"));
}

/// A template does not take Prometheus's or Grafana's own braces for its own.
#[test]
fn rules_and_dashboard_are_rendered_as_they_are() {
    let Some(helm) = Helm::there() else { return };
    let values = helm::chart().join("ci/monitoring-values.yaml");
    let objects = Objects::parse("monitoring", &helm.template(&values, &[]).unwrap());
    let rules = objects.of("PrometheusRule");
    for file in ["alerts", "recording"] {
        let rule = rules.iter().find(|rule| rule["metadata"]["name"].as_str().unwrap().ends_with(file)).unwrap();
        assert_eq!(rule["spec"], yaml(&helm::chart().join(format!("files/prometheus/{file}.yaml"))), "{file}");
        assert_eq!(rule["metadata"]["labels"]["release"], "prometheus", "the label that a Prometheus selects by");
    }
    let maps = objects.of("ConfigMap");
    let dashboard = maps.iter().find(|map| map["metadata"]["labels"]["grafana_dashboard"] == "1").unwrap();
    let text = fs::read_to_string(helm::chart().join("files/grafana/okta-kafka-source.json")).unwrap();
    assert_eq!(dashboard["data"]["okta-kafka-source.json"].as_str().unwrap().trim(), text.trim());
}

/// Who is paged by the chart's rules gets a link, also on the dashboard.
#[test]
fn the_runbook_is_where_the_values_say() {
    const RUNBOOK: &str = "https://wiki.example.com/okta-kafka-source/runbook.md";
    let Some(helm) = Helm::there() else { return };
    let values = helm::chart().join("ci/monitoring-values.yaml");
    let runbook = format!("prometheusRule.runbookUrl={RUNBOOK}");
    let text = helm.template(&values, &["--set", &runbook]).unwrap();
    assert!(!text.contains("docs/runbook.md"));
    let objects = Objects::parse("runbook", &text);
    let alerts = objects.of("PrometheusRule").into_iter().flat_map(|rule| list(&rule["spec"]["groups"]));
    let alerts = alerts.flat_map(|group| list(&group["rules"])).filter(|rule| rule["alert"].is_string());
    let mut checked = 0;
    for alert in alerts {
        let link = format!("{RUNBOOK}#{}", alert["alert"].as_str().unwrap().to_lowercase());
        assert_eq!(alert["annotations"]["runbook_url"], link);
        checked += 1;
    }
    assert!(checked >= 12, "{checked} alerts");
    let maps = objects.of("ConfigMap");
    let dashboard = maps.iter().find_map(|map| map["data"]["okta-kafka-source.json"].as_str()).unwrap();
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let constant =
        list(&dashboard["templating"]["list"]).iter().find(|variable| variable["name"] == "runbook").unwrap();
    assert_eq!(constant["query"], RUNBOOK);
}

/// Two releases in one namespace are two jobs: the rules and the dashboard tell deployments apart by nothing else.
#[test]
fn each_release_is_a_job_of_its_own() {
    let Some(helm) = Helm::there() else { return };
    for values in ["monitoring-values.yaml", "full-values.yaml"] {
        let values = helm::chart().join("ci").join(values);
        let job = |name: &str| {
            let text = helm.template(&values, &["--set", &format!("fullnameOverride={name}")]).unwrap();
            let objects = Objects::parse(name, &text);
            let monitors = [objects.of("ServiceMonitor"), objects.of("PodMonitor")].concat();
            let endpoints = ["endpoints", "podMetricsEndpoints"].map(|key| list(&monitors[0]["spec"][key]));
            let relabelings: Vec<Value> =
                endpoints.concat().iter().flat_map(|endpoint| list(&endpoint["relabelings"])).cloned().collect();
            relabelings.iter().find(|rule| rule["targetLabel"] == "job").unwrap()["replacement"].clone()
        };
        assert_eq!([job("acme"), job("emea")], ["acme", "emea"]);
    }
}

/// One worker, which ends before the next begins (ADR 0055); a spread keeps the selector that it was written with.
#[test]
fn the_deployment_is_as_the_values_say() {
    let Some(helm) = Helm::there() else { return };
    let set = |name: &str| Objects::parse(name, &helm.template(&helm::chart().join("ci").join(name), &[]).unwrap());
    let default = set("default-values.yaml");
    let deployment = &default.only("Deployment")["spec"];
    assert_eq!(deployment["replicas"], 1);
    assert_eq!(deployment["strategy"], json!({"type": "Recreate"}));

    let written = yaml(&helm::chart().join("ci/full-values.yaml"))["topologySpreadConstraints"].clone();
    assert!(list(&written).iter().any(|spread| spread["labelSelector"]["matchExpressions"].is_array()));
    assert_eq!(set("full-values.yaml").pod()["topologySpreadConstraints"], written);
}

fn yaml(file: &Path) -> Value {
    let value: Option<Value> = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    value.unwrap_or_default()
}

/// As Helm merges: maps member by member, all else as a whole.
fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}
