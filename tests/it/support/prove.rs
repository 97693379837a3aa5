//! Rows of the proof table that `make prove` writes into docs/prove.md.

use std::fs;
use std::path::Path;

/// Whether the long runs are to be run in full (`OKS_PROVE=1`) rather than shortened.
pub fn full() -> bool {
    std::env::var_os("OKS_PROVE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// `in_full` under `make prove`, else `shortened`: how many kills, freezes or events a run has.
pub fn scale<T>(in_full: T, shortened: T) -> T {
    if full() { in_full } else { shortened }
}

/// The seed of a test that draws moments: printed, so that a failing run can be made again with `OKS_SEED`.
pub fn seed() -> u64 {
    let seed = std::env::var("OKS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("OKS_SEED={seed}");
    seed
}

/// Records one row: what is promised, what was done, and what came of it. To be called at the end of a test that
/// passed. `id` stands in tests/prove/rows.txt: the table fails without it, so that no proof is forgotten.
pub fn row(id: &str, promise: &str, done: &str, result: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let expected = fs::read_to_string(root.join("tests/prove/rows.txt")).unwrap();
    assert!(expected.lines().any(|line| line.trim() == id), "`{id}` is missing in tests/prove/rows.txt: add it there");
    let directory = root.join("target/prove");
    fs::create_dir_all(&directory).unwrap();
    let row = serde_json::json!({ "id": id, "full": full(), "promise": promise, "done": done, "result": result });
    fs::write(directory.join(format!("{id}.json")), format!("{row}\n")).unwrap();
}
