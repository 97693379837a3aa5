//! A Pod's container, run on this machine: its file, its variables, and the files of its mounts below a folder of the test's.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::objects::{Objects, list};
use crate::support::certificates::{Authority, Leaf};
use crate::support::connector::{self, Output};
use crate::support::process::Process;
use crate::support::service_key::{Form, Kind, ServiceKey};

/// What all mounts are below of.
const ROOT: &str = "/etc/okta-kafka-source";

/// What a query's volume is mounted as.
const RESULTS: &str = "/results";

/// What stands in for the value of a Secret.
const SECRET: &str = "00a-stand-in-for-a-secret-of-the-cluster-0";

/// One Pod.
pub struct Pod {
    root: TempDir,
    container: Value,
    config: String,
}

impl Pod {
    /// The Pod of a rendering. Every file that its configuration names must be below a mount, and has something fitting in it; every variable
    /// that it names must be set.
    pub fn new(objects: &Objects) -> Self {
        Self::of(objects, objects.container())
    }

    /// The same, of a query on a schedule.
    pub fn of_query(objects: &Objects, template: &Value) -> Self {
        let pod = Self::of(objects, &template["spec"]["containers"][0]);
        fs::create_dir(pod.results()).unwrap();
        pod
    }

    fn of(objects: &Objects, container: &Value) -> Self {
        let maps = objects.of("ConfigMap");
        let config = maps.iter().find_map(|map| map["data"]["config.yaml"].as_str()).unwrap().to_owned();
        let root = TempDir::with_prefix("pod-").unwrap();
        let pod = Self { root, container: container.clone(), config };
        pod.make_files();
        fs::write(pod.path("config.yaml"), pod.config.replace(ROOT, pod.root.path().to_str().unwrap())).unwrap();
        pod
    }

    /// The program's file.
    pub fn config(&self) -> Value {
        serde_saphyr::from_str(&self.config).unwrap()
    }

    /// The port that the container says it has.
    pub fn port(&self) -> u64 {
        self.container["ports"][0]["containerPort"].as_u64().unwrap()
    }

    /// Puts a value into the Secret's folder.
    pub fn secret(&mut self, key: &str, value: &str) {
        fs::write(self.path(&format!("secrets/{key}")), value).unwrap();
    }

    /// The folder of a query's volume.
    pub fn results(&self) -> PathBuf {
        self.path("results")
    }

    /// The container's own command.
    pub fn spawn(&self) -> Process {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        connector::spawn(&arguments, &borrowed(&self.variables()))
    }

    /// The same to its end, with these arguments, too.
    pub fn run_own(&self, more: &[&str], timeout: Duration) -> Output {
        let mut arguments = self.arguments();
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        self.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), timeout)
    }

    fn arguments(&self) -> Vec<String> {
        list(&self.container["args"]).iter().map(|word| self.below(word.as_str().unwrap())).collect()
    }

    /// A path of the container on this machine.
    fn below(&self, path: &str) -> String {
        if path == RESULTS || path.starts_with(&format!("{RESULTS}/")) {
            return format!("{}{path}", self.root.path().display());
        }
        path.replace(ROOT, self.root.path().to_str().unwrap())
    }

    /// Another command beside it, as `kubectl exec` runs one.
    pub fn run(&self, arguments: &[&str], timeout: Duration) -> Output {
        connector::run(arguments, &borrowed(&self.variables()), timeout)
    }

    fn variables(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = list(&self.container["env"])
            .iter()
            .map(|variable| {
                let value = variable["value"].as_str().unwrap_or(SECRET);
                (variable["name"].as_str().unwrap().to_owned(), self.below(value))
            })
            .collect();
        // What a whole Secret has can't be known: it is taken to have what the configuration names.
        if !list(&self.container["envFrom"]).is_empty() {
            for reference in self.references("${env:") {
                if !variables.iter().any(|(name, _)| *name == reference) {
                    variables.push((reference, SECRET.to_owned()));
                }
            }
        }
        variables
    }

    /// A file for each path that the configuration names.
    fn make_files(&self) {
        let certificates = TempDir::with_prefix("pod-").unwrap();
        let authority = Authority::new(certificates.path(), "ca");
        let client = authority.sign(Leaf::new("okta-kafka-source"));
        let mounts: Vec<&str> =
            list(&self.container["volumeMounts"]).iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
        for path in self.references(&format!("{ROOT}/")) {
            let full = format!("{ROOT}/{path}");
            let is_mounted = mounts.iter().any(|mount| full.starts_with(&format!("{mount}/")));
            assert!(is_mounted, "{full} is in no mount of {mounts:?}");
            let file = self.path(&path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            match file.file_name().unwrap().to_str().unwrap() {
                "ca.pem" => fs::copy(authority.path(), &file).map(drop).unwrap(),
                "tls.crt" => fs::copy(&client.certificate, &file).map(drop).unwrap(),
                "tls.key" => fs::copy(&client.key, &file).map(drop).unwrap(),
                "okta.key" => fs::write(&file, ServiceKey::new("kid", Kind::Rsa).file(Form::Pkcs8)).unwrap(),
                _ => fs::write(&file, SECRET).unwrap(),
            }
        }
    }

    /// What follows `beginning` in the configuration, each up to what can't be a part of it.
    fn references(&self, beginning: &str) -> Vec<String> {
        let ends = |c: char| !(c.is_ascii_alphanumeric() || "._-/".contains(c));
        self.config
            .split(beginning)
            .skip(1)
            .map(|rest| rest[..rest.find(ends).unwrap_or(rest.len())].to_owned())
            .collect()
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }
}

fn borrowed(variables: &[(String, String)]) -> Vec<(&str, &str)> {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
