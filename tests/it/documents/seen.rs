//! What the README says that an operator sees of a changed checkpoint are the program's own words.

use std::fs;
use std::path::Path;

use super::markdown::Document;
use super::{assert_none, root};

const SECTION: &str = "### What happens to a checkpoint";
/// Where the words of the program are, and those of its alerts.
const SOURCES: [&str; 2] = ["src", "deploy/prometheus"];

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn what_is_seen_of_a_changed_checkpoint_is_what_the_program_says() {
    let mut sources = String::new();
    SOURCES.iter().for_each(|folder| read_all(&root().join(folder), &mut sources));
    let readme = Document::read(root(), &root().join("README.md"));
    let section = readme.prose.iter().skip_while(|(_, line)| line != SECTION).skip(1);
    let rows = section.take_while(|(_, line)| !line.starts_with('#')).filter(|(_, line)| line.starts_with("| "));
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for (line, row) in rows.skip(1) {
        let seen = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        // What stands between backticks, less what is different each time.
        for span in seen.split('`').skip(1).step_by(2) {
            for words in span.split(['…', '{', '}', '=', '"']).map(str::trim).filter(|words| !words.is_empty()) {
                looked_at += 1;
                if !sources.contains(words) {
                    found.push(format!("{}: nothing says `{words}`", readme.at(*line)));
                }
            }
        }
    }
    assert_none(&found, looked_at, 30);
}
