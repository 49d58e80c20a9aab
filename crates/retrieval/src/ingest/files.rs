//! Which files the given roots hold, and under which paths they are known.

use super::{UnreadableFile, reason};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Ending of a file that describes the file beside it.
pub(super) const SIDECAR: &str = ".meta.yaml";

/// Size and time of a file and its sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    pub(super) modified_ns: i64,
}

/// A file to ingest.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// The path that it is known by: the root as given and the way from there, with `/`.
    pub(super) path: String,
    /// Where it stands.
    pub(super) place: PathBuf,
    /// Its sidecar, if there is one.
    pub(super) sidecar: Option<PathBuf>,
    pub(super) stamp: Stamp,
}

/// What the roots hold.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sorted by path, each path once.
    pub(super) files: Vec<File>,
    /// What was not followed, and why.
    pub(super) refused: Vec<UnreadableFile>,
    /// The roots' own paths.
    roots: Vec<String>,
}

impl Found {
    /// Whether a document's path is one of the roots or below one.
    pub(super) fn covers(&self, path: &str) -> bool {
        let below = |root: &String| {
            root.is_empty() && !path.starts_with('/')
                || path == root
                || path.strip_prefix(root.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        // A folder that could not be listed says nothing about what is in it.
        let refused = |r: &UnreadableFile| {
            path.strip_prefix(r.path.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        self.roots.iter().any(below) && !self.refused.iter().any(refused)
    }
}

/// Walks the roots.
pub(super) fn find(roots: &[PathBuf]) -> Result<Found> {
    let mut walk = Walk::default();
    for root in roots {
        let missing = |_| Error::NoSuchRoot { path: root.clone() };
        let metadata = std::fs::metadata(root).map_err(missing)?;
        let path = known_path(root)?;
        walk.root = std::fs::canonicalize(root).map_err(missing)?;
        if metadata.is_dir() {
            walk.folder(root, &path);
        } else {
            walk.file(root, &path, &metadata);
        }
        walk.roots.push(path);
    }
    Ok(Found {
        files: walk.files.into_values().collect(),
        refused: walk.refused,
        roots: walk.roots,
    })
}

/// A root as typed, without `.`, doubled separators and inner `..`, with `/`; `.` itself is empty.
/// A `..` at the beginning stays.
fn known_path(root: &Path) -> Result<String> {
    let mut absolute = false;
    let mut parts: Vec<&str> = Vec::new();
    for component in root.components() {
        match component {
            Component::CurDir => {}
            Component::RootDir => absolute = true,
            Component::ParentDir => match parts.last() {
                Some(&last) if last != ".." => drop(parts.pop()),
                None if absolute => {}
                _ => parts.push(".."),
            },
            other => parts.push(
                other
                    .as_os_str()
                    .to_str()
                    .ok_or_else(|| Error::NameNotUtf8 { path: root.to_owned() })?,
            ),
        }
    }
    Ok(if absolute { "/" } else { "" }.to_owned() + &parts.join("/"))
}

#[derive(Default)]
struct Walk {
    files: BTreeMap<String, File>,
    refused: Vec<UnreadableFile>,
    roots: Vec<String>,
    /// The real place of the root that is walked.
    root: PathBuf,
}

impl Walk {
    fn refuse(&mut self, path: &str, reason: String) {
        self.refused.push(UnreadableFile { path: path.to_owned(), reason });
    }

    fn folder(&mut self, folder: &Path, path: &str) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.collect::<std::io::Result<Vec<_>>>(),
            Err(error) => Err(error),
        };
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.refuse(path, reason(&error)),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            self.entry(&entry.path(), path);
        }
    }

    fn entry(&mut self, place: &Path, folder: &str) {
        let Some(name) = place.file_name() else { return };
        let lossy = name.to_string_lossy();
        if lossy.starts_with('.') || lossy.ends_with(SIDECAR) {
            return;
        }
        let path = if folder.is_empty() { lossy.to_string() } else { format!("{folder}/{lossy}") };
        if name.to_str().is_none() {
            return self.refuse(&path, "its name is not UTF-8: rename it".to_owned());
        }
        match std::fs::symlink_metadata(place) {
            Err(error) => self.refuse(&path, reason(&error)),
            Ok(metadata) if metadata.is_symlink() => self.link(place, &path),
            Ok(metadata) if metadata.is_dir() => self.folder(place, &path),
            Ok(metadata) => self.file(place, &path, &metadata),
        }
    }

    /// A link to a file below the root is that file under another name. A link to a folder is not
    /// followed: what is below the root is found anyway, and links may go in circles.
    fn link(&mut self, place: &Path, path: &str) {
        let target = match std::fs::canonicalize(place) {
            Ok(target) => target,
            Err(error) => return self.refuse(path, reason(&error)),
        };
        if !target.starts_with(&self.root) {
            return self
                .refuse(path, "a link that leads out of the folder is not followed".to_owned());
        }
        match std::fs::metadata(place) {
            Ok(metadata) if metadata.is_file() => self.file(place, path, &metadata),
            Ok(_) => {}
            Err(error) => self.refuse(path, reason(&error)),
        }
    }

    fn file(&mut self, place: &Path, path: &str, metadata: &Metadata) {
        if !metadata.is_file() {
            return self.refuse(path, "neither a file nor a folder".to_owned());
        }
        let mut sidecar = place.as_os_str().to_owned();
        sidecar.push(SIDECAR);
        let sidecar = PathBuf::from(sidecar);
        let beside = std::fs::metadata(&sidecar).ok().filter(Metadata::is_file);
        let own = stamp(metadata);
        let stamp = beside.as_ref().map(stamp).map_or(own, |beside| Stamp {
            bytes: own.bytes + beside.bytes,
            modified_ns: own.modified_ns.max(beside.modified_ns),
        });
        let file = File {
            path: path.to_owned(),
            place: place.to_owned(),
            sidecar: beside.map(|_| sidecar),
            stamp,
        };
        self.files.insert(path.to_owned(), file);
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified_ns = modified.and_then(|time| i64::try_from(time.as_nanos()).ok()).unwrap_or(0);
    Stamp { bytes: metadata.len(), modified_ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_known_as_it_was_typed() {
        for (typed, known) in [
            ("./a//b/", "a/b"),
            (".", ""),
            ("../x", "../x"),
            ("a/../b", "b"),
            ("../../a/./b/../c", "../../a/c"),
            ("a/..", ""),
            ("/../srv", "/srv"),
            ("/srv/docs/", "/srv/docs"),
            ("/", "/"),
        ] {
            assert_eq!(known_path(Path::new(typed)).unwrap(), known, "{typed}");
        }
    }
}
