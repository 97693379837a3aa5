//! Nothing is quadratic: 10 MB of whatever somebody sends are split or refused in about ten times the time of 1 MB, and
//! on a small stack.
//!
//! Processor time of the thread is measured, so that what else the machine does does not count.

mod configurations;
mod inputs;

use std::thread;
use std::time::Duration;

use bytes::Bytes;
use okta_kafka_source::config::Config;
use okta_kafka_source::offsets::codec;
use okta_kafka_source::offsets::fold::{LogPosition, OffsetFold};
use okta_kafka_source::okta::error::OktaError;
use okta_kafka_source::okta::link::next_link;
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page;
use okta_kafka_source::okta::page_url::PageUrl;

use crate::support::prove;

/// As much as a body has, in full.
const LARGE: usize = 10_000_000;

/// A configuration is not read where it is over 4 MiB.
const LARGE_FILE: usize = 4_000_000;

/// Ten times the bytes may take three times what they should, for what caches and the allocator do. A quadratic
/// reader takes a hundred times as long.
const MAX_RATIO: f64 = 30.0;

/// Without optimisation, as some builds of the tests are.
const MAX_TIME: Duration = Duration::from_secs(12);

/// Shorter times are noise.
const NOISE: Duration = Duration::from_millis(10);

/// Half of what the program's threads have: recursion by the depth of an input would need a hundred times as much.
const STACK: usize = 1024 * 1024;

/// What reads a body, and what it is given: a name and how to make so many bytes of it.
struct Reader {
    name: &'static str,
    read: fn(&[u8]),
    inputs: inputs::Inputs,
}

const READERS: [Reader; 6] = [
    Reader { name: "page", read: read_page, inputs: inputs::PAGES },
    Reader { name: "link", read: read_link, inputs: inputs::LINKS },
    Reader { name: "page url", read: read_url, inputs: inputs::URLS },
    Reader { name: "okta's error", read: read_error, inputs: inputs::ERRORS },
    Reader { name: "offsets", read: read_offsets, inputs: inputs::OFFSETS },
    Reader { name: "configuration", read: read_configuration, inputs: configurations::ALL },
];

#[test]
fn hostile_bodies_take_linear_time_and_no_stack() {
    let thread = thread::Builder::new().stack_size(STACK).spawn(measure_all).unwrap();
    let (count, slowest, steepest) = thread.join().expect("no panic, and no stack overflow");
    prove::row(
        "hostile-bodies",
        "Nothing is quadratic: 10 MB of hostile body (of a configuration 4 MB, the most that is read) are refused or split \
         in linear time",
        &format!(
            "{count} kinds of body for {} readers, {} MB and a tenth of that, on a stack of {STACK} bytes",
            READERS.len(),
            prove::scale(LARGE, LARGE / 5) / 1_000_000,
        ),
        &format!("slowest: {slowest}; steepest from a tenth to the whole: {steepest}"),
    );
}

fn measure_all() -> (usize, String, String) {
    let (mut count, mut slowest, mut steepest) = (0, (Duration::ZERO, String::new()), (0.0, String::new()));
    for Reader { name, read, inputs } in READERS {
        let largest = if name == "configuration" { LARGE_FILE } else { LARGE };
        for (kind, make) in inputs {
            let time = |size| {
                let input = make(size);
                assert!((size / 2..size * 2).contains(&input.len()), "{name}, {kind}: {} bytes", input.len());
                cpu_time(|| read(&input))
            };
            let large = prove::scale(largest, largest / 5);
            let (small, large) = (time(large / 10), time(large));
            let ratio = large.max(NOISE).as_secs_f64() / small.max(NOISE).as_secs_f64();
            println!("{name}, {kind}: {small:?}, {large:?}, {ratio:.1} times");
            assert!(ratio < MAX_RATIO && large < MAX_TIME, "{name}, {kind}: {small:?} and {large:?}");
            count += 1;
            if large > slowest.0 {
                slowest = (large, format!("{} ms ({name}, {kind})", large.as_millis()));
            }
            if ratio > steepest.0 {
                steepest = (ratio, format!("{ratio:.1} times ({name}, {kind})"));
            }
        }
    }
    (count, slowest.1, steepest.1)
}

/// Processor time that this thread takes for `work`.
fn cpu_time(work: impl FnOnce()) -> Duration {
    // Nanoseconds on a processor: Documentation/scheduler/sched-stats.rst of Linux.
    let spent = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
    };
    let before = spent();
    work();
    spent() - before
}

fn org() -> Origin {
    "https://acme.okta.com".parse().unwrap()
}

fn read_page(body: &[u8]) {
    if let Ok(elements) = page::split(&Bytes::copy_from_slice(body)) {
        let bytes: usize = elements.iter().map(|element| element.bytes().len()).sum();
        assert!(bytes <= body.len());
    }
}

fn read_link(lines: &[u8]) {
    let lines: Vec<&[u8]> = lines.split(|&byte| byte == b'\n').collect();
    if let Ok(Some(target)) = next_link(lines) {
        drop(PageUrl::checked(&target, &org()));
    }
}

fn read_url(url: &[u8]) {
    match PageUrl::checked(std::str::from_utf8(url).unwrap(), &org()) {
        Ok(url) => assert_eq!(url.with_limit(7).limit(), 7),
        Err(error) => assert!(error.to_string().len() < 4000),
    }
}

fn read_error(body: &[u8]) {
    let error = OktaError::read(400, body, std::str::from_utf8(body).ok(), &["00secret"]);
    assert!(error.to_string().len() < 30_000);
}

fn read_offsets(log: &[u8]) {
    let mut fold = OffsetFold::default();
    for (record, offset) in log.split(|&byte| byte == b'\n').zip(0..) {
        let mut parts = record.splitn(2, |&byte| byte == b'\t');
        let (key, value) = (parts.next(), parts.next());
        drop(key.map(codec::decode_key));
        drop(value.map(codec::decode_value));
        fold.apply(key, value, LogPosition { partition: 0, offset, timestamp: None });
    }
}

fn read_configuration(text: &[u8]) {
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    let env = |name: &str| (name != "NOPE").then(|| "value".to_owned());
    drop(Config::parse_at(std::str::from_utf8(text).unwrap(), &env, now).map_err(|error| error.to_string()));
}
