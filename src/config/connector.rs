//! One connector: an org, a query and a destination.

use std::time::Duration;

use super::auth::{self, Auth};
use super::filter;
use super::format::{self, Format};
use super::lost_position::{self, OnLostCursor, OnQueryChange};
use super::rate_limit::{self, DEFAULT_BULK_RESERVE, DEFAULT_SHARE};
use super::section::{Context, Field, Section};
use super::text;
use super::time::{self, DAY, Since};
use super::topic::{self, TopicConfig, TopicFields};
use crate::okta::origin::{Origin, OriginError};

/// What Okta's page size may be (1000 is accepted today, 100 is the guide's maximum).
const LIMIT: std::ops::RangeInclusive<i64> = 10..=100;
const LARGE_LIMIT: i64 = 1000;
const DEFAULT_LIMIT: u16 = 100;

const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const DEFAULT_SINCE: Since = Since::Ago(Duration::from_secs(7 * 86_400));

/// What to write where there is no `auth`.
const AUTH_EXAMPLE: &str = "`auth: {oauth: {client_id: 0oa…, private_key: \"${file:PATH}\", key_id: KID}}` for a service app, or \
                            `auth: {ssws: \"${env:OKTA_API_TOKEN}\"}` for an API token";

/// Longest name of a connector.
const MAX_NAME: usize = 100;

/// A named org, query and destination: one source partition.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// 1-100 of `A-Z a-z 0-9 . _ -`; unique in the file.
    pub name: String,
    /// The org, and the only place that the token is sent to.
    pub org: Origin,
    /// The API token, or the service app.
    pub auth: Auth,
    /// Where the events go.
    pub topic: TopicConfig,
    /// What a record's value is.
    pub format: Format,
    /// From the end of the last interval's last page to the next; more than 0, at most a day.
    pub interval: Duration,
    /// Page size: 10-100, with `large_pages` up to 1000.
    pub limit: u16,
    /// Where a cold start begins.
    pub since: Since,
    /// Okta's `filter` expression, as written.
    pub filter: Option<String>,
    /// Okta's `q` keywords, as written.
    pub q: Option<String>,
    /// Where elements that cannot be published go.
    pub dead_letter_topic: String,
    /// `errors_tolerance: all`: such elements are set aside; `none`: the connector fails at the first.
    pub tolerates_errors: bool,
    /// The part of the org's rate limit up to which it asks: more than 0, at most 1.
    pub rate_limit_share: f64,
    /// The part of the org's rate limit that other processes than `run` leave: 0 to 1.
    pub rate_limit_bulk_reserve: f64,
    /// Whether another connector may take the same org to the same topic.
    pub allow_overlap: bool,
    /// How far before the last published event a recovery begins: events are stored late; 0 to 1 day.
    pub recovery_overlap: Duration,
    /// What follows where Okta no longer knows the position.
    pub on_lost_cursor: OnLostCursor,
    /// What follows where the stored position is another query's.
    pub on_query_change: OnQueryChange,
}

/// What could be read of a connector, so that it can be held against the others even when it is not whole.
pub(super) struct ConnectorRead {
    pub name: Option<String>,
    pub org: Option<Origin>,
    pub topic: Option<String>,
    pub format: Option<Format>,
    pub dead_letter_topic: Option<String>,
    pub allow_overlap: Option<bool>,
    /// `None` after a problem with any of the keys.
    pub config: Option<ConnectorConfig>,
}

/// A connector's keys and where its problems are reported.
pub(super) struct ConnectorFields<'n> {
    /// The connector's own keys.
    pub own: Section<'n>,
    /// Own keys, then those of `connector_defaults`.
    pub merged: Section<'n>,
    /// The two `topic`s, which are merged key by key.
    topic: Option<TopicFields<'n>>,
}

impl<'n> ConnectorFields<'n> {
    pub fn new(context: &mut Context<'_>, own: Section<'n>, defaults: Option<&Section<'n>>) -> Self {
        let default_topic = defaults.and_then(|defaults| defaults.get("topic"));
        let topic = TopicFields::merged(context, own.get("topic"), default_topic);
        let merged = defaults.map_or_else(|| own.clone(), |defaults| own.over(defaults));
        Self { own, merged, topic }
    }

    /// Path and line of a key that this connector has; of the connector when the key comes from elsewhere.
    pub fn place(&self, key: &str) -> (String, usize) {
        match self.own.get(key) {
            Some(field) => (field.path.clone(), field.node.line),
            None => (self.own.path.clone(), self.own.line),
        }
    }

    fn require(&self, context: &mut Context<'_>, key: &str, example: &str) -> Option<&Field<'n>> {
        let field = self.merged.get(key);
        if field.is_none() {
            context.problem(&self.own.child(key), self.own.line, format!("is missing: write {example}"));
        }
        field
    }

    /// Reads all keys.
    pub fn read(&self, context: &mut Context<'_>) -> ConnectorRead {
        let name = self.require(context, "name", "`name: acme`").and_then(|field| read_name(context, field));
        let org = self
            .require(context, "org", "the org's origin, as `org: https://acme.okta.com`")
            .and_then(|field| read_org(context, field));
        let loopback = org.as_ref().is_some_and(Origin::is_loopback);
        let auth = self.require(context, "auth", AUTH_EXAMPLE).and_then(|field| auth::read(context, field, loopback));
        let topic = self.topic(context);
        let interval = self.optional("interval", DEFAULT_INTERVAL, |field| read_interval(context, field));
        let limit = self.limit(context);
        let since = self.optional("since", DEFAULT_SINCE, |field| read_since(context, field));
        let filter = self.optional("filter", None, |field| filter::read_filter(context, field));
        let q = self.optional("q", None, |field| filter::read_q(context, field));
        let rate_limit_share =
            self.optional("rate_limit_share", DEFAULT_SHARE, |field| rate_limit::read_share(context, field));
        let rate_limit_bulk_reserve = self.optional("rate_limit_bulk_reserve", DEFAULT_BULK_RESERVE, |field| {
            rate_limit::read_bulk_reserve(context, field)
        });
        let allow_overlap = self.optional("allow_overlap", false, |field| context.boolean(field));
        let recovery_overlap = self.optional("recovery_overlap", lost_position::DEFAULT_OVERLAP, |field| {
            lost_position::read_overlap(context, field)
        });
        let on_lost_cursor = self.optional("on_lost_cursor", OnLostCursor::default(), |field| {
            lost_position::read_on_lost_cursor(context, field)
        });
        let on_query_change = self.optional("on_query_change", OnQueryChange::default(), |field| {
            lost_position::read_on_query_change(context, field)
        });
        let tolerates_errors = self.optional("errors_tolerance", true, |field| read_tolerance(context, field));
        let format = self.optional("format", Format::Json, |field| format::read(context, field));
        let dead_letter_topic = self.dead_letter_topic(context, topic.as_ref());
        ConnectorRead {
            name: name.clone(),
            org: org.clone(),
            topic: topic.as_ref().map(|topic| topic.name.clone()),
            format,
            dead_letter_topic: dead_letter_topic.clone(),
            allow_overlap,
            config: try_all(|| {
                Some(ConnectorConfig {
                    name: name?,
                    org: org?,
                    auth: auth?,
                    topic: topic?,
                    format: format?,
                    interval: interval?,
                    limit: limit?,
                    since: since?,
                    filter: filter?,
                    q: q?,
                    dead_letter_topic: dead_letter_topic?,
                    tolerates_errors: tolerates_errors?,
                    rate_limit_share: rate_limit_share?,
                    rate_limit_bulk_reserve: rate_limit_bulk_reserve?,
                    allow_overlap: allow_overlap?,
                    recovery_overlap: recovery_overlap?,
                    on_lost_cursor: on_lost_cursor?,
                    on_query_change: on_query_change?,
                })
            }),
        }
    }

    fn optional<T>(&self, key: &str, default: T, read: impl FnOnce(&Field<'n>) -> Option<T>) -> Option<T> {
        self.merged.get(key).map_or(Some(default), read)
    }

    fn topic(&self, context: &mut Context<'_>) -> Option<TopicConfig> {
        let topic = self.topic.as_ref()?;
        if topic.name().is_none() {
            let (path, line, example) = match self.own.get("topic") {
                Some(field) => (format!("{}.name", field.path), field.node.line, "`name: okta.system-log`"),
                None => (self.own.child("topic"), self.own.line, "`topic: okta.system-log`"),
            };
            context.problem(&path, line, format!("is missing: write {example}"));
        }
        topic.read(context)
    }

    fn limit(&self, context: &mut Context<'_>) -> Option<u16> {
        let large = self.optional("large_pages", false, |field| context.boolean(field))?;
        let Some(field) = self.merged.get("limit") else { return Some(DEFAULT_LIMIT) };
        let text = context.text(field)?;
        let refused = match text.value.parse::<i64>() {
            Ok(n) if LIMIT.contains(&n) || (large && n > 100 && n <= LARGE_LIMIT) => return u16::try_from(n).ok(),
            Ok(101..=LARGE_LIMIT) => "needs `large_pages: true`: add it, or write 10-100",
            _ if large => "is not a page size that Okta accepts: write 10-1000",
            _ => "is not a page size that Okta accepts: write 10-100, or up to 1000 with `large_pages: true`",
        };
        context.refuse(field, format!("`{}` {refused}", text.shown()));
        None
    }

    fn dead_letter_topic(&self, context: &mut Context<'_>, topic: Option<&TopicConfig>) -> Option<String> {
        let topic_name = topic.map(|topic| topic.name.as_str());
        let Some(field) = self.merged.get("dead_letter_topic") else {
            let name = format!("{}.dlq", topic_name?);
            if topic::name_error(&name).is_some() {
                let (path, line) = self.place("topic");
                let message = "is too long for the default dead letter topic `<topic>.dlq`: write a shorter name, or \
                               `dead_letter_topic: NAME`";
                context.problem(&path, line, message);
                return None;
            }
            return Some(name);
        };
        let name = topic::read_name(context, field)?;
        if Some(name.as_str()) == topic_name {
            context.refuse(field, "is the connector's own topic: write another, or remove the key for `<topic>.dlq`");
            return None;
        }
        Some(name)
    }
}

/// Gives `?` a place to return to.
fn try_all<T>(all: impl FnOnce() -> Option<T>) -> Option<T> {
    all()
}

fn read_name(context: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    let text = context.text(field)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=MAX_NAME).contains(&text.value.len()) && text.value.bytes().all(allowed) {
        return Some(text.value);
    }
    context.refuse(field, format!("`{}` is not a name: write 1-{MAX_NAME} of `A-Z a-z 0-9 . _ -`", text.shown()));
    None
}

fn read_org(context: &mut Context<'_>, field: &Field<'_>) -> Option<Origin> {
    let text = context.text(field)?;
    let error = match text.value.parse::<Origin>() {
        Ok(origin) => return Some(origin),
        Err(error) => error,
    };
    // A value that came from outside is named as the file names it.
    let written = text.shown();
    let error = match error {
        OriginError::NotAUrl(found, example) if text.template.is_literal() => {
            OriginError::NotAUrl(text::shown(&found), text::shown(&example))
        }
        OriginError::NotHttps(found, host) if text.template.is_literal() => {
            OriginError::NotHttps(text::shown(&found), text::shown(&host))
        }
        OriginError::NotAnOrigin(found, origin) if text.template.is_literal() => {
            OriginError::NotAnOrigin(text::shown(&found), text::shown(&origin))
        }
        OriginError::AdminHost(found, origin) if text.template.is_literal() => {
            OriginError::AdminHost(text::shown(&found), text::shown(&origin))
        }
        OriginError::NotAUrl(..) => OriginError::NotAUrl(written, "https://acme.okta.com".to_owned()),
        OriginError::NotHttps(..) => OriginError::NotHttps(written, "HOST".to_owned()),
        OriginError::NotAnOrigin(..) => OriginError::NotAnOrigin(written, "https://HOST".to_owned()),
        OriginError::AdminHost(..) => OriginError::AdminHost(written, "the host without `-admin`".to_owned()),
    };
    context.refuse(field, error.to_string());
    None
}

fn read_interval(context: &mut Context<'_>, field: &Field<'_>) -> Option<Duration> {
    let text = context.text(field)?;
    let refused = match time::duration(&text.value) {
        Ok(interval) if interval.is_zero() => "is no pause at all: write at least `60s`".to_owned(),
        Ok(interval) if interval > DAY => "is more than a day: write `1d` or less, `60s` to `5m` is advised".to_owned(),
        Ok(interval) => {
            if interval < DEFAULT_INTERVAL {
                let message = format!(
                    "`{}` asks more often than Okta advises and uses up the org's rate limit: write `60s` to `5m`",
                    text.shown()
                );
                context.warning(&field.path, field.node.line, message);
            }
            return Some(interval);
        }
        Err(error) => error,
    };
    context.refuse(field, format!("`{}` {refused}", text.shown()));
    None
}

fn read_since(context: &mut Context<'_>, field: &Field<'_>) -> Option<Since> {
    let text = context.text(field)?;
    let since = match Since::parse(&text.value) {
        Ok(since) => since,
        Err(error) => {
            context.refuse(field, format!("`{}` {error}", text.shown()));
            return None;
        }
    };
    match since.judge(context.now) {
        Ok(None) => {}
        Ok(Some(unwise)) => {
            let message = format!("`{}` {unwise}", text.shown());
            context.warning(&field.path, field.node.line, message);
        }
        Err(refused) => {
            context.refuse(field, format!("`{}` {refused}", text.shown()));
            return None;
        }
    }
    Some(since)
}

/// Connect's `errors.tolerance`.
fn read_tolerance(context: &mut Context<'_>, field: &Field<'_>) -> Option<bool> {
    let text = context.text(field)?;
    match text.value.as_str() {
        "all" => return Some(true),
        "none" => return Some(false),
        _ => {}
    }
    let message = "sets elements that can't be published aside, or fails at the first: write `all` or `none`";
    context.refuse(field, format!("`{}` is neither: it {message}", text.shown()));
    None
}
