//! What the documents say is there: links, files, command lines, configurations, keys and metrics, of every Markdown
//! file of the repository, also of those that are yet to be written.

mod commands;
mod links;
mod markdown;
mod names;
mod seen;
mod snippets;
mod topics;

use std::fs;
use std::path::{Path, PathBuf};

use markdown::Document;

/// Folders that hold no documents of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file of the repository, by its path.
fn all() -> Vec<Document> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    paths.sort();
    let documents: Vec<Document> = paths.iter().map(|path| Document::read(root(), path)).collect();
    assert!(documents.iter().any(|document| document.name == "README.md"), "looked at the wrong place");
    documents
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            if !SKIPPED.contains(&&*name) {
                collect(&path, paths);
            }
        } else if name.ends_with(".md") {
            paths.push(path);
        }
    }
}

/// Fails with all that was found, if anything was; `looked_at` guards against a test that finds nothing to look at.
fn assert_none(findings: &[String], looked_at: usize, at_least: usize) {
    assert!(
        looked_at >= at_least,
        "only {looked_at} were looked at: the documents are written otherwise than this test reads"
    );
    assert!(findings.is_empty(), "{} of {looked_at}:\n{}", findings.len(), findings.join("\n"));
}
