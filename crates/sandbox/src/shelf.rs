//! The files that a resident is handed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// No path is longer (`PATH_MAX`).
pub(crate) const PATH_BYTES_MAX: usize = 4096;
/// What lies under a path.
pub(crate) const FILE: u8 = b'f';
pub(crate) const FOLDER: u8 = b'd';
const NOTHING: u8 = b'n';

/// Says which paths may be handed over: given a path as it was asked for, whether it is one. It is
/// asked until the file under a path has been handed over once.
pub type ShelfRule = Box<dyn Fn(&Path) -> bool + Send>;

/// Files that lie ready for a resident. Each is opened once, by this program, and kept: whatever
/// lies under its path later, a resident that is started anew gets the same.
#[derive(Default)]
pub struct Shelf(Mutex<Content>);

#[derive(Default)]
struct Content {
    rules: BTreeMap<String, ShelfRule>,
    /// By the rule that let them be handed over, and their path.
    files: BTreeMap<(String, PathBuf), Arc<File>>,
}

impl Shelf {
    /// Lets what keeps to a rule be handed over, until [`Shelf::take_away`] with the same name.
    pub fn put(&self, name: &str, rule: ShelfRule) {
        self.content().rules.insert(name.to_owned(), rule);
    }

    /// Hands nothing over any more by the rule of this name.
    pub fn take_away(&self, name: &str) {
        let mut content = self.content();
        content.rules.remove(name);
        content.files.retain(|(rule, _), _| rule != name);
    }

    /// The files that were handed over by the rule of this name.
    #[must_use]
    pub fn handed(&self, name: &str) -> BTreeMap<PathBuf, Arc<File>> {
        let content = self.content();
        let files = content.files.iter().filter(|((rule, _), _)| rule == name);
        files.map(|((_, path), file)| (path.clone(), Arc::clone(file))).collect()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What lies under a path, for a reader of its own.
    fn find(&self, path: &Path) -> Found {
        let mut content = self.content();
        let Content { rules, files } = &mut *content;
        let key = |name: &str| (name.to_owned(), path.to_owned());
        let permit = |(name, rule): (&String, &ShelfRule)| {
            (files.contains_key(&key(name)) || rule(path)).then(|| name.clone())
        };
        let permitting: Vec<String> = rules.iter().filter_map(permit).collect();
        if permitting.is_empty() || !path.is_absolute() {
            return Found::Nothing;
        }
        let known = permitting.iter().find_map(|name| files.get(&key(name)).cloned());
        let kept = known.map_or_else(|| open(path), |file| Ok(Found::File(file)));
        let Ok(Found::File(file)) = kept else { return kept.unwrap_or(Found::Nothing) };
        files.extend(permitting.iter().map(|name| (key(name), Arc::clone(&file))));
        // Each reader has a place of its own in it.
        let again = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        File::open(again).map_or(Found::Nothing, |file| Found::File(Arc::new(file)))
    }
}

/// Names what lies there.
impl std::fmt::Debug for Shelf {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let content = self.content();
        out.debug_tuple("Shelf").field(&content.files.keys().collect::<Vec<_>>()).finish()
    }
}

enum Found {
    File(Arc<File>),
    Folder,
    Nothing,
}

fn open(path: &Path) -> io::Result<Found> {
    // A pipe would be waited for.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let about = file.metadata()?;
    Ok(match () {
        () if about.is_file() => Found::File(Arc::new(file)),
        () if about.is_dir() => Found::Folder,
        () => Found::Nothing,
    })
}

/// Hands over what is asked for, until the other end is closed.
pub(crate) fn tend(shelf: Arc<Shelf>, mut socket: UnixStream) -> io::Result<()> {
    let work = move || while answer(&shelf, &mut socket).is_ok() {};
    thread::Builder::new().name("allod-shelf".to_owned()).spawn(work).map(drop)
}

fn answer(shelf: &Shelf, socket: &mut UnixStream) -> io::Result<()> {
    let mut length = [0; 2];
    socket.read_exact(&mut length)?;
    let length = usize::from(u16::from_le_bytes(length));
    if length > PATH_BYTES_MAX {
        return Err(io::Error::other("a path that is too long"));
    }
    let mut path = vec![0; length];
    socket.read_exact(&mut path)?;
    match shelf.find(Path::new(OsStr::from_bytes(&path))) {
        Found::File(file) => hand_over(socket, file.as_ref(), FILE),
        Found::Folder => socket.write_all(&[FOLDER]),
        Found::Nothing => socket.write_all(&[NOTHING]),
    }
}

/// Sends one byte with a descriptor.
pub(crate) fn hand_over(socket: &UnixStream, file: &impl AsFd, byte: u8) -> io::Result<()> {
    let descriptors = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    sendmsg(socket, &[io::IoSlice::new(&[byte])], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_rule_permits_is_found_and_it_stays_the_same() {
        let folder = std::env::temp_dir().join(format!("allod-shelf-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (kept, other) = (folder.join("kept"), folder.join("other"));
        std::fs::write(&kept, "first").unwrap();
        std::fs::write(&other, "other").unwrap();
        let shelf = Shelf::default();
        let text = |path: &Path| match shelf.find(path) {
            Found::File(file) => io::read_to_string(file.as_ref()).ok(),
            Found::Folder | Found::Nothing => None,
        };
        assert_eq!(text(&kept), None);
        let allowed = kept.clone();
        shelf.put("model", Box::new(move |path| path == allowed));
        std::fs::remove_file(&kept).unwrap();
        assert_eq!(text(&kept), None);
        std::fs::write(&kept, "first").unwrap();
        assert_eq!((text(&kept), text(&other)), (Some("first".into()), None));
        std::fs::remove_file(&kept).unwrap();
        std::fs::write(&kept, "second").unwrap();
        assert_eq!(text(&kept).as_deref(), Some("first"));
        assert_eq!(shelf.handed("model").len(), 1);
        shelf.take_away("model");
        assert_eq!(text(&kept), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
