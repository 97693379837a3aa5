//! The law of `format: avro`: decode(encode(event)) = event, where null is absent and numbers are equal that are the same number.
//!
//! Nothing of the program is used here: apache-avro decodes by the schema that the caller hands in, and JSON is read and
//! compared by code of its own. So a mistake of the encoder can't be made twice and cancel out. fuzz/properties/avro.rs
//! takes this folder by its path; it names nothing outside of it.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

pub mod decimal;
pub mod invent;
pub mod json;
pub mod model;

pub use json::Json;

/// The longest JSON Pointer's depth that is put back: no event is nested so deep.
const MAX_DEPTH: usize = 1000;

/// What a value in Confluent's wire format says.
pub struct Decoded {
    /// The schema's id.
    pub schema_id: u32,
    /// The typed part alone, without `unmapped` and `publishedAt`.
    pub typed: Json,
    /// `publishedAt`, in milliseconds.
    pub published_at: Option<i64>,
    /// `unmapped`: JSON Pointers and JSON texts, sorted by the pointer.
    pub unmapped: Vec<(String, String)>,
    /// The event: the typed part with `unmapped` in its places.
    pub event: Json,
}

/// Decodes a value in Confluent's wire format that was written by `schema`.
pub fn decode(schema: &Schema, value: &[u8]) -> Result<Decoded, String> {
    let (&[magic, a, b, c, d], mut datum) =
        value.split_first_chunk::<5>().ok_or("the value is shorter than its header")?;
    if magic != 0 {
        return Err(format!("the magic byte is {magic}"));
    }
    let reader = GenericDatumReader::builder(schema).build().map_err(|error| error.to_string())?;
    let record = reader.read_value(&mut datum).map_err(|error| error.to_string())?;
    if !datum.is_empty() {
        return Err(format!("{} bytes follow the record", datum.len()));
    }
    let Value::Record(fields) = record else { return Err("the value is no record".to_owned()) };
    let (mut members, mut published_at, mut unmapped) = (Vec::new(), None, Vec::new());
    for (name, value) in fields {
        let Value::Union(_, inner) = &value else {
            members.push((name, value));
            continue;
        };
        match (name.as_str(), inner.as_ref()) {
            (_, Value::Null) => {}
            ("publishedAt", Value::TimestampMillis(millis)) => published_at = Some(*millis),
            ("unmapped", Value::Map(map)) => unmapped = texts(map)?,
            _ => members.push((name, value)),
        }
    }
    let typed = Json::object(
        members.into_iter().map(|(name, value)| Ok((name, json(value)?))).collect::<Result<Vec<_>, String>>()?,
    );
    let mut event = typed.clone();
    for (pointer, text) in &unmapped {
        let value = json::parse(text.as_bytes()).map_err(|error| format!("unmapped {pointer}: {error}"))?;
        put(&mut event, pointer, value)?;
    }
    Ok(Decoded { schema_id: u32::from_be_bytes([a, b, c, d]), typed, published_at, unmapped, event })
}

/// Fails, and says where, if `value` is not `event` by the law.
pub fn holds(schema: &Schema, event: &[u8], value: &[u8]) -> Result<Decoded, String> {
    let decoded = decode(schema, value)?;
    let event = json::parse(event)?;
    match json::difference(&event, &decoded.event) {
        Some(place) => Err(format!("the value decodes to something else at `{place}`")),
        None => Ok(decoded),
    }
}

/// What an encoder made of an event: the value and how many members are in `unmapped`, or the class of its refusal.
pub type Made<'a> = Result<(&'a [u8], usize), &'a str>;

/// Fails if an encoder made something else of `event` than it should: the value by the law, with in `unmapped` what has no place
/// and nothing else, as it was written; and a refusal only for one of the reasons that there are. `max_depth` is its own.
pub fn check(schema: &Schema, max_depth: usize, event: &[u8], made: Made<'_>) -> Result<(), String> {
    let reasons = model::refusals(event, max_depth);
    let (value, count) = match made {
        Err(class) if reasons.contains(&class) => return Ok(()),
        Err(class) => return Err(format!("refused as {class}, and the reasons are {reasons:?}")),
        Ok(_) if !reasons.is_empty() => return Err(format!("not refused, for all of {reasons:?}")),
        Ok(made) => made,
    };
    let decoded = holds(schema, event, value)?;
    let text = std::str::from_utf8(event).map_err(|error| error.to_string())?;
    let found: Vec<&str> = decoded.unmapped.iter().map(|(pointer, _)| pointer.as_str()).collect();
    let mut expected = model::unmapped(schema, &json::parse(event)?);
    expected.sort();
    if found != expected || count != found.len() {
        return Err(format!("{count} values are unmapped, at {found:?} in the place of {expected:?}"));
    }
    match decoded.unmapped.iter().find(|(_, json)| !text.contains(json)) {
        Some((pointer, _)) => Err(format!("unmapped `{pointer}` is not as it was written")),
        None => Ok(()),
    }
}

fn texts(map: &HashMap<String, Value>) -> Result<Vec<(String, String)>, String> {
    let mut texts = Vec::new();
    for (pointer, text) in map {
        let Value::String(text) = text else { return Err(format!("unmapped {pointer} is no string")) };
        texts.push((pointer.clone(), text.clone()));
    }
    texts.sort();
    Ok(texts)
}

/// An Avro value as JSON. A record's field that is null is absent.
fn json(value: Value) -> Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Boolean(value),
        Value::Long(value) => Json::Number(value.to_string()),
        // The shortest digits that give the same double back.
        Value::Double(value) => Json::Number(value.to_string()),
        Value::String(value) => Json::text(&value),
        Value::Union(_, value) => json(*value)?,
        Value::Array(values) => Json::Array(values.into_iter().map(json).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            Json::object(map.into_iter().map(|(k, v)| Ok((k, json(v)?))).collect::<Result<Vec<_>, String>>()?)
        }
        Value::Record(fields) => {
            let mut members = Vec::new();
            for (name, value) in fields {
                match json(value)? {
                    Json::Null => {}
                    value => members.push((name, value)),
                }
            }
            Json::object(members)
        }
        other => return Err(format!("the schema has no such type: {other:?}")),
    })
}

/// Puts `value` where `pointer` (RFC 6901) says: a new member of an object that is there.
fn put(event: &mut Json, pointer: &str, value: Json) -> Result<(), String> {
    let problem = |what: &str| format!("unmapped `{pointer}`: {what}");
    let tokens: Vec<&str> =
        pointer.strip_prefix('/').ok_or_else(|| problem("no pointer to a member"))?.split('/').collect();
    if tokens.len() > MAX_DEPTH {
        return Err(problem("too deep"));
    }
    let mut parent = event;
    let (last, way) = tokens.split_last().ok_or_else(|| problem("empty"))?;
    for token in way {
        parent = match parent {
            Json::Object(members) => {
                let found = members.iter_mut().find(|(member, _)| *member == name(token));
                found.map(|(_, value)| value).ok_or_else(|| problem("a parent is missing"))?
            }
            Json::Array(elements) => {
                let index: usize = token.parse().map_err(|_| problem("no index"))?;
                elements.get_mut(index).ok_or_else(|| problem("an element is missing"))?
            }
            _ => return Err(problem("a parent has no members")),
        };
    }
    if parent.get(&name(last)).is_some() {
        return Err(problem("is in the typed part, too"));
    }
    let Json::Object(members) = parent else { return Err(problem("its parent is no object")) };
    members.push((name(last), value));
    Ok(())
}

fn name(token: &str) -> Vec<u16> {
    token.replace("~1", "/").replace("~0", "~").encode_utf16().collect()
}
