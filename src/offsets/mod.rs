//! The offsets topic without its IO: Kafka Connect's bytes, and the fold of its log into the last value per key.

pub mod codec;
pub mod fold;
pub mod other_org;
pub mod partitioner;
