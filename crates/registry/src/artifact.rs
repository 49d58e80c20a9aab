//! Files that belong together, under a name.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The name.
    pub name: Name,
    /// SHA-256 of the list of its files' digests.
    pub digest: Digest,
    /// Where its files lie.
    pub folder: PathBuf,
    /// What to open: one of the files, or the folder.
    pub path: PathBuf,
    /// What it is, in the words of whoever put it in.
    pub kind: String,
    /// When it was put in, in the words of whoever did.
    pub imported_at: String,
    /// All its files, in order of their names.
    pub files: Vec<ArtifactFile>,
}

impl Artifact {
    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactFile {
    /// Its place below the artifact's folder, with `/` between folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub digest: Digest,
}

/// What stands in `NAME.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pointer {
    pub digest: Digest,
    /// The folder of the files, in the object's folder: the name under which they came first.
    pub folder: String,
    /// Which of the files is opened; the folder, where there is none.
    pub opens: Option<String>,
    pub kind: String,
    pub imported_at: String,
    pub files: Vec<ArtifactFile>,
}

impl Pointer {
    /// Reads a pointer; `path` is for errors.
    pub fn parse(path: &Path, text: &str) -> Result<Pointer> {
        let damaged = |what: String| Error::Damaged { path: path.to_path_buf(), what };
        let pointer: Pointer =
            serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        let mut names = vec![&pointer.folder];
        names.extend(&pointer.opens);
        names.extend(pointer.files.iter().map(|file| &file.name));
        if let Some(name) = names.into_iter().find(|name| !is_below(name)) {
            return Err(damaged(format!("`{name}` leads out of the object's folder")));
        }
        Ok(pointer)
    }

    /// The artifact, whose object is `object`.
    pub fn artifact(self, name: Name, object: &Path) -> Artifact {
        let folder = object.join(&self.folder);
        let path = self.opens.map_or(folder.clone(), |opens| folder.join(opens));
        let Pointer { digest, kind, imported_at, files, .. } = self;
        Artifact { name, digest, folder, path, kind, imported_at, files }
    }
}

/// The list of digests as `sha256sum` writes it.
pub(crate) fn sums(files: &[ArtifactFile]) -> String {
    files.iter().map(|file| format!("{}  {}\n", file.digest, file.name)).collect()
}

/// Whether a name stays below the folder that it is taken in.
pub(crate) fn is_below(name: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.contains(['\\', '\0', '\n', '\r']) && name.split('/').all(plain)
}
