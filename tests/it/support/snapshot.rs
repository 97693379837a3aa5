//! Texts that are held in a file, so that somebody reads them before they change.

use std::path::{Path, PathBuf};

/// Where a snapshot of the tests lies; `name` is relative to tests/it.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(name)
}

/// Compares with the file, or writes it where `OKS_BLESS` is set.
pub fn assert(name: &str, found: &str) {
    if std::env::var_os("OKS_BLESS").is_some() {
        return std::fs::write(path(name), found).unwrap();
    }
    let expected = std::fs::read_to_string(path(name)).unwrap_or_default();
    let differs = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert_eq!(
        expected, found,
        "{name}: {differs:?}: where the new words are better, run this test with OKS_BLESS=1 and read what changes"
    );
}
