//! What the fuzz targets assert, for their seeds and for everything that fuzzing ever found.
//!
//! `make fuzz` looks for more. A file of fuzz/regressions is an input that once broke a property.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use crate::support::prove;

#[path = "../../fuzz/properties/mod.rs"]
mod properties;

/// A target's name, its property, and folders of inputs beside its own.
type Target = (&'static str, fn(&[u8]), &'static [&'static str]);

const TARGETS: [Target; 6] = [
    ("link", properties::link::check, &[]),
    ("okta_error", properties::okta_error::check, &[]),
    ("page", properties::page::check, &[]),
    ("offsets", properties::offsets::check, &[]),
    ("config", properties::config::check, &["tests/it/config/bad"]),
    ("avro", properties::avro::check, &["fuzz/seeds/page"]),
];

#[test]
fn what_fuzzing_found_once_holds_now() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for (target, check, more) in TARGETS {
        let (seeds, regressions) = (format!("fuzz/seeds/{target}"), format!("fuzz/regressions/{target}"));
        let inputs: Vec<PathBuf> =
            [seeds.as_str(), &regressions].iter().chain(more).flat_map(|folder| files(&root.join(folder))).collect();
        assert!(inputs.len() > 3, "the seeds of {target} are gone");
        for path in inputs {
            let input = fs::read(&path).unwrap();
            // Cut off anywhere, an input is another one.
            for cut in [input.len(), input.len() * 2 / 3, input.len() / 3] {
                let held = panic::catch_unwind(AssertUnwindSafe(|| check(&input[..cut])));
                assert!(held.is_ok(), "{target} does not hold for the first {cut} bytes of {}", path.display());
                count += 1;
            }
        }
    }
    let runs: Vec<String> = TARGETS
        .iter()
        .filter_map(|(target, ..)| fs::read_to_string(root.join(format!("target/fuzz/{target}.result"))).ok())
        .map(|line| line.trim().to_owned())
        .collect();
    let fuzzed = if runs.is_empty() {
        "`make fuzz` looks for more".to_owned()
    } else {
        format!("`make fuzz`: {}", runs.join("; "))
    };
    let done = format!("{count} inputs: seeds, bad files and what fuzzing found before; {fuzzed}");
    prove::row(
        "fuzzing",
        "No input makes a parser panic, take long, leak a secret, lose an element or leave the org",
        &done,
        "every property held",
    );
}

/// The files of a folder, by name; none where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
