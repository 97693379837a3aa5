//! The source partition and the source offset: Kafka Connect's names for "where from" and "how far".

use serde::{Deserialize, Serialize};

use crate::okta::origin::Origin;

/// Version of the offset's members, kept in `v`: a reader that knows only older ones refuses a newer one.
pub const OFFSET_VERSION: u32 = 1;

/// What a connector reads: one org's System Log. One member, so that the key has one spelling in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourcePartition {
    /// Host of the org, and `:port` only where it is not the scheme's default.
    pub org: String,
}

impl SourcePartition {
    /// The source partition of an org.
    pub fn of(org: &Origin) -> Self {
        Self { org: org.authority() }
    }
}

/// How far a connector is: the checkpoint, as the offsets topic keeps it (README, "What lands in Kafka").
///
/// The members are written in this order; in normal operation always the first five, and no other. The others are there
/// where they say something (ADR 0061, 0062), and readers that do not know them leave them aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceOffset {
    /// [`OFFSET_VERSION`].
    pub v: u32,
    /// The URL to ask next, verbatim as Okta gave it, or as the cold start made it.
    #[serde(rename = "checkpointUrl")]
    pub checkpoint_url: String,
    /// Hash of `filter` and `q`: a link belongs to the query that it was made for.
    pub query: String,
    /// `published` of the last event, as Okta wrote it.
    #[serde(default)]
    pub published: Option<String>,
    /// `uuid` of the last event.
    #[serde(default)]
    pub uuid: Option<String>,
    /// The position may lie before something that the topic holds already: until events are younger than this time, or a
    /// page is empty, what is there is left out. RFC 3339.
    #[serde(rename = "suppressUntil", default, skip_serializing_if = "Option::is_none")]
    pub suppress_until: Option<String>,
    /// Begin of the hole that the last recovery left: events from there to `missing_until` are older than what Okta keeps, so
    /// some may be missing. RFC 3339.
    #[serde(rename = "missingFrom", default, skip_serializing_if = "Option::is_none")]
    pub missing_from: Option<String>,
    /// End of that hole. RFC 3339.
    #[serde(rename = "missingUntil", default, skip_serializing_if = "Option::is_none")]
    pub missing_until: Option<String>,
    /// Written by `offsets alter|reset --allow-duplicates`: what the topic holds already is published again, once.
    #[serde(rename = "allowDuplicates", default, skip_serializing_if = "is_false")]
    pub allow_duplicates: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl SourceOffset {
    /// A checkpoint before any event.
    pub fn cold(checkpoint_url: String, query: String) -> Self {
        Self {
            v: OFFSET_VERSION,
            checkpoint_url,
            query,
            published: None,
            uuid: None,
            suppress_until: None,
            missing_from: None,
            missing_until: None,
            allow_duplicates: false,
        }
    }
}
