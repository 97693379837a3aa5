//! Wrong files: each of tests/it/config/bad is a mistake that somebody makes, and begins with what is said of it.
//!
//! A line `#= 12: connectors[0].interval: …` is one problem, as it is printed after the file's name; lines with spaces after `#=`
//! belong to the one before them. With `OKS_BLESS=1`
//! these lines are written anew: read them as whoever made the mistake, before they are committed.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Config, env};

/// How a line begins that says what is expected.
const EXPECTED: &str = "#= ";

/// The least number of files that there are.
const LEAST: usize = 60;

#[test]
fn every_bad_file_says_what_it_promises() {
    let bless = std::env::var_os("OKS_BLESS").is_some();
    let files = files();
    assert!(files.len() >= LEAST, "{} files", files.len());
    let mut wrong = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(EXPECTED)).collect();
        let found = said(&text);
        if bless {
            fs::write(path, blessed(&text)).unwrap();
        } else if expected.is_empty() || expected != found {
            wrong.push(format!("{}\nexpected {expected:#?}\nfound {found:#?}", path.display()));
        }
    }
    let advice =
        "where the new messages are better, or a key was added, run this test with OKS_BLESS=1 and read what changes";
    assert!(wrong.is_empty(), "{} of {} files ({advice}):\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

/// All bad files, by name.
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The problems of a text, each as it is printed after the file's name.
fn said(text: &str) -> Vec<String> {
    match Config::parse_at(text, &env, "2026-11-01T00:00:00Z".parse().unwrap()) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(|line| line.replacen("configuration:", "", 1)).collect(),
    }
}

/// The text with what is said of it, which counts its own lines.
fn blessed(text: &str) -> String {
    let file: String = text.split_inclusive('\n').filter(|line| !line.starts_with(EXPECTED)).collect();
    let blank = format!("{EXPECTED}\n").repeat(said(&file).len());
    let header: String =
        said(&format!("{blank}{file}")).iter().map(|problem| format!("{EXPECTED}{problem}\n")).collect();
    format!("{header}{file}")
}
