//! Org and credential: one request of a single event for each connector.

use std::time::Duration;

use jiff::Timestamp;

use super::line::Line;
use super::share::Need;
use crate::clock;
use crate::config::ConnectorConfig;
use crate::okta::auth::credential::Credential;
use crate::okta::auth::token::Scheme;
use crate::okta::auth::token_error::TokenError;
use crate::okta::client::{Client, ClientOptions, Outcome};
use crate::okta::error::{RequestError, RetryReason, Severity, told_request_id};
use crate::okta::limiter;
use crate::okta::proxy::Network;
use crate::okta::query::SystemLogQuery;
use crate::okta::rate_limit::RateLimit;

/// Of one request; all of an org's connectors have [`super::ORGS_WITHIN`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);
/// A clock that is further off than this is worth a word.
const SKEW: Duration = Duration::from_secs(30);

/// What a connector is called in the report.
pub fn what(connector: &ConnectorConfig) -> String {
    format!("connector `{}`", connector.name)
}

/// What came of a connector's request.
pub struct OrgCheck {
    /// For the report.
    pub lines: Vec<Line>,
    /// Why the org's other connectors need not ask: nobody answers there.
    pub no_answer: Option<String>,
    /// What the answer showed of the credential's rate limit, and how long that window goes on.
    pub rate_limit: Option<(RateLimit, Duration)>,
}

/// Asks for the first event that a cold start would ask for, which tries org, credential, `filter` and `q`.
///
/// `need`: of all connectors that share the credential; `is_first`: whether this is the first of them.
pub async fn ask(
    connector: &ConnectorConfig,
    credential: &Credential,
    need: Need,
    is_first: bool,
    network: &Network,
) -> OrgCheck {
    let what = what(connector);
    let options = ClientOptions {
        connect_timeout: CONNECT_TIMEOUT,
        timeout: TIMEOUT,
        network: network.clone(),
        ..ClientOptions::default()
    };
    let client = match Client::new(connector.org.clone(), options) {
        Ok(client) => client,
        Err(error) => return OrgCheck { lines: vec![Line::fail(what, error)], no_answer: None, rate_limit: None },
    };
    let query = SystemLogQuery { filter: connector.filter.clone(), q: connector.q.clone(), limit: 1 };
    let url = query.cold_start_url(&connector.org, connector.since.resolve(clock::wall()));
    let outcome = client.get(&url, credential).await;
    let now = clock::wall();
    let mut no_answer = None;
    let mut lines = vec![match &outcome.result {
        Err(error) => {
            let id = told_request_id(outcome.okta_request_id.as_deref());
            let said = format!("{}: {error}{}{id}", connector.org, advice(error));
            no_answer = outcome.status.is_none().then(|| said.clone());
            Line::fail(&what, said)
        }
        Ok(page) => match &page.next {
            Some(Ok(_)) => Line::ok(&what, answered(connector, credential, need, &outcome, now)),
            Some(Err(error)) => Line::fail(&what, format!("{}: the answer's `next` link: {error}", connector.org)),
            None => Line::fail(
                &what,
                format!(
                    "{}: the answer has no `next` link, so no second page could be asked for; look at proxies between here and the org",
                    connector.org
                ),
            ),
        },
    }];
    lines.extend(skew(&outcome, now).filter(|skew| skew.unsigned_abs() > SKEW).map(|skew| {
        let (seconds, side) = (skew.as_secs().abs(), if skew.is_negative() { "behind" } else { "ahead of" });
        Line::warn(
            &what,
            format!(
                "the org's clock is {seconds} s {side} this machine's: signing and the rate limit go by the org's, so neither breaks; `since`, freshness and the age of events go by this machine's, and are {seconds} s wrong: synchronise its clock (NTP)"
            ),
        )
    }));
    if let (Some(limit), true) = (outcome.rate_limit, is_first) {
        lines.extend(need.too_much(limit, connector.rate_limit_share).map(|said| Line::warn(&what, said)));
    }
    let rate_limit = outcome.rate_limit.map(|limit| (limit, limit.rest(outcome.server_date)));
    OrgCheck { lines, no_answer, rate_limit }
}

fn answered(
    connector: &ConnectorConfig,
    credential: &Credential,
    need: Need,
    outcome: &Outcome,
    now: Timestamp,
) -> String {
    let mut text = format!("{} answers, and {} may read the System Log", connector.org, who(credential));
    match outcome.rate_limit {
        None => text.push_str("; it shows no rate limit"),
        Some(limit) => {
            text.push_str(&format!("; rate limit {} requests, {} left", limit.limit, limit.remaining));
            let server = outcome.server_date.unwrap_or(now);
            text.push_str(&format!(", reset in {} s", limit.reset.saturating_sub(server.as_second()).max(0)));
            let allowed = limiter::allowed(limit.limit, connector.rate_limit_share);
            text.push_str(&format!(", `rate_limit_share` allows {allowed}"));
            let polls = limiter::polls_allowed(limit.limit, connector.rate_limit_share);
            if polls > allowed {
                text.push_str(&format!(" (polls go to {polls})"));
            }
            text.push_str(&format!("; {}", need.shown()));
        }
    }
    match skew(outcome, now) {
        None => text.push_str("; it shows no clock"),
        Some(skew) => text.push_str(&format!("; clocks {} s apart", skew.as_secs().abs())),
    }
    text
}

/// Who was let in, and how.
fn who(credential: &Credential) -> String {
    match credential.client_id() {
        None => "the API token".to_owned(),
        Some(client_id) => format!("the service app `{client_id}`{}", tokens(credential)),
    }
}

/// How an app's tokens are presented.
fn tokens(credential: &Credential) -> &'static str {
    match credential.scheme() {
        Some(Scheme::Dpop) => " (tokens bound to a key: DPoP)",
        Some(Scheme::Bearer) => " (Bearer tokens)",
        None => "",
    }
}

/// How far the org's clock is ahead of ours: `Date` has whole seconds, and was written somewhere within the request.
fn skew(outcome: &Outcome, now: Timestamp) -> Option<jiff::SignedDuration> {
    let half = jiff::SignedDuration::try_from(outcome.duration / 2).ok()?;
    let answered = now.checked_sub(half).ok()?;
    let date = outcome.server_date?.checked_add(jiff::SignedDuration::from_millis(500)).ok()?;
    Some(date.duration_since(answered))
}

/// What to do about an error that `run` handles by asking again, so that its own words do not say.
fn advice(error: &RequestError) -> String {
    let Severity::Retriable { reason, wait } = error.severity() else { return String::new() };
    // A refusal, said to another connector of the same app: its words end in what to do.
    if let RequestError::Token(TokenError::Earlier { .. }) = error {
        return String::new();
    }
    match (reason, wait) {
        (RetryReason::Timeout | RetryReason::Connection, _) if let Some(advice) = error.advice() => {
            format!(": {advice}")
        }
        (RetryReason::Http5xx, _) => "; try again later, and look at https://status.okta.com".to_owned(),
        (RetryReason::Timeout | RetryReason::Connection, _) => {
            "; check `org`, and the way there: name servers, firewall, proxy".to_owned()
        }
        (RetryReason::RateLimit | RetryReason::Concurrency, Some(wait)) => {
            format!("; others use the org's limit too: try again in {} s", wait.as_secs())
        }
        (RetryReason::RateLimit | RetryReason::Concurrency, None) => {
            "; others use the org's limit too: try again in a minute".to_owned()
        }
    }
}
