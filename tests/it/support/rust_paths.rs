//! The paths that a Rust source names, read with a small lexer: enough to hold the layout's rules against it.

/// The line (from 1) and the name of each place where the code of `source` names one of `names`.
///
/// A name is a path or a part of one, as `tokio` or `Instant::now`. Grouped imports count in full: `use crate::{a, b}`
/// names `crate::a`. Leading `super`s count as `crate`, of which they lead to some part. Comments, strings and the unit
/// tests at the end of the file do not count.
pub fn named<'a>(source: &str, names: &[&'a str]) -> Vec<(usize, &'a str)> {
    let mut seen = Vec::new();
    for (line, path) in paths(without_unit_tests(source)) {
        for name in names {
            let wanted: Vec<&str> = name.split("::").collect();
            if path.windows(wanted.len()).any(|part| part == wanted) {
                seen.push((line, *name));
            }
        }
    }
    seen
}

fn without_unit_tests(source: &str) -> &str {
    source.find("#[cfg(test)]\nmod tests {").map_or(source, |end| &source[..end])
}

/// Every path in the code, with the line on which it ends.
fn paths(source: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    // What stands before each open brace: a group's prefix, or nothing where the brace is no group's.
    let mut prefixes: Vec<Vec<&str>> = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            raw_string(rest).unwrap_or_else(|| {
                let word = &rest[..end];
                match word {
                    "super" if path == ["crate"] => {}
                    "super" => path.push("crate"),
                    word => path.push(word),
                }
                end
            })
        } else if rest.starts_with("::{") {
            prefixes.push(prefixes.last().into_iter().flatten().copied().chain(path.drain(..)).collect());
            3
        } else if rest.starts_with("::") {
            2
        } else {
            if !path.is_empty() {
                let whole = prefixes.last().into_iter().flatten().copied().chain(path.drain(..));
                found.push((line, whole.collect()));
            }
            match first {
                '{' => prefixes.push(Vec::new()),
                '}' => drop(prefixes.pop()),
                _ => {}
            }
            not_code(rest).unwrap_or(first.len_utf8())
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of the comment, string or character that `rest` begins with.
fn not_code(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if let Some(text) = rest.strip_prefix('"') {
        let mut escaped = false;
        let end = text.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return Some(end.map_or(rest.len(), |end| end + 2));
    }
    // Characters that would be taken for the begin of something else; a lifetime is none.
    ["'\"'", "'\\\"'", "'{'", "'}'", "'/'", "'\\''"].iter().find(|text| rest.starts_with(**text)).map(|text| text.len())
}

/// The length of the raw string that `rest` begins with.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let text = after[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let begin = rest.len() - text.len();
    Some(text.find(&closing).map_or(rest.len(), |end| begin + end + closing.len()))
}

#[test]
fn sees_names_in_code_and_only_there() {
    let source = r##"use tokio::time;
// tokio in a comment
let a = tokio_util::x();
let b = "https://rdkafka \" rdkafka";
let c = (r#"rdkafka " rdkafka"#, '"', br"rdkafka\");
let now = std::time::Instant::now();
use crate::{
    kafka::{Topic, x::Y},
    clock,
};
let t: Instant = then;
fn f() { fs::read() }
use std::{fs, path::Path};
use super::super::kafka::X;
#[cfg(test)]
mod tests {
    use tokio::sync;
}
"##;
    let names = ["tokio", "rdkafka", "Instant::now", "crate::kafka", "crate::clock", "std::fs", "reqwest"];
    let wanted = [
        (1, "tokio"),
        (6, "Instant::now"),
        (8, "crate::kafka"),
        (8, "crate::kafka"),
        (9, "crate::clock"),
        (13, "std::fs"),
        (14, "crate::kafka"),
    ];
    assert_eq!(named(source, &names), wanted);
}
