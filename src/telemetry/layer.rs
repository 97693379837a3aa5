//! Writes each event as a line on stderr, unless it was said often enough.

use std::io::{IsTerminal, Write, stderr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::LogFormat;
use super::line::{Line, LineField};
use super::repeats::{LineKind, Repeats, Verdict};
use crate::clock::{self, Clock};

/// Fields whose values make a line another one: what befalls one connector hides nothing of the next.
const WHOSE: [&str; 7] = ["connector", "org", "client_id", "shard", "topic", "subject", "transactional_id"];

/// Where lines go, and what is remembered of them.
#[derive(Debug)]
pub struct Lines {
    format: LogFormat,
    colours: bool,
    /// Whether repeats are left out.
    limited: bool,
    repeats: Mutex<Repeats<Line>>,
    clock: Clock,
}

impl Lines {
    /// On stderr, in colours where that is a terminal.
    pub fn new(format: LogFormat, limited: bool) -> Self {
        Self { format, colours: stderr().is_terminal(), limited, repeats: Mutex::default(), clock: Clock::new() }
    }

    /// Writes a line, whatever was said before.
    pub fn write(&self, line: &Line) {
        let text = line.render(clock::wall(), self.format, self.colours);
        // Nobody is left to tell who can't be told.
        let _ = stderr().lock().write_all(text.as_bytes());
    }

    /// How lines look.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// Tells what was left out and not told yet.
    pub fn tell_rest(&self) {
        let rest = self.repeats().rest();
        self.tell(rest);
    }

    fn tell(&self, left_out: Vec<(Line, u64)>) {
        for (mut line, suppressed) in left_out {
            line.message = format!("{suppressed} more like this one were left out: {}", line.message);
            line.fields.push(LineField::number("suppressed", suppressed));
            self.write(&line);
        }
    }

    fn take(&self, place: impl std::hash::Hash, mut line: Line) {
        if !self.limited {
            return self.write(&line);
        }
        let now = self.clock.elapsed();
        let untold = self.repeats().untold(now);
        self.tell(untold);
        if line.level <= Level::WARN {
            let shard = line.fields.iter().find(|field| field.name == "shard").map(|field| field.value.to_string());
            let whose = WHOSE.iter().filter_map(|name| line.text_of(name)).chain(shard.as_deref());
            let kind = LineKind::of(place, whose, &line.message);
            match self.repeats().judge(kind, now, || line.clone()) {
                Verdict::LeaveOut => return,
                Verdict::Say { suppressed: 0 } => {}
                Verdict::Say { suppressed } => line.fields.push(LineField::number("suppressed", suppressed)),
            }
        }
        self.write(&line);
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats<Line>> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer of tracing's that hears all events.
pub struct LogLayer(pub Arc<Lines>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event.metadata(), |visitor| event.record(visitor));
        self.0.take(event.metadata().callsite(), line);
    }
}
