//! What may come over the network, so many bytes of it.

/// Names, and how to make about so many bytes of each.
pub type Inputs = &'static [Input];

type Input = (&'static str, fn(usize) -> Vec<u8>);

/// Bodies of pages.
pub const PAGES: Inputs = &[
    ("brackets that stay open", |size| repeat("", "[", "", size)),
    ("an array of arrays of arrays", |size| [b"[".repeat(size / 2), b"]".repeat(size / 2)].concat()),
    ("an object of objects of objects", |size| {
        [b"[".to_vec(), b"{\"a\":".repeat(size / 6), b"1".to_vec(), b"}".repeat(size / 6), b"]".to_vec()].concat()
    }),
    ("brackets that close the wrong ones", |size| repeat("[", "{]", "]", size)),
    ("brackets that close nothing", |size| repeat("[", "}", "]", size)),
    ("brackets that are balanced until the end", |size| {
        [b"[".repeat(size / 2), b"]".repeat(size / 2 - 1), b"}".to_vec()].concat()
    }),
    ("a string of escaped quotes", |size| repeat("[\"", "\\\"", "\"]", size)),
    ("a string of backslashes", |size| repeat("[\"", "\\\\", "\"]", size)),
    ("backslashes without an end", |size| repeat("[\"", "\\", "", size)),
    ("a string without an end", |size| repeat("[\"", "x", "", size)),
    ("escapes in a uuid", |size| repeat("[{\"uuid\":\"", "\\u0041", "\"}]", size)),
    ("a published of many digits", |size| {
        repeat("[{\"uuid\":\"a\",\"published\":\"2026-01-01T00:00:00.", "1", "Z\"}]", size)
    }),
    ("empty strings", |size| repeat("[\"\"", ",\"\"", "]", size)),
    ("digits, each an element", |size| repeat("[0", ",0", "]", size)),
    ("empty objects", |size| repeat("[{}", ",{}", "]", size)),
    ("small events", |size| repeat("[{\"uuid\":\"a\"}", ",{\"uuid\":\"a\"}", "]", size)),
    ("small events, the last one broken", |size| {
        repeat("[{\"uuid\":\"a\"}", ",{\"uuid\":\"a\"}", ",{\"uuid\"}]", size)
    }),
    ("one event that has its uuid many times", |size| repeat("[{\"uuid\":\"a\"", ",\"uuid\":\"a\"", "}]", size)),
    ("one long number", |size| repeat("[", "9", "]", size)),
    ("one long exponent", |size| repeat("[1e", "9", "]", size)),
    ("commas", |size| repeat("[0", ",", "]", size)),
    ("white space", |size| repeat("", " ", "", size)),
    ("white space before each comma", |size| repeat("[0", "        ,0", "]", size)),
    ("bytes that are not UTF-8", |size| [b"[".to_vec(), b"\xff".repeat(size), b"]".to_vec()].concat()),
    ("elements that are not UTF-8", |size| {
        [b"[{}".to_vec(), b",{\"\xff\":1}".repeat(size / 9), b"]".to_vec()].concat()
    }),
    ("a page of HTML", |size| repeat("<html>", "<p>", "", size)),
];

/// Lines of `Link` headers. A server's headers never get this long; whoever changes that finds nothing quadratic here.
pub const LINKS: Inputs = &[
    ("targets without an end", |size| repeat("", "<", "", size)),
    ("commas", |size| repeat("", ",", "", size)),
    ("parameters", |size| repeat("<a>", ";a", "", size)),
    ("relations", |size| repeat("<a>; rel=\"", "a ", "\"", size)),
    ("quotes that do not close", |size| repeat("<a>; rel=\"", "\\\"", "", size)),
    ("quoted strings", |size| repeat("<a>", "; title=\"\\a\"", "; rel=next", size)),
    ("the same next link", |size| repeat("", "<a>; rel=next,", "", size)),
    ("next links in lines", |size| repeat("", "<a>; rel=next\n", "", size)),
    ("malformed lines", |size| repeat("", "<\n", "", size)),
    ("spaces", |size| repeat("<a>;", " ", "rel", size)),
];

/// Targets of links and stored checkpoints.
pub const URLS: Inputs = &[
    ("one long cursor", |size| repeat("https://acme.okta.com/api/v1/logs?after=", "1", "", size)),
    ("limits", |size| repeat("https://acme.okta.com/api/v1/logs?", "&limit=5", "", size)),
    ("parameters", |size| repeat("https://acme.okta.com/api/v1/logs?", "a&", "", size)),
    ("escapes", |size| repeat("https://acme.okta.com/api/v1/logs?", "%25", "", size)),
    ("folders to climb out of", |size| repeat("https://acme.okta.com/api/v1/logs", "/..", "/", size)),
    ("a long host", |size| repeat("https://", "a.", "okta.com/api/v1/logs", size)),
    ("a host of other letters", |size| repeat("https://", "ü.", "okta.com/api/v1/logs", size)),
    ("a long login", |size| repeat("https://", "a@", "acme.okta.com/api/v1/logs", size)),
    ("a long fragment", |size| repeat("https://acme.okta.com/api/v1/logs#", "?#", "", size)),
];

/// Bodies of refusals, which are challenges of `WWW-Authenticate` here as well.
pub const ERRORS: Inputs = &[
    ("a long summary", |size| repeat("{\"errorSummary\":\"", "x", "\"}", size)),
    ("a summary of escapes", |size| repeat("{\"errorSummary\":\"", "\\u0000", "\"}", size)),
    ("a summary of secrets", |size| repeat("{\"errorSummary\":\"", "00secret", "\"}", size)),
    ("causes", |size| repeat("{\"errorCauses\":[{}", ",{\"errorSummary\":\"x\"}", "]}", size)),
    ("causes that are none", |size| repeat("{\"errorCauses\":[", "[", "", size)),
    ("depth in a member that is not known", |size| {
        [b"{\"x\":".to_vec(), b"[".repeat(size / 2), b"]".repeat(size / 2), b"}".to_vec()].concat()
    }),
    ("summaries", |size| repeat("{\"a\":0", ",\"errorSummary\":\"x\"", "}", size)),
    ("parameters", |size| repeat("Bearer a=b", ",a=b", "", size)),
    ("equals signs", |size| repeat("Bearer ", "=", "", size)),
    ("quoted parameters", |size| repeat("Bearer ", "a=\"b\"", "", size)),
    ("spaces", |size| repeat("Bearer", " ", "=", size)),
];

/// Logs of the offsets topic: a record a line, key and value with a tab between.
pub const OFFSETS: Inputs = &[
    ("one long value", |size| repeat("k\t{\"v\":1,\"checkpointUrl\":\"", "\\u0041", "\",\"query\":\"\"}", size)),
    ("a value that has too much", |size| {
        repeat("k\t{\"v\":1,\"checkpointUrl\":\"\",\"query\":\"\"", ",\"x\":1", "}", size)
    }),
    ("a deep value", |size| repeat("k\t{\"x\":", "[", "", size)),
    ("one long key", |size| repeat("[\"", "x", "\",{\"org\":\"\"}]\tv", size)),
    ("a deep key", |size| repeat("", "[", "", size)),
    ("one key, many values", |size| repeat("", "[\"a\",{\"org\":\"b\"}]\t{}\n", "", size)),
    ("values and tombstones", |size| repeat("", "a\tb\na\n", "", size)),
    ("many keys", |size| (0..size / 9).flat_map(|number| format!("{number:07}\t\n").into_bytes()).collect()),
];

/// `unit` between `before` and `after`, until there are about `size` bytes.
pub fn repeat(before: &str, unit: &str, after: &str, size: usize) -> Vec<u8> {
    let count = (size.saturating_sub(before.len() + after.len())).div_ceil(unit.len());
    [before.as_bytes(), &unit.as_bytes().repeat(count), after.as_bytes()].concat()
}
