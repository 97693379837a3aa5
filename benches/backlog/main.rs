//! The benchmarks: the shipped connector beside a bare loop, on a real Kafka, over the same simulated org.
//!
//! `cargo bench` runs them shortened; with `OKS_PROVE=1` they run in full, and their figures go into the proof table
//! and docs/measurements.md. A bound that is broken ends the run with exit code 1.

// A benchmark reads real clocks, and ends where something is not as it should be.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod bare_loop;
mod bound;
mod latency;
mod many;
mod run;
mod same_bytes;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod throughput;
mod usage;

use std::path::Path;
use std::process::ExitCode;

use self::bound::Bounds;
use self::support::shared_broker::shared_broker;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // This program is the bare loop, too, in a process of its own.
    if let [command, config, events] = &arguments[..]
        && command == bare_loop::COMMAND
    {
        bare_loop::run(Path::new(config), events.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    // `cargo bench -- latency` runs that one alone.
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|argument| argument == name)
    };
    let Some(kafka) = shared_broker() else { return ExitCode::SUCCESS };
    let mut bounds = Bounds::default();
    same_bytes::check(kafka.bootstrap());
    if wanted("throughput") {
        throughput::run(kafka.bootstrap(), &mut bounds);
    }
    if wanted("latency") {
        latency::run(kafka.bootstrap(), &mut bounds);
    }
    if wanted("many") {
        many::run(kafka.bootstrap());
    }
    bounds.exit_code()
}
