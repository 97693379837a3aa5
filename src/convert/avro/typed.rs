//! The types that the schema's fields have, and how each is read from JSON.

use std::borrow::Cow;

use serde::ser::{Serialize, Serializer};

use super::misfit::Misfit;
use super::number;
use super::path::Path;
use super::reader::{Reader, Result};
use super::text::Text;

/// The type of a field, beside null: what the test of [`super::log_event`] compares with the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Long,
    Double,
    TimestampMillis,
    MapOfText,
    Array(&'static Kind),
    /// A record's name and its fields, in order.
    Record(&'static str, &'static [(&'static str, Kind)]),
}

/// A type that a field of the schema has.
pub(super) trait Typed<'a>: Sized {
    /// The type's name in the schema.
    const KIND: Kind;

    /// Reads the value that comes next, whose place is `path`; `None` where this type can't hold it without changing it.
    /// In both cases the reader is behind the value, and has checked it.
    ///
    /// What the value's own members can't hold goes to `unmapped`. After `None` the caller takes that back, since the
    /// value goes there as a whole.
    fn read(json: &mut Reader<'a>, unmapped: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>>;
}

/// Reads a member's value, whose place is `path`: `None` where it is null, or where it went to `unmapped`.
pub(super) fn member<'a, T: Typed<'a>>(
    json: &mut Reader<'a>,
    unmapped: &mut Unmapped<'a>,
    path: &Path<'_>,
) -> Result<Option<T>> {
    if json.peek()? == b'n' {
        json.literal("null")?;
        return Ok(None);
    }
    let (start, values, held) = (json.position(), unmapped.values.len(), unmapped.held);
    let value = T::read(json, unmapped, path)?;
    if value.is_none() {
        unmapped.values.truncate(values);
        unmapped.held = held;
        unmapped.add(path, json.since(start));
    }
    Ok(value)
}

/// Reads the value of a member that no field has: null is no value, and anything else goes to `unmapped`.
pub(super) fn unknown<'a>(json: &mut Reader<'a>, unmapped: &mut Unmapped<'a>, path: &Path<'_>) -> Result<()> {
    member::<Derived<bool>>(json, unmapped, path).map(drop)
}

/// So many elements of arrays, members of open maps and values in `unmapped` an event has at most, beside unknown members
/// of its own. The array, map or record that would have more is in `unmapped` whole.
///
/// It bounds memory: an element takes two bytes of JSON (`{}`) and up to 330 here. Events have some dozens.
pub const MAX_PIECES: usize = 10_000;

/// What no field can hold: JSON Pointers, and the JSON text as it is written.
#[derive(Debug, Default)]
pub(super) struct Unmapped<'a> {
    values: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Pieces that the event has so far: see [`MAX_PIECES`].
    held: usize,
}

impl<'a> Unmapped<'a> {
    fn add(&mut self, path: &Path<'_>, json: &'a str) {
        self.held += 1;
        self.values.push((path.pointer().into(), json.into()));
    }

    /// Whether the event may have one more piece.
    pub(super) fn has_room(&self) -> bool {
        self.held < MAX_PIECES
    }

    /// As [`Self::has_room`], and counts it.
    fn takes_one(&mut self) -> bool {
        let has_room = self.has_room();
        self.held += usize::from(has_room);
        has_room
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Each of them.
    pub(super) fn misfits(&self) -> impl Iterator<Item = Misfit<'_>> {
        self.values.iter().map(|(pointer, json)| Misfit { pointer, json })
    }

    /// The field `unmapped`: null where everything fits.
    pub(super) fn into_field(self) -> Option<Derived<OpenMap<'a>>> {
        (!self.values.is_empty()).then_some(Derived(OpenMap(self.values)))
    }
}

/// Strings by names that nobody lists: the members of an object that are strings.
#[derive(Debug, Default)]
pub(super) struct OpenMap<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Serialize for OpenMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, text)))
    }
}

impl<'a> Typed<'a> for OpenMap<'a> {
    const KIND: Kind = Kind::MapOfText;

    fn read(json: &mut Reader<'a>, unmapped: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        if json.peek()? != b'{' {
            json.skip(path)?;
            return Ok(None);
        }
        let mut map = Vec::new();
        let mut fits = true;
        let names = json.enter_object(path)?;
        while let Some(name) = json.name()? {
            json.note_name(name);
            let place = path.member(name);
            match name.unicode().filter(|_| fits && unmapped.takes_one()) {
                Some(name) => map.extend(member(json, unmapped, &place)?.map(|text| (name, text))),
                // A name that is neither a map's key nor in a pointer, or one too many. What is left is only checked.
                None => {
                    fits = false;
                    json.skip(&place)?;
                }
            }
        }
        json.leave_object(names, path)?;
        Ok(fits.then_some(Self(map)))
    }
}

/// A field that the connector fills in. A member of Okta's with its name is an unknown one.
#[derive(Debug)]
pub(super) struct Derived<T>(pub(super) T);

impl<T: Serialize> Serialize for Derived<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'a, T: Typed<'a>> Typed<'a> for Derived<T> {
    const KIND: Kind = T::KIND;

    fn read(json: &mut Reader<'a>, _: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        json.skip(path)?;
        Ok(None)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug)]
pub(super) struct Millis(pub(super) i64);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'a> Typed<'a> for Millis {
    const KIND: Kind = Kind::TimestampMillis;

    fn read(json: &mut Reader<'a>, unmapped: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        Ok(i64::read(json, unmapped, path)?.map(Self))
    }
}

impl<'a> Typed<'a> for Cow<'a, str> {
    const KIND: Kind = Kind::Text;

    fn read(json: &mut Reader<'a>, _: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        if json.peek()? == b'"' {
            return json.string().map(Text::unicode);
        }
        json.skip(path)?;
        Ok(None)
    }
}

impl<'a> Typed<'a> for bool {
    const KIND: Kind = Kind::Boolean;

    fn read(json: &mut Reader<'a>, _: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        let value = match json.peek()? {
            b't' => Some(true),
            b'f' => Some(false),
            _ => None,
        };
        json.skip(path)?;
        Ok(value)
    }
}

impl<'a> Typed<'a> for i64 {
    const KIND: Kind = Kind::Long;

    fn read(json: &mut Reader<'a>, _: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        read_number(json, path, number::long)
    }
}

impl<'a> Typed<'a> for f64 {
    const KIND: Kind = Kind::Double;

    fn read(json: &mut Reader<'a>, _: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        read_number(json, path, number::double)
    }
}

fn read_number<T>(json: &mut Reader<'_>, path: &Path<'_>, of: fn(&str) -> Option<T>) -> Result<Option<T>> {
    match json.peek()? {
        b'-' | b'0'..=b'9' => Ok(of(json.number()?)),
        _ => json.skip(path).map(|()| None),
    }
}

/// An array. It holds all its elements or none: one that is null, of another type or too many would leave no place for it.
impl<'a, T: Typed<'a>> Typed<'a> for Vec<T> {
    const KIND: Kind = Kind::Array(&T::KIND);

    fn read(json: &mut Reader<'a>, unmapped: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
        if json.peek()? != b'[' {
            json.skip(path)?;
            return Ok(None);
        }
        let mut elements = Some(Vec::new());
        let mut index = 0;
        json.enter(path)?;
        while json.element()? {
            let path = path.element(index);
            elements = match elements {
                Some(mut list) if unmapped.takes_one() => T::read(json, unmapped, &path)?.map(|element| {
                    list.push(element);
                    list
                }),
                // What is left is only checked.
                _ => {
                    json.skip(&path)?;
                    None
                }
            };
            index += 1;
        }
        Ok(elements)
    }
}

/// Defines records: structs with their fields in the schema's order, under Okta's names, each of which may be null.
///
/// A struct is written by apache-avro through serde, and read from JSON in one pass. [`Typed::KIND`] tells what was
/// defined, and is compared with the schema in a test.
macro_rules! records {
    ($($(#[$doc:meta])* $record:ident { $($(#[$attribute:meta])* $field:ident $name:literal $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default, serde::Serialize)]
        pub(super) struct $record<'a> {
            $($(#[$attribute])* #[serde(rename = $name)] pub(super) $field: Option<$kind>,)*
            /// A record of numbers alone borrows nothing.
            #[serde(skip)]
            lifetime: std::marker::PhantomData<&'a ()>,
        }

        impl<'a> $crate::convert::avro::typed::Typed<'a> for $record<'a> {
            const KIND: Kind = Kind::Record(stringify!($record), &[$(($name, <$kind as Typed<'a>>::KIND),)*]);

            fn read(json: &mut Reader<'a>, unmapped: &mut Unmapped<'a>, path: &Path<'_>) -> Result<Option<Self>> {
                /// The number of each field's bit in `seen`.
                #[expect(non_camel_case_types, reason = "named as the fields are")]
                enum Field { $($field,)* }

                if json.peek()? != b'{' {
                    json.skip(path)?;
                    return Ok(None);
                }
                let mut record = Self::default();
                let mut seen = 0_u32;
                let mut fits = true;
                let names = json.enter_object(path)?;
                while let Some(name) = json.name()? {
                    let place = path.member(name);
                    match name.unicode().as_deref() {
                        $(Some($name) => {
                            let bit = 1 << Field::$field as u32;
                            if seen & bit != 0 {
                                return Err(Unencodable::DuplicateMember { member: place.shown() });
                            }
                            seen |= bit;
                            record.$field = member(json, unmapped, &place)?;
                        })*
                        // The event itself has nowhere else to be.
                        Some(_) if fits && (unmapped.has_room() || matches!(path, Path::Event)) => {
                            json.note_name(name);
                            unknown(json, unmapped, &place)?;
                        }
                        // One too many, or no pointer tells where its value was: the record goes to `unmapped` as a whole.
                        _ => {
                            json.note_name(name);
                            json.skip(&place)?;
                            fits = false;
                        }
                    }
                }
                json.leave_object(names, path)?;
                Ok(fits.then_some(record))
            }
        }
    )*};
}

pub(super) use records;
