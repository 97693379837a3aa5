//! x
pub mod cli;
pub mod clock;
pub mod config;
pub mod convert;
pub mod dead_letter;
/// The `demo` command: a simulated org, an embedded broker, and what landed.
pub mod demo;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod offsets;
pub mod okta;
pub mod simulator;
pub mod source;
pub mod telemetry;
pub mod worker;
