//! The Okta System Log API: one request, one page.
//!
//! [`client`] and [`auth`] talk; everything else is pure and takes bytes, headers and times:
//! [`query`] makes the first URL of a cold start, [`ad_hoc`] that of a query with an end, [`page`] splits a body into raw events without building a JSON tree,
//! [`log_event`] reads an event's envelope, [`link`] the `Link` header, [`rate_limit`] the limits, [`server_clock`] the org's time, and [`error`] says of
//! every failure whether asking again can help. [`filter`] says what of a `filter` or `q` Okta is sure to refuse, and [`event_types`] which event types there are. [`page_url`] is the one door that a URL passes before a credential
//! may travel to it (I3); [`proxy`] says through whom.

pub mod ad_hoc;
pub mod auth;
pub mod client;
pub mod error;
pub mod event_types;
pub(crate) mod excerpt;
pub mod filter;
pub mod limiter;
pub mod link;
pub mod log_event;
pub mod origin;
pub mod page;
pub mod page_url;
pub mod proxy;
pub mod query;
pub mod rate_limit;
pub mod server_clock;
