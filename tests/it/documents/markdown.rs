//! As much of Markdown as our documents use: fenced blocks, code spans, links, headings.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub struct Document {
    /// Its path from the repository's root.
    pub name: String,
    /// The folder that it lies in.
    pub folder: PathBuf,
    /// The fenced blocks, in order.
    pub blocks: Vec<Block>,
    /// The lines that are in no fenced block, numbered from 1.
    pub prose: Vec<(usize, String)>,
}

/// A fenced block, less its indentation.
pub struct Block {
    pub line: usize,
    pub language: String,
    pub text: String,
}

/// Something with the line that it stands in.
pub type At<T> = (usize, T);

impl Document {
    pub fn read(root: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let mut document = Self { name, folder: path.parent().unwrap().to_owned(), blocks: vec![], prose: vec![] };
        let mut open: Option<(Block, usize)> = None;
        for (index, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
            let trimmed = line.trim_start();
            match (&mut open, trimmed.strip_prefix("```")) {
                (Some(_), Some("")) => document.blocks.extend(open.take().map(|(block, _)| block)),
                (Some((block, indent)), _) => {
                    let spaces = line.len() - trimmed.len();
                    block.text += &line[spaces.min(*indent)..];
                    block.text.push('\n');
                }
                (None, Some(language)) => {
                    let block = Block { line: index + 1, language: language.trim().to_owned(), text: String::new() };
                    open = Some((block, line.len() - trimmed.len()));
                }
                (None, None) => document.prose.push((index + 1, line.to_owned())),
            }
        }
        assert!(open.is_none(), "{}: a block does not end", document.name);
        document
    }

    /// Where something stands, as compilers say it.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }

    /// The texts between single backticks. None of ours goes over the end of a line.
    pub fn spans(&self) -> Vec<At<String>> {
        let mut spans = Vec::new();
        for (line, text) in &self.prose {
            for span in text.split('`').skip(1).step_by(2) {
                spans.push((*line, span.replace("\\|", "|")));
            }
        }
        spans
    }

    /// The targets of `[text](target)`.
    pub fn links(&self) -> Vec<At<String>> {
        let mut links = Vec::new();
        for (line, text) in &self.prose {
            for after in text.split("](").skip(1) {
                links.extend(after.split_once(')').map(|(target, _)| (*line, target.to_owned())));
            }
        }
        links
    }

    /// The anchors that GitHub gives the headings.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for (_, text) in &self.prose {
            let Some(heading) = text.strip_prefix('#').map(|rest| rest.trim_start_matches('#')) else { continue };
            let Some(heading) = heading.strip_prefix(' ') else { continue };
            let anchor = anchor(heading.trim());
            let same = anchors.iter().filter(|other| **other == anchor).count();
            anchors.push(if same == 0 { anchor } else { format!("{anchor}-{same}") });
        }
        anchors
    }
}

fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || [' ', '-', '_'].contains(character);
    heading
        .to_lowercase()
        .chars()
        .filter(kept)
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}
