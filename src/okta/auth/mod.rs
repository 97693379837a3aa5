//! Credentials, as they are put on a request: the only modules that see one in the clear (I9).

pub mod ssws;
