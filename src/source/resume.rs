//! Where a connector begins: at its stored source offset, or cold.

use jiff::Timestamp;
use thiserror::Error;

use crate::config::OnQueryChange;
use crate::okta::origin::Origin;
use crate::okta::page_url::{PageUrl, PageUrlError};
use crate::okta::query::SystemLogQuery;
use crate::source::offset::{OFFSET_VERSION, SourceOffset};

/// Why a stored source offset is not resumed; each message ends in the next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResumeError {
    /// I3 holds for what is read back from Kafka as well.
    #[error(
        "the stored checkpoint is refused: {0}; look at it with `offsets get`, and write one of the configured org in its place with `offsets alter`"
    )]
    NotOfThisOrg(#[from] PageUrlError),
    /// A link belongs to the query that it was made for.
    #[error(
        "`filter` or `q` changed since the stored checkpoint was made, and `on_query_change` is `fail`: put the old ones back, set `on_query_change: restart_from_published`, or begin where you choose with `offsets alter --since`; what the topic holds already is left out"
    )]
    QueryChanged,
    /// Written by a later version of this program.
    #[error("the stored checkpoint has version `{0}`, this program knows `1`: run a newer version of this program")]
    NewerVersion(u32),
}

/// How a task begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// No stored offset: `offset` must be durable before its URL is asked (I7).
    Cold {
        /// First request: the resolved `since`.
        url: PageUrl,
        /// What is committed before it.
        offset: SourceOffset,
    },
    /// The stored offset is another query's: its position means nothing, and a new one must be durable before it is asked.
    QueryChanged {
        /// What the topic holds.
        offset: SourceOffset,
    },
    /// Goes on at the stored offset.
    Warm {
        /// First request: the stored link, with today's page size (I3's one edit).
        url: PageUrl,
        /// What the topic holds.
        offset: SourceOffset,
    },
}

impl Resume {
    /// Decides from what the offsets topic holds; `since` is used by a cold start only.
    pub fn from_stored(
        stored: Option<SourceOffset>,
        org: &Origin,
        query: &SystemLogQuery,
        since: Timestamp,
        on_query_change: OnQueryChange,
    ) -> Result<Self, ResumeError> {
        let Some(offset) = stored else {
            let url = query.cold_start_url(org, since);
            let offset = SourceOffset::cold(url.as_str().to_owned(), query.hash());
            return Ok(Self::Cold { url, offset });
        };
        if offset.v > OFFSET_VERSION {
            return Err(ResumeError::NewerVersion(offset.v));
        }
        let url = PageUrl::checked(&offset.checkpoint_url, org)?;
        if offset.query != query.hash() {
            return match on_query_change {
                OnQueryChange::RestartFromPublished => Ok(Self::QueryChanged { offset }),
                OnQueryChange::Fail => Err(ResumeError::QueryChanged),
            };
        }
        let limit = query.limit;
        let url = if url.limit() == usize::from(limit) { url } else { url.with_limit(limit) };
        Ok(Self::Warm { url, offset })
    }
}

/// Whether a position may lie before something that the topic holds already (ADR 0061). `is_foreign`: the end of the topic
/// has events of this connector, and not the last one of this offset.
pub fn is_old_ground(offset: &SourceOffset, is_foreign: bool) -> bool {
    if offset.allow_duplicates {
        return false;
    }
    // Without a `uuid` it is a cold start's, or was put there by hand.
    offset.suppress_until.is_some() || offset.uuid.is_none() || is_foreign
}
