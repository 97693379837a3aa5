//! No latency at all: what exactly once costs, in time and in memory.

use okta_kafka_source::simulator::SimulatorConfig;

use crate::bound::{Bounds, Median, Promise};
use crate::run::{Cost, Setting};
use crate::support::org::Org;
use crate::support::prove;
use crate::support::registry::shared_registry;

const EVENTS: usize = 100_000;
const TIME_BOUND: f64 = 2.0;
const PEAK_BOUND_MB: f64 = 64.0;
const GROWTH_BOUND: f64 = 1.05;
/// In the connector's time with JSON.
const AVRO_BOUND: f64 = 3.0;

/// Runs it and judges.
pub fn run(bootstrap: &str, bounds: &mut Bounds) {
    let repetitions = prove::scale(11, 5);
    let org = |events| Org::start(SimulatorConfig { events, gzip: false, ..SimulatorConfig::default() });
    let (all, half) = (org(EVENTS), org(EVENTS / 2));
    println!("throughput: {EVENTS} events at no latency");
    let mut bare_loop = Vec::new();
    let mut connector = Vec::new();
    let mut connector_half = Vec::new();
    let registry = shared_registry();
    let mut avro = Vec::new();
    for _ in 0..repetitions {
        bare_loop.push(Setting::new(bootstrap, &all).bare_loop());
        println!("  bare loop {}", bare_loop[bare_loop.len() - 1]);
        connector.push(Setting::new(bootstrap, &all).connector());
        println!("  connector {}", connector[connector.len() - 1]);
        connector_half.push(Setting::new(bootstrap, &half).connector());
        println!("  with half {}", connector_half[connector_half.len() - 1]);
        if let Some(registry) = registry {
            avro.push(Setting::avro(bootstrap, &all, registry).connector());
            println!("  as Avro   {}", avro[avro.len() - 1]);
        }
    }
    judge_time(&connector, &bare_loop, bounds);
    judge_memory(&connector, &connector_half, bounds);
    if !avro.is_empty() {
        judge_avro(&avro, &connector, bounds);
    }
}

fn judge_time(connector: &[Cost], bare_loop: &[Cost], bounds: &mut Bounds) {
    let wall = |costs: &[Cost]| Median::of_seconds(costs.iter().map(|cost| cost.wall));
    let cpu = |costs: &[Cost]| Median::of_seconds(costs.iter().map(|cost| cost.cpu));
    let (our_wall, bare_wall) = (wall(connector), wall(bare_loop));
    let (our_cpu, bare_cpu) = (cpu(connector), cpu(bare_loop));
    let (wall_ratio, cpu_ratio) = (our_wall.middle / bare_wall.middle, our_cpu.middle / bare_cpu.middle);
    bounds.judge(&Promise {
        id: "bench-throughput",
        promise: "Exactly once costs at most twice a bare loop without transactions, in wall time and in CPU time",
        done: format!(
            "{EVENTS} events in pages of 100 at no latency; {} runs of each side by turns, medians; the same bytes, \
             settings and lz4 on both sides",
            connector.len()
        ),
        result: format!(
            "wall {wall_ratio:.2} times: connector {}, bare loop {}; CPU {cpu_ratio:.2} times: connector {}, bare loop {}; \
             {:.0} events a second",
            our_wall.text("s"),
            bare_wall.text("s"),
            our_cpu.text("s"),
            bare_cpu.text("s"),
            EVENTS as f64 / our_wall.middle,
        ),
        kept: wall_ratio <= TIME_BOUND && cpu_ratio <= TIME_BOUND,
    });
}

fn judge_memory(connector: &[Cost], connector_half: &[Cost], bounds: &mut Bounds) {
    let peak = |costs: &[Cost]| Median::of(costs.iter().map(Cost::peak_mib));
    let (all, half) = (peak(connector), peak(connector_half));
    let growth = all.middle / half.middle;
    bounds.judge(&Promise {
        id: "memory",
        promise: "One connector needs at most 64 MB, and for twice as many events at most 5 % more",
        done: format!(
            "Peak resident memory over {EVENTS} and over {} events, {} runs of each by turns; 64 MB hold for the largest, \
             5 % for the medians",
            EVENTS / 2,
            connector.len()
        ),
        result: format!("{}; for half the events {}: {:+.1} %", all.text("MiB"), half.text("MiB"), (growth - 1.0) * 100.0),
        // A MiB is 1.048576 MB.
        kept: all.most * 1.048_576 <= PEAK_BOUND_MB && growth <= GROWTH_BOUND,
    });
}

fn judge_avro(avro: &[Cost], json: &[Cost], bounds: &mut Bounds) {
    let wall = |costs: &[Cost]| Median::of_seconds(costs.iter().map(|cost| cost.wall));
    let cpu = |costs: &[Cost]| Median::of_seconds(costs.iter().map(|cost| cost.cpu));
    let (avro_wall, json_wall) = (wall(avro), wall(json));
    let (avro_cpu, json_cpu) = (cpu(avro), cpu(json));
    let peak = Median::of(avro.iter().map(Cost::peak_mib));
    let ratio = avro_wall.middle / json_wall.middle;
    bounds.judge(&Promise {
        id: "bench-avro",
        promise: "Avro costs at most three times the wall time of JSON where nothing else takes any, and as much memory at most as is promised for that",
        done: format!(
            "{EVENTS} events in pages of 100 at no latency, as Avro beside JSON; {} runs of each by turns, medians",
            avro.len()
        ),
        result: format!(
            "wall {ratio:.2} times: Avro {}, JSON {}; CPU: Avro {}, JSON {}; {:.0} Avro events a second; peak {}",
            avro_wall.text("s"),
            json_wall.text("s"),
            avro_cpu.text("s"),
            json_cpu.text("s"),
            EVENTS as f64 / avro_wall.middle,
            peak.text("MiB"),
        ),
        kept: ratio <= AVRO_BOUND && peak.most * 1.048_576 <= PEAK_BOUND_MB,
    });
}
