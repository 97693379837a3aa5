//! docker-compose.yml, as far as it can be held true without an engine: what it says is valid, what it mounts is there, and
//! the versions are those that the tests run. `compose_run` starts its services.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::compose::Project;
use crate::support::connector;
use crate::support::prometheus::promtool;

const WAIT: Duration = Duration::from_secs(30);

#[test]
fn the_compose_file_is_valid() {
    let Some(project) = Project::ours() else { return };
    let services: Vec<&str> = project.services().map(|(name, _)| name).collect();
    assert_eq!(services, ["connector", "grafana", "kafka", "org", "prometheus", "registry"]);

    // What the specification does not know is refused.
    let wrong = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
    fs::write(wrong.path(), text("docker-compose.yml").replace("cap_drop:", "capdrop:")).unwrap();
    let Some(Err(problem)) = Project::load(wrong.path()) else { panic!("it took `capdrop`") };
    assert!(problem.contains("capdrop"), "{problem}");
}

/// No service has more rights than it needs, and none is reached from another machine.
#[test]
fn the_services_are_locked_down() {
    let Some(project) = Project::ours() else { return };
    for (name, service) in project.services() {
        let json = service.json;
        assert_eq!(json["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(json["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        for forbidden in ["privileged", "cap_add", "user", "devices", "pid", "ipc"] {
            assert!(json[forbidden].is_null(), "{name}: {forbidden}");
        }
        for port in json["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
        }
        // Who has a token of a real org in his shell does not give it to the simulated one.
        assert!(!json.to_string().contains("a-real-token"), "{name}");
        let (image, tag) = service.image();
        assert!(tag != "latest" && !tag.is_empty(), "{name}: {image} of any version");
        // Which of the images run on a read-only root was seen of ours and of Prometheus only (ADR 0054).
        assert_eq!(json["read_only"] == true, ["connector", "org", "prometheus"].contains(&name), "{name}");
    }
}

/// The image of this checkout is built by one service: two that build one tag at once fail on a machine that has no such
/// image yet. The other one waits for the first, and asks nobody else for the image.
#[test]
fn one_service_builds_the_image() {
    let Some(project) = Project::ours() else { return };
    let of_ours = |name: &str| project.service(name).image().0 == "okta-kafka-source";
    let builders = project.services().filter(|(_, service)| service.json["build"].is_object());
    assert_eq!(builders.map(|(name, _)| name).collect::<Vec<_>>(), ["org"]);
    assert!(of_ours("org"));
    for (name, service) in project.services().filter(|(name, _)| *name != "org" && of_ours(name)) {
        assert_eq!(service.image(), project.service("org").image(), "{name}");
        assert_eq!(service.json["pull_policy"], "never", "{name}");
        assert!(service.json["depends_on"]["org"].is_object(), "{name} may be there before the image");
    }
}

/// Who shares another's network is restarted with it, or would be left in one that is gone.
#[test]
fn who_shares_a_network_is_restarted_with_its_owner() {
    let Some(project) = Project::ours() else { return };
    let mut seen = 0;
    for (name, service) in project.services() {
        let mode = service.json["network_mode"].as_str().unwrap_or_default();
        let Some(owner) = mode.strip_prefix("service:") else { continue };
        assert_eq!(service.json["depends_on"][owner]["restart"], true, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 1);
}

/// What is mounted is there: Docker would make a folder in its place, and say nothing.
#[test]
fn every_mounted_file_is_there() {
    let Some(project) = Project::ours() else { return };
    let mut seen = 0;
    for (name, service) in project.services() {
        for (source, target) in service.mounts() {
            assert!(source.is_file(), "{name}: {} (at {target}) is no file", source.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
}

/// Kafka and the registry are of the versions that the tests run; Grafana of the one whose types the dashboard has.
#[test]
fn the_images_are_of_the_versions_that_the_tests_use() {
    let Some(project) = Project::ours() else { return };
    let between = |path: &str, before: &str, after: &str| {
        let text = text(path);
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{path} has no `{before}`"));
        rest.split_once(after).unwrap().0.to_owned()
    };
    for (service, image, version) in [
        ("kafka", "apache/kafka", between("tests/kafka/pom.xml", "kafka_2.13</artifactId>\n      <version>", "<")),
        ("registry", "apicurio/apicurio-registry", between("tests/registry/registry.sh", "\nversion=", "\n")),
        ("grafana", "grafana/grafana", between("tests/grafana/package.json", "\"@grafana/schema\": \"", "\"")),
    ] {
        assert_eq!(project.service(service).image(), (image, version.as_str()));
    }
}

/// The connector's file is valid where it is mounted, with the variables that it gets.
#[test]
fn the_connectors_file_is_valid() {
    let Some(project) = Project::ours() else { return };
    let connector = project.service("connector");
    let [(file, target)] = &connector.mounts()[..] else { panic!("{:?}", connector.mounts()) };
    assert!(text("Dockerfile").contains(&format!("OKTA_KAFKA_SOURCE_CONFIG={target}\n")), "the image reads it there");
    let arguments = ["check", "--offline", "-c", connector::utf8(file)];
    let output = connector::run(&arguments, &connector.environment(), WAIT);
    assert_eq!(output.code(), 0, "{output:?}");
    // Its only warning is of the short interval.
    assert_eq!(output.stdout.matches("warn").count(), 1, "{}", output.stdout);
    let output = connector::run(&arguments, &[], WAIT);
    assert_eq!(output.code(), 2, "without the token: {output:?}");
}

/// Prometheus takes its file and the rules, where they are mounted.
#[test]
fn the_prometheus_file_is_valid() {
    let Some(project) = Project::ours() else { return };
    let (_folder, files) = mounted(&project, "prometheus", |text| text);
    let config = files.iter().find(|path| path.ends_with("prometheus.yml")).unwrap();
    let Some(output) = promtool(&["check", "config", connector::utf8(config)]) else { return };
    assert_eq!(output.code(), 0, "{output:?}");
    let rules: usize = output.stdout.lines().filter(|line| line.contains("rules found")).count();
    assert_eq!(rules, 2, "recording rules and alerts: {}", output.stdout);
}

/// Grafana's data source is Prometheus, and the folder that it reads dashboards from is the one where ours is.
#[test]
fn grafana_finds_the_dashboard_and_prometheus() {
    let Some(project) = Project::ours() else { return };
    let grafana = project.service("grafana");
    let mounts = grafana.mounts();
    let at = |end: &str| mounts.iter().find(|(_, target)| target.contains(end)).unwrap_or_else(|| panic!("{end}"));
    let (dashboard, target) = at("/dashboards/okta-kafka-source.json");
    let parsed: Value = serde_json::from_str(&fs::read_to_string(dashboard).unwrap()).unwrap();
    assert!(parsed["panels"].is_array());
    let folder = Path::new(target).parent().unwrap().to_str().unwrap();
    let provider = fs::read_to_string(&at("/provisioning/dashboards/").0).unwrap();
    assert!(provider.contains(&format!("path: {folder}}}")), "{provider}");
    assert!(grafana.environment().contains(&("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH", target)));
    let source = fs::read_to_string(&at("/provisioning/datasources/").0).unwrap();
    assert!(source.contains("url: http://prometheus:9090\n") && source.contains("isDefault: true"), "{source}");
}

/// A service's files where it sees them, below a folder of the test's own, each after `change`.
pub(crate) fn mounted(
    project: &Project,
    service: &str,
    change: impl Fn(String) -> String,
) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::TempDir::with_prefix("mounts-").unwrap();
    let files = project.service(service).mounts().into_iter().map(|(source, target)| {
        let path = folder.path().join(target.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = fs::read_to_string(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        fs::write(&path, change(text)).unwrap();
        path
    });
    let files = files.collect();
    (folder, files)
}

fn text(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"))
}
