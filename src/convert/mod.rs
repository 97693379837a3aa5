//! From an event to a record's value.

pub mod avro;
pub mod drift;
pub mod json;

use std::sync::Arc;

use self::avro::{Encoder, Misfit};
use crate::config::Format;
use crate::dead_letter::{DeadLetter, Reason};
use crate::okta::page::{RawElement, RawEvent};
use crate::source::record::{Element, SourceRecord};

/// The `content-type` header of a format's records. An Avro value is framed as Confluent's: the registry's deserializer
/// reads it.
pub fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Avro => "application/avro",
    }
}

/// The format of records with that `content-type`; `None` of what is none of ours.
pub fn format_of(content_type: &[u8]) -> Option<Format> {
    [Format::Json, Format::Avro].into_iter().find(|format| self::content_type(*format).as_bytes() == content_type)
}

/// Makes the values of one connector's records.
#[derive(Debug, Clone)]
pub enum Converter {
    /// `format: json`.
    Json,
    /// `format: avro`.
    Avro(Arc<Encoder>),
}

impl Converter {
    /// An element as Kafka gets it: a record with its value, or a dead letter. `unmapped` is told each value that
    /// the schema has no place for.
    pub fn convert(&self, element: RawElement, unmapped: &mut dyn FnMut(Misfit<'_>)) -> Element {
        match element {
            RawElement::Event(event) => match self {
                Self::Json => Element::Record(json::record(event)),
                Self::Avro(encoder) => encoded(encoder, event, unmapped),
            },
            RawElement::Refused(mut element) => {
                let published = element.published.take();
                Element::DeadLetter { letter: DeadLetter::from(element), published }
            }
        }
    }
}

fn encoded(encoder: &Encoder, event: RawEvent, unmapped: &mut dyn FnMut(Misfit<'_>)) -> Element {
    match encoder.encode_telling(&event.bytes, unmapped) {
        Ok(encoded) => {
            Element::Record(SourceRecord { event, encoded: Some(encoded.value), unmapped: encoded.unmapped })
        }
        Err(problem) => {
            let reason = Reason::Unencodable { class: problem.as_str(), problem: problem.to_string() };
            let published = event.published.as_ref().map(|published| published.text.clone());
            Element::DeadLetter { letter: DeadLetter::of_event(event, reason), published }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::dead_letter::Stage;
    use crate::okta::page;

    const PAGE: &[u8] = br#"[{"uuid":"a","published":"2026-01-01T00:00:00.000Z","new":{"x":1}},{"uuid":"b","published":"2026-01-02T00:00:00.000Z","severity":"INFO","severity":"hush"},7]"#;

    #[test]
    fn each_element_becomes_a_record_or_a_dead_letter_of_okta_s_bytes() {
        let elements = page::split(&Bytes::from_static(PAGE)).expect("an array");
        let converter = Converter::Avro(Arc::new(Encoder::new(258)));
        let mut told = Vec::new();
        let converted: Vec<Element> = elements
            .iter()
            .map(|element| converter.convert(element.clone(), &mut |misfit| told.push(misfit.pointer.to_owned())))
            .collect();
        assert_eq!(told, ["/new"]);
        let [Element::Record(record), Element::DeadLetter { letter, published }, Element::DeadLetter { .. }] =
            &converted[..]
        else {
            panic!("{converted:?}");
        };
        assert_eq!(record.value()[..5], [0, 0, 0, 1, 2]);
        assert_eq!((record.unmapped, converted[0].own_bytes()), (1, record.value().len()));
        assert_eq!(letter.bytes, elements[1].bytes());
        assert_eq!((letter.reason.class(), letter.reason.stage()), ("DuplicateMember", Stage::ValueConverter));
        assert!(!letter.reason.to_string().contains("hush"), "{}", letter.reason);
        // The checkpoint's `published` and `uuid` may be of such an element.
        assert_eq!((published.as_deref(), converted[1].uuid()), (Some("2026-01-02T00:00:00.000Z"), Some("b")));
        assert_eq!((converted[1].own_bytes(), converted[2].own_bytes()), (0, 0));
    }
}
