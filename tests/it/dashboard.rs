//! deploy/grafana/okta-kafka-source.json: what Grafana shows of a run, held against everything that it stands on.
//!
//! There is no Grafana in these tests: its own types take the file (`types`), what it draws where is computed (`layout`),
//! and each query is asked of a real Prometheus as Grafana would ask it (`queries`), of a run in which everything happens
//! (`run`).

mod file;
mod layout;
mod queries;
mod run;
mod types;
