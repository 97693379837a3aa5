//! The pure modules of the program, compiled for the fuzz targets alone: see ADR 0030.
//!
//! A module that names tokio, rdkafka or reqwest can't be here, and needs not: what parses what comes from outside is
//! pure (tests/it/layers.rs).

#![allow(dead_code, unused_imports)]

#[path = "../../src/clock.rs"]
pub mod clock;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/convert/mod.rs"]
pub mod convert;
#[path = "../../src/dead_letter/mod.rs"]
pub mod dead_letter;
#[path = "../../src/offsets/mod.rs"]
pub mod offsets;
#[path = "../../src/source/mod.rs"]
pub mod source;
#[path = "../../src/spelling.rs"]
pub(crate) mod spelling;

/// `okta` without its client and what its credentials do.
#[path = "../../src/okta"]
pub mod okta {
    pub mod auth {
        #[path = "../../../fuzz/src/crypto.rs"]
        pub mod crypto;
        pub mod exchange;
        pub mod signing_key;
        pub mod token_error;
    }
    pub mod error;
    pub mod event_types;
    pub(crate) mod excerpt;
    pub mod filter;
    pub mod link;
    pub mod log_event;
    pub mod origin;
    pub mod page;
    pub mod page_url;
    pub mod proxy;
    pub mod query;
    pub mod rate_limit;
    pub mod server_clock;
}
