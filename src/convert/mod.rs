//! From an event to a record's value.

pub mod avro;
pub mod json;

use crate::dead_letter::DeadLetter;
use crate::okta::page::RawElement;
use crate::source::record::Element;

/// Makes the values of one connector's records.
#[derive(Debug, Clone)]
pub enum Converter {
    /// `format: json`.
    Json,
}

impl Converter {
    /// An element as Kafka gets it: a record with its value, or a dead letter.
    pub fn convert(&self, element: RawElement) -> Element {
        match element {
            RawElement::Event(event) => match self {
                Self::Json => Element::Record(json::record(event)),
            },
            RawElement::Refused(mut element) => {
                let published = element.published.take();
                Element::DeadLetter { letter: DeadLetter::from(element), published }
            }
        }
    }
}
