//! The fields that the program's sources give to lines of the log, as `warn!(connector = name, ?retry_in, "…")` does.

use std::collections::BTreeSet;
use std::fs;

use super::rust_files::rust_files;

const MACROS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];

/// The names of all fields in `src/`.
pub fn of_sources() -> BTreeSet<String> {
    rust_files("src").iter().flat_map(|path| of_source(&fs::read_to_string(path).unwrap())).collect()
}

fn of_source(source: &str) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for name in MACROS {
        for (at, _) in source.match_indices(name) {
            let before = source[..at].chars().next_back().unwrap_or(' ');
            // Of another macro's name, or a comment.
            let line = source[..at].rsplit('\n').next().unwrap_or_default();
            if before.is_alphanumeric() || before == '_' || line.trim_start().starts_with("//") {
                continue;
            }
            for argument in arguments(&source[at + name.len()..]) {
                // All behind the format string are its values.
                if argument.starts_with('"') {
                    break;
                }
                let field = argument.split(['=', ':']).next().unwrap_or_default().trim().trim_start_matches(['?', '%']);
                if field != "target" && !field.is_empty() {
                    let _ = fields.insert(field.rsplit('.').next().unwrap_or_default().to_owned());
                }
            }
        }
    }
    fields
}

/// The arguments of a call that begins here, up to its closing bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut all, mut now, mut depth) = (Vec::new(), String::new(), 0);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                now.push(c);
                while let Some(c) = chars.next() {
                    now.push(c);
                    match c {
                        '\\' => now.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut now).trim().to_owned());
                continue;
            }
            _ => {}
        }
        now.push(c);
    }
    all.push(now.trim().to_owned());
    all
}

#[test]
fn fields_are_found_however_they_are_written() {
    let source = r#"
        warn!(connector = self.name, org = %x.org(), ?retry_in, "text {a} = {}", shown(b, c));
        // info!(not = 1, "a comment");
        tracing::error!(target: "librdkafka", facility, %error, "{message}");
        my_warn!(other = 1, "x");
        debug!("{problem}");
    "#;
    let expected = ["connector", "error", "facility", "org", "retry_in"];
    assert_eq!(of_source(source).into_iter().collect::<Vec<_>>(), expected);
}
