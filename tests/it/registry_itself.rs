//! What the program relies on in a schema registry, seen at the real one of the tests (see `support::registry`).

use crate::support::registry::shared_registry;

const PLAIN: &str = r#"{"type":"record","name":"R","namespace":"n","doc":"d","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","string"],"default":null}]}"#;
/// The same schema, written differently.
const REFORMATTED: &str = r#"{ "fields": [{"name": "a", "type": {"type": "string"}}, {"default": null, "name": "b", "type": ["null", "string"]}],
    "doc": "d", "namespace": "n", "name": "R", "type": "record" }"#;
/// `b` is no longer nullable.
const INCOMPATIBLE: &str = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"},{"name":"b","type":"string"}]}"#;

#[test]
fn a_registry_registers_looks_up_and_refuses_as_the_program_relies_on() {
    let Some(registry) = shared_registry() else { return };
    let subject = "registry-itself-value";
    let look_up = |schema: &str, parameters: &str| {
        let path = format!("/subjects/{subject}{parameters}");
        registry.request("POST", &path, Some(&serde_json::json!({ "schema": schema })))
    };

    // Nothing there: 404 with Confluent's code for a subject, so that it can be told from a wrong URL.
    let (status, answer) = look_up(PLAIN, "");
    assert_eq!((status, answer["error_code"].as_u64()), (404, Some(40401)), "{answer}");
    assert!(registry.versions(subject).is_empty() && registry.latest(subject).is_none());

    let id = registry.register(subject, PLAIN).unwrap();
    assert_eq!(registry.register(subject, PLAIN), Ok(id), "registering is repeatable");
    assert_eq!(registry.latest(subject), Some((id, PLAIN.to_owned())));
    assert_eq!(registry.schema(id), PLAIN);
    let (status, answer) = look_up(PLAIN, "");
    assert_eq!((status, answer["id"].as_u64()), (200, Some(id.into())), "{answer}");

    // Only `normalize` finds what is written differently.
    let (status, answer) = look_up(REFORMATTED, "");
    assert_eq!((status, answer["error_code"].as_u64()), (404, Some(40403)), "{answer}");
    let (status, answer) = look_up(REFORMATTED, "?normalize=true");
    assert_eq!((status, answer["id"].as_u64()), (200, Some(id.into())), "{answer}");

    // Without a rule, a registry takes everything.
    assert!(registry.is_compatible(subject, INCOMPATIBLE));
    registry.set_compatibility(subject, "FULL_TRANSITIVE");
    assert!(!registry.is_compatible(subject, INCOMPATIBLE));
    let (status, message) = registry.register(subject, INCOMPATIBLE).unwrap_err();
    assert!(status == 409 && message.contains("/fields/1"), "{status} {message}");
    assert_eq!(registry.versions(subject), [1]);
}
