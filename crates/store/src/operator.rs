//! The operator's key, which wraps all others.

use crate::Error;
use crate::seal::Key;
use crate::token::Token;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where the operator's key comes from.
#[derive(Clone)]
pub enum OperatorKey {
    /// A file with 64 hexadecimal digits; made, for its owner only, with a new folder.
    File(PathBuf),
    /// The digits themselves, as an environment variable holds them.
    Given(String),
    /// A token that wraps it, and the file where it lies wrapped.
    Token(Token, PathBuf),
}

// It must stand in no line of a log.
impl std::fmt::Debug for OperatorKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OperatorKey::File(path) => formatter.debug_tuple("File").field(path).finish(),
            OperatorKey::Given(_) => formatter.write_str("Given"),
            OperatorKey::Token(token, wrapped) => {
                formatter.debug_tuple("Token").field(token).field(wrapped).finish()
            }
        }
    }
}

/// The key's usual place in a data folder.
pub(crate) fn usual_file(folder: &Path) -> PathBuf {
    folder.join("keys").join("operator.key")
}

impl OperatorKey {
    /// The key, if it is there.
    pub(crate) fn read(&self) -> Result<Option<Key>, Error> {
        let text = match self {
            OperatorKey::Token(token, wrapped) => return token.read(wrapped),
            OperatorKey::Given(text) => text.clone(),
            OperatorKey::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(Error::Folder { path: path.clone(), source }),
            },
        };
        Key::from_hex(&text).map(Some).ok_or_else(|| Error::OperatorKey {
            reason: format!("{} does not hold 64 hexadecimal digits", self.place()),
        })
    }

    /// Makes a new key in its file; durable when it returns.
    pub(crate) fn make(&self) -> Result<Key, Error> {
        let path = match self {
            OperatorKey::File(path) => path,
            OperatorKey::Token(token, wrapped) => return token.make(wrapped),
            OperatorKey::Given(_) => {
                return Err(Error::OperatorKey { reason: "it is not there".into() });
            }
        };
        let key = Key::random()?;
        write(path, &key.to_hex())
            .map_err(|source| Error::Folder { path: path.clone(), source })?;
        Ok(key)
    }

    /// Whether it is this file.
    pub(crate) fn is_at(&self, file: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        matches!(self, OperatorKey::File(path) if real(path) == real(file))
    }

    /// How messages name it.
    pub(crate) fn place(&self) -> String {
        match self {
            OperatorKey::File(path) => path.display().to_string(),
            OperatorKey::Given(_) => "the key that was given".into(),
            OperatorKey::Token(_, wrapped) => wrapped.display().to_string(),
        }
    }
}

/// Writes a draft and gives it its name, so that a half-written key never stands there.
pub(crate) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteStore, Store};

    #[test]
    fn a_key_that_still_lies_in_plain_is_told_of_once_it_comes_from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (data, usual) = (folder.path().join("data"), usual_file(&folder.path().join("data")));
        let left = |operator: &OperatorKey| {
            SqliteStore::open_with(&data, operator).unwrap().plain_key_left()
        };
        assert_eq!(SqliteStore::open(&data).unwrap().plain_key_left(), None, "it is in use there");
        assert_eq!(left(&OperatorKey::File(data.join("keys/../keys/operator.key"))), None);
        let text = std::fs::read_to_string(&usual).unwrap();
        assert_eq!(left(&OperatorKey::Given(text.clone())).as_ref(), Some(&usual));
        let elsewhere = folder.path().join("operator.key");
        std::fs::rename(&usual, &elsewhere).unwrap();
        assert_eq!(left(&OperatorKey::File(elsewhere.clone())), None);
        // Another folder's key opens nothing here.
        std::fs::write(&usual, "00".repeat(32)).unwrap();
        assert_eq!(left(&OperatorKey::File(elsewhere)), None);
    }
}
