//! The org's own clock.

use jiff::Timestamp;

/// The time of this machine. The simulated org is a server of its own, so it does not ask the program's clock: a mistake
/// there must show as a difference between the two.
#[allow(clippy::disallowed_methods)]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
