//! Where results are until they are sent.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::clock;

/// A folder that only we may read. What is in it stays until it is [`done`](Self::done) with: results that were not sent are not lost, whatever
/// ends the command.
pub struct Spool {
    folder: PathBuf,
    is_done: bool,
}

impl Spool {
    /// A new one, below `TMPDIR`, for results of this connector.
    pub fn create(name: &str) -> io::Result<Self> {
        let number = clock::wall().as_millisecond();
        let folder = format!("okta-kafka-source-query-{name}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder, is_done: false })
    }

    /// The file for them, which is not there yet.
    pub fn file(&self) -> PathBuf {
        self.folder.join("results.ndjson")
    }

    /// Nobody needs them any more.
    pub fn done(&mut self) {
        self.is_done = true;
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What can't be removed can't be complained about.
        let _ = if self.is_done { fs::remove_dir_all(&self.folder) } else { fs::remove_dir(&self.folder) };
    }
}
