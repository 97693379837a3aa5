//! Results for spreadsheets (RFC 4180).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::member::Path;
use super::{Format, steers};
use crate::okta::page::RawElement;
use crate::query::sink::ResultPage;

/// The columns, where none are chosen.
pub const DEFAULT_COLUMNS: [&str; 12] = [
    "published",
    "severity",
    "eventType",
    "displayMessage",
    "actor.alternateId",
    "actor.displayName",
    "outcome.result",
    "outcome.reason",
    "client.ipAddress",
    "target.alternateId",
    "target.displayName",
    "uuid",
];

/// Between several values of one cell.
const BETWEEN: &str = "; ";

/// `--output csv`: a header, and a line for each result, in UTF-8 without a byte order mark.
///
/// What a spreadsheet would take for a formula gets an apostrophe in front, also behind `;`, tabs and line breaks: the texts are those of whoever tried to sign in.
pub struct Csv {
    columns: Vec<Path>,
    filled: Filled,
    /// Whether what is written may be shown by a terminal.
    is_shown: bool,
}

impl Csv {
    /// With these columns; none: [`DEFAULT_COLUMNS`].
    pub fn new(columns: &[Path], is_shown: bool) -> Self {
        let default = DEFAULT_COLUMNS.iter().filter_map(|column| Path::parse(column).ok());
        let columns = if columns.is_empty() { default.collect() } else { columns.to_vec() };
        let filled = Filled(columns.iter().map(|column| (column.clone(), AtomicBool::default())).collect());
        Self { columns, filled, is_shown }
    }

    /// Which columns have something in them, by the end of the query.
    pub fn filled(&self) -> Filled {
        self.filled.clone()
    }

    fn line<'a>(&self, cells: impl Iterator<Item = std::borrow::Cow<'a, str>>, out: &mut Vec<u8>) {
        let before = out.len();
        for (index, text) in cells.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            cell(&text, self.is_shown, out);
        }
        if out.len() == before {
            // An empty line is no row to most readers.
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Which columns have something in them: a name that no event has is a slip, and looks like an answer.
#[derive(Clone, Debug)]
pub struct Filled(Arc<[(Path, AtomicBool)]>);

impl Filled {
    /// The columns that were empty in all rows.
    pub fn empty(&self) -> Vec<&str> {
        let empty = self.0.iter().filter(|(_, is_filled)| !is_filled.load(Ordering::Relaxed));
        empty.map(|(column, _)| column.as_str()).collect()
    }
}

impl Format for Csv {
    fn begin(&mut self, _: Option<&ResultPage>, out: &mut Vec<u8>) {
        self.line(self.columns.iter().map(|column| column.as_str().into()), out);
    }

    fn element(&mut self, element: &RawElement, out: &mut Vec<u8>) {
        let event = element.bytes();
        let cells: Vec<String> = self.columns.iter().map(|column| column.values(event).join(BETWEEN)).collect();
        for (cell, (_, is_filled)) in cells.iter().zip(self.filled.0.iter()) {
            if !cell.is_empty() {
                is_filled.store(true, Ordering::Relaxed);
            }
        }
        self.line(cells.into_iter().map(Into::into), out);
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}

fn cell(text: &str, is_shown: bool, out: &mut Vec<u8>) {
    let mut text = harmless(text);
    if is_shown {
        text = text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    }
    let is_plain = !text.contains(['"', ',', '\r', '\n']) && text.trim() == text;
    if is_plain {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes());
    }
}

/// What may begin a cell where a spreadsheet takes it for the list separator, or ignores quotation marks.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// With an apostrophe in front of whatever a spreadsheet would take for a formula, in whichever part it splits the text into.
fn harmless(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for (index, part) in text.split_inclusive(SEPARATORS).enumerate() {
        let begins = if index == 0 { part } else { part.trim_start_matches(' ') };
        whole.push_str(&part[..part.len() - begins.len()]);
        if is_formula(begins, index == 0) {
            whole.push('\'');
        }
        whole.push_str(begins);
    }
    whole
}

/// A number may begin with a sign. The signs are also those of East Asian keyboards, which some spreadsheets read alike.
fn is_formula(text: &str, is_first: bool) -> bool {
    let begins = text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || (is_first && text.starts_with(['\t', '\r', '\n']));
    begins && text.trim_end_matches(SEPARATORS).parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::okta::page;

    #[test]
    fn lines_are_rfc_4180_and_no_formula() {
        let body = br#"[{"uuid":"a","x":"he said \"no\", and\r\nleft","n":-1.5,"t":[{"i":"1"},{"i":"2"}]},
            {"uuid":"=cmd|' /C calc'!A0","x":" space","n":"-2+3","t":[]},7,{"uuid":"@b","x":"","n":{"k":1}}]"#;
        let columns = ["uuid", "x", "n", "t.i"].map(|path| Path::parse(path).unwrap());
        let mut csv = Csv::new(&columns, false);
        let mut out = Vec::new();
        csv.begin(None, &mut out);
        for element in page::split(&Bytes::from_static(body)).unwrap() {
            csv.element(&element, &mut out);
        }
        csv.end(&mut out);
        let expected = "uuid,x,n,t.i\r\na,\"he said \"\"no\"\", and\r\nleft\",-1.5,1; 2\r\n\
                        '=cmd|' /C calc'!A0,\" space\",'-2+3,\r\n,,,\r\n'@b,,\"{\"\"k\"\":1}\",\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        for (text, expected) in [
            ("x;=cmd|' /C calc'!A0", "x;'=cmd|' /C calc'!A0"),
            ("x; +1; -2;@y", "x; +1; -2;'@y"),
            ("\t=1", "'\t'=1"),
            ("a\n=1", "\"a\n'=1\""),
            ("＝1+1", "'＝1+1"),
            ("a=b;c-d", "a=b;c-d"),
        ] {
            let mut out = Vec::new();
            cell(text, false, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut one = Vec::new();
        Csv::new(&columns[..1], false).element(&page::split(&Bytes::from_static(b"[7]")).unwrap()[0], &mut one);
        assert_eq!(one, b"\"\"\r\n", "a row, and no empty line");
        assert_eq!(Csv::new(&[], false).columns.len(), DEFAULT_COLUMNS.len());
    }
}
