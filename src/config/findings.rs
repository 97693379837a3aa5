//! The problems or the warnings of one file, as they are found.

use std::collections::HashSet;

use super::problem::Problem;

/// Who has more than this to correct corrects these first; a file of nonsense says no more than one of mistakes.
const MAX_FINDINGS: usize = 200;

/// Each finding once: a value of `connector_defaults` is read for every connector that takes it.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Problem>,
    seen: HashSet<(usize, String, String)>,
    has_more: bool,
}

impl Findings {
    /// Notes one, unless there are too many already.
    pub fn add(&mut self, path: &str, line: usize, message: String) {
        if self.is_full() {
            self.has_more = true;
        } else if self.seen.insert((line, path.to_owned(), message.clone())) {
            self.list.push(Problem { path: path.to_owned(), line, message });
        }
    }

    /// Whether no more are kept: looking for them is a waste of time.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// All of them, by line.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| problem.line);
        if let (true, Some(last)) = (self.has_more, self.list.last()) {
            let message = format!("these are {MAX_FINDINGS}, and there are more: correct these first");
            self.list.push(Problem { path: String::new(), line: last.line, message });
        }
        self.list
    }
}
