//! Writes each event as a line on stderr, unless it was said often enough.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::LogFormat;
use super::line::{Line, LineField};
use super::repeats::{EVERY, LineKind, Repeats, Verdict};
use crate::clock::{self, Clock};

/// Fields whose values make a line another one: what befalls one connector hides nothing of the next.
const WHOSE: [&str; 7] = ["connector", "org", "client_id", "shard", "topic", "subject", "transactional_id"];

/// Where lines go, and what is remembered of them.
pub struct Lines {
    format: LogFormat,
    colours: bool,
    sink: Box<dyn Fn(&str) + Send + Sync>,
    /// Whether repeats are left out.
    limited: AtomicBool,
    repeats: Mutex<Repeats<Line>>,
    clock: Clock,
}

impl Lines {
    /// On stderr, in colours where that is a terminal; all of them, until [`leave_out_repeats`](Self::leave_out_repeats).
    pub fn new(format: LogFormat) -> Self {
        // Nobody is left to tell who can't be told.
        let sink = |text: &str| drop(stderr().lock().write_all(text.as_bytes()));
        Self { colours: stderr().is_terminal(), ..Self::into(format, EVERY, Box::new(sink)) }
    }

    /// Into `sink`; of what repeats, one in `every`.
    fn into(format: LogFormat, every: Duration, sink: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        let repeats = Mutex::new(Repeats::new(every));
        Self { format, colours: false, sink, limited: AtomicBool::new(false), repeats, clock: Clock::new() }
    }

    /// Writes a line, whatever was said before.
    pub fn write(&self, line: &Line) {
        (self.sink)(&line.render(clock::wall(), self.format, self.colours));
    }

    /// From now on, warnings and errors that say the same again and again are left out.
    pub fn leave_out_repeats(&self) {
        self.limited.store(true, Ordering::Relaxed);
    }

    /// Tells in time of what was left out and came no more, also where nothing else is said. Never ends.
    pub async fn tell_in_time(&self) {
        let look = self.repeats().look();
        loop {
            tokio::time::sleep(look).await;
            let untold = self.repeats().untold(self.clock.elapsed());
            self.tell(untold);
        }
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
        if line.level <= Level::WARN && self.limited.load(Ordering::Relaxed) {
            let shard = line.fields.iter().find(|field| field.name == "shard").map(|field| field.value.to_string());
            let whose = WHOSE.iter().filter_map(|name| line.text_of(name)).chain(shard.as_deref());
            let kind = LineKind::of(place, whose, &line.message);
            match self.repeats().judge(kind, self.clock.elapsed(), || line.clone()) {
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

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    /// An outage of seven lines, and then a worker that has nothing to say: the count is told all the same.
    #[tokio::test]
    async fn what_was_left_out_is_told_though_nothing_else_is_said() {
        let (sink, mut said) = mpsc::unbounded_channel();
        let every = Duration::from_secs(1);
        let lines =
            Arc::new(Lines::into(LogFormat::Text, every, Box::new(move |text| drop(sink.send(text.to_owned())))));
        lines.leave_out_repeats();
        let telling = tokio::spawn({
            let lines = Arc::clone(&lines);
            async move { lines.tell_in_time().await }
        });
        for _ in 0..7 {
            lines.take("a.rs:1", Line::new(Level::WARN, "okta_kafka_source", "no broker".to_owned()));
        }
        for _ in 0..5 {
            assert!(said.recv().await.unwrap().ends_with(" no broker\n"));
        }
        let told = timeout(20 * every, said.recv()).await.expect("it is told by itself").unwrap();
        assert!(told.ends_with("2 more like this one were left out: no broker suppressed=2\n"), "{told}");
        // Once.
        assert!(timeout(2 * every, said.recv()).await.is_err());
        telling.abort();
    }
}
