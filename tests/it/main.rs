//! The integration tests, one crate: the shipped binary as a process, a real Kafka, and the simulated org.
//!
//! What each test needs that is not there is said and counted as skipped (see `support::skip`). The tests that are rows
//! of docs/prove.md are shortened in `make test`, and run in full with `OKS_PROVE=1`.

// Tests run outside the program: they measure real time, read real clocks and write to Kafka themselves.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

// Processes, brokers, topics and readers. What more than one test needs belongs there.
mod support;
// fuzz/properties/avro.rs takes it from the root of its crate.
use support::law;

// What the design relies on in Kafka and in a schema registry, and what holds for the sources and the binary as such.
mod compose;
mod dockerfile;
mod kafka_itself;
mod layers;
mod prometheus_itself;
mod registry_itself;
mod self_contained;

// Parts of the program through their public surface, without a broker.
mod avro_law;
#[cfg(target_os = "linux")]
mod avro_memory;
mod avro_readers;
mod chart;
mod config;
mod documents;
mod error_table;
mod future_events;
mod fuzz;
mod gate;
mod held_already;
mod hostile;
mod okta_client;
mod prometheus_rules;
mod schema_consumers;
mod schema_evolution;
mod schema_members;
mod schema_readme;
mod schema_size;
mod simulator;
mod sizing;

// The promises: the shipped binary, killed, frozen and lied to, against a real broker. One concept a file.
mod authorized_operations;
mod avro;
mod broker_frozen;
mod broker_restarted;
mod changed_org;
mod check;
mod check_okta;
mod clock;
mod compose_run;
mod cursor_refusals;
mod dashboard;
mod dead_letters;
mod dead_letters_list;
mod dead_letters_refused;
mod dead_letters_replay;
mod events_once;
mod exit_codes;
mod foreign_origin;
mod forgotten_producer;
mod group;
mod http_endpoints;
mod isolation;
mod kill9;
mod learning_cut_short;
mod least_privilege;
mod logs;
mod lost_cursors;
mod many_orgs;
mod membership;
mod metrics;
mod migrate;
mod million_tail;
mod moved_checkpoints;
mod oauth;
mod odd_pages;
mod offsets_alter;
mod offsets_back;
mod offsets_back_and_forth;
mod offsets_topic;
mod okta_setup;
mod old_ground;
mod org_faults;
mod poison;
mod prometheus_alerts;
mod proxy;
mod query;
mod query_answers;
mod query_broker_lost;
mod query_email;
mod query_evaluated;
mod query_readme;
mod query_topic;
mod quiet;
mod rate_limits;
mod recovery_commits;
mod refused_by_broker;
mod refused_size;
mod refused_topics;
mod registry_answers;
mod registry_away;
mod renamed;
mod schema_command;
mod schema_registry;
mod service_app;
mod shutdown;
mod status;
mod three_brokers;
mod tls;
mod tls_errors;
mod token_nowhere;
mod topic_format;
mod topic_knowledge;
mod topic_limits;
mod topic_reading;
mod upgrade;
mod warm_start;
mod zombies;

// What a person meets first.
mod demo;
