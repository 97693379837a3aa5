//! How often the same may be said: a fault that goes on for an hour must not write thousands of lines.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Lines of one kind that are said at once.
const BURST: u32 = 5;
/// After those, one is said in so long; and a count that nobody heard for so long is told by itself.
pub const EVERY: Duration = Duration::from_secs(300);
/// Kinds that are remembered. Their number is bounded by what is configured and written here, unless a stranger's text makes
/// more of them.
const MOST: usize = 1_000;

/// What makes a line the same as another: where it is written, whose it is, and its words without what changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineKind(u64);

impl LineKind {
    /// `place` is the line of the program; `whose` the fields that tell connectors, shards and topics apart.
    pub fn of<'a>(place: impl Hash, whose: impl Iterator<Item = &'a str>, message: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        place.hash(&mut hasher);
        whose.for_each(|whose| whose.hash(&mut hasher));
        lasting_words(message).for_each(|word| word.hash(&mut hasher));
        Self(hasher.finish())
    }
}

/// The words that are the same each time: without numbers, times, and ids that nobody could have written.
fn lasting_words(message: &str) -> impl Iterator<Item = &str> {
    /// The longest word of our own messages is shorter.
    const ID: usize = 20;
    let words = message.split(|c: char| !(c.is_alphanumeric() || "-_".contains(c)));
    words.filter(|word| word.len() < ID && !word.contains(|c: char| c.is_ascii_digit()))
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is said; so many like it were left out before.
    Say {
        /// Since the last one that was said.
        suppressed: u64,
    },
    /// It is counted.
    LeaveOut,
}

#[derive(Debug)]
struct Kind<T> {
    /// Lines that may be said by now, and up to when they are counted.
    left: u32,
    counted_to: Duration,
    last: Duration,
    suppressed: u64,
    /// What is shown of it.
    sample: Option<T>,
}

/// Remembers what was said. `T` is what is kept of a line that was left out, to tell of it later.
#[derive(Debug)]
pub struct Repeats<T> {
    kinds: HashMap<LineKind, Kind<T>>,
    every: Duration,
}

impl<T> Repeats<T> {
    /// After the first few, one of a kind is said in `every`.
    pub fn new(every: Duration) -> Self {
        Self { kinds: HashMap::new(), every }
    }

    /// How often somebody has to look at [`untold`](Self::untold).
    pub fn look(&self) -> Duration {
        self.every / 30
    }

    /// Whether a line of this kind is said now; `sample` makes what is kept of one that is not. `now` never goes back.
    pub fn judge(&mut self, kind: LineKind, now: Duration, sample: impl FnOnce() -> T) -> Verdict {
        if !self.kinds.contains_key(&kind) && self.kinds.len() >= MOST {
            self.forget_one();
        }
        let known = self.kinds.entry(kind).or_insert_with(|| Kind {
            left: BURST,
            counted_to: now,
            last: now,
            suppressed: 0,
            sample: None,
        });
        known.last = now;
        while known.left < BURST && now >= known.counted_to + self.every {
            known.left += 1;
            known.counted_to += self.every;
        }
        if known.left == BURST {
            known.counted_to = now;
        }
        if known.left == 0 {
            known.suppressed += 1;
            let _ = known.sample.get_or_insert_with(sample);
            return Verdict::LeaveOut;
        }
        known.left -= 1;
        known.sample = None;
        Verdict::Say { suppressed: std::mem::take(&mut known.suppressed) }
    }

    /// Lines of which more were left out than was told, since they came no more: each with how many.
    pub fn untold(&mut self, now: Duration) -> Vec<(T, u64)> {
        let every = self.every;
        self.take(|kind| now >= kind.last + every)
    }

    /// The same at the end, of all.
    pub fn rest(&mut self) -> Vec<(T, u64)> {
        self.take(|_| true)
    }

    fn take(&mut self, which: impl Fn(&Kind<T>) -> bool) -> Vec<(T, u64)> {
        let kinds = self.kinds.values_mut().filter(|kind| kind.suppressed > 0 && which(kind));
        kinds.filter_map(|kind| Some((kind.sample.take()?, std::mem::take(&mut kind.suppressed)))).collect()
    }

    fn forget_one(&mut self) {
        let oldest = self.kinds.iter().min_by_key(|(_, kind)| (kind.suppressed > 0, kind.last));
        if let Some(kind) = oldest.map(|(kind, _)| *kind) {
            let _ = self.kinds.remove(&kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(message: &str) -> LineKind {
        LineKind::of("a.rs:1", ["acme"].into_iter(), message)
    }

    #[test]
    fn what_changes_in_a_line_makes_no_other_kind() {
        let first = kind("refused (500 E0000009 `x`, error id `oaeQ2Cc7vlUTs2hXDdrAIk9Vw`): again in 4.2s");
        assert_eq!(first, kind("refused (500 E0000009 `x`, error id `oaeJ_cQlwD-DSqPDdrAIkQaab`): again in 1m"));
        assert_ne!(first, kind("refused (500 E0000009 `y`, error id `oaeQ2Cc7vlUTs2hXDdrAIk9Vw`): again in 4.2s"));
        assert_ne!(first, LineKind::of("a.rs:1", ["beta"].into_iter(), "refused"));
        assert_ne!(kind("x"), LineKind::of("a.rs:2", ["acme"].into_iter(), "x"));
    }

    /// An hour of a fault that repeats every second, and what is said of it.
    #[test]
    fn an_hour_of_the_same_is_some_lines_and_their_counts_add_up() {
        let mut repeats = Repeats::new(EVERY);
        let (mut said, mut told) = (Vec::new(), 0);
        for second in 0..3_600 {
            let now = Duration::from_secs(second);
            assert!(repeats.untold(now).is_empty(), "it goes on");
            if let Verdict::Say { suppressed } = repeats.judge(kind("down"), now, || "down") {
                said.push(second);
                told += suppressed;
            }
        }
        assert_eq!(said[..6], [0, 1, 2, 3, 4, 300]);
        assert_eq!(said.len(), 16, "{said:?}");
        // Another kind is not held up.
        let late = Duration::from_secs(3_600);
        assert_eq!(repeats.judge(kind("up"), late, || "up"), Verdict::Say { suppressed: 0 });
        // It is over: what was not told is told by itself, once.
        assert!(repeats.untold(Duration::from_secs(3_800)).is_empty());
        let rest = repeats.untold(Duration::from_secs(3_900));
        assert_eq!(rest, [("down", 3_600 - 16 - told)]);
        assert!(repeats.rest().is_empty());
        // After a calm of 25 minutes it may be said as at first.
        let later = Duration::from_secs(3_600 + 5 * 300);
        let again = (0..6).filter(|_| repeats.judge(kind("down"), later, || "down") != Verdict::LeaveOut);
        assert_eq!(again.count(), 5);
        assert_eq!(repeats.rest(), [("down", 1)]);
    }

    #[test]
    fn strange_texts_take_no_memory() {
        let mut repeats = Repeats::new(EVERY);
        let word =
            |n: u32| (0..4).map(|at| char::from(b'a' + u8::try_from(n >> (4 * at) & 15).unwrap())).collect::<String>();
        for n in 0..20_000 {
            let _ = repeats.judge(kind(&word(n)), Duration::from_secs(u64::from(n)), || ());
        }
        assert_eq!(repeats.kinds.len(), MOST);
    }
}
