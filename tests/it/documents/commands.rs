//! Command lines of ours are ones that the program takes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{all, assert_none};
use crate::support::connector;

const PROGRAM: &str = "okta-kafka-source";
const WAIT: Duration = Duration::from_secs(30);
/// What stands for a value in a synopsis, and one that its option takes.
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("N", "1"),
    ("T", "2d"),
    ("ADDR", "127.0.0.1:1"),
    ("HOST:PORT", "127.0.0.1:1"),
    ("PARTITION@OFFSET", "0@0"),
    ("URL", "https://acme.okta.com/api/v1/logs"),
    ("text|json", "json"),
];

/// The simple commands of shell text, each as its words: as much of a shell's grammar as our examples use. Comments,
/// redirections and what does not matter for the words are left out.
pub fn simple_commands(text: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let (mut word, mut open, mut skip_next) = (String::new(), None, false);
    let mut characters = text.replace("\\\n", " ").chars().collect::<Vec<_>>().into_iter().chain(['\n']).peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        match (open, character) {
            (Some(quote), _) if quote == character => open = None,
            (Some(_), _) => word.push(character),
            (None, '\'' | '"') => (open, quoted) = (Some(character), true),
            (None, '#') if word.is_empty() && !quoted => while characters.next_if(|next| *next != '\n').is_some() {},
            (None, _) if character.is_whitespace() || "|;&()<>".contains(character) => {
                // A file descriptor belongs to its redirection: `2>`.
                let descriptor = "<>".contains(character) && word.chars().all(|digit| digit.is_ascii_digit());
                if (!word.is_empty() || quoted) && !descriptor && !std::mem::take(&mut skip_next) {
                    words.push(std::mem::take(&mut word));
                }
                (word, quoted) = (String::new(), false);
                skip_next |= "<>".contains(character);
                if "|;&()\n".contains(character) {
                    skip_next = false;
                    commands.push(std::mem::take(&mut words));
                }
            }
            (None, _) => word.push(character),
        }
    }
    commands
}

/// The arguments of the program, where it is what this command runs: first, behind assignments or a prompt, or given to
/// another program (`sudo -u …`, `kubectl exec … --`), where it is no option's value.
fn arguments(words: &[String]) -> Option<&[String]> {
    let is_program = |word: &str| {
        word == PROGRAM || word.ends_with(&format!("/release/{PROGRAM}")) || word.ends_with(&format!("/bin/{PROGRAM}"))
    };
    let is_variable = |name: &str| name.chars().all(|character| character.is_ascii_uppercase() || character == '_');
    let before = |word: &str| {
        ["$", "if", "!", "exec", "time"].contains(&word)
            || word.split_once('=').is_some_and(|(name, _)| is_variable(name))
    };
    let first = words.iter().position(|word| !before(word))?;
    let at = match words[first].as_str() {
        "sudo" | "env" => {
            (first + 1..words.len()).find(|at| is_program(&words[*at]) && !words[at - 1].starts_with('-'))
        }
        "kubectl" | "docker" => (first + 1..words.len()).find(|at| is_program(&words[*at]) && words[at - 1] == "--"),
        word => is_program(word).then_some(first),
    }?;
    Some(&words[at + 1..])
}

/// A synopsis as a command line: brackets and alternatives go, and placeholders become values.
fn synopsis(span: &str) -> String {
    // Without brackets a bar is a pipe.
    let alternatives = span.contains(" (") || span.contains(" [");
    let words = if alternatives { span.replace(" | ", " ") } else { span.to_owned() };
    let words = words.replace(['[', ']', '(', ')', '…'], " ").replace("...", " ");
    let value = |word: &str| {
        PLACEHOLDERS.iter().find(|(name, _)| *name == word).map_or(word.to_owned(), |(_, value)| (*value).to_owned())
    };
    words.split_whitespace().map(value).collect::<Vec<_>>().join(" ")
}

/// Options are judged by the program's own parser: it takes them in order, and `--help` at the end is all that it does.
#[test]
fn every_command_line_is_one_that_the_program_takes() {
    let mut lines: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let subcommands: Vec<String> = connector::run(&["--help"], &[], WAIT)
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(subcommands.contains(&"dead-letters".to_owned()), "{subcommands:?}");
    for document in all() {
        for block in
            document.blocks.iter().filter(|block| ["", "sh", "shell", "bash", "console"].contains(&&*block.language))
        {
            for words in simple_commands(&block.text) {
                if let Some(arguments) = arguments(&words) {
                    let _ = lines.entry(arguments.to_vec()).or_insert_with(|| document.at(block.line));
                }
            }
        }
        for (line, span) in document.spans() {
            let ours = span.strip_prefix(PROGRAM).filter(|rest| rest.starts_with(' '));
            let named = span.split_once(' ').is_some_and(|(first, rest)| {
                subcommands.iter().any(|known| known == first)
                    && (rest.starts_with('-')
                        || rest.contains(" -")
                        || ["offsets", "dead-letters", "schema"].contains(&first))
            });
            // A message may begin with such a word.
            if span.contains('…') && ours.is_none() || ours.is_none() && !named {
                continue;
            }
            for words in simple_commands(&synopsis(ours.unwrap_or(&span))).into_iter().take(1) {
                let _ = lines.entry(words).or_insert_with(|| document.at(line));
            }
        }
    }
    let mut findings = Vec::new();
    for (arguments, at) in &lines {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--help"]).collect();
        let output = connector::run(&arguments, &[], WAIT);
        // Prose names an option without its value.
        let named_only = output.stderr.contains("a value is required for");
        if output.code() != 0 && !named_only {
            let why = output.stderr.lines().next().unwrap_or_default().to_owned();
            findings.push(format!("{at}: {}: {why}", arguments.join(" ")));
        }
    }
    assert_none(&findings, lines.len(), 30);
}

#[test]
fn shell_text_is_read_as_shells_read_it() {
    let words = |text: &str| simple_commands(text).into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>();
    assert_eq!(words("a 'b c'  \"d\" '' # e f"), [["a", "b c", "d", ""]]);
    assert_eq!(
        words("a > b 2>&1; c | d"),
        vec![vec!["a".to_owned()], vec!["1".into()], vec!["c".into()], vec!["d".into()]]
    );
    assert_eq!(words("a \\\n  b\nc"), vec![vec!["a".to_owned(), "b".into()], vec!["c".into()]]);
    let of = |text: &str| words(text).iter().find_map(|words| arguments(words).map(<[String]>::to_vec));
    assert_eq!(of("X=1 okta-kafka-source check"), Some(vec!["check".to_owned()]));
    assert_eq!(of("sudo -u okta-kafka-source okta-kafka-source check"), Some(vec!["check".to_owned()]));
    assert_eq!(
        of("kubectl exec deploy/okta-kafka-source -- okta-kafka-source status"),
        Some(vec!["status".to_owned()])
    );
    assert_eq!(of("sudo install -o okta-kafka-source okta.key /etc/okta-kafka-source"), None);
    assert_eq!(of("helm install okta-kafka-source charts/okta-kafka-source"), None);
}
