//! The shipped rules on a faster clock, so that a fault need not last for an hour: nothing else of them is changed.

use std::fs;
use std::path::{Path, PathBuf};

/// What stands before a duration of a rule. (Annotations have durations in words.)
const BEFORE: [&str; 3] = ["[", "offset ", "for: "];

/// The text with every duration of a rule divided by `divisor`. Numbers stay as they are: the process's age up to which
/// dead letters and recoveries count in full, the days for which a hole is told, the 21600 s of `CatchUpSlow`, and what is compared with `interval`, which a
/// test divides in the connector's configuration.
pub fn scaled(text: &str, divisor: u64) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((at, before)) = BEFORE.iter().filter_map(|before| Some((rest.find(before)?, before))).min() {
        let (head, tail) = rest.split_at(at + before.len());
        out.push_str(head);
        rest = tail;
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let unit = match tail[digits..].chars().next() {
            Some('s') => 1_000,
            Some('m') => 60_000,
            Some('h') => 3_600_000,
            Some('d') => 86_400_000,
            _ => continue,
        };
        if let Ok(count) = tail[..digits].parse::<u64>() {
            out.push_str(&format!("{}ms", count * unit / divisor));
            rest = &tail[digits + 1..];
        }
    }
    out + rest
}

/// The shipped files, so scaled, in a folder.
pub fn shipped(divisor: u64, folder: &Path) -> Vec<PathBuf> {
    let files = ["recording.yaml", "alerts.yaml"].map(|name| {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus").join(name)).unwrap();
        let faster = scaled(&text, divisor);
        assert!(faster.matches("ms").count() > 5, "{faster}");
        let path = folder.join(name);
        fs::write(&path, faster).unwrap();
        path
    });
    files.into()
}

#[test]
fn only_durations_of_rules_change() {
    let text = "rate(x{a=\"5m\"}[5m] offset 1h) > 900\nfor: 10m\nsummary: 15m behind, [see] 1d\n";
    let expected = "rate(x{a=\"5m\"}[5000ms] offset 60000ms) > 900\nfor: 10000ms\nsummary: 15m behind, [see] 1d\n";
    assert_eq!(scaled(text, 60), expected);
}
