//! Helm and kubeconform, and the chart as they see it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use super::{python, skip};

/// The Kubernetes that is rendered for: Helm as Go builds it would take an old one.
const KUBERNETES: &str = "1.34.0";

/// The programs, fetched.
#[derive(Clone, Copy)]
pub struct Helm {
    home: &'static Path,
}

impl Helm {
    /// Helm, which is fetched at the first call. Where it can't be had, says which part is missing and gives `None`: the
    /// test returns.
    pub fn there() -> Option<Self> {
        static FETCHED: LazyLock<Result<String, String>> = LazyLock::new(|| {
            python::fetched("tests/helm/helm.sh").map_err(|reason| format!("Helm, which could not be had: {reason}"))
        });
        FETCHED.as_ref().map(|home| Self { home: Path::new(home) }).map_err(|missing| skip::skip(missing)).ok()
    }

    /// `helm lint --strict` with a file of values: what it printed, of both streams; an error where it is not content.
    pub fn lint(self, values: &Path) -> Result<String, String> {
        let output = self.helm(&["lint", "--strict"], values, &[]);
        let text = both(&output);
        // A `fail` of a template is no more than a line to `lint`.
        if output.status.success() && !text.contains("Fail:") { Ok(text) } else { Err(text) }
    }

    /// `helm template`: the manifests, or the complaint.
    pub fn template(self, values: &Path, arguments: &[&str]) -> Result<String, String> {
        let output = self.helm(&["template", "--namespace", "okta", "release"], values, arguments);
        if output.status.success() { Ok(String::from_utf8(output.stdout).unwrap()) } else { Err(both(&output)) }
    }

    /// A command about the chart.
    fn helm(self, command: &[&str], values: &Path, arguments: &[&str]) -> Output {
        let mut helm = Command::new(self.home.join("bin/helm"));
        let _ = helm.args(command).arg(chart()).args(["--kube-version", KUBERNETES]).arg("--values").arg(values);
        helm.args(arguments).output().unwrap()
    }

    /// kubeconform, strictly, with the schemas of a folder: what it printed.
    pub fn kubeconform(self, schemas: &Path, files: &[PathBuf]) -> String {
        let location = format!("{}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json", schemas.display());
        let mut kubeconform = Command::new(self.home.join("bin/kubeconform"));
        let _ = kubeconform.args(["-strict", "-summary", "-schema-location", &location]).args(files);
        both(&kubeconform.output().unwrap())
    }

    /// The folder of the Prometheus operator's definitions.
    pub fn definitions(self) -> PathBuf {
        self.home.join("crds")
    }
}

/// The chart's folder.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/okta-kafka-source")
}

/// The sets of values in the chart's folder `ci`.
pub fn sets_of_values() -> Vec<PathBuf> {
    let files = std::fs::read_dir(chart().join("ci")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.to_str().unwrap().ends_with("-values.yaml")).collect();
    files.sort();
    files
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
