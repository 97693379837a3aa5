//! What a refusing answer says: Okta's error JSON, or its OAuth form in `WWW-Authenticate`.

use std::fmt;

use serde::Deserialize;

use crate::okta::excerpt::excerpt_with_end;

/// How many of `errorCauses` are kept.
const MAX_CAUSES: usize = 5;

/// A refusing answer: its status and what could be read of its text.
///
/// Every text is shortened and has its control characters escaped, so it can stand in a log line. A body that is not
/// Okta's error JSON is not kept at all: it comes from something in between, which may repeat the request's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OktaError {
    /// The HTTP status.
    pub status: u16,
    /// `errorCode`, as `E0000011`: the one member that is meant for decisions. Of the OAuth form its `error`.
    pub code: Option<String>,
    /// `errorSummary`. Of the OAuth form its `error_description`.
    pub summary: Option<String>,
    /// `errorId`, which Okta's support asks for.
    pub id: Option<String>,
    /// `x-okta-request-id` of the answer, by which Okta's support and the org's own log find the request. Display has it not:
    /// it changes with each answer, and the words do not. Whoever tells an error adds it.
    pub request_id: Option<String>,
    /// The summaries of `errorCauses`.
    pub causes: Vec<String>,
}

/// The body as Okta documents it; a member of another type makes it no such body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    error_code: Option<String>,
    error_summary: Option<String>,
    error_id: Option<String>,
    error_causes: Option<Vec<Cause>>,
    /// The token endpoint's (RFC 6749, section 5.2).
    error: Option<String>,
    #[serde(rename = "error_description")]
    error_description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cause {
    error_summary: Option<String>,
}

impl OktaError {
    /// Reads an answer's body, and `WWW-Authenticate` where the body says nothing (with OAuth, bodies are empty).
    ///
    /// `secrets` are what was sent and may be repeated by whoever answers: they are replaced wherever they occur, and so
    /// is what looks like a JSON Web Token, or a part of one.
    pub fn read(status: u16, body: &[u8], www_authenticate: Option<&str>, secrets: &[&str]) -> Self {
        let keep = |mut text: String| {
            // Before the text is shortened, or a part of a secret could remain.
            for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
                text = text.replace(secret, "***");
            }
            excerpt_with_end(&without_jwts(&text))
        };
        let mut read = Self { status, code: None, summary: None, id: None, request_id: None, causes: Vec::new() };
        if let Ok(body) = serde_json::from_slice::<Body>(body) {
            read.code = body.error_code.or(body.error).map(keep);
            read.summary = body.error_summary.or(body.error_description).map(keep);
            read.id = body.error_id.map(keep);
            let causes = body.error_causes.unwrap_or_default().into_iter().filter_map(|cause| cause.error_summary);
            read.causes = causes.take(MAX_CAUSES).map(keep).collect();
        }
        if let (None, None, Some(challenge)) = (&read.code, &read.summary, www_authenticate) {
            read.code = parameter(challenge, "error").map(keep);
            read.summary = parameter(challenge, "error_description").map(keep);
        }
        read
    }

    /// With the answer's `x-okta-request-id`, where [`request_id`] takes it.
    pub fn with_request_id(self, id: Option<String>) -> Self {
        Self { request_id: id, ..self }
    }

    /// Whether the summary or a cause holds `text`.
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.summary.iter().chain(&self.causes).any(|found| found.contains(text))
    }
}

impl fmt::Display for OktaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(summary) = &self.summary {
            write!(f, " `{summary}`")?;
        }
        for cause in self.causes.iter().filter(|&cause| Some(cause) != self.summary.as_ref()) {
            write!(f, ", `{cause}`")?;
        }
        match &self.id {
            Some(id) => write!(f, ", error id `{id}`"),
            None => Ok(()),
        }
    }
}

/// An answer's `x-okta-request-id`, where it looks like one and repeats nothing of what was sent: whoever answers may not be
/// Okta.
pub fn request_id(header: Option<&str>, secrets: &[&str]) -> Option<String> {
    /// Okta's have 27 or 32 characters.
    const LONGEST: usize = 64;
    let is_id = |id: &&str| {
        (1..=LONGEST).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let repeats =
        |id: &&str| secrets.iter().any(|secret| !secret.is_empty() && (id.contains(secret) || secret.contains(id)));
    header.filter(is_id).filter(|id| !repeats(id) && !id.starts_with("eyJ")).map(str::to_owned)
}

/// What stands behind an error that is told elsewhere than in the log, which has a field for it.
pub fn told_request_id(id: Option<&str>) -> String {
    id.map(|id| format!(" (`x-okta-request-id` `{id}`)")).unwrap_or_default()
}

/// A JSON Web Token begins with `{"` in base64url: `eyJ`.
fn without_jwts(text: &str) -> String {
    let is_of_jwt = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        kept.push_str(&rest[..at]);
        kept.push_str("***");
        rest = rest[at..].trim_start_matches(is_of_jwt);
    }
    kept.push_str(rest);
    kept
}

/// The value of a parameter of a challenge, as `error="invalid_token"`.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge;
    loop {
        let (before, after) = rest.split_once('=')?;
        let is_wanted = before.rsplit([' ', ',']).next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        let (value, others) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if is_wanted {
            return Some(value.to_owned());
        }
        rest = others;
    }
}
