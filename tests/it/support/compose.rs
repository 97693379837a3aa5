//! docker-compose.yml as the compose specification's own loader understands it, by `tests/compose/compose.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use super::{python, skip};

/// What a compose file says, all references resolved.
pub struct Project {
    json: Value,
}

impl Project {
    /// docker-compose.yml; `None`, said as skipped, where the loader can't be had.
    pub fn ours() -> Option<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker-compose.yml");
        Some(Self::load(&file)?.unwrap_or_else(|problem| panic!("docker-compose.yml: {problem}")))
    }

    /// Any compose file, or what is wrong with it.
    pub fn load(file: &Path) -> Option<Result<Self, String>> {
        static LOADER: LazyLock<Result<String, String>> = LazyLock::new(|| {
            python::fetched("tests/compose/compose.sh")
                .map_err(|reason| format!("a loader of compose files, which could not be had: {reason}"))
        });
        let loader = LOADER.as_ref().map_err(|missing| skip::skip(missing)).ok()?;
        let mut command = Command::new(loader);
        // What people may have set: a password of Grafana's, which then counts, and a real token, which must not come in.
        let _ = command.arg(file).env_remove("GRAFANA_ADMIN_PASSWORD").env("OKTA_API_TOKEN", "a-real-token");
        let output = command.output().unwrap();
        Some(if output.status.success() {
            Ok(Self { json: serde_json::from_slice(&output.stdout).expect("the loader prints JSON") })
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        })
    }

    /// The services, with their names.
    pub fn services(&self) -> impl Iterator<Item = (&str, Service<'_>)> {
        let services = self.json["services"].as_object().expect("there are services");
        services.iter().map(|(name, json)| (name.as_str(), Service { json }))
    }

    /// One of them.
    pub fn service(&self, name: &str) -> Service<'_> {
        let json = &self.json["services"][name];
        assert!(json.is_object(), "no service `{name}`");
        Service { json }
    }
}

/// A service.
#[derive(Clone, Copy)]
pub struct Service<'a> {
    /// All of it.
    pub json: &'a Value,
}

impl<'a> Service<'a> {
    /// Name and tag of its image.
    pub fn image(self) -> (&'a str, &'a str) {
        let image = self.json["image"].as_str().expect("a service has an image");
        image.rsplit_once(':').expect("an image has a tag")
    }

    /// What follows the image's entry point.
    pub fn command(self) -> Vec<&'a str> {
        strings(&self.json["command"])
    }

    /// Its variables.
    pub fn environment(self) -> Vec<(&'a str, &'a str)> {
        let variables = self.json["environment"].as_object().into_iter().flatten();
        variables.map(|(name, value)| (name.as_str(), value.as_str().expect("a variable has a value"))).collect()
    }

    /// Files and folders of the repository that it sees: where they lie, and where it sees them.
    pub fn mounts(self) -> Vec<(PathBuf, &'a str)> {
        let volumes = self.json["volumes"].as_array().into_iter().flatten();
        let ours = volumes.filter(|volume| volume["type"] == "bind");
        ours.map(|volume| {
            assert_eq!(volume["read_only"], true, "{volume}");
            (volume["source"].as_str().unwrap().into(), volume["target"].as_str().unwrap())
        })
        .collect()
    }

    /// The program and arguments of its health check.
    pub fn healthcheck(self) -> Vec<&'a str> {
        let test = strings(&self.json["healthcheck"]["test"]);
        assert!(test.is_empty() || test[0] == "CMD", "{test:?}");
        test.into_iter().skip(1).collect()
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap()).collect()
}
