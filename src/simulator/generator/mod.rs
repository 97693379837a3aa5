//! Realistic LogEvents: the member order, the nulls, the odd values and the sizes of recorded ones.
//!
//! Member order and odd values (`client.zone` the *string* "null", `authenticationStep` always 0, Java maps and JSON in
//! strings of `debugData`) are those of recorded events; `device` and `changeDetails` are as the API's own examples have
//! them. A generator with the same seed makes the same events, apart from their times.

mod catalog;
mod event;
mod ids;
mod population;
mod time_text;

use ids::UuidV1;
use population::Population;

/// Makes events.
pub(super) struct EventGenerator {
    rng: fastrand::Rng,
    population: Population,
    uuids: UuidV1,
    text: String,
}

/// What the store wants to know of an event that was made.
pub(super) struct MadeEvent {
    pub(super) uuid: Box<str>,
    pub(super) published: Box<str>,
}

impl EventGenerator {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let population = Population::new(&mut rng);
        let uuids = UuidV1::new(&mut rng);
        Self { rng, population, uuids, text: String::with_capacity(4096) }
    }

    /// Writes one event that is published at `published_millis` (since the Unix epoch) behind what `out` holds.
    pub(super) fn write(&mut self, published_millis: i64, out: &mut Vec<u8>) -> MadeEvent {
        let uuid = self.uuids.next(published_millis, &mut self.rng);
        let published = time_text::rfc_3339_millis(published_millis);
        self.text.clear();
        event::write(&mut self.text, &mut self.rng, &self.population, &uuid, &published);
        out.extend_from_slice(self.text.as_bytes());
        MadeEvent { uuid: uuid.into_boxed_str(), published: published.into_boxed_str() }
    }
}

#[cfg(test)]
mod tests;
