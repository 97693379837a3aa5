//! What encoding an event takes of memory: by its size, whatever its shape.

use std::fs;
use std::process::Command;

use okta_kafka_source::convert::avro::Encoder;

/// What a process of its own encodes.
const SHAPE: &str = "OKS_AVRO_MEMORY_SHAPE";
/// The size of an event of a shape.
const EVENT_BYTES: usize = 4 << 20;

/// So many pieces, with the piece's number in the place of `#`, make an event of the size.
fn event(before: &str, piece: &str, after: &str) -> String {
    // With room, so that growing leaves no peak of its own.
    let mut event = String::with_capacity(EVENT_BYTES + 1024);
    event.push_str(r#"{"uuid":"u","#);
    event.push_str(before);
    for number in 0.. {
        if number > 0 {
            event.push(',');
        }
        event.push_str(&piece.replace('#', &format!("{number:x}")));
        if event.len() >= EVENT_BYTES {
            break;
        }
    }
    event + after + "}"
}

/// A name, what stands before the pieces, a piece, what stands behind, and what an event may take, in its own size.
const SHAPES: &[(&str, &str, &str, &str, u64)] = &[
    ("addresses", r#""request":{"ipChain":["#, "{}", "]}", 3),
    ("targets", r#""target":["#, "{}", "]", 3),
    ("targets of unknown members", r#""target":["#, r#"{"x":1}"#, "]", 3),
    ("targets with maps", r#""target":["#, r#"{"detailEntry":{"a":""}}"#, "]", 3),
    ("categories", r#""request":{"ipChain":[{"ipDetails":{"ipServiceCategories":["#, "{}", "]}}]}", 3),
    ("reasons", r#""securityContext":{"risk":{"reasons":["#, r#""""#, "]}}", 3),
    ("an open map", r#""debugContext":{"debugData":{"#, r##""#":"""##, "}}", 6),
    ("an open map of numbers", r#""debugContext":{"debugData":{"#, r##""#":1"##, "}}", 6),
    ("an actor of unknown members", r#""actor":{"#, r##""#":1"##, "}", 6),
    ("an unknown object", r#""new":{"#, r##""#":1"##, "}", 6),
    ("an unknown object of escaped names", r#""new":{"#, r##""\u0061#":1"##, "}", 10),
    ("unknown members", "", r##""#":1"##, "", 14),
    (
        "long texts",
        r#""displayMessage":"x","target":["#,
        r#"{"displayName":"The quick brown fox jumps over the lazy dog."}"#,
        "]",
        3,
    ),
];

#[test]
fn an_event_takes_memory_by_its_size_whatever_its_shape() {
    // A process has one peak, so each shape gets one of its own.
    if let Ok(shape) = std::env::var(SHAPE) {
        return encode(&shape);
    }
    let mut above = Vec::new();
    for (name, before, piece, after, times) in SHAPES {
        let output = Command::new(std::env::current_exe().expect("this test binary"))
            .args(["--exact", "avro_memory::an_event_takes_memory_by_its_size_whatever_its_shape", "--nocapture"])
            .env(SHAPE, [*before, *piece, *after].join("\n"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let bytes: Option<u64> = said.split_once("took ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        let bytes = bytes.unwrap_or_else(|| panic!("{name}: {said}{}", String::from_utf8_lossy(&output.stderr)));
        let took = format!("{name}: {} MiB for an event of {} MiB", bytes >> 20, EVENT_BYTES >> 20);
        println!("{took}");
        if bytes > EVENT_BYTES as u64 * times {
            above.push(took);
        }
    }
    assert!(above.is_empty(), "{above:#?}");
}

/// Prints what [`peak`] grows by.
fn encode(shape: &str) {
    let [before, piece, after] = shape.split('\n').collect::<Vec<_>>()[..] else { panic!("{shape}") };
    let event = event(before, piece, after);
    let encoder = Encoder::new(1);
    encoder.encode(br#"{"uuid":"u"}"#).unwrap();
    let earlier = peak();
    let encoded = encoder.encode(event.as_bytes()).unwrap();
    println!("took {} bytes, value {}, unmapped {}", peak() - earlier, encoded.value.len(), encoded.unmapped);
}

/// The highest resident set size of this process so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}
