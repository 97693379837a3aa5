//! The connector's task without its IO: what to ask, what to publish, and when.
//!
//! Everything here is pure. Bytes, answers and times come in as [`input::Input`]; decisions go out as [`action::Action`].
//! The runner in `worker` carries them out. So every rule of the guide's pseudocode is a table test.

pub mod action;
pub mod alteration;
pub(crate) mod arrival;
pub mod input;
pub mod known;
pub mod offset;
pub(crate) mod old_ground;
pub(crate) mod page_size;
pub mod recent;
pub mod record;
pub(crate) mod recovery;
pub mod resume;
pub mod task;

#[cfg(test)]
mod tests;
