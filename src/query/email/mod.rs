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

fn cut(text: &str) -> String {
    if text.chars().count() <= CELL {
        return text.to_owned();
    }
    text.chars().take(CELL - 1).chain(std::iter::once('…')).collect()
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
