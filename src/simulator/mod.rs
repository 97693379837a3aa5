//! The simulated org: `GET /api/v1/logs` and `POST /oauth2/v1/token` as Okta answers them, with faults on request.
//!
//! No test of this project may ask a real org, and a stub that answers what the test expects proves only that the test
//! agrees with itself. So this is a server of its own, with a log that goes on growing while it is read. It is used
//! three ways: by the tests and `demo` within the process ([`Simulator`]), and by people as `okta-kafka-source simulate`.
//!
//! It names no other module of the crate, least of all the client's parsers and the connector's cursor rules: whoever
//! writes a rule twice in two ways finds out which one is wrong, whoever shares it does not.
//!
//! # What it imitates
//!
//! The sources are Okta's reference ("System Log query", "Rate limits", the OpenAPI description, the catalogues of event
//! types and error codes) and recorded exchanges with real orgs.
//!
//! *Two kinds of query.* Without `until` and ascending, a query **polls**: events come in the order in which they were
//! *persisted*, `since` counts persistence time and includes its own millisecond, and there is always a `next` link. A
//! page that is not full has one, and that of an empty page repeats the cursor that was asked, so a client that follows
//! links without looking never ends. Anything else is **bounded**: events come in the order of `published`, and the last
//! page has no `next` link.
//!
//! *Persisted is not published.* An event is persisted a moment after its `published`, and one in forty up to ten minutes
//! after ([`SimulatorConfig::late`], [`SimulatorConfig::late_by`]). So `published` goes back and forth along the pages, and a client that takes its checkpoint from there loses
//! events here as it would at Okta. Some events share a millisecond, so that the `_<n>` of the cursor
//! (`<epoch ms>_<n>`, as recorded) matters.
//!
//! *Filters* are SCIM's (RFC 7644) as Okta documents them, without `[ ]` (`filter`), and `q` its keywords (`keywords`): both are
//! evaluated over the event's JSON, and refused in Okta's words where those are known. Which events a question selects is
//! remembered (`selection`), so that its other pages cost nothing, and its first one is read in turns with other requests.
//! A polling query's `next` link keeps them; a page that none of the new events answers to is empty, and repeats its link.
//!
//! *Links* are two `link` lines, self before next, with the parameters in Okta's order (`since`, `until`, `filter`, `q`,
//! `sortOrder`, `limit`, `after`), spaces as `+`, and no `limit` where the client sent none. They name the host that the
//! client's `Host` header names, so they hold behind a proxy too.
//!
//! *Bodies* are compact arrays of the events' own bytes, compressed for clients that ask for it. Events from a file and
//! those that a test appends are served byte for byte, whatever they are; a page of them need not be JSON.
//!
//! *Errors* have Okta's status, codes and words in both of its forms (`error_body`), *headers* are those of recorded
//! answers, and the *rate limit* is a bucket whose window begins with a request, not on the wall minute. A 429 has no
//! `Retry-After`; the wait is `x-rate-limit-reset` less the answer's own `date`.
//!
//! *Access tokens* are for a service app (`private_key_jwt`), with or without DPoP, and every assertion, proof and token
//! is checked as strictly as is known of Okta, and refused in its words (`oauth`). SSWS goes on working beside them.
//!
//! *Events* have the member order, nulls, odd values and sizes of recorded ones (`generator`); a test holds the
//! quantiles. On request they have another shape from a moment on ([`DriftFrom`]), as happened at Okta, and some are odd
//! or cannot be published ([`EventKind`]): every kind of value that somebody reported, and those that JSON allows besides.
//!
//! # What goes wrong
//!
//! [`FaultKind`] lists it. Faults come at random from a seed ([`Simulator::set_faults`]) or one by one for certain
//! ([`Simulator::inject`]). A request that is refused anyway (wrong token, bucket empty) spends none. [`Poison`] makes
//! certain pages fail each time, until they are asked for with a smaller `limit`. Cursors
//! that were given out before a moment are lost for good ([`Simulator::lose_cursors`], [`SimulatorConfig::lose_cursors_after`], and the
//! fault `cursors_lost`); so is a `since` over 180 days old, which a link keeps from its first request. Answers that there is no condition for are
//! given as they are ([`Simulator::answer_next`]).
//!
//! # Where it deviates, or guesses
//!
//! - What makes a filter invalid besides an unknown operator is refused in words of ours, in the form of Okta's; so are
//!   `published` and changeDetails in a filter, and more than ten keywords. A filter nests 200 groups at most.
//! - `null` as a value, `ne` where there is no value, `not` only before a group, and what a value of another type is to a
//!   comparison are RFC 7644's, or our reading of it; so is that `pr` holds for `false`.
//! - A value of `q` is taken apart at spaces and hyphens only: `example.com` does not find `https://example.com/`. Okta's own
//!   tokens are not documented further.
//! - An event that is no JSON has no attributes to filter by.
//! - Whether Okta forgives a client's clock some seconds is not known; here it forgives none. An assertion's `jti` is
//!   spent even where the answer is `use_dpop_nonce`, and so is a proof's.
//! - A proof's `htu` with a query or fragment is refused; RFC 9449 lets a server ignore them.
//! - An assertion without a `kid` (the recorded one had none) is taken where the app has only one key.
//! - With a clock that is off ([`SimulatorConfig::clock_offset_seconds`]), the times in the log stay on this machine's.
//! - A scope that is withdrawn ends with the next request, also for tokens that have it. What Okta does is not known.
//! - The words for an app that is not active, and for a `jwk` with a private member, are guessed from the catalogue.
//! - At the token endpoint, faults come one by one only ([`OauthControl::inject`]), and its bucket is large too.
//! - The words for a refused `limit` and `sortOrder` were never seen; that 1001 is refused was.
//! - Whether the `next` link of an empty *first* page has a cursor is not known; here it is the link that was asked.
//! - `until` includes its own millisecond. In a descending query Okta moves it to the last event and gives that one's
//!   uuid as the cursor, so there it must; for ascending ones it is a guess.
//! - Events are there from the moment they are persisted. Okta's take a few seconds to be seen.
//! - The default rate limit is far above Okta's 120 a minute, so that tests and `demo` need not wait; it is a setting.
//! - A request beyond 75 at once is refused at once; Okta tries again by itself for a while. Tokens are counted with
//!   the rest.
//! - A cursor after a loss of them has a greater second number (`lost_cursors`); which ones Okta forgets, and when, is not known.
//! - Unknown paths count into the bucket of the System Log.

mod clock;
mod config;
mod connection;
mod cursor;
mod drift;
mod error_body;
mod faults;
mod feed;
mod filter;
mod generator;
mod handle;
mod keywords;
mod lost_cursors;
mod oauth;
mod org;
mod page;
mod poison;
mod query;
mod rate_limit;
mod request_log;
mod selection;
mod server;
mod store;
mod token_answer;
mod verbatim;

pub use config::{SimulatorConfig, SimulatorError};
pub use cursor::Cursor;
pub use drift::{DriftFrom, DriftFromError};
pub use faults::{Fault, FaultError, FaultKind, Faults};
pub use generator::EventKind;
pub use handle::Simulator;
pub use oauth::{
    DpopMode, KeyKind, KeyPair, OauthConfig, OauthControl, OauthCounters, PublicKeyError, RegisteredKey,
    TokenRequestRecord,
};
pub use poison::{LARGE_PAGE_BYTES, Poison, PoisonError, PoisonKind};
pub use request_log::{Authorization, RequestRecord};
pub use store::StoredEvent;
pub use verbatim::VerbatimAnswer;
