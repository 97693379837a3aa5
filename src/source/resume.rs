//! Where a connector begins: at its stored source offset, or cold.

use jiff::Timestamp;
use thiserror::Error;

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
        "`filter` or `q` changed since the stored checkpoint was made: put the old ones back, or begin anew with `offsets alter --since`"
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
            return Err(ResumeError::QueryChanged);
        }
        let limit = query.limit;
        let url = if url.limit() == usize::from(limit) { url } else { url.with_limit(limit) };
        Ok(Self::Warm { url, offset })
    }
}
