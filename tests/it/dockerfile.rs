//! The Dockerfile, as far as it can be held true without an engine: hadolint finds nothing, what it copies is in the build
//! context, and what others rely on (the chart, the compose file) stands in it.
//!
//! That it builds, and what the image holds, was seen by hand (docs/measurements.md, "The image").

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::python;
use crate::support::rust_files::rust_files;

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let Some(python) = python::there() else { return };
    // pip puts programs into a folder of their own, whichever way the Python was made.
    let home = python.parent().unwrap();
    let hadolint = ["venv/bin/hadolint", "site/bin/hadolint"].map(|path| home.join(path));
    let hadolint = hadolint.iter().find(|path| path.exists()).expect("hadolint is in tests/python/requirements.txt");
    let check = |file: &Path| Command::new(hadolint).arg("--no-color").arg(file).output().unwrap();
    let output = check(&root("Dockerfile"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    // A Dockerfile with a mistake is told as such.
    let wrong = tempfile::NamedTempFile::new().unwrap();
    fs::write(wrong.path(), text("Dockerfile").replace(":1.95.0-trixie", ":latest")).unwrap();
    assert!(String::from_utf8_lossy(&check(wrong.path()).stdout).contains("DL3007"));
}

/// The compiler of the image is the one that the tests use.
#[test]
fn the_image_is_built_by_the_toolchain_of_the_tests() {
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert_eq!(images(), [format!("rust:{channel}-trixie"), "gcr.io/distroless/cc-debian13:nonroot".to_owned()]);
}

/// The empty crate of the dependencies' layer has a file for each target that Cargo wants one of there: those without a path,
/// and those that are built.
#[test]
fn the_empty_crate_has_the_file_of_each_target() {
    let dockerfile = text("Dockerfile");
    let layer = dockerfile.split("COPY Cargo.toml Cargo.lock").nth(1).unwrap().split("\n\n").next().unwrap();
    let made: BTreeSet<&str> = layer.split_whitespace().map(|word| word.trim_start_matches('>')).collect();
    let manifest = text("Cargo.toml");
    let mut seen = Vec::new();
    for section in manifest.split("\n[").skip(1) {
        let (kind, rest) = section.split_once("]").unwrap();
        let kind = kind.trim_matches('[');
        let value = |key: &str| {
            let mut lines = rest.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            lines.next().map(|value| value.trim_matches('"').to_owned())
        };
        let (folder, built) = match kind {
            "lib" | "bin" => ("src", true),
            "bench" => ("benches", false),
            "test" => ("tests", false),
            "example" => ("examples", true),
            _ => continue,
        };
        let path = match value("path") {
            Some(_) if !built => continue,
            Some(path) => path,
            None if kind == "lib" => "src/lib.rs".to_owned(),
            None => format!("{folder}/{}.rs", value("name").unwrap()),
        };
        assert!(made.contains(path.as_str()), "{path} of [{kind}] is not made in the empty crate: {layer}");
        seen.push(path);
    }
    assert_eq!(seen, ["src/lib.rs", "src/main.rs", "benches/encode.rs"]);
    // It would be run in both layers, and so has to be copied before the first.
    assert!(!root("build.rs").exists() && !manifest.contains("\nbuild = "), "the Dockerfile knows no build.rs");
}

/// A label that says nothing is worse than none: registries link by some.
#[test]
fn no_label_is_empty() {
    let dockerfile = text("Dockerfile");
    let (_, labels) = dockerfile.rsplit_once("\nLABEL ").unwrap();
    let arguments: Vec<(&str, &str)> =
        dockerfile.lines().filter_map(|line| line.strip_prefix("ARG ")?.split_once('=')).collect();
    assert_eq!(arguments, [("VERSION", "unknown"), ("REVISION", "unknown")]);
    for label in labels.lines() {
        let (name, value) = label.trim_end_matches(" \\").split_once('=').unwrap();
        assert!(value.len() > 2, "{name}");
    }
}

/// What the chart and the compose file rely on, and what makes the image one without a shell and without root.
#[test]
fn the_image_runs_the_program_as_nobody_in_particular() {
    let dockerfile = text("Dockerfile");
    let (_, last) = dockerfile.rsplit_once("\nFROM ").unwrap();
    for instruction in [
        "COPY --from=build /src/target/release/okta-kafka-source /usr/local/bin/okta-kafka-source",
        "COPY --from=build /etc/okta-kafka-source /etc/okta-kafka-source",
        "WORKDIR /etc/okta-kafka-source",
        "ENV OKTA_KAFKA_SOURCE_CONFIG=/etc/okta-kafka-source/config.yaml",
        "USER 65532:65532",
        "EXPOSE 8083",
        "STOPSIGNAL SIGTERM",
        "ENTRYPOINT [\"/usr/local/bin/okta-kafka-source\"]",
        "CMD [\"run\"]",
    ] {
        assert!(last.lines().any(|line| line == instruction), "{instruction}");
    }
    // There is no shell in it to run anything.
    assert!(!last.lines().any(|line| line.starts_with("RUN")), "{last}");
    let description = text("Cargo.toml");
    let description = description.lines().find_map(|line| line.strip_prefix("description = ")).unwrap();
    assert!(last.contains(&format!("org.opencontainers.image.description={description}")), "as in Cargo.toml");
}

/// Only what is named goes to the builder, so no secret that lies about; and what the build reads is named.
#[test]
fn the_build_context_is_what_the_build_reads() {
    let ignore = text(".dockerignore");
    let lines: Vec<&str> = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let (first, allowed) = lines.split_first().unwrap();
    assert_eq!(*first, "*", "nothing that is not named");
    let allowed: Vec<&str> =
        allowed.iter().map(|line| line.strip_prefix('!').expect("a name that is let in")).collect();
    let in_context = |path: &str| {
        allowed.iter().any(|pattern| match pattern.split_once('*') {
            Some((folder, end)) => path.starts_with(folder) && path.ends_with(end),
            None => Path::new(path).starts_with(pattern),
        })
    };

    let mut read = BTreeSet::new();
    for line in text("Dockerfile").lines() {
        let Some(arguments) = line.strip_prefix("COPY ").filter(|rest| !rest.starts_with("--from")) else { continue };
        let (sources, _) = arguments.rsplit_once(' ').unwrap();
        read.extend(sources.split(' ').filter(|source| root(source).is_file()).map(str::to_owned));
    }
    // Files that the compiler takes into the program.
    for file in rust_files("src") {
        let source = fs::read_to_string(&file).unwrap();
        for rest in source.split("include_str!(\"").chain(source.split("include_bytes!(\"")).skip(1) {
            let Some((name, _)) = rest.split_once("\")") else { continue };
            if let Ok(path) = file.parent().unwrap().join(name).canonicalize() {
                read.insert(path.strip_prefix(root("")).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert!(read.contains("Cargo.lock") && read.contains("schemas/okta-system-log-event.avsc"), "{read:?}");
    for path in &read {
        assert!(in_context(path), ".dockerignore leaves out {path}");
    }
    for path in [".git", "target", "connectors.yaml", "okta.key", ".env", "schemas/README.md"] {
        assert!(!in_context(path), ".dockerignore lets in {path}");
    }
}

/// The images that it begins from.
fn images() -> Vec<String> {
    let dockerfile = text("Dockerfile");
    let from = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM "));
    from.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
