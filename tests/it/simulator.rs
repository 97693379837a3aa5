//! The simulated org through HTTP: what a client sees, checked against what was recorded of a real org.
//!
//! `harness` holds the client of these tests, a deliberately naive one that shares no code with the program's own;
//! `queries` is about pages, links and errors, `faults` and `cursors` about what goes wrong on request, `oauth` about access tokens
//! and `dpop` about bound ones; `service_app` asks for them, `signer` makes the assertions and proofs.
//! `command` is `simulate --oauth`, `shapes` is about what events hold, `evaluated` about which of them answer to a query.

mod command;
mod cursors;
mod dpop;
mod evaluated;
mod faults;
mod harness;
mod oauth;
mod queries;
mod service_app;
mod shapes;
mod signer;

use std::fs;

use crate::support::rust_files::rust_files;

/// A mistake in a parser must not be made twice and cancel out, so the simulated org stands alone in the crate.
#[test]
fn the_simulator_names_no_other_module_of_the_crate() {
    let files = rust_files("src/simulator");
    assert!(files.len() > 10, "found only {files:?}");
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for (number, line) in source.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for named in code.split("crate::").skip(1) {
                assert!(named.starts_with("simulator"), "{}:{} names `crate::{named}`", file.display(), number + 1);
            }
        }
    }
}
