//! deploy/grafana/okta-kafka-source.json: what Grafana shows of a run, held against everything that it stands on.
//!
//! There is no Grafana in these tests: its own types take the file (`types`), and what it draws where is computed (`layout`).

mod file;
mod layout;
mod types;
