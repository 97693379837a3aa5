//! Results by e-mail: what is counted and kept while they come, and the mail that is made of it.

mod digest;
mod html;
mod letter;
mod text;

pub use digest::{Attach, Collected, Digest};
pub use letter::{Letter, LetterError, Source};

/// Lines of a table of counts, and of results.
const MOST: usize = 10;
const ROWS: usize = 25;
/// What is longer is cut, with `…`.
const CELL: usize = 80;

/// The most frequent values of a member.
struct Counts {
    /// As `event type`.
    what: &'static str,
    /// Most first.
    lines: Vec<(String, u64)>,
    /// How many other values there are.
    others: usize,
}

/// What a mail says, in either form.
struct Summary<'a> {
    /// Name and value, as `Org`.
    query: Vec<(&'static str, String)>,
    /// `1,234 events in 13 pages`.
    total: String,
    counts: [Counts; 3],
    rows: &'a [[String; super::output::row::COLUMNS]],
    /// What stands over the rows.
    rows_heading: String,
    /// What is attached, and how to get all.
    notes: Vec<String>,
    /// That command.
    command: Option<&'a str>,
}

/// A text of an event as a mail shows it.
fn cell(text: &str) -> String {
    let text = unlinked(text);
    if text.chars().count() <= CELL {
        return text;
    }
    text.chars().take(CELL - 1).chain(std::iter::once('…')).collect()
}

/// The text without what mail programs make links of, in the way in which security people write it: whoever tries to sign in with an address of the web as their name
/// is not to have it clicked under the name of whom the readers trust.
fn unlinked(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(unlinked_word).collect()
}

fn unlinked_word(word: &str) -> String {
    let is_address = word.contains('/') || word.to_ascii_lowercase().contains("www.");
    if is_address { word.replace('.', "[.]").replace("://", "[://]") } else { word.to_owned() }
}

/// `1,234 events`.
fn counted(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", crate::demo::style::count(usize::try_from(number).unwrap_or(usize::MAX)))
}

/// `and 1,234 more actors`.
fn more(number: usize, what: &str) -> String {
    format!("and {} more {what}{}", crate::demo::style::count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_link() {
        for (text, expected) in [
            ("https://evil.example/login", "https[://]evil[.]example/login"),
            ("see WWW.evil.example, www.x", "see WWW[.]evil[.]example, www[.]x"),
            ("evil.example/login.php now", "evil[.]example/login[.]php now"),
            ("john.doe@example.com", "john.doe@example.com"),
            ("user.session.start", "user.session.start"),
            ("a://b://c", "a[://]b[://]c"),
            ("10.1.2.3", "10.1.2.3"),
            ("", ""),
        ] {
            assert_eq!(unlinked(text), expected);
        }
    }
}
