use serde_json::json;

use super::*;

fn refusal(filter: &str) -> OktaError {
    Filter::parse(filter).expect_err(filter)
}

#[test]
fn what_okta_documents_as_refused_has_its_words() {
    let unknown = |filter: &str, operator: &str, position| {
        let (filter, operator) = (filter.to_owned(), operator.to_owned());
        OktaError::UnknownOperator { filter, operator, position }
    };
    // The reference's own example.
    let example = "display_message eqq \"Create okta user\"";
    assert_eq!(refusal(example), unknown(example, "eqq", 16));
    let second = "(eventType eq \"a b\") and actor.id is \"x\"";
    assert_eq!(refusal(second), unknown(second, "is", 34));
    for field in ["some_invalid_field", "EventType", "published", "published.x", "target.changeDetails.to.name"] {
        let expected = OktaError::InvalidField { field: field.to_owned() };
        assert_eq!(refusal(&format!("severity pr and not ({field} eq \"x\")")), expected);
    }
    let url = "debugContext.debugData.url";
    assert_eq!(refusal(&format!("{url} CO \"x\"")), OktaError::UnsupportedFilter { field: url.to_owned() });
    assert!(Filter::parse(&format!("{url} sw \"/api\"")).is_ok());
}

#[test]
fn what_is_no_filter_is_refused_with_its_place() {
    for (filter, reason) in [
        ("eventType", "End of input at position 9 but expected an attribute operator"),
        ("eventType eq", "End of input at position 12 but expected a value for operator eq"),
        ("eventType eq user.session.start", "Invalid value 'user.session.start' at position 13."),
        ("eventType eq 'x'", "Invalid value ''x'' at position 13."),
        ("é eq \"x", "End of input in the string that begins at position 5"),
        ("uuid eq \"\\q\"", "The string at position 8 is not a valid JSON string"),
        ("uuid\tpr", "Unexpected character at position 4"),
        ("(uuid pr", "Expected ')' at position 8 for the '(' at position 0"),
        ("uuid pr)", "Unexpected characters at position 7"),
        ("uuid pr severity pr", "Unexpected characters at position 8"),
        ("(uuid pr severity pr)", "Unexpected characters at position 9"),
        ("uuid pr and", "End of input at position 11 but expected an expression"),
        ("not uuid pr", "Expected '(' at position 4"),
        ("and uuid pr", "Expected an attribute name at position 0"),
        ("\"uuid\" pr", "Expected an attribute name at position 0"),
        ("target[id eq \"x\"]", "Expected an attribute operator at position 6"),
        ("uuid eq (\"x\")", "Expected a value for operator eq at position 8"),
    ] {
        match refusal(filter) {
            OktaError::InvalidFilter { filter: of, reason: found } => {
                assert!(of == filter && found.starts_with(reason), "{filter}: {found}");
            }
            other => panic!("{filter}: {other:?}"),
        }
    }
    let deep = format!("{}uuid pr{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(refusal(&deep), OktaError::InvalidFilter { .. }));
    for none in ["", "  "] {
        assert_eq!(Filter::parse(none), Ok(None));
    }
}

#[test]
fn what_a_filter_holds_for() {
    let event = json!({
        "uuid": "u-1", "severity": "WARN", "version": "0", "displayMessage": "", "legacyEventType": null,
        "actor": {"id": "00u1", "alternateId": "Zoë@example.com", "detailEntry": null},
        "target": [{"id": "a", "type": "User"}, {"id": "b", "type": "AppInstance", "displayName": "Say \"hi\""}],
        "client": {"geographicalContext": {"geolocation": {"lat": -10.5, "lon": 7}}, "device": {}},
        "securityContext": {"isProxy": false, "asNumber": 701, "asOrg": {"a": null, "b": ""}},
        "request": {"ipChain": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]},
        "transaction": {"detail": {}},
        "outcome": [],
    });
    for (filter, expected) in [
        ("severity eq \"WARN\"", true),
        ("severity eq \"warn\"", false),
        ("severity EQ \"WARN\"", true),
        ("severity ne \"INFO\"", true),
        ("legacyEventType ne \"x\"", true),
        ("actor.nothing ne \"x\"", true),
        ("actor.nothing eq \"x\" or uuid pr", true),
        // One of the values is enough, and the two may be of different elements.
        ("target.id eq \"b\"", true),
        ("target.id eq \"a\" and target.id eq \"b\"", true),
        ("target.id eq \"a\" and target.type eq \"AppInstance\"", true),
        ("target.id ne \"a\"", false),
        ("target.displayName eq \"Say \\\"hi\\\"\"", true),
        ("request.ipChain.ip sw \"10.0.0.2\"", true),
        ("actor.alternateId sw \"Zo\\u00eb\"", true),
        ("actor.alternateId ew \"@example.com\"", true),
        ("actor.alternateId co \"\"", true),
        ("actor.alternateId co \"ZOË\"", false),
        ("client.geographicalContext.geolocation.lat lt -10", true),
        ("client.geographicalContext.geolocation.lat eq -10.50", true),
        ("client.geographicalContext.geolocation.lon eq 7.0", true),
        ("securityContext.asNumber ge 701", true),
        ("securityContext.asNumber gt \"5\"", false),
        ("securityContext.asNumber eq \"701\"", false),
        ("securityContext.isProxy eq false", true),
        ("securityContext.isProxy eq FALSE", true),
        ("securityContext.isProxy ge false", false),
        ("severity gt \"ERROR\" and severity lt \"WARNING\"", true),
        ("severity le \"WARN\" and severity ge \"WARN\"", true),
        ("legacyEventType eq null", true),
        ("actor.nothing eq null", true),
        ("severity ne null", true),
        ("displayMessage pr", false),
        ("displayMessage eq \"\"", true),
        ("legacyEventType pr", false),
        ("client.device pr", false),
        ("client pr", true),
        ("securityContext.asOrg pr", false),
        ("securityContext.isProxy pr", true),
        ("outcome pr", false),
        ("target pr", true),
        ("target eq \"a\"", false),
        // `and` before `or`, groups before both.
        ("uuid pr or severity eq \"x\" and severity eq \"y\"", true),
        ("(uuid pr or severity eq \"x\") and severity eq \"y\"", false),
        ("not (severity eq \"x\") and uuid pr", true),
        ("not (severity eq \"x\" or uuid pr)", false),
        ("NOT (severity eq \"x\") AND not (uuid eq \"x\")", true),
    ] {
        let parsed = Filter::parse(filter).expect(filter).expect(filter);
        assert_eq!(parsed.holds(&event), expected, "{filter}");
    }
}
