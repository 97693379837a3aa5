//! Each refusal that is known of Okta, served by the simulated org and asked for by the program's own client: what it
//! means for a connector, and what an operator reads.
//!
//! The answers, and what they say to an operator, stand in tests/it/error_table/errors.snapshot.txt. With `OKS_BLESS=1`
//! that file is written anew: read it as whoever is woken by it, before it is committed.

use std::fmt;
use std::time::Duration;

use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::client::{Client, ClientOptions, Outcome};
use okta_kafka_source::okta::error::{RequestError, RetryReason, Severity};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page_url::PageUrl;
use okta_kafka_source::simulator::{Simulator, SimulatorConfig, VerbatimAnswer};
use secrecy::SecretString;
use serde_json::{Value, json};

use rows::{Condition, ROWS, Row};

use crate::support::{prove, snapshot};

mod oauth;
mod rows;
mod shipped;
mod shipped_oauth;

const LOGS: &str = "/api/v1/logs";
const SNAPSHOT: &str = "error_table/errors.snapshot.txt";

/// What a connector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Asks the same again, after the server's wait in seconds, else with backoff.
    Retry { reason: Reason, wait: Option<u64> },
    /// Reads or gets its credential anew and asks once more; then it fails.
    Renew,
    /// Its checkpoint is no longer taken. It fails, and the message says how somebody sets another: it does not recover
    /// by itself.
    Recover,
    /// Fails: it asks again every five minutes, in case that somebody has acted.
    Fail,
}

/// A reason that can be compared and shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason(pub RetryReason);

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Means {
    fn of(error: &RequestError) -> Self {
        match error.severity() {
            Severity::Retriable { reason, wait } => {
                Self::Retry { reason: Reason(reason), wait: wait.map(|wait| wait.as_secs()) }
            }
            Severity::Fatal if error.is_unauthorized() => Self::Renew,
            Severity::Fatal => match error {
                RequestError::CursorRefused { .. } | RequestError::SinceTooOld { .. } => Self::Recover,
                _ => Self::Fail,
            },
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { reason, wait: None } => write!(f, "retry, {reason:?}, with backoff"),
            Self::Retry { reason, wait: Some(wait) } => write!(f, "retry, {reason:?}, after {wait} s"),
            Self::Renew => f.write_str("renew"),
            Self::Recover => f.write_str("recover, or fail with `on_lost_cursor: fail`"),
            Self::Fail => f.write_str("fail"),
        }
    }
}

async fn org(rate_limit: u32) -> Simulator {
    Simulator::start(SimulatorConfig { events: 3, rate_limit, ..SimulatorConfig::default() }).await.unwrap()
}

/// Asks as the program does.
async fn ask(simulator: &Simulator, query: &str, token: &str) -> Outcome {
    let org: Origin = simulator.url().parse().unwrap();
    let url = PageUrl::checked(&format!("{org}{LOGS}?{query}"), &org).unwrap();
    Client::new(org, ClientOptions::default())
        .unwrap()
        .get(&url, &Credential::ssws(SecretString::from(token)).unwrap())
        .await
}

async fn refused(simulator: &Simulator, query: &str, answer: VerbatimAnswer) -> RequestError {
    simulator.answer_next(LOGS, answer);
    ask(simulator, query, simulator.token()).await.result.expect_err("a refusal")
}

fn verbatim(row: &Row) -> VerbatimAnswer {
    let answer = VerbatimAnswer::new(row.status, row.body);
    row.headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value))
}

#[tokio::test]
async fn every_refusal_means_what_the_table_says_and_tells_what_to_do() {
    let simulator = org(60_000).await;
    let mut text = String::new();
    for row in ROWS {
        let error = refused(&simulator, row.query, verbatim(row)).await;
        assert_eq!(Means::of(&error), row.means, "{}: {error:?}", row.name);
        let (okta, says) = (error.okta().unwrap(), error.with_advice());
        assert_eq!(okta.status, row.status, "{}", row.name);
        let (_, next) = says.split_once(&okta.to_string()).unwrap();
        let next = next.trim_start_matches(')').strip_prefix(": ");
        assert!(next.is_some_and(|next| next.len() > 10), "{}: nothing to do: {says}", row.name);
        assert!(!says.contains(simulator.token()) && !says.chars().any(char::is_control), "{says}");
        text += &format!("{} {}\n  asked   {}\n", row.status, row.name, row.query);
        text += &format!("  body    {}\n", if row.body.is_empty() { "(empty)" } else { row.body });
        for (name, value) in row.headers.iter().filter(|(_, value)| !value.is_empty()) {
            text += &format!("  header  {name}: {value}\n");
        }
        text += &format!("  means   {}\n  says    {says}\n\n", row.means);
    }
    snapshot::assert(SNAPSHOT, &text);
    prove::row(
        "error-table",
        "Every refusal that is known of Okta is retried, renewed or failed as it must be, with what to do",
        &format!(
            "{} answers, status, headers and body, served by the simulated org and asked for by the client",
            ROWS.len()
        ),
        "the table's meaning for each, in both of Okta's forms; the operator's words are tests/it/error_table/errors.snapshot.txt",
    );
}

/// Okta has two forms of an error, and says that decisions may hang on `errorCode` alone: a form changes nothing, nor do
/// other words, except which of the reasons a connector fails for.
#[tokio::test]
async fn neither_form_nor_words_decide() {
    let simulator = org(60_000).await;
    for row in ROWS {
        let Ok(body) = serde_json::from_str::<Value>(row.body) else { continue };
        let (code, summary) = (&body["errorCode"], &body["errorSummary"]);
        let causes = body.get("errorCauses").cloned().unwrap_or(json!([]));
        let standard = json!({
            "errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oaeFi", "errorCauses": causes,
        });
        let mut of_the_log = json!({"errorCode": code, "errorSummary": summary});
        of_the_log["errorId"] = json!("dd4998a1-2267-499b-9e4d-ec821fcc5ca9");
        if causes.as_array().is_some_and(|causes| !causes.is_empty()) {
            of_the_log["errorCauses"] = causes.clone();
        }
        let no_causes = json!({"errorCode": code, "errorSummary": summary, "errorId": null, "errorCauses": null});
        let forms = if row.name.contains("in a cause") {
            vec![standard, of_the_log]
        } else {
            vec![standard, of_the_log, no_causes]
        };
        for form in forms {
            let answer = VerbatimAnswer { body: form.to_string().into_bytes(), ..verbatim(row) };
            let error = refused(&simulator, row.query, answer).await;
            assert_eq!(Means::of(&error), row.means, "{}: {form}", row.name);
        }
        let translated = json!({"errorCode": code, "errorSummary": "Das ging nicht", "errorId": "oaeFi"}).to_string();
        let answer = VerbatimAnswer { body: translated.into_bytes(), ..verbatim(row) };
        let found = Means::of(&refused(&simulator, row.query, answer).await);
        // Words alone tell a checkpoint's cursor or `since` from other parameters.
        let by_words = matches!((found, row.means), (Means::Fail, Means::Recover));
        assert!(found == row.means || by_words, "{}: {found}", row.name);
    }
}

/// What the simulated org says by itself is what the table has: the answers are nobody's invention of today.
#[tokio::test]
async fn the_simulated_org_says_the_same_by_itself() {
    let mut by_itself = 0;
    for row in ROWS {
        let Some(condition) = row.condition else { continue };
        let simulator = org(if matches!(condition, Condition::Window) { 1 } else { 60_000 }).await;
        let url = format!("{}{LOGS}?{}", simulator.url(), row.query);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let mut token = simulator.token().to_owned();
        let mut request = http.get(&url);
        match condition {
            Condition::Query => {}
            Condition::Fault(kind) => {
                simulator.inject(kind);
                simulator.inject(kind);
            }
            Condition::Token => token = "00another".to_owned(),
            Condition::Path => request = http.get(format!("{}/nothing", simulator.url())),
            Condition::Method => request = http.post(&url),
            Condition::Body => request = request.body("{}"),
            Condition::Window => assert_eq!(ask(&simulator, row.query, &token).await.status, Some(200)),
        }
        let answer = request.header("authorization", format!("SSWS {token}")).send().await.unwrap();
        assert_eq!(answer.status(), row.status, "{}", row.name);
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(without_id(body), without_id(serde_json::from_str(row.body).unwrap()), "{}", row.name);
        by_itself += 1;
        // Other paths, methods and bodies are none that the client can send.
        if matches!(condition, Condition::Path | Condition::Method | Condition::Body) {
            continue;
        }
        let error = ask(&simulator, row.query, &token).await.result.expect_err(row.name);
        match (Means::of(&error), row.means) {
            // How long depends on the moment.
            (Means::Retry { reason, wait: Some(wait) }, Means::Retry { reason: expected, wait: Some(_) }) => {
                assert!(reason == expected && (1..=61).contains(&wait), "{}: {error}", row.name);
            }
            (found, expected) => assert_eq!(found, expected, "{}", row.name),
        }
    }
    assert!(by_itself >= 18, "{by_itself}");
}

/// The same, with only whether there is an id and of which form.
fn without_id(mut body: Value) -> Value {
    if let Some(id) = body.get_mut("errorId") {
        let form = if id.as_str().is_some_and(|id| id.starts_with("oae")) { "oae" } else { "uuid" };
        *id = json!(form);
    }
    body
}
