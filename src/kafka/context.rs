//! librdkafka's logs and errors, on their way into ours.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use tracing::{debug, trace, warn};

/// Forwards what librdkafka says of its connections.
///
/// A broker that is away is said once per connection by librdkafka, and again by whoever needed it; so its own words
/// are warnings at most, and its chatter is for `RUST_LOG=debug`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }
}

/// Logs one line of librdkafka's.
pub fn forward(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            warn!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => debug!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => trace!(target: "librdkafka", facility, "{message}"),
    }
}

/// Logs one error of librdkafka's, which it handles by itself.
pub fn report(error: &KafkaError, reason: &str) {
    debug!(target: "librdkafka", %error, "{reason}");
}

impl ConsumerContext for LogContext {}
