//! Queries on a schedule: what the CronJobs' Pods do.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::objects::{Objects, list};
use super::pod::Pod;
use super::yaml;
use crate::support::config_yaml::ConfigYaml;
use crate::support::helm::{self, Helm};
use crate::support::mail_server::MailServer;
use crate::support::org::Org;
use crate::support::{prove, python};

const WAIT: Duration = Duration::from_secs(60);

/// The container's command with its variables, its file, its Secret and its volume: the mail arrives, nothing stays, and nobody asks Kafka.
#[test]
fn the_pod_of_a_query_sends_its_mail() {
    let (Some(helm), Some(python)) = (Helm::there(), python::there()) else { return };
    let server = MailServer::start(python, &[]);
    let kafka = TcpListener::bind("127.0.0.1:0").unwrap();
    kafka.set_nonblocking(true).unwrap();
    let org = Org::with_events(123);
    let mut connector = org.connector("acme");
    let token =
        std::mem::replace(&mut connector.token, "${file:/etc/okta-kafka-source/secrets/okta-api-token}".to_owned());
    let yaml = ConfigYaml::new(&kafka.local_addr().unwrap().to_string()).connector(connector).render();
    let mut config: Value = serde_saphyr::from_str(&yaml).unwrap();
    let _ = config.as_object_mut().unwrap().remove("http");
    config["email"] = json!({"host": "127.0.0.1", "port": server.port, "security": "none", "from": "okta@example.com"});
    let scratch = TempDir::with_prefix("chart-").unwrap();
    let values = scratch.path().join("values.yaml");
    let render = |email: &Value, args: Value| {
        let mut config = config.clone();
        config["email"] = email.clone();
        let volume = json!({"persistentVolumeClaim": {"claimName": "results"}});
        let jobs = json!([{"name": "q", "schedule": "@daily", "args": args, "volume": volume}]);
        fs::write(&values, json!({"config": config, "cronJobs": jobs}).to_string()).unwrap();
        let objects = Objects::parse("queries", &helm.template(&values, &[]).unwrap());
        let mut pod = Pod::of_query(&objects, objects.queries()[0]);
        pod.secret("okta-api-token", &token);
        pod
    };
    let of_mail = ["--email", "soc@example.com", "--email-attach", "ndjson", "--retry-for", "0s"];
    let arguments = json!([&["acme", "--since", "30d"], &of_mail[..]].concat());
    let pod = render(&config["email"], arguments.clone());
    let output = pod.run_own(&[], WAIT);
    assert_eq!((output.code(), output.stdout.as_str()), (0, ""), "{output:?}");
    let mail = server.mail();
    assert!(mail.parts[0].text().starts_with("123 events in 2 pages\n"), "{mail:?}");
    assert_eq!(mail.parts[2].text().lines().count(), 123);
    assert_eq!(fs::read_dir(pod.results()).unwrap().count(), 0, "nothing stays on the volume");

    // Where the server is away, the results are on the volume: the file system beside it is read-only.
    let away = json!({"host": "127.0.0.1", "port": 1, "security": "none", "from": "okta@example.com"});
    let pod = render(&away, arguments);
    let output = pod.run_own(&[], WAIT);
    assert!(output.code() == 1 && output.stderr.contains("no e-mail was sent"), "{output:?}");
    let folder = fs::read_dir(pod.results()).unwrap().next().expect("a folder").unwrap().path();
    assert_eq!(fs::read_to_string(folder.join("results.ndjson")).unwrap().lines().count(), 123);
    let pod = render(&config["email"], json!(["acme", "--since", "30d", "--to-file", "/results/all.ndjson"]));
    assert_eq!(pod.run_own(&[], WAIT).code(), 0);
    assert_eq!(fs::read_to_string(pod.results().join("all.ndjson")).unwrap().lines().count(), 123);
    let asked = kafka.accept().map(|(_, address)| address);
    assert!(asked.is_err(), "a query asks Kafka: {asked:?}");
    prove::row(
        "chart-queries",
        "A query that the chart runs on a schedule sends its mail, asks no Kafka, and leaves its results where the mail fails",
        "a CronJob's own command with its Pod's variables, files and volume, against the simulated org, an SMTP server and a listener in Kafka's place",
        "123 events arrived; nothing stayed on the volume, or, with a dead server, all of them; no connection to Kafka",
    );
}

/// Values that the documents show render, and their configuration passes `check`.
#[test]
fn the_documented_values_make_a_cron_job() {
    let Some(helm) = Helm::there() else { return };
    let scratch = TempDir::with_prefix("chart-").unwrap();
    let values = scratch.path().join("values.yaml");
    for document in ["docs/query.md", "charts/okta-kafka-source/README.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
        let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
        let blocks: Vec<&str> = blocks.filter(|block| block.contains("cronJobs:")).collect();
        assert_eq!(blocks.len(), 1, "{document}");
        fs::write(&values, blocks[0]).unwrap();
        let text = helm.template(&values, &["--set", "networkPolicy.enabled=true"]);
        let objects = Objects::parse(document, &text.unwrap_or_else(|complaint| panic!("{document}: {complaint}")));
        objects.must_fit_together();
        let pod = Pod::of_query(&objects, objects.queries()[0]);
        let output = pod.run(&["check", "--offline"], WAIT);
        assert!(output.code() == 0 && !output.stdout.contains("warn"), "{document}: {output:?}");
        let output = pod.run_own(&["--print-request"], WAIT);
        assert!(output.code() == 0 && output.stdout.contains("/api/v1/logs?"), "{document}: {output:?}");
    }
}

/// Each CronJob is as its values say, and the rest as the comment in values.yaml does.
#[test]
fn the_cron_jobs_are_as_the_values_say() {
    let Some(helm) = Helm::there() else { return };
    let values = helm::chart().join("ci/queries-values.yaml");
    let objects = Objects::parse("queries", &helm.template(&values, &[]).unwrap());
    let written = yaml(&values)["cronJobs"].clone();
    let jobs = objects.of("CronJob");
    assert_eq!(jobs.len(), list(&written).len());
    let comment = fs::read_to_string(helm::chart().join("values.yaml")).unwrap().replace("\n#", "");
    for (job, written) in jobs.iter().zip(list(&written)) {
        let spec = &job["spec"];
        let of_job = &spec["jobTemplate"]["spec"];
        let publishes = written["args"].to_string().contains("--to-topic");
        let pod = &of_job["template"]["spec"];
        assert!(job["metadata"]["name"].as_str().unwrap().ends_with(written["name"].as_str().unwrap()));
        assert_eq!(pod["restartPolicy"], "Never");
        assert_eq!(spec["schedule"], written["schedule"]);
        let arguments: Vec<Value> = std::iter::once(json!("query")).chain(list(&written["args"]).to_vec()).collect();
        assert_eq!(pod["containers"][0]["args"], Value::from(arguments));
        for (key, place, default) in [
            ("timeZone", spec, json!("Etc/UTC")),
            ("concurrencyPolicy", spec, json!("Forbid")),
            ("startingDeadlineSeconds", spec, json!(3600)),
            ("successfulJobsHistoryLimit", spec, json!(1)),
            ("failedJobsHistoryLimit", spec, json!(3)),
            ("suspend", spec, json!(false)),
            ("backoffLimit", of_job, json!(2)),
            ("activeDeadlineSeconds", of_job, json!(3600)),
        ] {
            // A second try would publish the same events once more, also where it is the mail alone that failed.
            let of_topic = json!(0);
            let of_this = if key == "backoffLimit" && publishes { &of_topic } else { &default };
            let expected = if written[key].is_null() { of_this } else { &written[key] };
            assert_eq!(&place[key], expected, "{key} of {}", written["name"]);
            let shown = format!("`{key}` {}", default.to_string().trim_matches('"'));
            assert!(comment.contains(&shown), "`{shown}` is not in the comment of cronJobs");
        }
        let expected = match &written["resources"] {
            Value::Null => &objects.container()["resources"],
            written => written,
        };
        assert_eq!(&pod["containers"][0]["resources"], expected);
        let mut volume = match &written["volume"] {
            Value::Null => json!({"emptyDir": {"sizeLimit": "1Gi"}}),
            written => written.clone(),
        };
        volume["name"] = json!("results");
        assert!(list(&pod["volumes"]).contains(&volume), "{pod}");
    }
    // A worker has neither the volume nor the variable.
    assert!(!objects.pod().to_string().contains("results"), "{}", objects.pod());
}
