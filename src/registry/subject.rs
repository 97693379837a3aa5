//! One subject: whether our schema is there, whether it may be, and putting it there.

use reqwest::Method;
use serde_json::json;

use super::answer::{self, Version};
use super::error::RegistryError;
use super::request::{Answer, Count, Question, Requests};
use super::schema::{self, Relation};
use crate::convert::avro::schema::SCHEMA_JSON;

/// How many versions are looked at, the newest first, to name what a registry objects to.
const LOOKED_AT: usize = 20;

/// In place of what an answer says that repeats the login.
const HIDDEN: &str = "which is not shown, as the answer repeats a part of the login";

/// What there is under a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Our schema.
    Registered {
        /// Its id.
        id: u32,
        /// Its version; 0 where the registry does not say.
        version: u64,
    },
    /// Nothing yet; ours may be registered.
    Nothing,
    /// Other versions of our schema, with which ours gets on.
    OtherVersions {
        /// The latest.
        latest: u64,
    },
}

/// The id of our schema: what is there, else registered, where `may_register`.
pub(super) async fn obtain(
    requests: &Requests,
    subject: &str,
    may_register: bool,
    count: Count<'_>,
) -> Result<u32, RegistryError> {
    if let Found::Registered { id, .. } = look(requests, subject, may_register, count).await? {
        return Ok(id);
    }
    let answer = post(requests, &["subjects", subject, "versions"], None, count).await?;
    match answer::registered(&answer, subject) {
        // Not every registry could be asked before.
        Err(RegistryError::Incompatible { differences, .. }) => {
            Err(why_refused(requests, subject, differences, count).await)
        }
        registered => registered,
    }
}

/// What there is. An error where ours is not there and would not be taken, or must not be registered.
pub(super) async fn look(
    requests: &Requests,
    subject: &str,
    may_register: bool,
    count: Count<'_>,
) -> Result<Found, RegistryError> {
    let as_it_is = post(requests, &["subjects", subject], None, count).await?;
    let ours = answer::version(&as_it_is, subject)?.filter(is_same);
    // The latest counts also where ours is there: it is what a registry gives to who asks for the subject's schema, and a stranger's
    // there means that somebody else writes to the topic.
    let latest = get(requests, &["subjects", subject, "versions", "latest"], count).await?;
    let latest = answer::version(&latest, subject)?;
    let relation = latest.as_ref().map(of);
    let found = match (ours, latest, relation) {
        (_, Some(_), Some(Relation::Foreign(found))) => {
            return Err(RegistryError::Foreign { subject: subject.to_owned(), found });
        }
        (_, Some(latest), Some(Relation::Incompatible(differences))) => {
            return Err(incompatible(subject, latest.number, differences));
        }
        (Some(ours), ..) => return Ok(ours.into()),
        // Written down in a way that the look-up did not find.
        (None, Some(latest), Some(Relation::Same)) => return Ok(latest.into()),
        (None, Some(latest), _) => {
            // An older version may be ours, written down otherwise. Confluent's registry found it already, as it compares
            // parsed schemas; Apicurio does so only when it is asked to normalize, and answers 500 to that where
            // the subject holds a schema that is no Avro: so that is asked last.
            let normalized = post(requests, &["subjects", subject], Some("normalize=true"), count).await?;
            if let Some(version) = answer::version(&normalized, subject)?.filter(is_same) {
                return Ok(version.into());
            }
            Found::OtherVersions { latest: latest.number }
        }
        (None, None, _) => Found::Nothing,
    };
    if !may_register {
        return Err(RegistryError::NotRegistered { subject: subject.to_owned() });
    }
    if found != Found::Nothing {
        ask_compatibility(requests, subject, count).await?;
    }
    Ok(found)
}

/// The subject's rule, else the one for all.
pub(super) async fn rule(requests: &Requests, subject: &str) -> Option<String> {
    for path in [&["config", subject][..], &["config"]] {
        let answer = get(requests, path, &|_| ()).await.ok()?;
        if let Some(rule) = answer::rule(&answer) {
            return Some(rule);
        }
    }
    None
}

/// By the registry's own rule, and against the versions that this rule is about.
async fn ask_compatibility(requests: &Requests, subject: &str, count: Count<'_>) -> Result<(), RegistryError> {
    let path = ["compatibility", "subjects", subject, "versions"];
    // Karapace and Redpanda document it only of one version.
    let question = Question { may_be_unknown: true, ..ours(&path, Some("verbose=true")) };
    let answer = requests.ask(&question, count).await?;
    let Err(differences) = answer::compatibility(&answer, subject)? else { return Ok(()) };
    if !differences.is_empty() {
        return Err(RegistryError::Incompatible {
            subject: subject.to_owned(),
            with: "the versions".to_owned(),
            differences: format!("the registry says {differences}"),
        });
    }
    // Not every registry gives its reason.
    Err(why_refused(requests, subject, "the registry's rule refuses it and gives no reason".to_owned(), count).await)
}

/// The version that does not get on with ours, and where; `otherwise` what the registry says.
async fn why_refused(requests: &Requests, subject: &str, otherwise: String, count: Count<'_>) -> RegistryError {
    match objection(requests, subject, count).await {
        Ok(Some(error)) => error,
        Ok(None) | Err(_) => RegistryError::Incompatible {
            subject: subject.to_owned(),
            with: "the versions".to_owned(),
            differences: otherwise,
        },
    }
}

async fn objection(
    requests: &Requests,
    subject: &str,
    count: Count<'_>,
) -> Result<Option<RegistryError>, RegistryError> {
    let versions = get(requests, &["subjects", subject, "versions"], count).await?;
    for number in answer::numbers(&versions).into_iter().rev().take(LOOKED_AT) {
        let text = number.to_string();
        let answer = get(requests, &["subjects", subject, "versions", &text], count).await?;
        match answer::version(&answer, subject)?.as_ref().map(of) {
            Some(Relation::Incompatible(differences)) => return Ok(Some(incompatible(subject, number, differences))),
            Some(Relation::Foreign(found)) => {
                let found = format!("in its version {number}: {found}");
                return Ok(Some(RegistryError::Foreign { subject: subject.to_owned(), found }));
            }
            Some(Relation::Same | Relation::Compatible) | None => {}
        }
    }
    Ok(None)
}

fn incompatible(subject: &str, version: u64, differences: String) -> RegistryError {
    RegistryError::Incompatible { subject: subject.to_owned(), with: format!("version {version}"), differences }
}

/// What was looked up is ours, unless its text says otherwise.
fn is_same(version: &Version) -> bool {
    version.schema.is_none() || of(version) == Relation::Same
}

fn of(version: &Version) -> Relation {
    match schema::relation(version.schema.as_deref().unwrap_or_default(), &version.kind) {
        Relation::Foreign(_) if version.is_hidden => Relation::Foreign(HIDDEN.to_owned()),
        Relation::Incompatible(_) if version.is_hidden => Relation::Incompatible(HIDDEN.to_owned()),
        relation => relation,
    }
}

impl From<Version> for Found {
    fn from(version: Version) -> Self {
        Self::Registered { id: version.id, version: version.number }
    }
}

/// With our schema as the body. Avro is what a registry takes it for without `schemaType`.
fn ours<'q>(path: &'q [&'q str], query: Option<&'q str>) -> Question<'q> {
    let body = Some(json!({ "schema": SCHEMA_JSON }).to_string());
    Question { method: Method::POST, path, query, body, may_be_unknown: false }
}

async fn post(
    requests: &Requests,
    path: &[&str],
    query: Option<&str>,
    count: Count<'_>,
) -> Result<Answer, RegistryError> {
    requests.ask(&ours(path, query), count).await
}

async fn get(requests: &Requests, path: &[&str], count: Count<'_>) -> Result<Answer, RegistryError> {
    requests.ask(&Question { method: Method::GET, path, query: None, body: None, may_be_unknown: false }, count).await
}
