//! A stored checkpoint changed by hand: which URL may take its place, and what the change loses.

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::okta::origin::Origin;
use crate::okta::page_url::{PageUrl, PageUrlError};
use crate::okta::query::SystemLogQuery;
use crate::source::offset::SourceOffset;

/// Okta answers `E0000053` to a `since` of more than 180 days ago.
const OLDEST_SINCE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Why a URL can't be the connector's checkpoint; each message ends in the next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// I3: the credential would go elsewhere.
    #[error("the checkpoint URL is refused: {0}; write a `next` link of the connector's own org")]
    NotOfThisOrg(#[from] PageUrlError),
    /// A link belongs to the query that it was made for.
    #[error(
        "the checkpoint URL asks for {name} {found}, and the connector's `{name}` is {configured}: write a URL of the configured query, or change `{name}` first"
    )]
    OtherQuery {
        /// `filter` or `q`.
        name: &'static str,
        /// In the URL.
        found: String,
        /// In the configuration.
        configured: String,
    },
    /// Not a polling request: it would end, or leave out what is stored late.
    #[error("the checkpoint URL has {0}, so it is no polling request and would come to an end: leave it out")]
    NotPolling(String),
    /// Okta would begin at seven days before each request.
    #[error(
        "the checkpoint URL says neither `after` nor `since`, so it is no position: write one of them, or use `--since`"
    )]
    NoPosition,
    /// Okta refuses it.
    #[error(
        "the checkpoint URL's `since` is more than 180 days ago, which Okta refuses: use `--since` with `90d` or less"
    )]
    TooOld,
    /// One of two would be sent and the other judged.
    #[error("the checkpoint URL says `{0}` more than once: leave one of them")]
    Twice(&'static str),
}

/// Accepts `text` as a checkpoint of a connector of `org` with this query.
pub fn checkpoint(
    text: &str,
    org: &Origin,
    query: &SystemLogQuery,
    now: Timestamp,
) -> Result<PageUrl, CheckpointError> {
    let url = PageUrl::checked(text, org)?;
    let filter = parameter(&url, "filter")?;
    let q = parameter(&url, "q")?;
    for (name, found, configured) in [("filter", filter, &query.filter), ("q", q, &query.q)] {
        let configured = configured.clone().filter(|value| !value.is_empty());
        if found != configured {
            let shown =
                |value: Option<String>| value.map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
            let found = found.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
            return Err(CheckpointError::OtherQuery { name, found, configured: shown(configured) });
        }
    }
    if let Some(until) = parameter(&url, "until")? {
        return Err(CheckpointError::NotPolling(format!("`until={until}`")));
    }
    if let Some(order) = parameter(&url, "sortOrder")?.filter(|order| order != "ASCENDING") {
        return Err(CheckpointError::NotPolling(format!("`sortOrder={order}`")));
    }
    let since = parameter(&url, "since")?;
    if parameter(&url, "after")?.is_none() && since.is_none() {
        return Err(CheckpointError::NoPosition);
    }
    if url.since().is_some_and(|since| now.duration_since(since) > OLDEST_SINCE) {
        return Err(CheckpointError::TooOld);
    }
    Ok(url)
}

/// The value of a parameter; none where it is empty, which is the same to Okta.
fn parameter(url: &PageUrl, name: &'static str) -> Result<Option<String>, CheckpointError> {
    let mut values = url.url().query_pairs().filter(|(found, _)| found == name).map(|(_, value)| value.into_owned());
    let value = values.next().filter(|value| !value.is_empty());
    match values.next() {
        Some(_) => Err(CheckpointError::Twice(name)),
        None => Ok(value),
    }
}

/// The time up to which Okta's events lie before a checkpoint, as far as it tells: `published` of the last one, or the
/// `since` of a URL without a cursor. A cursor itself is Okta's own business.
pub fn position(url: Option<&PageUrl>, published: Option<&str>) -> Option<Timestamp> {
    let cold = url.filter(|url| url.url().query_pairs().all(|(name, _)| name != "after"));
    published.and_then(|published| published.parse().ok()).or_else(|| cold?.since())
}

/// What taking one checkpoint in the place of another loses, as a sentence for whoever does it.
///
/// Times are `published` of events, which come in the order in which Okta stored them, so they are near and not exact. A `since` that
/// is not after the `published` of the last event loses nothing all the same: Okta compares it with the time of storing,
/// which is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Backwards: what lies between is asked for a second time.
    Repeats {
        /// The new position.
        from: Timestamp,
        /// The stored one.
        to: Timestamp,
    },
    /// Forwards: what lies between is never published.
    Skips {
        /// The stored position.
        from: Timestamp,
        /// The new one.
        to: Timestamp,
    },
    /// One of the two, and the checkpoints do not tell which.
    Unknown,
}

/// Where what is asked for again may be already.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The connector's topic.
    pub topic: &'a str,
    /// How long it keeps events, as `30.0 days`, where it deletes any and that is known.
    pub keeps: Option<&'a str>,
    /// Whether what is there is published again all the same.
    pub allow_duplicates: bool,
}

impl Effect {
    /// Of going on at `new`, where it is known, instead of at the stored checkpoint.
    pub fn of(stored: Option<&SourceOffset>, org: &Origin, new: Option<Timestamp>) -> Self {
        let stored = stored.and_then(|stored| {
            let url = PageUrl::checked(&stored.checkpoint_url, org).ok();
            position(url.as_ref(), stored.published.as_deref())
        });
        match (stored, new) {
            (Some(stored), Some(new)) if new <= stored => Self::Repeats { from: new, to: stored },
            (Some(stored), Some(new)) => Self::Skips { from: stored, to: new },
            _ => Self::Unknown,
        }
    }

    /// Whether events may be lost by it, so that somebody has to want that.
    pub fn may_lose(&self) -> bool {
        !matches!(self, Self::Repeats { .. })
    }

    /// The sentence, without a full stop.
    pub fn told(&self, ground: &Ground<'_>) -> String {
        let Ground { topic, allow_duplicates, .. } = ground;
        match self {
            Self::Repeats { from, to } => {
                let again = match (ground.keeps, allow_duplicates) {
                    (_, true) => {
                        "published again: those that are there already are there twice then, as `--allow-duplicates` asks".to_owned()
                    }
                    (Some(keeps), false) => format!(
                        "asked for again, and those that topic `{topic}` or its dead letter topic holds are suppressed; it keeps {keeps}, and what it has deleted is published again"
                    ),
                    (None, false) => format!(
                        "asked for again, and those that topic `{topic}` or its dead letter topic holds are suppressed"
                    ),
                };
                format!(
                    "this goes back by {}: events from {from:.0} to {to:.0} are {again}",
                    shown(to.duration_since(*from))
                )
            }
            Self::Skips { from, to } => format!(
                "this goes forward by {}: events from {from:.0} to {to:.0} that are not published yet never will be",
                shown(to.duration_since(*from))
            ),
            Self::Unknown => {
                let again = if *allow_duplicates {
                    "published again, as `--allow-duplicates` asks".to_owned()
                } else {
                    format!("asked for again, and those that topic `{topic}` holds are suppressed")
                };
                format!(
                    "how far this is from the stored checkpoint can't be known: if it goes forward, events are left out for good; if it goes back, events are {again}"
                )
            }
        }
    }
}

/// The source offset that takes the place of `stored`, at `url`; none where that says it already.
///
/// It is over old ground until `now`: what the topic holds is suppressed, unless duplicates are allowed. A hole that the
/// stored one tells of is not in it: whoever changes a checkpoint has seen it.
pub fn altered(
    stored: Option<&SourceOffset>,
    url: &PageUrl,
    query_hash: &str,
    now: Timestamp,
    allow_duplicates: bool,
) -> Option<SourceOffset> {
    let is_there = |stored: &&SourceOffset| stored.checkpoint_url == url.as_str() && stored.query == query_hash;
    if let Some(stored) = stored.filter(is_there) {
        // The last event before it is the same. Where it was published again and should be no longer, the rest is there already.
        let withdrawn = stored.allow_duplicates.then(|| format!("{now:.3}"));
        let suppress_until = stored.suppress_until.clone().or(withdrawn).filter(|_| !allow_duplicates);
        let (missing_from, missing_until) = (None, None);
        let altered = SourceOffset { suppress_until, missing_from, missing_until, allow_duplicates, ..stored.clone() };
        return (altered != *stored).then_some(altered);
    }
    // Events before it are none that we know of, whoever wrote the URL.
    let suppress_until = (!allow_duplicates).then(|| format!("{now:.3}"));
    let cold = SourceOffset::cold(url.as_str().to_owned(), query_hash.to_owned());
    Some(SourceOffset { suppress_until, allow_duplicates, ..cold })
}

fn shown(duration: SignedDuration) -> String {
    match duration.as_secs() {
        seconds @ ..120 => format!("{seconds} seconds"),
        seconds @ 120..7_200 => format!("{:.1} minutes", seconds as f64 / 60.0),
        seconds @ 7_200..172_800 => format!("{:.1} hours", seconds as f64 / 3_600.0),
        seconds => format!("{:.1} days", seconds as f64 / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://acme.okta.com/api/v1/logs";

    fn org() -> Origin {
        "https://acme.okta.com".parse().expect("an origin")
    }

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_checkpoint_is_a_polling_request_of_the_connectors_own_query() {
        let now = time("2026-11-22T00:00:00Z");
        for (filter, q, url, refused) in [
            (None, None, "?since=2026-11-15T00%3A00%3A00.000Z&limit=100&after=1_1", None),
            (None, None, "?after=1_1", None),
            (None, None, "?since=2026-11-15T00%3A00%3A00.000Z&until=&q=&sortOrder=ASCENDING", None),
            (Some("a eq \"b\""), None, "?after=1_1&filter=a+eq+%22b%22", None),
            (Some(""), Some("k"), "?after=1_1&q=k", None),
            (
                None,
                None,
                "?after=1_1&filter=a+eq+%22b%22",
                Some("asks for filter `a eq \"b\"`, and the connector's `filter` is not set"),
            ),
            (
                Some("a eq \"b\""),
                None,
                "?after=1_1",
                Some("asks for filter nothing, and the connector's `filter` is `a eq \"b\"`"),
            ),
            (None, Some("k"), "?after=1_1&q=other", Some("asks for q `other`, and the connector's `q` is `k`")),
            (None, None, "?after=1_1&until=2026-11-16T00:00:00Z", Some("`until=2026-11-16T00:00:00Z`")),
            (None, None, "?after=1_1&sortOrder=DESCENDING", Some("`sortOrder=DESCENDING`")),
            (None, None, "?limit=100", Some("neither `after` nor `since`")),
            (None, None, "?since=2026-05-01T00:00:00Z&after=1_1", Some("180 days")),
            (None, None, "?after=1_1&after=2_1", Some("`after` more than once")),
        ] {
            let query = SystemLogQuery { filter: filter.map(str::to_owned), q: q.map(str::to_owned), limit: 100 };
            let text = format!("{BASE}{url}");
            match (checkpoint(&text, &org(), &query, now), refused) {
                (Ok(accepted), None) => assert_eq!(accepted.as_str(), text),
                (Err(error), Some(says)) => assert!(error.to_string().contains(says), "{url}: {error}"),
                (found, _) => panic!("{url}: {found:?}"),
            }
        }
        let query = SystemLogQuery { filter: None, q: None, limit: 100 };
        for text in ["https://evil.example/api/v1/logs?after=1_1", "https://acme.okta.com/api/v1/users?after=1_1", "x"]
        {
            let error = checkpoint(text, &org(), &query, now).expect_err(text);
            assert!(matches!(error, CheckpointError::NotOfThisOrg(_)), "{error}");
        }
    }

    #[test]
    fn back_repeats_and_forward_skips_as_far_as_is_known() {
        let published = Some("2026-11-20T00:00:00.000Z".to_owned());
        let stored = |url: &str, published: Option<String>| SourceOffset {
            published,
            ..SourceOffset::cold(format!("{BASE}{url}"), "hash".to_owned())
        };
        let (earlier, at, later) =
            (time("2026-11-18T00:00:00Z"), time("2026-11-20T00:00:00Z"), time("2026-11-20T03:00:00Z"));
        for (stored, new, expected) in [
            (stored("?after=1_1", published.clone()), Some(earlier), Effect::Repeats { from: earlier, to: at }),
            (stored("?after=1_1", published.clone()), Some(at), Effect::Repeats { from: at, to: at }),
            (stored("?after=1_1", published.clone()), Some(later), Effect::Skips { from: at, to: later }),
            // A cold start that has met no event yet.
            (stored("?since=2026-11-20T00:00:00Z", None), Some(later), Effect::Skips { from: at, to: later }),
            // A link's `since` is that of the cold start long ago.
            (stored("?since=2026-11-20T00:00:00Z&after=1_1", None), Some(later), Effect::Unknown),
            (stored("?after=1_1", published), None, Effect::Unknown),
        ] {
            assert_eq!(Effect::of(Some(&stored), &org(), new), expected, "{stored:?}");
        }
        let ground = Ground { topic: "t", keeps: Some("30.0 days"), allow_duplicates: false };
        let twice = Ground { allow_duplicates: true, ..ground };
        let back = Effect::Repeats { from: earlier, to: at };
        let forward = Effect::Skips { from: at, to: later };
        for (effect, ground, loses, parts) in [
            (
                back,
                ground,
                false,
                &[
                    "back by 2.0 days: events from 2026-11-18T00:00:00Z to 2026-11-20T00:00:00Z are asked for again",
                    "topic `t` or its dead letter topic holds are suppressed; it keeps 30.0 days, and what it has deleted is published again",
                ][..],
            ),
            (back, twice, false, &["2026-11-20T00:00:00Z are published again", "there twice", "`--allow-duplicates`"]),
            (forward, ground, true, &["forward by 3.0 hours", "not published yet never will be"]),
            (forward, twice, true, &["forward by 3.0 hours", "not published yet never will be"]),
            (Effect::Unknown, ground, true, &["can't be known", "left out for good", "topic `t` holds are suppressed"]),
            (Effect::Unknown, twice, true, &["left out for good", "`--allow-duplicates`"]),
        ] {
            let says = effect.told(&ground);
            assert!(parts.iter().all(|part| says.contains(part)), "{says}");
            assert_eq!(effect.may_lose(), loses, "{says}");
            assert_eq!(says.contains("suppressed"), !ground.allow_duplicates && effect != forward, "{says}");
        }
    }

    /// Old ground, unless duplicates are wanted; and the same position is written for its marks only.
    #[test]
    fn what_takes_the_place_of_a_checkpoint() {
        let now = time("2026-11-22T00:00:00.1234Z");
        let url = PageUrl::checked(&format!("{BASE}?after=1_1"), &org()).expect("a link");
        let cold = SourceOffset::cold(url.as_str().to_owned(), "hash".to_owned());
        let marked = SourceOffset { suppress_until: Some("2026-11-22T00:00:00.123Z".to_owned()), ..cold.clone() };
        let twice = SourceOffset { allow_duplicates: true, ..cold.clone() };
        let there = SourceOffset {
            published: Some("2026-11-20T00:00:00.000Z".to_owned()),
            uuid: Some("u".to_owned()),
            ..cold.clone()
        };
        let with_hole = SourceOffset {
            missing_from: Some("2026-08-20T00:00:00.000Z".to_owned()),
            missing_until: Some("2026-08-22T00:00:00.000Z".to_owned()),
            ..there.clone()
        };
        let elsewhere = SourceOffset { checkpoint_url: format!("{BASE}?after=2_2"), ..with_hole.clone() };
        let other_query = SourceOffset { query: "other".to_owned(), ..there.clone() };
        for (stored, allow_duplicates, expected) in [
            (None, false, Some(&marked)),
            (None, true, Some(&twice)),
            (Some(&elsewhere), false, Some(&marked)),
            (Some(&elsewhere), true, Some(&twice)),
            (Some(&other_query), false, Some(&marked)),
            (Some(&there), false, None),
            (Some(&there), true, Some(&SourceOffset { allow_duplicates: true, ..there.clone() })),
            (Some(&with_hole), false, Some(&there)),
            (Some(&twice), true, None),
            // In the middle of a repetition, which is no longer wanted.
            (
                Some(&SourceOffset { allow_duplicates: true, ..there.clone() }),
                false,
                Some(&SourceOffset { suppress_until: marked.suppress_until.clone(), ..there.clone() }),
            ),
        ] {
            let found = altered(stored, &url, "hash", now, allow_duplicates);
            assert_eq!(found.as_ref(), expected, "{stored:?} {allow_duplicates}");
        }
    }
}
