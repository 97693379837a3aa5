//! A connector that logs in as an OAuth 2.0 service app: the shipped binary, a real Kafka, and whoever answers for Okta.
//!
//! Whatever it sends on the way (client assertions, DPoP proofs) is kept by `support::recorder`, and verified by a
//! library that is neither ours nor the simulator's (`support::verifier`).

pub(crate) mod app;
mod broken_files;
mod keys;
mod lifetimes;
mod nowhere;
mod outages;
mod recorded;
mod restarts;
