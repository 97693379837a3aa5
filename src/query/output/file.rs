//! Results into a file that is there as a whole, or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{Format, Written};
use crate::query::error::QueryError;
use crate::query::sink::{QueryResult, ResultPage, Sink};

/// `--to-file`: written beside its place under another name, made durable, and only then renamed.
///
/// Of a query that does not come to its end, what came stays under the other name: [`partial_name`].
pub struct WholeFile {
    written: Written<BufWriter<File>>,
    partial: PathBuf,
    place: PathBuf,
}

/// Under which name the results are until they are whole.
pub fn partial_name(path: &Path) -> PathBuf {
    let mut name = resolved(path).into_os_string();
    name.push(format!(".{}.partial", std::process::id()));
    name.into()
}

/// Where a link leads, so that it stays one.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

impl WholeFile {
    /// Begins beside `path`, which is not touched yet.
    ///
    /// # Errors
    /// There is something else than a file, or its folder can't be written.
    pub fn create(path: &Path, format: Box<dyn Format>) -> io::Result<Self> {
        let about = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
        let place = resolved(path);
        let there = place.metadata().ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return Err(about(io::Error::other("it is no file, and would be replaced by one: write another name")));
        }
        let partial = partial_name(path);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&partial).map_err(about)?;
        if let Some(there) = there {
            // Who may read it, may read it again.
            file.set_permissions(there.permissions()).map_err(about)?;
        }
        Ok(Self { written: Written::new(BufWriter::new(file), format), partial, place })
    }

    fn put_in_place(&mut self) -> io::Result<()> {
        let out = self.written.get_mut();
        out.flush()?;
        out.get_ref().sync_all()?;
        std::fs::rename(&self.partial, &self.place)?;
        let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Not every file system can do it; the file itself is durable by now.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Sink for WholeFile {
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        self.written.page(page)
    }

    fn end(&mut self, result: &QueryResult) -> Result<(), QueryError> {
        let ended = self.written.end(result);
        if result.ended.is_whole() && ended.is_ok() {
            return Ok(self.put_in_place()?);
        }
        if result.events == 0 {
            let _ = std::fs::remove_file(&self.partial);
        }
        ended
    }
}
