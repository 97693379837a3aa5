//! The command that goes on where an interrupted one stopped.

use std::ffi::{OsStr, OsString};
use std::io::{Write, stderr};

use jiff::{SignedDuration, Timestamp};

use super::request::RequestArgs;
use crate::demo::style;
use crate::query::sink::QueryResult;

/// What is asked anew: everything else of the command line stays as it is.
const CHANGED: [&str; 4] = ["--since", "--until", "--max-events", "--max-pages"];

/// Says how far it came, and what to run to get the rest.
pub fn tell(result: &QueryResult, args: &RequestArgs) -> std::io::Result<()> {
    let command = command(std::env::args_os(), result, args);
    let counted = counted(result);
    // All of it is asked again where nothing came.
    if result.pages == 0 {
        return Ok(());
    }
    let bounded = if args.max_events.is_some() { ", and count for --max-events" } else { "" };
    writeln!(
        stderr(),
        "ended early, after {counted}; to go on (events of the last millisecond come again{bounded}):\n  {command}"
    )
}

/// `1,234 events in 13 pages`.
pub fn counted(result: &QueryResult) -> String {
    let [events, pages] = [(result.events, "event"), (result.pages, "page")].map(|(count, what)| {
        let number = style::count(usize::try_from(count).unwrap_or(usize::MAX));
        format!("{number} {what}{}", if count == 1 { "" } else { "s" })
    });
    format!("{events} in {pages}")
}

/// The command line with the times that are left: those of the last result on.
fn command(given: impl Iterator<Item = OsString>, result: &QueryResult, args: &RequestArgs) -> String {
    let request = &result.request;
    let last: Option<Timestamp> = result.last.as_deref().and_then(|last| last.parse().ok());
    let (mut since, mut until) = (request.since, request.until);
    match last {
        // `until` may exclude its own millisecond.
        Some(last) if request.is_descending() => {
            until = last.checked_add(SignedDuration::from_millis(1)).unwrap_or(until).min(until);
        }
        Some(last) => since = last.max(since),
        None => {}
    }
    let mut added = vec![format!("--since {since:.3} --until {until:.3}")];
    let left = |of: Option<u64>, done: u64| of.map(|of| of.saturating_sub(done).max(1));
    for (name, left) in
        [("--max-events", left(args.max_events, result.events)), ("--max-pages", left(args.max_pages, result.pages))]
    {
        if let Some(left) = left {
            added.push(format!("{name} {left}"));
        }
    }
    changed(given, &CHANGED, &[], added)
}

/// A command line without these options, each with its value, without these flags, and with what is added.
pub fn changed(
    mut given: impl Iterator<Item = OsString>,
    options: &[&str],
    flags: &[&str],
    added: impl IntoIterator<Item = String>,
) -> String {
    let mut words = Vec::new();
    let mut end = None;
    while let Some(word) = given.next() {
        let text = word.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        // `-ocsv`
        let is_joined = |option: &&str| option.len() == 2 && !text.starts_with("--") && text.starts_with(*option);
        if end.is_some() {
            words.push(quoted(&word));
        } else if text == "--" {
            end = Some(words.len());
            words.push(quoted(&word));
        } else if options.contains(&name) {
            if !text.contains('=') {
                let _ = given.next();
            }
        } else if !flags.contains(&name) && !options.iter().any(is_joined) {
            words.push(quoted(&word));
        }
    }
    // Behind `--` they would be no options.
    let end = end.unwrap_or(words.len());
    words.splice(end..end, added);
    words.join(" ")
}

/// A word as a shell takes it.
pub fn quoted(word: &OsStr) -> String {
    let Some(word) = word.to_str() else {
        let escaped = |byte: &u8| match byte {
            b'\'' | b'\\' | ..b' ' | 0x7f.. => format!("\\x{byte:02x}"),
            byte => char::from(*byte).to_string(),
        };
        return format!("$'{}'", word.as_encoded_bytes().iter().map(escaped).collect::<String>());
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use clap::Parser;

    use super::*;
    use crate::query::sink::Ended;

    #[derive(Parser)]
    struct Line {
        name: Option<String>,
        #[command(flatten)]
        request: RequestArgs,
    }

    #[test]
    fn a_shell_reads_the_words_that_were_given() {
        for word in [&b"plain"[..], b"it's", b"b\xffg 'x' \\ \n.json", b"", "\u{1f980}".as_bytes()] {
            let command = format!("printf %s {}", quoted(OsStr::from_bytes(word)));
            let output = std::process::Command::new("bash").args(["-c", &command]).output().unwrap();
            assert_eq!(output.stdout, word, "{command}");
        }
    }

    #[test]
    fn the_rest_is_asked_for_and_everything_else_stays() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        for (given, last, expected) in [
            (
                vec!["--since=1d", "--q", "it's", "--max-pages", "7"],
                Some("2026-11-21T12:00:00.123Z"),
                r"okta --q 'it'\''s' --since 2026-11-21T12:00:00.123Z --until 2026-11-22T00:00:00.000Z --max-pages 5",
            ),
            (
                vec!["--sort-order", "descending", "--until", "1h", "--max-events", "300"],
                Some("2026-11-21T12:00:00.123Z"),
                "okta --sort-order descending --since 2026-11-15T00:00:00.000Z --until 2026-11-21T12:00:00.124Z --max-events 100",
            ),
            // Behind `--` there are no options.
            (
                vec!["--q=", "--", "acme"],
                None,
                "okta --q= --since 2026-11-15T00:00:00.000Z --until 2026-11-22T00:00:00.000Z -- acme",
            ),
            (vec!["--q", ""], None, "okta --q '' --since 2026-11-15T00:00:00.000Z --until 2026-11-22T00:00:00.000Z"),
        ] {
            let line = ["okta"].into_iter().chain(given);
            let args = Line::parse_from(line.clone());
            let result = QueryResult {
                connector: "acme".to_owned(),
                org: "https://acme.okta.com".to_owned(),
                request: args.request.resolve(now).unwrap(),
                pages: 2,
                events: 200,
                dead_letters: 0,
                first: None,
                last: last.map(str::to_owned),
                ended: Ended::Interrupted,
            };
            assert_eq!(args.name.is_some(), expected.ends_with("acme"));
            let args = args.request;
            assert_eq!(command(line.map(OsString::from), &result, &args), expected);
        }
    }
}
