//! Takes the System Log of any number of Okta orgs into Apache Kafka, exactly once.
//!
//! The library exists for the program and its tests: it is no public API. README.md says how to use the program,
//! docs/ARCHITECTURE.md how it works as a whole, docs/adr/ why it is as it is.
//!
//! # Layout
//!
//! Dependencies point inwards, from what talks to what decides:
//!
//! ```text
//! main → cli → worker, check, replay, query, demo → okta::client, kafka, registry, http → source, offsets, convert, dead_letter, okta's parsers
//! ```
//!
//! * Pure, so that every rule is a table test: [`source`] (the state machine of one connector), [`offsets`] (Kafka
//!   Connect's bytes, and the fold of a log into its last values), [`convert`] (an event into a record's value),
//!   [`dead_letter`], and [`okta`] but for its client and its credentials. They take bytes and times, and name no tokio,
//!   no rdkafka, no reqwest, no clock and no dice.
//! * Input and output: [`okta::client`] (one request, one page), [`kafka`] (the only folder that names rdkafka), [`registry`]
//!   (the id of the schema), [`http`], [`email`] (one mail, one connection).
//! * What puts them together: [`worker`] (membership, shards, runners), [`check`] (what `run` needs, tried beforehand),
//!   [`replay`] (dead letters, published again), [`query`] (ad hoc questions, and where their answers go),
//!   [`cli`] (one file a command), [`config`].
//! * For trying and testing: [`simulator`], which shares no code with the rest, and [`demo`].
//!
//! `kafka` and `okta` never name each other. tests/it/layers.rs holds all of this.
//!
//! # Life of a page
//!
//! 1. A [`source::task::Task`] says [`Request`](source::action::Action::Request); its [`worker::runner`] sends it.
//! 2. [`okta::page::split()`] tells the elements apart without building a JSON tree, and reads of each only `uuid`,
//!    `published` and `eventType`; [`okta::link`] finds the `next` link, [`okta::page_url`] decides whether it may ever be asked.
//! 3. The task makes [`PageRecords`](source::record::PageRecords) of it: events, dead letters, and the source offset after
//!    them. It asks for the next page at once, up to a bound, if this one was full; else after the interval.
//! 4. The shard's [`worker::committer`] takes all pages that came in during its last commit into the next transaction:
//!    [`worker::publish`] gives the records, offset records last; [`kafka::transaction`] sends them, awaits every
//!    delivery, and commits.
//! 5. Confirmed: the task's cursor moves. Anything else: the producer is dropped and the
//!    cursor is read from the topic.
//!
//! # Guarantees
//!
//! They have names, which stand in comments, assertions and tests; docs/ARCHITECTURE.md says where each is enforced.
//!
//! | | |
//! |---|---|
//! | I1 | A transaction holds whole pages, in order; the offset records are its last records. |
//! | I2 | The cursor in memory moves only on a confirmed commit, and survives only a confirmed commit or a confirmed abort. |
//! | I3 | A `next` link is sent verbatim (but for its `limit`), and only if its origin is the org's and its path the System Log's; redirects are not followed. The same holds for a stored checkpoint. |
//! | I4 | Start order: own the shard, `init_transactions`, read the shard's offsets to the end, start its connectors. |
//! | I5 | Only the shard's own producer writes to its offsets partition; its transactional id is `<offsets topic>-<shard>`. |
//! | I6 | A fenced producer never commits again; a new one is made only after a fresh answer of the group. |
//! | I7 | A cold start is durable before it asks. |
//! | I8 | A non-2xx answer, a body whose elements cannot be told apart, or a page over the size cap never moves the cursor. |
//! | I9 | A secret has no Debug, no Display and no way into a record. |
//! | I10 | Every element of a committed page is in the topic or in the dead letter topic: the counts add up. |

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod convert;
pub mod dead_letter;
pub mod demo;
pub mod email;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod offsets;
pub mod okta;
pub mod query;
pub mod registry;
pub mod replay;
pub mod simulator;
pub mod source;
pub(crate) mod spelling;
pub mod telemetry;
pub mod worker;
