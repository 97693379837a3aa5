//! What the integration tests stand on: real processes, a real broker, and readers that prove what they read.
//!
//! Everything here blocks and panics with what it waited for: a test is a plain `#[test]` function. Time is bounded
//! everywhere; nothing waits for a fixed time where an event can be awaited.

// The fixtures run outside the program: they measure real time and read real clocks.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
// One fixture serves every test file; a helper may be ahead of the test that needs it.
#![allow(dead_code)]

pub mod acls;
pub mod authorizer;
pub mod avro;
pub mod broker;
pub mod certificates;
pub mod checkpoint;
pub mod cluster;
pub mod compose;
pub mod config_yaml;
pub mod connect_proxy;
pub mod connector;
pub mod end_txn_proxy;
pub mod evaluation;
pub mod exactly_once;
pub mod foreign_listener;
pub mod helm;
pub mod http_message;
pub mod identity_provider;
pub mod java_partitioner;
pub mod kafka_script;
pub mod kafka_wire;
pub mod lagging_leader;
pub mod law;
pub mod leak;
pub mod log_fields;
pub mod mail_server;
pub mod metrics;
pub mod org;
pub mod ports;
pub mod process;
pub mod producers;
pub mod prometheus;
pub mod prove;
pub mod python;
pub mod raw_log;
pub mod readers;
pub mod recorder;
pub mod registry;
pub mod registry_front;
pub mod report;
pub mod rust_files;
pub mod rust_paths;
pub mod secure_broker;
pub mod service_key;
pub mod shared_broker;
pub mod shifted_clock;
pub mod skip;
pub mod snapshot;
pub mod tail;
pub mod terminal;
pub mod tls_front;
pub mod topic_records;
pub mod topics;
pub mod until;
pub mod verifier;
