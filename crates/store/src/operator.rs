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
