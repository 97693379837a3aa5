//! Old ground: positions that may lie before something that the topic holds already (ADR 0061).
//!
//! What it holds is learnt when a page is judged, by windows of time: so no position has to be known in advance, an event
//! that was stored late is found as any other, and memory is bounded whatever the topic's length.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::arrival::{Arrival, Verdict};
use super::known::Known;

/// How far before the page's first event a window begins, at first; and how far behind the start's time old ground ends. Our
/// clock, or the org's, may be off by so much.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);
/// So many events in a row that are younger than the start end old ground, as an empty page does.
const YOUNGER: usize = 20;
/// The most that late events make of it.
const WIDEST: SignedDuration = SignedDuration::from_hours(24);

/// For as long as a task goes over old ground.
#[derive(Debug)]
pub(super) struct OldGround {
    /// When it began, by the later of the clocks that are known: what is in the topic was there then.
    until: Timestamp,
    /// Whether the org's clock is among them.
    heard: bool,
    /// The window that was learnt last.
    known: Option<Arc<Known>>,
    /// Where that was asked to begin.
    asked: Option<i64>,
    /// The `published` of the last element before the page that is judged: later ones were stored later than that.
    reached: Option<i64>,
    /// How many elements in a row were younger than the start, and not there.
    younger: usize,
    margin: i64,
    /// Something is known to be there, or may be: a restart in between has to know of it.
    is_marked: bool,
    /// Whether the operator knows that the topic holds something.
    is_told: bool,
    /// Elements that were left out so far.
    suppressed: usize,
}

/// The window that was learnt does not hold where it was asked to begin: somebody else asked for an earlier one at the same
/// moment, and what both asked for did not fit.
#[derive(Debug)]
pub(super) struct NotCovered;

impl OldGround {
    /// From `now` on; `stored` is the checkpoint's `suppressUntil`.
    pub fn begin(now: Timestamp, stored: Option<&str>) -> Self {
        let earlier = stored.and_then(|stored| stored.parse().ok());
        Self {
            until: earlier.map_or(now, |earlier: Timestamp| earlier.max(now)),
            heard: false,
            known: None,
            asked: None,
            reached: None,
            younger: 0,
            margin: millis(MARGIN),
            is_marked: stored.is_some(),
            is_told: false,
            suppressed: 0,
        }
    }

    /// The first answer's `Date`: where our clock is behind the org's, what the topic holds is younger than we think.
    pub fn hear(&mut self, date: Option<Timestamp>) {
        if let Some(date) = date.filter(|_| !self.heard) {
            self.until = self.until.max(date);
            self.heard = true;
        }
    }

    /// Judges what can be judged of a page. Gives the first time that the window does not cover and has to.
    pub fn judge(&self, page: &mut Arrival) -> Option<i64> {
        let mut open: Option<i64> = None;
        let latest = latest(page.date);
        let mut reached = self.reached.unwrap_or(page.begun);
        for (element, verdict) in page.elements_to_judge() {
            // A time of the future says nothing: such an element is held for one without a time.
            let published = element.published_millis().filter(|published| *published <= latest);
            if *verdict == Verdict::Open {
                match self.known.as_ref().filter(|known| known.covers(published)) {
                    Some(known) => {
                        let held = known.find(&element.identity(), element.fingerprint());
                        *verdict = held.map_or(Verdict::New, Verdict::Held);
                    }
                    None => {
                        // One without a time is in every window that begins before it was sent, and so after it was stored.
                        let from = published.unwrap_or(reached);
                        open = Some(open.map_or(from, |open| open.min(from)));
                    }
                }
            }
            reached = published.unwrap_or(reached);
        }
        open
    }

    /// Where the next window begins, which is to cover `open`.
    pub fn next_window(&mut self, open: i64) -> Result<i64, NotCovered> {
        let Some(asked) = self.asked else {
            return Ok(*self.asked.insert(open.saturating_sub(self.margin)));
        };
        // The page keeps what it was told, and two windows at once would be twice the memory.
        let was_cut = self.known.take().is_some_and(|known| known.until().is_some());
        if asked == open {
            return Err(NotCovered);
        }
        if open >= asked {
            self.margin = millis(MARGIN);
        } else if !was_cut {
            // A late event. So that many of them do not cost a look each, it goes further back every time; not where what is
            // there does not fit, since a window that begins earlier ends earlier then.
            self.margin = self.margin.saturating_mul(2).min(millis(WIDEST));
        }
        let from = open.saturating_sub(self.margin);
        // The margin alone was more than what fits: then without it.
        let from = if open >= asked && from <= asked { open } else { from };
        self.asked = Some(from);
        Ok(from)
    }

    /// The same window once more, after it could not be learnt.
    pub fn asked(&self) -> Option<i64> {
        self.asked
    }

    /// What the topic holds in the window that was asked for. Gives whether that is the first that it is known to hold.
    pub fn learn(&mut self, known: Arc<Known>) -> bool {
        let holds_some = !known.is_empty() || known.until().is_some();
        let is_first = holds_some && !self.is_told;
        self.is_marked |= holds_some;
        self.is_told |= holds_some;
        self.known = Some(known);
        is_first
    }

    /// So many elements of a page are left out.
    pub fn suppress(&mut self, count: usize) {
        self.suppressed += count;
    }

    /// How many were left out, where the operator knows that the topic held something.
    pub fn told_suppressed(&self) -> Option<usize> {
        self.is_told.then_some(self.suppressed)
    }

    /// Goes past a page that is judged. Whether it is the last one that may hold what the topic has: Okta gives events in the
    /// order in which it stored them, so what comes behind those that are younger than the start was stored after the start.
    /// An event of the future looks so as well, once its time has come: hence as many in a row, none of which is there already.
    pub fn ends_with(&mut self, page: &Arrival) -> bool {
        let end = self.until.as_millisecond().saturating_add(millis(MARGIN));
        for (element, verdict) in page.elements() {
            let Some(published) = element.published_millis().filter(|published| *published <= page.date) else {
                continue;
            };
            self.reached = Some(published);
            self.younger = if published > end && verdict == Verdict::New { self.younger + 1 } else { 0 };
        }
        self.younger >= YOUNGER
    }

    /// What a checkpoint says of it: nothing, where the topic was found to hold nothing of the org.
    pub fn suppress_until(&self) -> Option<String> {
        self.is_marked.then(|| time_text(self.until))
    }

    /// From now on every checkpoint says it; the later end counts.
    pub fn marked(self, before: Option<&Self>) -> Self {
        let until = before.map_or(self.until, |before| before.until.max(self.until));
        let (is_told, suppressed) = before.map_or((false, 0), |before| (before.is_told, before.suppressed));
        Self { until, is_marked: true, is_told, suppressed, ..self }
    }
}

/// The latest `published` that says something of when an event was stored: clocks are off by so much. `date` is the answer's, in
/// milliseconds since 1970, as the result is.
pub(super) fn latest(date: i64) -> i64 {
    date.saturating_add(millis(MARGIN))
}

fn millis(duration: SignedDuration) -> i64 {
    duration.as_millis().try_into().unwrap_or(i64::MAX)
}

/// A time as checkpoints have it: RFC 3339 with milliseconds.
pub(super) fn time_text(time: Timestamp) -> String {
    format!("{time:.3}")
}
