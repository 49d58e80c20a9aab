//! Whether files that are mapped are still what they were when they were opened.
//!
//! Who overwrites a mapped file changes what is computed with. The system keeps when a file was
//! last written to; that is compared, not the content, so that it costs a look at each file only.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// What the system says of a file's content, and of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Device and number, where the system has such.
    place: (u64, u64),
    bytes: u64,
    written: Option<SystemTime>,
    /// When the content, or else the name, the links or the rights changed: seconds, nanoseconds.
    touched: (i64, i64),
}

impl Stamp {
    /// That of a file.
    #[must_use]
    pub fn of(about: &Metadata) -> Stamp {
        #[cfg(unix)]
        let (place, touched) = {
            use std::os::unix::fs::MetadataExt as _;
            ((about.dev(), about.ino()), (about.ctime(), about.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (place, touched) = ((0, 0), (0, 0));
        Stamp { place, bytes: about.len(), written: about.modified().ok(), touched }
    }

    /// How long the content is, and when it was written, in nanoseconds since 1970.
    pub(crate) fn content(&self) -> (u64, Option<u64>) {
        let since = self.written.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        (self.bytes, since.and_then(|since| u64::try_from(since.as_nanos()).ok()))
    }
}

/// An open file and its stamp.
struct Watched {
    path: PathBuf,
    file: Arc<File>,
    stamp: Mutex<Stamp>,
}

/// Open files that must stay as they are.
#[derive(Default)]
pub struct Watch(Vec<Watched>);

impl Watch {
    /// Watches one more file from when it had this stamp.
    pub fn add(&mut self, path: PathBuf, file: Arc<File>, stamp: Stamp) {
        self.0.push(Watched { path, file, stamp: Mutex::new(stamp) });
    }

    /// The first file that was written to. One whose name, links or rights changed, as when it is
    /// deleted or another takes its name, was written to if `is_same` says that the content is
    /// another one; that may take its time, and is asked once for each such change. One that the
    /// system tells nothing of counts as written to.
    pub fn written(&self, is_same: impl Fn() -> bool) -> Option<&Path> {
        for one in &self.0 {
            let Ok(about) = one.file.metadata() else { return Some(&one.path) };
            let now = Stamp::of(&about);
            let mut stamp = one.stamp.lock().unwrap_or_else(PoisonError::into_inner);
            if now == *stamp {
                continue;
            }
            if now != (Stamp { touched: now.touched, ..*stamp }) || !is_same() {
                return Some(&one.path);
            }
            *stamp = now;
        }
        None
    }
}

/// The paths.
impl std::fmt::Debug for Watch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.0.iter().map(|one| &one.path)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn watched(path: &Path) -> Watch {
        let file = File::open(path).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        let mut watch = Watch::default();
        watch.add(path.to_path_buf(), Arc::new(file), stamp);
        watch
    }

    /// The system's clock for files goes in steps of some milliseconds.
    fn wait() {
        std::thread::sleep(std::time::Duration::from_millis(30));
    }

    #[test]
    fn a_byte_that_is_overwritten_is_noticed() {
        use std::io::{Seek as _, SeekFrom, Write as _};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, [1; 5000]).unwrap();
        let watch = watched(&path);
        assert_eq!(watch.written(|| panic!("nothing to compare")), None);
        wait();
        let mut file = File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(4321)).unwrap();
        file.write_all(&[2]).unwrap();
        for _ in 0..2 {
            assert_eq!(watch.written(|| true), Some(path.as_path()), "and stays so");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_or_whose_time_is_set_back_is_compared_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, [1; 5000]).unwrap();
        let watch = watched(&path);
        wait();
        let other = folder.path().join("other");
        std::fs::write(&other, [2; 5000]).unwrap();
        std::fs::rename(&other, &path).unwrap();
        let asked = Cell::new(0);
        for _ in 0..3 {
            let is_same = || {
                asked.set(asked.get() + 1);
                true
            };
            assert_eq!(watch.written(is_same), None, "the open file is the old one");
        }
        assert_eq!(asked.get(), 1);

        let watch = watched(&path);
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        wait();
        std::fs::write(&path, [3; 5000]).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        assert_eq!(watch.written(|| false), Some(path.as_path()));
    }
}
