//! `format: avro`: typed records that lose nothing. schemas/README.md describes the mapping.

pub mod schema;
