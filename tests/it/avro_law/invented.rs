//! The law for events that nobody would think of, and for made-up ones that look like Okta's.

use std::collections::BTreeMap;

use okta_kafka_source::convert::avro::{Encoder, MAX_DEPTH, schema};
use okta_kafka_source::simulator::{DriftFrom, SimulatorConfig};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::org::Org;
use crate::support::{law, prove};

/// Checks what the encoder makes of an event; gives back the class of a refusal, or how many values are in `unmapped`.
fn checked(encoder: &Encoder, event: &[u8]) -> Result<Result<usize, &'static str>, String> {
    let made = encoder.encode(event);
    let seen = match &made {
        Ok(encoded) => Ok((encoded.value.as_ref(), encoded.unmapped)),
        Err(refused) => Err(refused.as_str()),
    };
    law::check(schema::schema(), MAX_DEPTH, event, seen)?;
    Ok(made.map(|encoded| encoded.unmapped).map_err(|refused| refused.as_str()))
}

#[test]
fn the_law_holds_for_invented_events() {
    let cases = prove::scale(200_000, 3_000);
    let encoder = Encoder::new(7);
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() });
    let met = std::cell::RefCell::new(BTreeMap::<&str, u32>::new());
    let outcome = runner.run(&vec(any::<u8>(), 0..600), |choices| {
        let event = law::invent::event(schema::schema(), &choices);
        let made = checked(&encoder, event.as_bytes())
            .map_err(|problem| TestCaseError::fail(format!("{problem}: {event}")))?;
        *met.borrow_mut()
            .entry(made.map_or_else(|class| class, |count| if count == 0 { "fits" } else { "unmapped" }))
            .or_default() += 1;
        Ok(())
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
    let met = met.into_inner();
    println!("{met:?}");
    // The events are of every kind.
    for kind in ["fits", "unmapped", "DuplicateMember", "TooDeep", "MissingUuid", "NameNotUnicode"] {
        assert!(met.get(kind).is_some_and(|count| *count > cases / 1000), "{kind}: {met:?}");
    }
    let seen = met.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
    prove::row(
        "avro-law",
        "decode(encode(event)) is the event, for invented events too; what can't be is refused, and for that reason only",
        &format!("{cases} invented events, decoded by apache-avro and compared by code of the test's own"),
        &seen,
    );
}

#[test]
fn the_law_holds_for_the_simulated_orgs_events() {
    let encoder = Encoder::new(7);
    let events = prove::scale(20_000, 500);
    let plain = SimulatorConfig { events, live_rate: 0.0, ..SimulatorConfig::default() };
    for (shape, config, refused) in [
        ("plain", plain.clone(), false),
        ("drifted", SimulatorConfig { drift_from: Some(DriftFrom::Event(0)), ..plain.clone() }, false),
        ("odd", SimulatorConfig { awkward: 1.0, ..plain.clone() }, false),
        ("unpublishable", SimulatorConfig { unpublishable: 1.0, ..plain }, true),
    ] {
        let made = Org::start(config).events();
        assert_eq!(made.len(), events);
        let mut met = BTreeMap::<Result<bool, &str>, usize>::new();
        for event in &made {
            let made = checked(&encoder, &event.raw);
            let made = made.unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&event.raw)));
            // Of the unpublishable ones, a blank `uuid` is no record's key, and still a text.
            assert!(refused || made.is_ok(), "{}", String::from_utf8_lossy(&event.raw));
            *met.entry(made.map(|unmapped| unmapped > 0)).or_default() += 1;
        }
        println!("{shape}: {met:?}");
    }
}
