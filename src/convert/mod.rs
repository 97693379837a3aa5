//! From an event to a record's value.

pub mod json;
