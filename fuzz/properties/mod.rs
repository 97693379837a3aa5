//! What holds for every input, whoever made it: one `check` for each fuzz target.
//!
//! The targets call these with what the fuzzer invents; tests/it/fuzz.rs calls them in `make test` with the seeds and
//! with what the fuzzer found before. A `check` panics where the property does not hold.

pub mod avro;
pub mod config;
pub mod link;
pub mod offsets;
pub mod okta_error;
pub mod page;
