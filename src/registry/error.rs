//! Why there is no schema id, and what an operator does about it.

use thiserror::Error;

/// What whoever needed the id does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Tries again by itself: the registry is away, or busy.
    Retry,
    /// Somebody has to act. Tried again all the same, seldom, as somebody may have.
    Failed,
}

/// Why there is no schema id. No message has a secret; each ends in the next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// The TLS library or its root certificates.
    #[error(
        "no HTTPS client for the schema registry: {problem}: install the system's CA certificates (Debian's package is \
         `ca-certificates`), or set `schema_registry.ca_file`"
    )]
    Client {
        /// The causes, outermost first.
        problem: String,
    },
    /// None of its URLs gave an answer that is one.
    #[error("the schema registry does not answer: {tried}")]
    Unavailable {
        /// Each URL with what went wrong, and what to do.
        tried: String,
    },
    /// 401.
    #[error(
        "the schema registry at `{url}` refuses the login ({answer}): check `schema_registry.basic_auth` or \
         `schema_registry.bearer_token`"
    )]
    Unauthorized {
        /// Which one.
        url: String,
        /// Status, and what it says.
        answer: String,
    },
    /// 403, or a registry that is read-only.
    #[error(
        "the schema registry at `{url}` does not allow to {action} subject `{subject}` ({answer}): allow it there{also}"
    )]
    Forbidden {
        /// Which one.
        url: String,
        /// What was tried.
        action: &'static str,
        /// Of what.
        subject: String,
        /// Status, and what it says.
        answer: String,
        /// What else helps.
        also: &'static str,
    },
    /// Something else answers there.
    #[error(
        "what answers at `{url}` is no schema registry ({answer}): check `schema_registry.url` and its path, as \
         `/apis/ccompat/v7` of Apicurio"
    )]
    NotARegistry {
        /// What was asked.
        url: String,
        /// Status, or what is wrong.
        answer: String,
    },
    /// The subject belongs to somebody else.
    #[error(
        "subject `{subject}` holds another schema, {found}: write another `topic`, or set `schema_registry.subject_strategy`; \
         where nobody needs that schema, delete it in the registry"
    )]
    Foreign {
        /// Which one.
        subject: String,
        /// What is there.
        found: String,
    },
    /// A version of our record that does not get on with this one.
    #[error(
        "our schema does not get on with {with} of subject `{subject}`: {differences}: have that version taken out of the \
         registry, or write another `topic`"
    )]
    Incompatible {
        /// Which one.
        subject: String,
        /// Which of its versions.
        with: String,
        /// The fields, and in which direction.
        differences: String,
    },
    /// It is not there, and we must not register it.
    #[error(
        "our schema is not registered under subject `{subject}`, and `schema_registry.auto_register` is false: register it \
         with `okta-kafka-source schema register`, or what `okta-kafka-source schema show` prints with a tool of yours"
    )]
    NotRegistered {
        /// Which one.
        subject: String,
    },
    /// Any other refusal.
    #[error(
        "the schema registry at `{url}` refuses to {action} subject `{subject}` ({answer}): look into its log, and at the \
         rules that it has for this subject"
    )]
    Refused {
        /// Which one.
        url: String,
        /// What was tried.
        action: &'static str,
        /// Of what.
        subject: String,
        /// Status, and what it says.
        answer: String,
    },
}

impl RegistryError {
    /// Whether it may pass by itself.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Unavailable { .. } => Severity::Retry,
            _ => Severity::Failed,
        }
    }
}
