//! What Okta changes in its events without asking anybody: the schema drift of api.md's kind, as it was reported.
//!
//! `securityContext.userBehaviors` is the real case: it came untyped, was typed as a list of strings by a client library,
//! and was served as a list of objects. The rest is the same kind of change in every place where one can be made.

use super::edit::{add, remove, set};

/// What an org serves that has not drifted yet, but will: `userBehaviors` as strings, in every second event.
pub(super) fn before(text: &mut String, rng: &mut fastrand::Rng) {
    if rng.bool() {
        return;
    }
    let result = ["POSITIVE", "NEGATIVE"][rng.usize(..2)];
    let _ = set(text, "securityContext/userBehaviors", &format!(r#"["New Device={result}","New IP=NEGATIVE"]"#));
}

/// What it serves from then on.
pub(super) fn after(text: &mut String, rng: &mut fastrand::Rng) {
    // Strings turn into objects; one of two has a member that no description of them has.
    if rng.bool() {
        let result = ["POSITIVE", "NEGATIVE"][rng.usize(..2)];
        let behaviors = format!(
            r#"[{{"id":"beh4f2k9qx7r0","name":"New Device","result":"{result}"}},{{"id":"beh4f2k9qx7r1","name":"New IP","result":"UNKNOWN","score":0.{}}}]"#,
            rng.u8(1..100)
        );
        let _ = set(text, "securityContext/userBehaviors", &behaviors);
    }
    // New members: in the event, in what it holds, and in the elements of arrays.
    let _ = add(
        text,
        "",
        &format!(
            r#""entityRisk":{{"level":"LOW","score":{},"factors":["new_device","new_ip"]}},"tenantRegion":"EU-1""#,
            rng.u8(..100)
        ),
    );
    let _ = add(text, "client", r#""tlsFingerprint":{"ja3":"771,4865-4866","ja4":null}"#);
    let _ = add(text, "authenticationContext", r#""assuranceLevel":2"#);
    let _ = add(text, "request/ipChain/0", r#""autonomousSystem":{"number":64512,"name":"Example Net"}"#);
    let mut target = 0;
    while add(text, &format!("target/{target}"), r#""labels":["synced"]"#) {
        target += 1;
    }
    // A value that no list of values has.
    if rng.u32(..4) == 0 {
        let _ = set(text, "outcome/result", "\"PARTIAL\"");
    }
    // A member disappears, and a string turns into a number (as the API's own examples once had them).
    let _ = remove(text, "legacyEventType");
    let _ = set(text, "version", "1");
    let _ = set(text, "authenticationContext/authenticationStep", "\"FIRST\"");
    for place in ["client/geographicalContext", "request/ipChain/0/geographicalContext"] {
        if rng.bool() {
            let path = format!("{place}/postalCode");
            if super::edit::find(text, &path).is_some() {
                let _ = set(text, &path, &rng.u32(1000..99_999).to_string());
            }
        }
    }
}
