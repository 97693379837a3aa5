//! What answers mean, and which of them are errors.

use serde_json::Value;

use super::error::RegistryError;
use super::request::Answer;
use crate::okta::excerpt::excerpt;

/// Confluent's `error_code` of a registry, or a subject, in mode READONLY.
const OPERATION_NOT_PERMITTED: u64 = 42205;

/// How many of a registry's reasons a message repeats.
const MAX_REASONS: usize = 3;

/// What was asked, as messages have it: `to …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Looks up or reads.
    Read,
    /// Asks for compatibility.
    Compare,
    /// Registers.
    Register,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Compare => "compare with",
            Self::Register => "register our schema under",
        }
    }
}

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub id: u32,
    /// Its number; 0 where the registry does not say.
    pub number: u64,
    /// Its text; a look-up may leave it out.
    pub schema: Option<String>,
    /// `AVRO`, `JSON`, `PROTOBUF`.
    pub kind: String,
    /// Whether its texts may not be shown, as in [`Answer::repeats_login`].
    pub is_hidden: bool,
}

/// A version that was looked up, or read; `None` where there is none.
pub(super) fn version(answer: &Answer, subject: &str) -> Result<Option<Version>, RegistryError> {
    if answer.is_absent() {
        return Ok(None);
    }
    if answer.status != 200 {
        return Err(refusal(answer, Action::Read, subject));
    }
    let body = &answer.body;
    let version = Version {
        id: id(answer)?,
        number: body["version"].as_u64().unwrap_or_default(),
        schema: body["schema"].as_str().map(str::to_owned),
        kind: body["schemaType"].as_str().unwrap_or("AVRO").to_owned(),
        is_hidden: answer.repeats_login,
    };
    Ok(Some(version))
}

/// The id of a registered schema.
pub(super) fn registered(answer: &Answer, subject: &str) -> Result<u32, RegistryError> {
    match answer.status {
        200 => id(answer),
        409 => Err(RegistryError::Incompatible {
            subject: subject.to_owned(),
            with: "the versions".to_owned(),
            differences: format!("the registry says {}", answer.said),
        }),
        _ => Err(refusal(answer, Action::Register, subject)),
    }
}

/// What a registry says to a schema: it gets on, or what it has against it (nothing, where it gives no reason).
pub(super) fn compatibility(answer: &Answer, subject: &str) -> Result<Result<(), String>, RegistryError> {
    match (answer.status, answer.body["is_compatible"].as_bool()) {
        (200, Some(true)) => Ok(Ok(())),
        (200, Some(false)) => {
            // Confluent's says `{errorType:'…', description:'…', additionalInfo:'…'}` for each, then both schemas.
            let messages = answer.body["messages"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let reasons = messages.filter(|message| !answer.repeats_login && message.contains("errorType"));
            let reasons: Vec<String> = reasons.take(MAX_REASONS).map(excerpt).collect();
            Ok(Err(reasons.join(", ")))
        }
        // It has nothing to compare with, or does not know this question: registering is its last word anyway.
        (404 | 405 | 501, _) => Ok(Ok(())),
        _ => Err(refusal(answer, Action::Compare, subject)),
    }
}

/// A rule of compatibility, as `BACKWARD`.
pub(super) fn rule(answer: &Answer) -> Option<String> {
    let level = answer.body["compatibilityLevel"].as_str().filter(|_| answer.status == 200 && !answer.repeats_login)?;
    Some(excerpt(level))
}

/// The numbers of a subject's versions.
pub(super) fn numbers(answer: &Answer) -> Vec<u64> {
    answer.body.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

fn id(answer: &Answer) -> Result<u32, RegistryError> {
    // Readers of other makers take it for a signed number, and 0 is what they have where there is none.
    let id = answer.body["id"].as_i64().and_then(|id| i32::try_from(id).ok()).and_then(|id| u32::try_from(id).ok());
    id.filter(|id| *id > 0).ok_or_else(|| RegistryError::NotARegistry {
        url: answer.url.clone(),
        answer: "its answer has no `id` of a schema".to_owned(),
    })
}

fn refusal(answer: &Answer, action: Action, subject: &str) -> RegistryError {
    let (url, said, subject) = (answer.url.clone(), answer.said.clone(), subject.to_owned());
    let also = match action {
        Action::Register => {
            ", or have it registered (`okta-kafka-source schema show` prints it) and set `schema_registry.auto_register: false`"
        }
        Action::Read | Action::Compare => "",
    };
    let action = action.as_str();
    match (answer.status, answer.code()) {
        (401, _) => RegistryError::Unauthorized { url, answer: said },
        (403, _) | (_, Some(OPERATION_NOT_PERMITTED)) => {
            RegistryError::Forbidden { url, action, subject, answer: said, also }
        }
        _ if (200..400).contains(&answer.status) || answer.is_foreign() => {
            RegistryError::NotARegistry { url, answer: said }
        }
        _ => RegistryError::Refused { url, action, subject, answer: said },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::error::Severity;
    use super::*;

    fn answer(status: u16, body: Value) -> Answer {
        Answer { url: "http://r".to_owned(), status, body, said: status.to_string(), repeats_login: false }
    }

    #[test]
    fn answers_are_read_as_confluents_api_has_them() {
        let found = json!({"subject": "s", "version": 3, "id": 7, "schema": "x"});
        let version_3 =
            Version { id: 7, number: 3, schema: Some("x".to_owned()), kind: "AVRO".to_owned(), is_hidden: false };
        assert_eq!(version(&answer(200, found), "s"), Ok(Some(version_3)));
        for code in [40401, 40402, 40403] {
            assert_eq!(version(&answer(404, json!({ "error_code": code })), "s"), Ok(None), "{code}");
        }
        assert_eq!(registered(&answer(200, json!({"id": 8})), "s"), Ok(8));
        let reasons =
            json!({"is_compatible": false, "messages": ["{errorType:'A'}", "{oldSchema: 'x'}", "{errorType:'B'}"]});
        assert_eq!(compatibility(&answer(200, reasons), "s"), Ok(Err("{errorType:'A'}, {errorType:'B'}".to_owned())));
        assert_eq!(compatibility(&answer(200, json!({"is_compatible": false})), "s"), Ok(Err(String::new())));
        assert_eq!(compatibility(&answer(404, Value::Null), "s"), Ok(Ok(())));
    }

    #[test]
    fn every_other_answer_is_an_error_for_somebody() {
        for (status, body, says) in [
            (200, Value::Null, "is no schema registry"),
            (200, json!({"id": -1}), "has no `id`"),
            (200, json!({"id": u64::MAX}), "has no `id`"),
            (200, json!({"id": 0}), "has no `id`"),
            (200, json!({"id": 3_000_000_000_u64}), "has no `id`"),
            // What Confluent's servers say to a path that they do not know.
            (404, json!({"error_code": 404, "message": "HTTP 404 Not Found"}), "is no schema registry"),
            (405, json!({"error_code": 405}), "is no schema registry"),
            (404, json!({"error_code": 40408}), "refuses to read subject `s`"),
            (302, Value::Null, "is no schema registry"),
            (404, Value::Null, "is no schema registry"),
            (401, json!({"error_code": 401}), "refuses the login"),
            (403, json!({"error_code": 403}), "does not allow to read subject `s`"),
            (422, json!({"error_code": 42205}), "does not allow to read"),
            (422, json!({"error_code": 42201}), "refuses to read subject `s`"),
            (400, Value::Null, "refuses to read"),
        ] {
            let error = version(&answer(status, body), "s").expect_err(says);
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.severity(), Severity::Failed);
        }
        let refused = registered(&answer(409, json!({"error_code": 409})), "s").expect_err("409");
        assert!(refused.to_string().contains("does not get on with the versions of subject `s`"), "{refused}");
        let read_only = registered(&answer(403, Value::Null), "s").expect_err("403");
        assert!(read_only.to_string().contains("auto_register: false"), "{read_only}");
    }
}
