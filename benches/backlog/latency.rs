//! A slow link: what the connector does beside asking must not be felt.

use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;

use crate::bound::{Bounds, Median, Promise};
use crate::run::Setting;
use crate::support::org::Org;
use crate::support::prove;

const LATENCY: Duration = Duration::from_millis(200);
const BOUND: f64 = 1.10;

/// Runs it and judges.
pub fn run(bootstrap: &str, bounds: &mut Bounds) {
    let (pages, repetitions) = prove::scale((200, 5), (50, 1));
    let settings = SimulatorConfig { events: pages * 100, latency: LATENCY, gzip: false, ..SimulatorConfig::default() };
    let org = Org::start(settings);
    println!("latency: {pages} pages at {LATENCY:?}");
    let mut connector = Vec::new();
    let mut bare_loop = Vec::new();
    for _ in 0..repetitions {
        bare_loop.push(Setting::new(bootstrap, &org).bare_loop());
        println!("  bare loop {}", bare_loop[bare_loop.len() - 1]);
        connector.push(Setting::new(bootstrap, &org).connector());
        println!("  connector {}", connector[connector.len() - 1]);
    }
    let ours = Median::of_seconds(connector.iter().map(|cost| cost.wall));
    let bare = Median::of_seconds(bare_loop.iter().map(|cost| cost.wall));
    let ratio = ours.middle / bare.middle;
    bounds.judge(&Promise {
        id: "bench-latency",
        promise: "A backlog over a slow link takes at most 1.10 times as long as a bare loop of the same requests",
        done: format!(
            "{pages} pages of 100 events, each answered after {} ms; {repetitions} runs of each side by turns, medians",
            LATENCY.as_millis()
        ),
        result: format!("{ratio:.3} times: connector {}, bare loop {}", ours.text("s"), bare.text("s")),
        kept: ratio <= BOUND,
    });
}
