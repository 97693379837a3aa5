//! What an encoder should do with an event, told from the schema's text and the event as a tree.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::Name;

use super::decimal;
use super::json::{self, Json};

/// Fields that the connector fills in: a member of that name is an unknown one.
const DERIVED: [&str; 2] = ["publishedAt", "unmapped"];

/// The classes of refusal that are right for `event`: none where it has to be encoded. Where there are several, which one
/// is met first is the encoder's own affair.
pub fn refusals(event: &[u8], max_depth: usize) -> Vec<&'static str> {
    let is_json = std::str::from_utf8(event).is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(event).is_ok();
    if !is_json {
        // What comes before the fault may be at fault as well.
        return vec!["NotJson", "DuplicateMember", "TooDeep"];
    }
    let Ok(tree) = json::parse(event) else {
        return vec!["TooDeep", "DuplicateMember"];
    };
    let mut reasons = Vec::new();
    if tree.levels() > max_depth {
        reasons.push("TooDeep");
    }
    if tree.has_duplicates() {
        reasons.push("DuplicateMember");
    }
    let Json::Object(members) = &tree else {
        reasons.push("NotAnObject");
        return reasons;
    };
    if members.iter().any(|(name, _)| String::from_utf16(name).is_err()) {
        reasons.push("NameNotUnicode");
    }
    let uuid: Vec<u16> = "uuid".encode_utf16().collect();
    if !members
        .iter()
        .any(|(name, value)| *name == uuid && matches!(value, Json::Text(text) if String::from_utf16(text).is_ok()))
    {
        reasons.push("MissingUuid");
    }
    reasons
}

/// The pointers of all that `schema`, the event's record, has no place for.
pub fn unmapped(schema: &Schema, event: &Json) -> Vec<String> {
    let mut model = Model { names: HashMap::new() };
    model.define(schema);
    model.fits(schema, event, "").expect("an event that can be encoded is an object")
}

struct Model<'s> {
    names: HashMap<Name, &'s Schema>,
}

impl<'s> Model<'s> {
    fn define(&mut self, schema: &'s Schema) {
        match schema {
            Schema::Union(union) => union.variants().iter().for_each(|variant| self.define(variant)),
            Schema::Array(array) => self.define(&array.items),
            Schema::Record(record) => {
                self.names.insert(record.name.clone(), schema);
                record.fields.iter().for_each(|field| self.define(&field.schema));
            }
            _ => {}
        }
    }

    /// The pointers below `at` of what a value's members have no place for; `None` where it has none itself.
    fn fits(&self, schema: &Schema, value: &Json, at: &str) -> Option<Vec<String>> {
        let text = |units: &[u16]| String::from_utf16(units).ok();
        match (schema, value) {
            (Schema::Ref { name }, value) => self.fits(self.names[name], value, at),
            (Schema::Union(union), value) => union
                .variants()
                .iter()
                .find(|variant| !matches!(variant, Schema::Null))
                .and_then(|schema| self.fits(schema, value, at)),
            (Schema::String, Json::Text(units)) => text(units).map(|_| Vec::new()),
            (Schema::Boolean, Json::Boolean(_)) => Some(Vec::new()),
            (Schema::Long, Json::Number(number)) => {
                decimal::as_long(number).filter(|long| long.unsigned_abs() < 1 << 53).map(|_| Vec::new())
            }
            (Schema::Double, Json::Number(number)) => {
                let double: f64 = number.parse().expect("a number");
                decimal::same(&double.to_string(), number).then(Vec::new)
            }
            (Schema::Array(array), Json::Array(elements)) => {
                let mut found = Vec::new();
                for (index, element) in elements.iter().enumerate() {
                    found.extend(self.fits(&array.items, element, &format!("{at}/{index}"))?);
                }
                Some(found)
            }
            (Schema::Map(_) | Schema::Record(_), Json::Object(members)) => {
                let mut found = Vec::new();
                for (name, value) in members {
                    let name = text(name)?;
                    let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    let of_member = match schema {
                        Schema::Map(map) => Some(&*map.types),
                        Schema::Record(record) => {
                            let derived = at.is_empty() && DERIVED.contains(&name.as_str());
                            record.fields.iter().find(|field| field.name == name && !derived).map(|field| &field.schema)
                        }
                        _ => None,
                    };
                    if matches!(value, Json::Null) {
                        continue;
                    }
                    match of_member.and_then(|schema| self.fits(schema, value, &place)) {
                        Some(inside) => found.extend(inside),
                        None => found.push(place),
                    }
                }
                Some(found)
            }
            _ => None,
        }
    }
}
