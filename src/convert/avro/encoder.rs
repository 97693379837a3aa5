//! From Okta's bytes to a record's value.

use std::fmt;

use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;

use super::log_event::LogEvent;
use super::misfit::Misfit;
use super::path::Path;
use super::reader::Reader;
use super::schema;
use super::typed::{Derived, Millis, Typed, Unmapped};
use super::unencodable::Unencodable;
use crate::okta::log_event::Published;

/// The first byte of a value in Confluent's wire format.
const MAGIC: u8 = 0;

/// What a value's Avro binary begins after: the magic byte, and the schema's id, big-endian.
const HEADER_BYTES: usize = 5;

/// Encodes events by the schema, which the registry knows under an id.
pub struct Encoder {
    header: [u8; HEADER_BYTES],
    writer: GenericDatumWriter<'static>,
}

/// An event as a record's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Confluent's wire format: a zero byte, the schema's id in four bytes (big-endian), Avro binary.
    pub value: Bytes,
    /// How many values no field could hold, so that they are in `unmapped`.
    pub unmapped: usize,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder whose values name the schema `schema_id`, the id that the registry gave it.
    pub fn new(schema_id: u32) -> Self {
        let [a, b, c, d] = schema_id.to_be_bytes();
        let writer = GenericDatumWriter::builder(schema::schema())
            .human_readable(false)
            .build()
            .expect("the schema is a constant, and every name in it is defined there");
        Self { header: [MAGIC, a, b, c, d], writer }
    }

    /// Encodes `event`, a JSON object as Okta sent it.
    ///
    /// It keeps the law: decoded, with `unmapped` put back in its places, the value is `event` again, where null stands for
    /// absent and numbers are the same that are the same number. What can't keep it is an error. No value of the
    /// event is in that.
    pub fn encode(&self, event: &[u8]) -> Result<Encoded, Unencodable> {
        self.encode_telling(event, &mut |_| ())
    }

    /// As [`encode`](Self::encode); `tell` is given each value that no field could hold.
    pub fn encode_telling(&self, event: &[u8], tell: &mut dyn FnMut(Misfit<'_>)) -> Result<Encoded, Unencodable> {
        let text = std::str::from_utf8(event).map_err(|error| Unencodable::NotJson { at: error.valid_up_to() })?;
        let mut json = Reader::new(text);
        let mut unmapped = Unmapped::default();
        if json.peek()? != b'{' {
            json.skip(&Path::Event)?;
            json.end()?;
            return Err(Unencodable::NotAnObject);
        }
        let record = LogEvent::read(&mut json, &mut unmapped, &Path::Event)?;
        json.end()?;
        // Only a name that no pointer can hold makes an object one that no record can hold.
        let mut record = record.ok_or(Unencodable::NameNotUnicode)?;
        if record.uuid.is_none() {
            return Err(Unencodable::MissingUuid);
        }
        let instant = record.published.as_deref().and_then(Published::instant);
        record.published_at = instant.map(|millis| Derived(Millis(millis)));
        let count = unmapped.len();
        unmapped.misfits().for_each(tell);
        record.unmapped = unmapped.into_field();

        let mut value = Vec::with_capacity(event.len());
        value.extend_from_slice(&self.header);
        self.writer.write_ser(&mut value, &record).map_err(|_| Unencodable::Refused)?;
        // Half of the room is left over, and the value may wait for its transaction. Measured, giving it back costs nothing.
        value.shrink_to_fit();
        Ok(Encoded { value: value.into(), unmapped: count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values are counted by their length while they wait (`Element::own_bytes`), so more must not be held.
    #[test]
    fn a_value_holds_no_more_memory_than_it_counts() {
        let event = format!(r#"{{"uuid":"a","severity":"INFO",{}"displayMessage":"x"}}"#, " ".repeat(5000));
        let value = Encoder::new(1).encode(event.as_bytes()).expect("it is an event").value;
        let length = value.len();
        assert!(length < 500, "{length}");
        assert_eq!(value.try_into_mut().expect("nobody else has it").capacity(), length);
    }
}
