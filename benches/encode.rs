//! Events to Avro on one core: from Okta's bytes to a record's value.
//!
//! `cargo bench --bench encode` prints criterion's figures for each shape of events, and ends with 1 where typical events
//! are slower than promised. docs/measurements.md has what was seen.

// A benchmark reads real clocks, and ends where something is not as it should be.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use okta_kafka_source::convert::avro::Encoder;
use okta_kafka_source::simulator::{DriftFrom, Simulator, SimulatorConfig};

#[allow(dead_code, reason = "a run is never shortened")]
#[path = "../tests/it/support/prove.rs"]
mod prove;

/// What one core has to encode of typical events, in events a second.
const PROMISED: f64 = 60_000.0;

/// So many events of each shape, taken in turn.
const EVENTS: usize = 1000;

fn main() -> ExitCode {
    let encoder = Encoder::new(1);
    let typical = simulated(None);
    let mut criterion = Criterion::default().measurement_time(Duration::from_secs(4)).configure_from_args();
    let mut group = criterion.benchmark_group("avro");
    for (shape, events) in [
        ("typical", typical.clone()),
        ("all drifted", simulated(Some(DriftFrom::Event(0)))),
        ("debugData of 64 KiB in 500 members", vec![with_debug_data(&typical[0], 500, &"x".repeat(100))]),
        (
            "debugData of 64 KiB in one escaped text",
            vec![with_debug_data(&typical[0], 1, &r#"{\"a\":1},"#.repeat(6_500))],
        ),
    ] {
        let bytes: usize = events.iter().map(Bytes::len).sum();
        let (values, unmapped) = encode(&encoder, &events);
        println!(
            "avro/{shape}: an event has {} B, its value {} B, and {:.2} values are unmapped",
            bytes / events.len(),
            values / events.len(),
            unmapped as f64 / events.len() as f64
        );
        group.throughput(Throughput::Elements(events.len() as u64));
        group.bench_function(shape, |bencher| bencher.iter(|| encode(&encoder, black_box(&events))));
    }
    group.finish();
    criterion.final_summary();
    judge(&encoder, &typical)
}

/// Encodes each event; gives back the bytes of the values, and what had no place.
fn encode(encoder: &Encoder, events: &[Bytes]) -> (usize, usize) {
    let encoded = events.iter().map(|event| encoder.encode(event).expect("an event that can be encoded"));
    encoded.fold((0, 0), |(bytes, unmapped), encoded| (bytes + encoded.value.len(), unmapped + encoded.unmapped))
}

/// The promise: the best of five seconds, since whatever else a machine does only takes time away.
fn judge(encoder: &Encoder, typical: &[Bytes]) -> ExitCode {
    let mut best = f64::MAX;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let start = Instant::now();
        black_box(encode(encoder, black_box(typical)));
        best = best.min(start.elapsed().as_secs_f64());
    }
    let rate = typical.len() as f64 / best;
    let promise = "At least 60,000 typical events a second on one core, from Okta's bytes to a record's value";
    let result = format!("{rate:.0} events/s");
    if rate < PROMISED {
        println!("BROKEN: {promise}\n  {result}");
        return ExitCode::FAILURE;
    }
    println!("kept: {promise}\n  {result}");
    let done = format!("{} events of the simulated org, encoded for 5 s; the best round", typical.len());
    prove::row("bench-encode", promise, &done, &result);
    ExitCode::SUCCESS
}

/// Events of the simulated org.
fn simulated(drift_from: Option<DriftFrom>) -> Vec<Bytes> {
    let config = SimulatorConfig { events: EVENTS, live_rate: 0.0, drift_from, ..SimulatorConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let org = runtime.block_on(Simulator::start(config)).expect("the simulated org starts");
    org.events().into_iter().map(|event| event.raw).collect()
}

/// The event with other `debugData`: `members` texts, each of them `text` as JSON writes it.
fn with_debug_data(event: &Bytes, members: usize, text: &str) -> Bytes {
    let event = std::str::from_utf8(event).unwrap();
    let (before, rest) = event.split_once(r#""debugData":{"#).expect("an event has debugData");
    let (_, after) = rest.split_once('}').expect("an object ends");
    let texts: Vec<String> = (0..members).map(|number| format!(r#""member{number}":"{text}""#)).collect();
    Bytes::from(format!(r#"{before}"debugData":{{{}}}{after}"#, texts.join(",")))
}
