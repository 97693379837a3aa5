//! Results into a file that is there as a whole, or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Format, Written};
use crate::query::error::QueryError;
use crate::query::sink::{QueryResult, ResultPage, Sink};

/// How many names are tried for the file beside it.
const NAMES: usize = 16;
/// How many links in a row are followed.
const MAX_LINKS: usize = 16;

/// `--to-file`: written beside its place under a name that nobody has, made durable, and only then renamed.
///
/// Of a query that does not come to its end, what came stays under the other name: [`partial`](Self::partial). It is the
/// reader's alone: log data has logins and addresses. What it replaces gives it its own permissions.
pub struct WholeFile {
    /// What the file does not have yet.
    written: Written<Vec<u8>>,
    file: File,
    partial: PathBuf,
    place: PathBuf,
    /// How long the file is that has whole pages only.
    whole: u64,
    has_results: bool,
    is_in_place: bool,
}

/// Where a link leads, so that it stays one, also where nothing is there yet.
fn resolved(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = place.read_link() else { break };
        place = place.parent().unwrap_or(Path::new("")).join(target);
    }
    place
}

impl WholeFile {
    /// Begins beside `path`, which is not touched yet.
    ///
    /// # Errors
    /// There is something else than a file that may be written, or its folder can't be.
    pub fn create(path: &Path, format: Box<dyn Format>) -> io::Result<Self> {
        let about = |error: io::Error| about(path, &error);
        let place = resolved(path);
        let there = place.metadata().ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return Err(about(io::Error::other("it is no file, and would be replaced by one: write another name")));
        }
        if there.as_ref().is_some_and(|there| there.permissions().readonly()) {
            return Err(about(io::Error::other("it is read-only, and would be replaced: write another name")));
        }
        let (partial, file) = beside(&place).map_err(about)?;
        let created = Self {
            written: Written::new(Vec::new(), format),
            file,
            partial,
            place,
            whole: 0,
            has_results: false,
            is_in_place: false,
        };
        if let Some(there) = there {
            // Who may read it, may read it again.
            created.file.set_permissions(there.permissions()).map_err(about)?;
        }
        Ok(created)
    }

    /// Where the results are until they are whole.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Gives the file what it does not have; where not all of that gets in, nothing of it.
    fn take(&mut self) -> Result<(), QueryError> {
        let text = std::mem::take(self.written.get_mut());
        if let Err(error) = self.file.write_all(&text) {
            // What can't be cut off stays: the error is told all the same.
            let _ = self.file.set_len(self.whole).and_then(|()| self.file.seek(SeekFrom::Start(self.whole)));
            return Err(about(&self.place, &error).into());
        }
        self.whole += text.len() as u64;
        Ok(())
    }

    fn put_in_place(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.place)?;
        self.is_in_place = true;
        let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Not every file system can do it; the file itself is durable by now.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

/// A new file `PLACE.xxxxxxxx.partial`, which nobody else has, and its name.
fn beside(place: &Path) -> io::Result<(PathBuf, File)> {
    let mut tried = 0;
    loop {
        let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
        let mut name = place.as_os_str().to_owned();
        name.push(format!(".{random}.partial"));
        // Never through a link, never into what is there.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(file) => return Ok((name.into(), file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < NAMES => tried += 1,
            Err(error) => return Err(error),
        }
    }
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

impl Sink for WholeFile {
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        self.written.page(page)?;
        self.take()?;
        self.has_results |= !page.elements.is_empty();
        Ok(())
    }

    fn end(&mut self, result: &QueryResult) -> Result<(), QueryError> {
        self.written.end(result)?;
        self.take()?;
        if result.ended.is_whole() {
            self.put_in_place().map_err(|error| about(&self.place, &error))?;
        }
        Ok(())
    }
}

impl Drop for WholeFile {
    /// Nothing is left of a query that had no results.
    fn drop(&mut self) {
        if !self.has_results && !self.is_in_place {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::output::Lines;

    #[test]
    fn nothing_that_is_there_is_written_into() {
        let folder = tempfile::TempDir::with_prefix("whole-").expect("a folder");
        let mode =
            |path: &Path| std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("a file").permissions());
        let lines = || Box::new(Lines { is_shown: false });
        // A link to nothing yet stays one, and of two at once each has a file of its own.
        let (link, place) = (folder.path().join("link"), folder.path().join("place"));
        std::os::unix::fs::symlink("place", &link).expect("a link");
        let mut one = WholeFile::create(&link, lines()).expect("a file");
        let other = WholeFile::create(&link, lines()).expect("another");
        let [first, second] = [&one, &other].map(|file| file.partial().to_owned());
        assert!(first != second && second.exists());
        drop(other);
        assert!(!second.exists(), "nothing is left of one without results");
        assert_eq!(mode(&first) & 0o777, 0o600);
        one.put_in_place().expect("in place");
        drop(one);
        assert!(link.is_symlink() && place.is_file() && !first.exists());
        // It has the permissions of what it replaces; what is read-only is not replaced.
        for (permissions, is_taken) in [(0o640, true), (0o444, false)] {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(permissions);
            std::fs::set_permissions(&place, permissions).expect("ours");
            let file = WholeFile::create(&place, lines());
            assert_eq!(file.is_ok(), is_taken);
            assert!(file.is_err() || file.is_ok_and(|file| mode(file.partial()) & 0o777 == 0o640));
        }
    }
}
