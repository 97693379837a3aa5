//! A sink that keeps of the results what a mail says of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Counts, MOST, ROWS};
use crate::okta::page::RawElement;
use crate::query::error::QueryError;
use crate::query::output::row::{ACTOR, COLUMNS, EVENT, OUTCOME, Rows};
use crate::query::output::{Csv, Format, Lines, Path};
use crate::query::sink::{QueryResult, ResultPage, Sink};

/// `--email-attach`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Attach {
    /// For spreadsheets
    Csv,
    /// One event a line, Okta's bytes
    Ndjson,
    /// Nothing: the summary alone
    None,
}

impl Attach {
    pub(super) fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("results.csv", "text/csv; charset=utf-8"),
            Self::Ndjson | Self::None => ("results.ndjson", "application/x-ndjson"),
        }
    }
}

/// What was kept.
#[derive(Debug, Default)]
pub struct Collected {
    pub(super) rows: Vec<[String; COLUMNS]>,
    types: HashMap<String, u64>,
    outcomes: HashMap<String, u64>,
    actors: HashMap<String, u64>,
    /// All results, also those that are not attached.
    pub events: u64,
    /// The attachment, whole results.
    pub(super) attachment: Vec<u8>,
    /// Results in it.
    pub(super) attached: u64,
}

impl Collected {
    /// The most frequent ones of each, and how many others there are.
    pub(super) fn counts(&self) -> [Counts; 3] {
        [("event type", &self.types), ("outcome", &self.outcomes), ("actor", &self.actors)].map(|(what, counts)| {
            let mut all: Vec<(String, u64)> = counts.iter().map(|(name, count)| (name.clone(), *count)).collect();
            all.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
            let others = all.len().saturating_sub(MOST);
            all.truncate(MOST);
            Counts { what, lines: all, others }
        })
    }
}

/// Counts results, and keeps the first of them.
pub struct Digest {
    collected: Arc<Mutex<Collected>>,
    rows: Rows,
    format: Option<Box<dyn Format>>,
    max_attachment: u64,
    /// After the first that has no room nothing more is attached: the beginning is there without gaps.
    is_full: bool,
}

impl Digest {
    /// A sink, and what is in it at last; at most `max_attachment` bytes are kept to be attached.
    pub fn new(attach: Attach, columns: &[Path], max_attachment: u64) -> (Self, Arc<Mutex<Collected>>) {
        let mut format: Option<Box<dyn Format>> = match attach {
            Attach::Csv => Some(Box::new(Csv::new(columns, false))),
            Attach::Ndjson => Some(Box::new(Lines { is_shown: false })),
            Attach::None => None,
        };
        let collected = Arc::new(Mutex::new(Collected::default()));
        if let Some(format) = &mut format {
            let attachment = &mut lock(&collected).attachment;
            if attach == Attach::Csv {
                // Without it Excel reads a file that is opened from a mail in the code page of its country.
                attachment.extend_from_slice("\u{feff}".as_bytes());
            }
            format.begin(None, attachment);
        }
        let digest =
            Self { collected: Arc::clone(&collected), rows: Rows::new(), format, max_attachment, is_full: false };
        (digest, collected)
    }

    fn take(&mut self, element: &RawElement) {
        let row = self.rows.row(element);
        let mut collected = lock(&self.collected);
        collected.events += 1;
        for (column, counts) in [(EVENT, 0), (OUTCOME, 1), (ACTOR, 2)] {
            let counts = match counts {
                0 => &mut collected.types,
                1 => &mut collected.outcomes,
                _ => &mut collected.actors,
            };
            match counts.get_mut(&row[column]) {
                Some(count) => *count += 1,
                None => drop(counts.insert(row[column].clone(), 1)),
            }
        }
        if collected.rows.len() < ROWS {
            collected.rows.push(row);
        }
        let Some(format) = self.format.as_mut().filter(|_| !self.is_full) else { return };
        let mut text = Vec::new();
        format.element(element, &mut text);
        if (collected.attachment.len() + text.len()) as u64 > self.max_attachment {
            self.is_full = true;
            return;
        }
        collected.attachment.extend_from_slice(&text);
        collected.attached += 1;
    }
}

/// The lock of what was kept.
pub(super) fn lock(collected: &Mutex<Collected>) -> MutexGuard<'_, Collected> {
    collected.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Digest {
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        page.elements.iter().for_each(|element| self.take(element));
        Ok(())
    }

    fn end(&mut self, _: &QueryResult) -> Result<(), QueryError> {
        Ok(())
    }
}
