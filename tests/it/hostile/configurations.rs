//! Configurations that nobody writes, and somebody generates.

use super::inputs::{Inputs, repeat};

/// Texts of about so many bytes. (A file of over 4 MiB is not even read.)
pub const ALL: Inputs = &[
    ("lists in lists", |size| repeat("a: ", "[", "", size)),
    ("maps in maps", |size| repeat("", "{a: ", "", size)),
    ("dashes", |size| repeat("", "- ", "", size)),
    ("question marks", |size| repeat("", "? ", "", size)),
    ("colons", |size| repeat("", ": ", "", size)),
    ("one long line", |size| repeat("kafka: ", "x", "", size)),
    ("one long line of words", |size| repeat("kafka: ", "x ", "", size)),
    ("a value over many lines", |size| repeat("kafka: x", "\n  x", "", size)),
    ("a quoted value over many lines", |size| repeat("kafka: \"", "\\x41\n  ", "\"", size)),
    ("a quote that does not close", |size| repeat("kafka: '", "''", "", size)),
    ("a block", |size| repeat("kafka: |\n", "  x\n", "", size)),
    ("blank lines", |size| repeat("kafka:", "\n", "x", size)),
    ("comments", |size| repeat("kafka:", " #\n", "", size)),
    ("one comment", |size| repeat("# ", "#", "", size)),
    ("tabs", |size| repeat("", "\t", "", size)),
    ("anchors and aliases", |size| repeat("a: &a [x]\nb: [*a", ", *a", "]", size)),
    ("aliases that double", |size| {
        let line = |n: usize| format!("l{n}: &l{n} [*l{}, *l{}]\n", n.saturating_sub(1), n.saturating_sub(1));
        (0..size / 30).flat_map(|n| line(n).into_bytes()).collect()
    }),
    ("tags", |size| repeat("a: [", "!t x, ", "x]", size)),
    ("documents", |size| repeat("", "---\na\n", "", size)),
    ("unknown keys", |size| (0..size / 11).flat_map(|n| format!("k{n:06}: x\n").into_bytes()).collect()),
    ("one key again and again", |size| repeat("", "kafka: x\n", "", size)),
    ("unknown properties", |size| {
        let keys = (0..size / 14).flat_map(|n| format!("  k.{n:07}: x\n").into_bytes());
        b"kafka:\n".iter().copied().chain(keys).collect()
    }),
    ("placeholders without a value", |size| repeat("group_id: '", "${env:NOPE}", "'", size)),
    ("placeholders with a value", |size| repeat("group_id: '", "${env:A}", "'", size)),
    ("dollars", |size| repeat("group_id: '", "$", "'", size)),
    ("empty connectors", |size| repeat("connectors:\n", "- {}\n", "", size)),
    ("connectors that are none", |size| repeat("connectors: [", "x,", "]", size)),
    ("one long name", |size| repeat("connectors: [{name: ", "x", "}]", size)),
    ("connectors of one name", |size| {
        repeat("connectors:\n", "- {name: a, org: https://a.okta.com, topic: t}\n", "", size)
    }),
    ("connectors that are right", |size| {
        let connector =
            |n| format!("- {{name: c{n:06}, org: https://o{n:06}.okta.com, auth: {{ssws: x}}, topic: t{n:06}}}\n");
        let connectors = (0..size / 80).flat_map(|n| connector(n).into_bytes());
        b"kafka: {bootstrap.servers: x}\nconnectors:\n".iter().copied().chain(connectors).collect()
    }),
    ("unknown defaults for many connectors", |size| {
        let defaults = (0..size / 22).flat_map(|n| format!("  k{n:05}: x\n").into_bytes());
        let connectors = repeat("connectors:\n", "- {a: b}\n", "", size / 2);
        b"connector_defaults:\n".iter().copied().chain(defaults).chain(connectors).collect()
    }),
    ("a default topic of unknown keys for many connectors", |size| {
        let defaults = (0..size / 24).flat_map(|n| format!("    k{n:05}: x\n").into_bytes());
        let connectors = repeat("connectors:\n", "- {a: b}\n", "", size / 2);
        b"connector_defaults:\n  topic:\n".iter().copied().chain(defaults).chain(connectors).collect()
    }),
    ("a default topic of settings for many connectors", |size| {
        let defaults = (0..size / 28).flat_map(|n| format!("      k{n:05}: x\n").into_bytes());
        let connectors = repeat("connectors:\n", "- {a: b}\n", "", size / 2);
        b"connector_defaults:\n  topic:\n    config:\n".iter().copied().chain(defaults).chain(connectors).collect()
    }),
    ("flow keys", |size| repeat("{", "a,", "}", size)),
    ("keys that are lists", |size| repeat("", "[a]: b\n", "", size)),
    ("carriage returns", |size| repeat("a: b", "\r", "", size)),
    ("other line ends", |size| repeat("a: \"", "\u{2028}", "\"", size)),
];
