//! Realistic LogEvents: the member order, the nulls, the odd values and the sizes of recorded ones.
//!
//! Member order and odd values (`client.zone` the *string* "null", `authenticationStep` always 0, Java maps and JSON in
//! strings of `debugData`) are those of recorded events; `device` and `changeDetails` are as the API's own examples have
//! them. A generator with the same seed makes the same events, apart from their times.
//!
//! On request events drift (`drift`), or are odd (`awkward`): they are made as the others, and changed afterwards
//! (`edit`), so that the plain ones of a seed stay the same.

mod awkward;
mod catalog;
mod drift;
mod edit;
mod event;
mod ids;
mod population;
mod time_text;

use ids::UuidV1;
use population::Population;

/// What kind of event one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// As recorded events are.
    Plain,
    /// As a later version of Okta makes them ([`DriftFrom`](super::DriftFrom)).
    Drifted,
    /// Valid, and odd: names with `/`, `~` and dots, numbers beyond any type, values of other types, deep nesting.
    Awkward,
    /// Without a `uuid`, with a member twice, or nested too deeply to be read. The last two can be published byte for
    /// byte, and in no format that has to read them.
    Unpublishable,
    /// Given by a test or a file, whatever it is.
    Given,
}

/// How often events are odd, and in which shape the others are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Whether the org's events have drifted; `None` where they never will.
    pub(super) drifted: Option<bool>,
    /// The share of [`EventKind::Awkward`].
    pub(super) awkward: f64,
    /// The share of [`EventKind::Unpublishable`].
    pub(super) unpublishable: f64,
}

/// Makes events.
pub(super) struct EventGenerator {
    rng: fastrand::Rng,
    /// What changes events afterwards draws from here.
    odd_rng: fastrand::Rng,
    population: Population,
    uuids: UuidV1,
    text: String,
    awkward_made: usize,
    unpublishable_made: usize,
}

/// What the store wants to know of an event that was made.
pub(super) struct MadeEvent {
    /// Of one that cannot be published: perhaps none.
    pub(super) uuid: Option<Box<str>>,
    pub(super) published: Box<str>,
    pub(super) kind: EventKind,
}

impl EventGenerator {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let population = Population::new(&mut rng);
        let uuids = UuidV1::new(&mut rng);
        Self {
            rng,
            odd_rng: fastrand::Rng::with_seed(seed ^ 0x006f_6464),
            population,
            uuids,
            text: String::with_capacity(4096),
            awkward_made: 0,
            unpublishable_made: 0,
        }
    }

    /// Writes one event that is published at `published_millis` (since the Unix epoch) behind what `out` holds.
    pub(super) fn write(&mut self, published_millis: i64, shape: Shape, out: &mut Vec<u8>) -> MadeEvent {
        let uuid = self.uuids.next(published_millis, &mut self.rng);
        let published = time_text::rfc_3339_millis(published_millis);
        self.text.clear();
        event::write(&mut self.text, &mut self.rng, &self.population, &uuid, &published);
        let kind = self.change(shape);
        out.extend_from_slice(self.text.as_bytes());
        let text = |path| {
            let range = edit::find(&self.text, path)?;
            Some(Box::from(self.text[range].strip_prefix('"')?.trim_end_matches('"')))
        };
        MadeEvent { uuid: text("uuid"), published: text("published").unwrap_or_default(), kind }
    }

    /// Gives the event the shape that it is to have.
    fn change(&mut self, shape: Shape) -> EventKind {
        match shape.drifted {
            Some(true) => drift::after(&mut self.text, &mut self.odd_rng),
            Some(false) => drift::before(&mut self.text, &mut self.odd_rng),
            None => {}
        }
        let dice = self.odd_rng.f64();
        if dice < shape.unpublishable {
            let made = awkward::UNPUBLISHABLE[self.unpublishable_made % awkward::UNPUBLISHABLE.len()](&mut self.text);
            debug_assert!(made, "every event has a `uuid` and a transaction");
            self.unpublishable_made += 1;
            EventKind::Unpublishable
        } else if dice < shape.unpublishable + shape.awkward {
            awkward::AWKWARD[self.awkward_made % awkward::AWKWARD.len()](&mut self.text);
            self.awkward_made += 1;
            EventKind::Awkward
        } else if shape.drifted == Some(true) {
            EventKind::Drifted
        } else {
            EventKind::Plain
        }
    }
}

#[cfg(test)]
mod tests;
