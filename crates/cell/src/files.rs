//! Which files a cell is handed, and what they are.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use allod_lm::{FileList, PartDigest, Stamp, Use, Watch, holds_weights, settings_files};
use allod_sandbox::ShelfRule;

/// What ends the name of a file of packed weights.
const PACKED: &str = "packed";

/// Whether a file holds packed weights, by its name.
pub(crate) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == PACKED)
}

/// A rule for what belongs to a model or an adapter: the file, its siblings if it is one part of
/// several, and their packed weights; or what lies in the folder.
pub(crate) fn belonging(to: &Path) -> ShelfRule {
    let to = to.to_path_buf();
    if !to.is_dir() {
        let is_part = move |path: &Path| path == to || are_parts(path, &to);
        return Box::new(move |path| match path.extension() {
            Some(end) if end == PACKED => is_part(&path.with_extension("")),
            _ => is_part(path),
        });
    }
    Box::new(move |path| {
        let Ok(inside) = path.strip_prefix(&to) else { return false };
        let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
        plain && stays(path, &to)
    })
}

/// Whether a path leads to somewhere in a folder, links followed. Folders of the Hugging Face cache
/// hold links into the folder of blobs beside them.
fn stays(path: &Path, folder: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    let (Some(path), Some(folder)) = (whole(path), whole(folder)) else { return false };
    let snapshots = folder.parent().filter(|parent| parent.ends_with("snapshots"));
    let blobs = snapshots.and_then(Path::parent).map(|root| root.join("blobs"));
    path.starts_with(&folder) || blobs.is_some_and(|blobs| path.starts_with(blobs))
}

/// Whether two files are parts of one GGUF: `NAME-00001-of-00003.gguf`.
fn are_parts(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (rest, count) = name.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        (digits(count) && digits(number))
            .then(|| (path.parent().map(Path::to_path_buf), stem.to_owned(), count.to_owned()))
    };
    whole(one).is_some_and(|parts| whole(other) == Some(parts))
}

/// The files of a model's folder, or the parts of it, that belong to it.
fn listed(model: &Path) -> Vec<PathBuf> {
    let folder = if model.is_dir() { Some(model) } else { model.parent() };
    let listed = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    let rule = belonging(model);
    listed.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| rule(path)).collect()
}

/// The bytes of what belongs to a model.
pub(crate) fn bytes(model: &Path) -> u64 {
    let paths = listed(model).into_iter();
    paths.filter_map(|path| std::fs::metadata(path).ok()).map(|about| about.len()).sum()
}

/// What the files of a model's weights are before they are opened, by path.
pub(crate) fn stamps(model: &Path) -> BTreeMap<PathBuf, Stamp> {
    let of = |path: PathBuf| Some((path.clone(), Stamp::of(&std::fs::metadata(&path).ok()?)));
    listed(model).into_iter().filter_map(of).collect()
}

/// Watches the weights that were handed over, since they had these stamps.
pub(crate) fn watch(
    files: BTreeMap<PathBuf, Arc<File>>,
    stamps: &BTreeMap<PathBuf, Stamp>,
) -> io::Result<Watch> {
    let mut watch = Watch::default();
    let is_mapped = |path: &Path| holds_weights(path) || is_packed(path);
    for (path, file) in files.into_iter().filter(|(path, _)| is_mapped(path)) {
        let stamp = match stamps.get(&path) {
            Some(stamp) => *stamp,
            None => Stamp::of(&file.metadata()?),
        };
        watch.add(path, file, stamp);
    }
    Ok(watch)
}

/// SHA-256 of each file, in order of path.
pub(crate) fn parts(files: &BTreeMap<PathBuf, Arc<File>>) -> io::Result<Vec<PartDigest>> {
    let part = |(path, file): (&PathBuf, &Arc<File>)| {
        let (bytes, digest) = (file.metadata()?.len(), hash(file)?);
        Ok(PartDigest { path: path.clone(), bytes, digest })
    };
    files.iter().map(part).collect()
}

/// The files beside the weights that loading the model reads, as they were handed over; none for a
/// model that is one file.
pub(crate) fn settings(
    handed: &BTreeMap<PathBuf, Arc<File>>,
    (model, wanted): (&Path, Use),
) -> io::Result<Option<FileList>> {
    if !model.is_dir() {
        return Ok(None);
    }
    let mut read = BTreeMap::new();
    for path in settings_files(model, wanted).iter().map(|name| model.join(name)) {
        let file = match handed.get(&path) {
            Some(file) => Arc::clone(file),
            None => Arc::new(File::open(&path)?),
        };
        read.insert(path, file);
    }
    Ok(Some(FileList::new(Vec::new()).with_weights(model, &parts(&read)?)))
}

const READ_BYTES: usize = 1 << 20;

/// Reads without moving the place where others read.
fn hash(file: &File) -> io::Result<String> {
    let (mut hasher, mut at) = (Sha256::new(), 0);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => return Ok(format!("sha256:{}", hex(&hasher.finalize()))),
            read => {
                hasher.update(&buffer[..read]);
                at += read as u64;
            }
        }
    }
}

fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_handed_with_its_parts_and_a_folder_with_what_lies_in_it() {
        let place = tempfile::tempdir().unwrap();
        let model = place.path().join("model");
        std::fs::create_dir(&model).unwrap();
        let gguf = belonging(Path::new("/models/a.gguf"));
        for (path, belongs) in [("a.gguf", true), ("a.gguf.packed", true), ("b.gguf.packed", false)]
        {
            assert_eq!(gguf(&Path::new("/models").join(path)), belongs, "{path}");
        }
        for name in ["config.json", "secret"] {
            std::fs::write(place.path().join(name), "x").unwrap();
            std::fs::write(model.join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(place.path().join("secret"), model.join("tokenizer.json"))
            .unwrap();
        std::os::unix::fs::symlink("config.json", model.join("inner.json")).unwrap();
        let rule = belonging(&model);
        assert!(
            rule(&model) && rule(&model.join("config.json")) && rule(&model.join("inner.json"))
        );
        for other in ["../secret", "model/../secret", "tokenizer.json", "absent", "secret/.."] {
            assert!(!rule(&model.join(other)), "{other}");
        }
        assert!(!rule(&place.path().join("secret")) && !rule(Path::new("/etc/passwd")));

        let part = |number: u32| place.path().join(format!("m-{number:05}-of-00003.gguf"));
        let rule = belonging(&part(1));
        assert!(rule(&part(1)) && rule(&part(3)));
        for other in ["n-00001-of-00003.gguf", "m-00001-of-00004.gguf", "m-1-of-00003.gguf", "m"] {
            assert!(!rule(&place.path().join(other)), "{other}");
        }
        assert!(!rule(&place.path().join("x/m-00002-of-00003.gguf")));
    }

    #[test]
    fn digests_are_those_that_everybody_takes() {
        let place = tempfile::tempdir().unwrap();
        let open = |name: &str, text: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, text).unwrap();
            let file = Arc::new(File::open(&path).unwrap());
            (path, file)
        };
        let one = BTreeMap::from([open("a", "abc")]);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = |files| PartDigest::together(&parts(files).unwrap());
        assert_eq!(digest(&one), format!("sha256:{abc}"));
        let two = BTreeMap::from([open("a", "abc"), open("b", "abc")]);
        let lines = format!("{abc}  a\n{abc}  b\n");
        assert_eq!(digest(&two), format!("sha256:{}", hex(&Sha256::digest(lines.as_bytes()))));
    }
}
