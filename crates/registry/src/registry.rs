//! The folder of artifacts.

use crate::artifact::{Artifact, ArtifactFile, Pointer, is_below, sums};
use crate::copy::{self, Placing, Progress, sync_folder};
use crate::digest::Digest;
use crate::error::{Error, Result, io};
use crate::name::Name;
use std::fs::File;
use std::path::{Path, PathBuf};

const OBJECTS: &str = "objects";
const LOCK: &str = "lock";
const SUMS: &str = "SHA256SUMS";
/// What is not whole yet, or not any more: removed by whoever comes next.
const UNFINISHED: &str = ".unfinished-";

/// A folder of artifacts.
#[derive(Clone, Debug)]
pub struct Registry {
    folder: PathBuf,
}

/// What is to be put in.
#[derive(Clone, Debug)]
pub struct Source {
    /// The folder in which the files lie.
    pub folder: PathBuf,
    /// Their names below it, with `/` between folders.
    pub files: Vec<String>,
    /// Which of the files is opened; the folder, where there is none.
    pub opens: Option<String>,
    /// What it is, for lists.
    pub kind: String,
    /// When it is put in, for lists.
    pub imported_at: String,
}

impl Registry {
    /// The registry in `folder`, which need not be there yet.
    pub fn at(folder: impl Into<PathBuf>) -> Registry {
        Registry { folder: folder.into() }
    }

    /// Puts files in under a name: all of them, checked and on the disk, or nothing. `check` is
    /// given what will be opened, as it was copied, and says why it is refused.
    ///
    /// # Errors
    /// If a file cannot be read or written, the name stands for something else, or `check`
    /// refuses.
    pub fn put(
        &self,
        source: &Source,
        name: &Name,
        placing: Placing,
        progress: &dyn Progress,
        check: &dyn Fn(&Path) -> std::result::Result<(), String>,
    ) -> Result<Artifact> {
        let _lock = self.lock()?;
        self.sweep()?;
        let unfinished = Unfinished::new(self.objects())?;
        let folder = unfinished.folder.join(name.as_str());
        let files = fill(&folder, source, placing, progress)?;
        let opens = source.opens.clone();
        check(&opens.as_ref().map_or(folder.clone(), |opens| folder.join(opens)))
            .map_err(Error::Refused)?;
        let text = sums(&files);
        let digest = Digest::of(text.as_bytes());
        if let Some(other) = self.find(name)?.filter(|other| other.digest != digest) {
            return Err(Error::Taken { name: name.to_string(), digest: other.digest });
        }
        write_whole(&unfinished.folder.join(SUMS), text.as_bytes())?;
        sync_folder(&unfinished.folder)?;
        let folder = self.keep(&unfinished, &digest, name)?;
        let (kind, imported_at) = (source.kind.clone(), source.imported_at.clone());
        let pointer = Pointer { digest, folder, opens, kind, imported_at, files };
        self.write_pointer(name, &pointer)?;
        Ok(pointer.artifact(name.clone(), &self.object(&digest)))
    }

    /// Makes a whole object of what was unfinished, and gives the folder of its files: the name,
    /// or another under which the same content came before.
    fn keep(&self, unfinished: &Unfinished, digest: &Digest, name: &Name) -> Result<String> {
        let object = self.object(digest);
        if object.exists() {
            let folder = entries(&object)?.into_iter().find(|entry| entry != SUMS);
            let what = "its files are gone".to_string();
            return folder.ok_or(Error::Damaged { path: object, what });
        }
        std::fs::rename(&unfinished.folder, &object).map_err(io(&object, "cannot be made"))?;
        sync_folder(&self.objects())?;
        Ok(name.to_string())
    }

    /// All artifacts, in order of name.
    ///
    /// # Errors
    /// If the folder or a name in it cannot be read.
    pub fn list(&self) -> Result<Vec<Artifact>> {
        let mut names = self.names()?;
        names.sort();
        names.iter().filter_map(|name| self.find(name).transpose()).collect()
    }

    /// What a name stands for, if for anything.
    ///
    /// # Errors
    /// If what stands under the name cannot be read.
    pub fn find(&self, name: &Name) -> Result<Option<Artifact>> {
        let path = self.pointer(name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(&path, "cannot be read")(error)),
        };
        let pointer = Pointer::parse(&path, &text)?;
        let object = self.object(&pointer.digest);
        Ok(Some(pointer.artifact(name.clone(), &object)))
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// If it stands for nothing; the names that there are are said.
    pub fn get(&self, name: &Name) -> Result<Artifact> {
        if let Some(artifact) = self.find(name)? {
            return Ok(artifact);
        }
        let mut names = self.names()?;
        names.sort();
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        let known = match names.is_empty() {
            true => "; nothing was imported yet".to_string(),
            false => format!("; there are {}", names.join(", ")),
        };
        Err(Error::Unknown { name: name.to_string(), known })
    }

    /// The path that is meant by `given`: itself if it is there, else what it names.
    ///
    /// # Errors
    /// If it is neither, or the registry cannot be read.
    pub fn locate(&self, given: &Path) -> Result<Option<PathBuf>> {
        if given.exists() {
            return Ok(Some(given.to_path_buf()));
        }
        let Some(Ok(name)) = given.to_str().map(str::parse) else { return Ok(None) };
        Ok(self.find(&name)?.map(|artifact| artifact.path))
    }

    /// Takes a name away, and the files if no other name stands for them. What was opened stays
    /// open until it is closed, where the system allows that.
    ///
    /// # Errors
    /// If it stands for nothing or cannot be removed.
    pub fn remove(&self, name: &Name) -> Result<Artifact> {
        let _lock = self.lock()?;
        let artifact = self.get(name)?;
        let path = self.pointer(name);
        std::fs::remove_file(&path).map_err(io(&path, "cannot be removed"))?;
        sync_folder(&self.folder)?;
        self.sweep()?;
        Ok(artifact)
    }

    /// Reads all files of an artifact and compares their digests.
    ///
    /// # Errors
    /// The first file that is not as it was put in.
    pub fn verify(&self, artifact: &Artifact, progress: &dyn Progress) -> Result<()> {
        progress.begin(artifact.bytes());
        let damaged = |path: &Path, what: &str| {
            Err(Error::Damaged { path: path.to_path_buf(), what: what.to_string() })
        };
        if Digest::of(sums(&artifact.files).as_bytes()) != artifact.digest {
            return damaged(&self.pointer(&artifact.name), "its files are not those of its digest");
        }
        for file in &artifact.files {
            let path = artifact.folder.join(&file.name);
            let mut advance = |bytes| progress.advance(&file.name, bytes);
            let (_, digest) = copy::read(&path, None, &mut advance)?;
            if digest != file.digest {
                return damaged(&path, "its SHA-256 is another than when it was imported");
            }
        }
        Ok(())
    }

    fn objects(&self) -> PathBuf {
        self.folder.join(OBJECTS)
    }

    fn object(&self, digest: &Digest) -> PathBuf {
        self.objects().join(format!("sha256-{digest}"))
    }

    fn pointer(&self, name: &Name) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn names(&self) -> Result<Vec<Name>> {
        let names = entries(&self.folder)?.into_iter();
        Ok(names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect())
    }

    /// One process at a time changes the registry.
    fn lock(&self) -> Result<File> {
        let objects = self.objects();
        std::fs::create_dir_all(&objects).map_err(io(&objects, "cannot be made"))?;
        let path = objects.join(LOCK);
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(io(&path, "cannot be made"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::Busy { path }),
            Err(std::fs::TryLockError::Error(error)) => Err(io(&path, "cannot be locked")(error)),
        }
    }

    /// Removes what an end in the middle of something left: what is not whole, and objects that no
    /// name stands for. Only under the lock.
    fn sweep(&self) -> Result<()> {
        let used: Vec<String> =
            self.list()?.iter().map(|artifact| format!("sha256-{}", artifact.digest)).collect();
        for name in entries(&self.objects())? {
            let path = self.objects().join(&name);
            if name != LOCK && !used.contains(&name) && path.is_dir() {
                std::fs::remove_dir_all(&path).map_err(io(&path, "cannot be removed"))?;
            }
        }
        Ok(())
    }

    fn write_pointer(&self, name: &Name, pointer: &Pointer) -> Result<()> {
        let text = serde_json::to_string_pretty(pointer).expect("a pointer can be written");
        let path = self.pointer(name);
        let new = self.objects().join(format!("{UNFINISHED}{name}.json"));
        write_whole(&new, text.as_bytes())?;
        std::fs::rename(&new, &path).map_err(io(&path, "cannot be made"))?;
        sync_folder(&self.folder)
    }
}

/// Copies the files into `folder` and gives their digests.
fn fill(
    folder: &Path,
    source: &Source,
    placing: Placing,
    progress: &dyn Progress,
) -> Result<Vec<ArtifactFile>> {
    let mut names = source.files.clone();
    names.sort();
    names.dedup();
    if let Some(name) = names.iter().find(|name| !is_below(name)) {
        return Err(Error::Refused(format!("`{name}` is no plain file name")));
    }
    let length = |name: &String| std::fs::metadata(source.folder.join(name)).map_or(0, |m| m.len());
    progress.begin(names.iter().map(length).sum());
    let mut files = Vec::new();
    for name in names {
        let target = folder.join(&name);
        let parent = target.parent().expect("it is below the artifact's folder");
        std::fs::create_dir_all(parent).map_err(io(parent, "cannot be made"))?;
        let mut advance = |bytes| progress.advance(&name, bytes);
        let (bytes, digest) =
            copy::place(&source.folder.join(&name), &target, placing, &mut advance)?;
        sync_folder(parent)?;
        files.push(ArtifactFile { name, bytes, digest });
    }
    Ok(files)
}

/// A folder that goes unless it is renamed.
struct Unfinished {
    folder: PathBuf,
}

impl Unfinished {
    fn new(objects: PathBuf) -> Result<Unfinished> {
        let folder = objects.join(format!("{UNFINISHED}object"));
        std::fs::create_dir(&folder).map_err(io(&folder, "cannot be made"))?;
        Ok(Unfinished { folder })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What cannot be removed is removed by whoever comes next.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = "cannot be written";
    let mut file = File::create(path).map_err(io(path, doing))?;
    std::io::Write::write_all(&mut file, bytes).map_err(io(path, doing))?;
    file.sync_all().map_err(io(path, doing))
}

/// The names in a folder; none if it is not there.
fn entries(folder: &Path) -> Result<Vec<String>> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(folder, "cannot be listed")(error)),
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.map_err(io(folder, "cannot be listed"))?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    };
    listed.map(name).collect()
}

#[cfg(test)]
mod tests;
