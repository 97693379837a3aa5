//! `format: avro`: typed records that lose nothing. schemas/README.md describes the mapping.
//!
//! An event is read once, from its bytes into borrowed types in the schema's order ([`typed`], [`log_event`]); what has no
//! place in them is noted with its JSON Pointer and its text ([`reader`], [`path`]). apache-avro writes them
//! ([`encoder`]). docs/adr/0043 says why the reader is our own.

mod encoder;
mod log_event;
mod misfit;
mod number;
mod path;
mod reader;
pub mod schema;
mod text;
mod typed;
mod unencodable;

pub use encoder::{Encoded, Encoder};
pub use misfit::{Misfit, Place};
pub use reader::MAX_DEPTH;
pub use typed::MAX_PIECES;
pub use unencodable::Unencodable;
