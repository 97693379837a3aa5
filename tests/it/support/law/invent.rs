//! Invents events: like Okta's, with what nobody expects at every place.
//!
//! What is invented follows from a list of choices, bytes: the same bytes make the same event, and fewer bytes a smaller
//! one. So a property test can shrink an event, and a fuzzer can look for one.

use apache_avro::Schema;

use super::json::Json;

/// An event's text.
pub fn event(schema: &Schema, choices: &[u8]) -> String {
    let mut inventor = Inventor { choices, records: Vec::new() };
    inventor.define(schema);
    let mut tree = inventor.of(schema, 0);
    if let Json::Object(members) = &mut tree
        && !inventor.one_in(20)
        && !members.iter().any(|(name, _)| *name == units("uuid"))
    {
        members.insert(0, (units("uuid"), Json::text("8b1c0b1a-0000-11ef-8000-000000000001")));
    }
    inventor.written(&tree)
}

/// Adds a member whose name is not there yet.
fn push(members: &mut Vec<(Vec<u16>, Json)>, name: Vec<u16>, value: Json) {
    if members.iter().all(|(other, _)| *other != name) {
        members.push((name, value));
    }
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

struct Inventor<'a, 's> {
    choices: &'a [u8],
    /// By name, for references.
    records: Vec<&'s Schema>,
}

impl<'s> Inventor<'_, 's> {
    fn define(&mut self, schema: &'s Schema) {
        match schema {
            Schema::Union(union) => union.variants().iter().for_each(|variant| self.define(variant)),
            Schema::Array(array) => self.define(&array.items),
            Schema::Record(record) => {
                self.records.push(schema);
                record.fields.iter().for_each(|field| self.define(&field.schema));
            }
            _ => {}
        }
    }

    /// The next choice; 0, which is always the smallest, where there are no more.
    fn choose(&mut self, of: usize) -> usize {
        let Some((&first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        usize::from(first) % of
    }

    /// Whether something rare happens.
    fn one_in(&mut self, count: usize) -> bool {
        self.choose(count) == count - 1
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.choose(of.len())]
    }

    /// A value that mostly has the type `schema`.
    fn of(&mut self, schema: &'s Schema, depth: usize) -> Json {
        if depth > 0 && self.one_in(16) {
            return self.any(depth);
        }
        match schema {
            Schema::Ref { name } => {
                let is_it = |record: &&&Schema| matches!(record, Schema::Record(record) if record.name == *name);
                let record =
                    *self.records.iter().find(is_it).expect("a reference is to a record that was defined before");
                self.of(record, depth)
            }
            Schema::Union(union) => {
                let variant = union.variants().iter().find(|variant| !matches!(variant, Schema::Null));
                self.of(variant.expect("a union has a type beside null"), depth)
            }
            Schema::Record(record) => {
                let mut members = Vec::new();
                // From some field on, since otherwise the choices would be used up by the first ones.
                let first = self.choose(record.fields.len());
                for offset in 0..record.fields.len() {
                    let field = &record.fields[(first + offset) % record.fields.len()];
                    match self.choose(8) {
                        0 | 1 => {}
                        2 => members.push((units(&field.name), Json::Null)),
                        _ => members.push((units(&field.name), self.of(&field.schema, depth + 1))),
                    }
                }
                self.more_members(&mut members, depth);
                Json::Object(members)
            }
            Schema::Map(_) => {
                let mut members = Vec::new();
                for _ in 0..self.choose(8) {
                    let value = if self.one_in(5) { self.any(depth) } else { Json::Text(self.text()) };
                    let name = self.name();
                    push(&mut members, name, value);
                }
                self.more_members(&mut members, depth);
                Json::Object(members)
            }
            Schema::Array(array) => {
                Json::Array((0..self.choose(4)).map(|_| self.of(&array.items, depth + 1)).collect())
            }
            Schema::Boolean => Json::Boolean(self.choose(2) == 1),
            Schema::Long | Schema::Double | Schema::TimestampMillis => Json::Number(self.number()),
            _ => Json::Text(self.text()),
        }
    }

    /// Unknown members, and now and then one that is there already.
    fn more_members(&mut self, members: &mut Vec<(Vec<u16>, Json)>, depth: usize) {
        while self.one_in(4) {
            let (name, value) = (self.name(), self.any(depth));
            push(members, name, value);
            let place = self.choose(members.len());
            members.rotate_right(place);
        }
        if self.one_in(120) && !members.is_empty() {
            let index = self.choose(members.len());
            let again = (members[index].0.clone(), self.any(depth));
            members.push(again);
        }
    }

    fn any(&mut self, depth: usize) -> Json {
        match self.choose(if depth < 8 { 9 } else { 5 }) {
            0 => Json::Null,
            1 => Json::Boolean(true),
            2 => Json::Number(self.number()),
            3 => Json::Text(self.text()),
            4 => Json::Boolean(false),
            5 | 6 => Json::Array((0..self.choose(4)).map(|_| self.any(depth + 1)).collect()),
            7 => {
                let mut members = Vec::new();
                for _ in 0..self.choose(5) {
                    let (name, value) = (self.name(), self.any(depth + 1));
                    push(&mut members, name, value);
                }
                Json::Object(members)
            }
            _ if !self.one_in(8) => Json::Object(Vec::new()),
            _ => {
                let levels = self.pick(&[3, 30, 50, 55, 57, 58, 59, 60, 61, 62, 63, 64, 300]);
                (0..levels).fold(Json::Number("1".to_owned()), |inside, _| match self.choose(2) {
                    0 => Json::Array(vec![inside]),
                    _ => Json::Object(vec![(units("in"), inside)]),
                })
            }
        }
    }

    fn number(&mut self) -> String {
        let written = self.pick(&[
            "0",
            "16",
            "16.0",
            "1.6e1",
            "160E-1",
            "-0",
            "-0.0",
            "0e99999999999999999999",
            "43.7114",
            "-122.39999999999999",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "1e18",
            "1e19",
            "123456789012345678901234567890",
            "0.1e-400",
            "1e400",
            "-1e400",
            "5e-324",
            "4e-324",
            "1.7976931348623157e308",
            "9007199254740993",
            "9007199254740993.0",
            "0.1000000000000000055511151231257827",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0.30000000000000004",
            "1E+2",
            "2.50",
        ]);
        if !self.one_in(4) {
            return written.to_owned();
        }
        let digits = |count: usize, inventor: &mut Self| {
            (0..count).map(|_| char::from(b'0' + inventor.choose(10) as u8)).collect::<String>()
        };
        let sign = self.pick(&["", "-"]);
        let integer = self.choose(22);
        let integer = format!("{}{}", 1 + self.choose(9), digits(integer, self));
        let fraction = self.choose(20);
        let fraction = if fraction == 0 { String::new() } else { format!(".{}", digits(fraction, self)) };
        let power = match self.choose(4) {
            1 => format!("e{}", self.choose(25)),
            2 => format!("E-{}", self.choose(25)),
            3 => format!("e+0{}", self.choose(25)),
            _ => String::new(),
        };
        format!("{sign}{integer}{fraction}{power}")
    }

    fn name(&mut self) -> Vec<u16> {
        let name = self.pick(&[
            "name",
            "a",
            "b",
            "c",
            "",
            "/",
            "~",
            "~1",
            "a/b",
            "a~0b",
            "a.b",
            "..",
            "0",
            "1",
            "-",
            "é",
            "日本",
            "😀",
            "id",
            "uuid",
            "type",
            "unmapped",
            "publishedAt",
            "target",
            "with space",
            "tab\t",
            "quote\"",
            "back\\slash",
            "\u{0}",
            "\u{fffd}",
        ]);
        match self.choose(30) {
            29 => vec![0xd800],
            28 => vec![0x61, 0xdc00],
            27 => "long name ".repeat(30).encode_utf16().collect(),
            _ => units(name),
        }
    }

    fn text(&mut self) -> Vec<u16> {
        let mut text = Vec::new();
        for _ in 0..1 + self.choose(3) {
            let piece = self.pick(&[
                "text",
                "",
                "User",
                "null",
                "true",
                "{\"level\":\"LOW\"}",
                "12345678",
                "é",
                "日本語",
                "😀😀",
                "a\"b",
                "\\",
                "/",
                "\n\r\t\u{8}\u{c}",
                "\u{0}\u{1f}",
                "\u{7f}\u{80}",
                "\u{2028}\u{202e}",
                "2024-08-13T15:58:20.353Z",
                "long enough that it is read in several words, and a little more",
            ]);
            text.extend_from_slice(&units(piece));
        }
        if self.one_in(24) {
            text.push(0xdfff);
        }
        text
    }

    /// The tree as text, with white space and escapes at any place.
    fn written(&mut self, tree: &Json) -> String {
        let mut text = String::new();
        self.write(tree, &mut text);
        text
    }

    fn write(&mut self, tree: &Json, text: &mut String) {
        self.space(text);
        match tree {
            Json::Null => text.push_str("null"),
            Json::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
            Json::Number(number) => text.push_str(number),
            Json::Text(units) => self.write_text(units, text),
            Json::Array(elements) => {
                text.push('[');
                for (index, element) in elements.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    self.write(element, text);
                }
                self.space(text);
                text.push(']');
            }
            Json::Object(members) => {
                text.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    self.space(text);
                    self.write_text(name, text);
                    self.space(text);
                    text.push(':');
                    self.write(value, text);
                }
                self.space(text);
                text.push('}');
            }
        }
        self.space(text);
    }

    fn space(&mut self, text: &mut String) {
        if self.one_in(24) {
            text.push_str(self.pick(&[" ", "\n", "\t  ", "\r\n "]));
        }
    }

    fn write_text(&mut self, units: &[u16], text: &mut String) {
        text.push('"');
        let all_escaped = self.one_in(12);
        for character in char::decode_utf16(units.iter().copied()) {
            match character {
                Ok(character @ ('"' | '\\')) if !all_escaped => text.extend(['\\', character]),
                Ok('/') if self.one_in(3) => text.push_str("\\/"),
                Ok('\n') if !all_escaped => text.push_str("\\n"),
                Ok('\t') if !all_escaped => text.push_str("\\t"),
                Ok(character) if character >= ' ' && !all_escaped => text.push(character),
                Ok(character) => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        text.push_str(&format!("\\u{unit:04X}"));
                    }
                }
                Err(half) => text.push_str(&format!("\\u{:04x}", half.unpaired_surrogate())),
            }
        }
        text.push('"');
    }
}
