//! Everything that talks to Kafka: the only folder that names rdkafka.
//!
//! Calls of librdkafka that block are made from threads of the shards and of the group, never from the async runtime.

pub mod authorized_operations;
mod certificate;
mod certificate_look;
pub mod client_config;
pub mod connection;
mod connection_error;
pub mod consumed_offsets;
pub mod deliveries;
pub mod embedded;
pub mod error;
pub mod event_thread;
pub mod group;
pub mod group_reports;
pub mod group_standing;
mod native;
pub mod offset_log;
pub mod offset_writer;
pub mod record_reader;
mod retire;
pub mod statistics;
mod token;
pub mod topic_clients;
pub mod topic_reading;
pub mod topic_tail;
mod topic_trouble;
pub mod topics;
pub mod transaction;
pub mod transaction_end;
mod transaction_error;
