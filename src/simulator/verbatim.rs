//! Answers that a test writes out itself: for what a real org says and this one has no condition for.

use std::collections::VecDeque;

/// One answer, served as it is in place of the org's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerbatimAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Headers in place of the org's own of the same names, or besides them; one without a value is left out of the
    /// answer.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl VerbatimAnswer {
    /// An answer without headers of its own.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// With one header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }
}

/// What waits to be served, by path.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<(String, VerbatimAnswer)>);

impl Waiting {
    pub(super) fn push(&mut self, path: &str, answer: VerbatimAnswer) {
        self.0.push_back((path.to_owned(), answer));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn take(&mut self, path: &str) -> Option<VerbatimAnswer> {
        let place = self.0.iter().position(|(of, _)| of == path)?;
        self.0.remove(place).map(|(_, answer)| answer)
    }
}
