use std::collections::HashSet;

use apache_avro::Schema;
use apache_avro::schema::{Name, RecordSchema};

use super::*;
use crate::convert::avro::schema;

#[test]
fn the_records_are_the_schemas_field_by_field_and_in_order() {
    let Schema::Record(event) = schema::schema() else { panic!("the schema is a record") };
    let mut names = Names { defined: Vec::new(), met: HashSet::new() };
    names.define(event);
    let Kind::Record(name, fields) = LogEvent::KIND else { unreachable!("LogEvent is a record") };
    names.record(event, name, fields, "");
    assert_eq!(names.met.len(), names.defined.len(), "every record of the schema was compared");
    assert_eq!(names.met.len(), 23);
}

/// The schema's records, of which a name that was defined before is all that stands at other places.
struct Names<'s> {
    defined: Vec<&'s RecordSchema>,
    met: HashSet<&'s Name>,
}

impl<'s> Names<'s> {
    fn define(&mut self, record: &'s RecordSchema) {
        self.defined.push(record);
        record.fields.iter().for_each(|field| self.define_in(&field.schema));
    }

    fn define_in(&mut self, schema: &'s Schema) {
        match schema {
            Schema::Union(union) => union.variants().iter().for_each(|variant| self.define_in(variant)),
            Schema::Array(array) => self.define_in(&array.items),
            Schema::Record(record) => self.define(record),
            _ => {}
        }
    }

    fn record(&mut self, record: &'s RecordSchema, name: &str, fields: &[(&str, Kind)], path: &str) {
        assert_eq!(record.name.name(), name, "at {path}");
        self.met.insert(&record.name);
        let of_schema: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        let ours: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(of_schema, ours, "the fields of {name}");
        for (field, (name, kind)) in record.fields.iter().zip(fields) {
            let path = format!("{path}/{name}");
            if path == "/uuid" {
                self.same(&field.schema, *kind, &path);
                continue;
            }
            let Schema::Union(union) = &field.schema else { panic!("{path} can't be null") };
            let [Schema::Null, schema] = union.variants() else { panic!("{path} is no union of null and one type") };
            assert_eq!(field.default, Some(serde_json::Value::Null), "{path}");
            self.same(schema, *kind, &path);
        }
    }

    fn same(&mut self, schema: &'s Schema, kind: Kind, path: &str) {
        match (schema, kind) {
            (Schema::String, Kind::Text)
            | (Schema::Boolean, Kind::Boolean)
            | (Schema::Long, Kind::Long)
            | (Schema::Double, Kind::Double)
            | (Schema::TimestampMillis, Kind::TimestampMillis) => {}
            (Schema::Map(map), Kind::MapOfText) => assert!(matches!(*map.types, Schema::String), "{path}"),
            (Schema::Array(array), Kind::Array(of)) => self.same(&array.items, *of, &format!("{path}/N")),
            (Schema::Record(record), Kind::Record(name, fields)) => self.record(record, name, fields, path),
            (Schema::Ref { name: reference }, Kind::Record(name, fields)) => {
                let defined = *self.defined.iter().find(|record| record.name == *reference).expect(path);
                self.record(defined, name, fields, path);
            }
            (schema, kind) => panic!("{path} is {schema:?} in the schema and {kind:?} here"),
        }
    }
}
