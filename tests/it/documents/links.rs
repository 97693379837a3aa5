//! Links and paths lead somewhere.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::{all, assert_none, root};

/// The path without its `..`; the file need not be there.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let documents = all();
    let anchors: BTreeMap<PathBuf, Vec<String>> =
        documents.iter().map(|document| (root().join(&document.name), document.anchors())).collect();
    let (mut findings, mut links) = (Vec::new(), 0);
    for document in &documents {
        for (line, target) in document.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, anchor) = target.split_once('#').map_or((&*target, None), |(file, anchor)| (file, Some(anchor)));
            let path = if file.is_empty() { root().join(&document.name) } else { normal(&document.folder.join(file)) };
            if !path.exists() {
                findings.push(format!("{}: no {file}", document.at(line)));
            } else if let Some(anchor) = anchor
                && anchors.get(&path).is_some_and(|anchors| !anchors.iter().any(|known| known == anchor))
            {
                findings.push(format!("{}: no heading for #{anchor}", document.at(line)));
            }
        }
    }
    assert_none(&findings, links, 30);
}

/// Folders that documents name files of.
const FOLDERS: [&str; 11] =
    ["docs", "src", "tests", "schemas", "benches", "fuzz", "charts", "deploy", "tests/it", ".ci", "target/release"];

/// What a document names as `docs/x.md` or `tests/kafka/kafka.sh`, also in prose, is there. Words are cut at what no name
/// of ours has, so that `tests/it/config/bad` and `docs/adr/.` are read as people read them.
#[test]
fn every_file_that_is_named_is_there() {
    let (mut findings, mut named) = (Vec::new(), 0);
    for document in all() {
        // Its files may be of versions that are gone.
        if document.name == "CHANGELOG.md" || document.name.starts_with("docs/adr/") {
            continue;
        }
        for (line, text) in &document.prose {
            let part = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
            let mut words =
                text.split(|character: char| character.is_whitespace() || "`()[],;:\"|".contains(character));
            for word in &mut words {
                let word = word.trim_end_matches(['.', '/', '…']);
                let is_path = word.contains('/') && word.chars().all(part) && !word.contains("..");
                if !is_path || !FOLDERS.iter().any(|folder| word.split('/').next() == folder.split('/').next()) {
                    continue;
                }
                named += 1;
                let made_by_the_build = word.starts_with("target/");
                if !made_by_the_build && !root().join(word).exists() && !document.folder.join(word).exists() {
                    findings.push(format!("{}: no {word}", document.at(*line)));
                }
            }
        }
    }
    assert_none(&findings, named, 50);
}
