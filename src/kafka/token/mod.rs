//! OAUTHBEARER tokens by OIDC client credentials: asked for, kept, renewed, and given to every client of the process
//! (docs/adr/0021).

pub mod endpoint;
pub mod source;
