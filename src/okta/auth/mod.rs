//! Credentials, as they are put on a request: the only modules that see one in the clear (I9).
//!
//! [`credential`] is what the client takes; [`ssws`] and [`session`] are the two kinds of it. A session gets and renews the
//! access token of a service app: [`signing_key`] reads the app's key, [`assertion`] proves with it who asks, [`dpop`] that a
//! token is ours, and [`token`] says what an answer gives and for how long. What follows when, is decided without a clock:
//! [`renewal`] says when a token is asked for, [`exchange`] what follows when that is refused, [`refusal`] what follows when
//! the token is. [`files`] reads secrets again without stalling anybody, and [`crypto`] is all that knows of OpenSSL.

pub mod assertion;
pub mod credential;
pub mod crypto;
pub mod dpop;
pub mod exchange;
pub(crate) mod files;
mod jwt;
pub mod refusal;
pub mod renewal;
pub mod session;
pub mod signing_key;
pub mod ssws;
pub mod token;
pub mod token_error;
