//! Results as text: for people, for programs, for spreadsheets.

mod csv;
mod file;
mod json;
mod member;
pub mod row;
mod table;

use std::io::{ErrorKind, Write};

use super::error::QueryError;
use super::sink::{QueryResult, ResultPage, Sink};
use crate::okta::page::RawElement;

pub use csv::{Csv, DEFAULT_COLUMNS, Filled};
pub use file::WholeFile;
pub use json::{Array, Lines};
pub use member::Path;
pub use table::Table;

/// How results are written. Each call adds to `out` what is to be written next.
pub trait Format: Send {
    /// Before the first result; `page` holds it, where there is any.
    fn begin(&mut self, page: Option<&ResultPage>, out: &mut Vec<u8>);

    /// One result, with what ends it: a line that is not cut is a whole result.
    fn element(&mut self, element: &RawElement, out: &mut Vec<u8>);

    /// After the last one, also of a query that did not come to its end.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// Writes results to a stream, each with one call, so that a pipe gets whole lines.
pub struct Written<W> {
    out: W,
    format: Box<dyn Format>,
    has_begun: bool,
}

impl<W: Write + Send> Written<W> {
    /// To `out`.
    pub fn new(out: W, format: Box<dyn Format>) -> Self {
        Self { out, format, has_begun: false }
    }

    /// What it wrote to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn begin(&mut self, page: Option<&ResultPage>) -> Result<(), QueryError> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let mut text = Vec::new();
            self.format.begin(page, &mut text);
            self.out.write_all(&text)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Sink for Written<W> {
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        if page.elements.is_empty() {
            return Ok(());
        }
        self.begin(Some(page))?;
        let mut text = Vec::new();
        for element in &page.elements {
            text.clear();
            self.format.element(element, &mut text);
            self.out.write_all(&text)?;
        }
        Ok(self.out.flush()?)
    }

    fn end(&mut self, _: &QueryResult) -> Result<(), QueryError> {
        self.begin(None)?;
        let mut text = Vec::new();
        self.format.end(&mut text);
        self.out.write_all(&text)?;
        Ok(self.out.flush()?)
    }
}

/// What is written until whoever reads it closes the output, which is no error where there is another sink.
pub struct WhileRead(Option<Box<dyn Sink>>);

impl WhileRead {
    /// Of this sink.
    pub fn new(sink: Box<dyn Sink>) -> Self {
        Self(Some(sink))
    }

    fn unless_closed(&mut self, taken: Result<(), QueryError>) -> Result<(), QueryError> {
        match taken {
            Err(QueryError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
                self.0 = None;
                Ok(())
            }
            taken => taken,
        }
    }
}

impl Sink for WhileRead {
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        let taken = self.0.as_mut().map_or(Ok(()), |sink| sink.page(page));
        self.unless_closed(taken)
    }

    fn end(&mut self, result: &QueryResult) -> Result<(), QueryError> {
        let taken = self.0.as_mut().map_or(Ok(()), |sink| sink.end(result));
        self.unless_closed(taken)
    }
}

/// The text with `�` for what steers.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether a terminal does something else with this character than to show it in its place.
fn steers(character: char) -> bool {
    character.is_control() || crate::okta::excerpt::is_directional(character)
}
