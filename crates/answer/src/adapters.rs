//! The folder that adapters are loaded from, and the names that lead into it.

use std::path::{Path, PathBuf};

use allod_engine::{AdapterIdentity, Runner};
use allod_registry::{Name, Registry};

use crate::desk::Desk;
use crate::error::Error;
use crate::generator::Generator;

/// The folder that adapters are loaded from: GGUF files and PEFT folders that lie in it under their
/// names, or artifacts of a registry. Nothing outside of it is ever opened.
#[derive(Clone, Debug)]
pub(crate) struct AdapterFolder(pub(crate) PathBuf);

impl AdapterFolder {
    /// The adapter that lies there under this name.
    pub(crate) fn find(&self, given: &str) -> Result<PathBuf, Error> {
        let absent = || Error::NoAdapter { name: shown(given) };
        let name = name(given, "lora_path")?;
        let imported = Registry::at(&self.0).find(&name).map_err(|_| absent())?;
        let lying = [self.0.join(name.as_str()), self.0.join(format!("{name}.gguf"))];
        let mut candidates = imported.map(|artifact| artifact.path).into_iter().chain(lying);
        let found = candidates.find(|path| path.exists()).ok_or_else(absent)?;
        // A link may lead anywhere.
        match is_within(&self.0, &found) {
            true => Ok(found),
            false => Err(absent()),
        }
    }
}

fn is_within(folder: &Path, path: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    whole(folder).zip(whole(path)).is_some_and(|(folder, path)| path.starts_with(folder))
}

/// A name that is plain enough for a file and for a model.
fn name(given: &str, field: &str) -> Result<Name, Error> {
    given.parse().map_err(|_| Error::AdapterName { field: field.into(), given: shown(given) })
}

/// As much of a name as an error shows.
fn shown(given: &str) -> String {
    given.chars().take(100).collect()
}

impl Desk {
    /// Loads the adapter that lies in the folder of adapters as `file`, for requests that ask for
    /// it as `name`. Both are plain names, no paths.
    ///
    /// # Errors
    /// [`Error::AdapterName`], [`Error::NoAdapter`], [`Error::NameTaken`], [`Error::BadAdapter`] if
    /// it does not fit the model, [`Error::Engine`] if there are too many, or [`Error::NoModel`].
    pub fn load_adapter(&self, name: &str, file: &str) -> Result<AdapterIdentity, Error> {
        let engine = self.engine()?;
        let name = self::name(name, "lora_name")?;
        if self.model_names().iter().any(|taken| taken == name.as_str()) {
            return Err(Error::NameTaken { name: name.to_string() });
        }
        let path = self.adapters.find(file)?;
        engine.load_adapter(name.as_str(), &path).map_err(|error| self.told(file, error))?;
        let loaded = engine.adapters().into_iter().find(|one| one.name == name.as_str());
        // Somebody else may have unloaded it already.
        loaded.ok_or_else(|| Error::NoAdapter { name: name.to_string() })
    }

    /// Lets go of an adapter. Requests that run with it go on.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] or [`Error::NoModel`].
    pub fn unload_adapter(&self, name: &str) -> Result<(), Error> {
        let absent = |_| Error::NoAdapter { name: shown(name) };
        self.engine()?.unload_adapter(name).map_err(absent)
    }

    /// The error without the place of the folder, which is nobody's business.
    fn told(&self, file: &str, error: allod_engine::Error) -> Error {
        let (allod_engine::Error::Model(_) | allod_engine::Error::Unfit { .. }) = &error else {
            return error.into();
        };
        let folder = format!("{}{}", self.adapters.0.display(), std::path::MAIN_SEPARATOR);
        let reason = error.to_string().replace(&folder, "");
        Error::BadAdapter { name: shown(file), reason }
    }

    fn engine(&self) -> Result<&dyn Runner, Error> {
        match &self.generator {
            Some(Generator::Local(engine)) => Ok(&**engine),
            _ => Err(Error::NoModel(
                "adapters go with a model that runs here: start with --model MODEL".into(),
            )),
        }
    }

    fn model_names(&self) -> Vec<String> {
        let writer = self.generator.as_ref().map(Generator::name);
        let embedder = self.embedder.as_ref().map(|reader| reader.name().to_owned());
        let reranker = self.reranker.as_ref().map(|reader| reader.name().to_owned());
        [writer, embedder, reranker].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_folder_is_found() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("adapters");
        std::fs::create_dir_all(folder.join("peft")).unwrap();
        std::fs::write(folder.join("file.gguf"), "x").unwrap();
        std::fs::write(outside.path().join("secret.gguf"), "x").unwrap();
        let adapters = AdapterFolder(folder.clone());
        assert_eq!(adapters.find("peft").unwrap(), folder.join("peft"));
        assert_eq!(adapters.find("file").unwrap(), folder.join("file.gguf"));
        assert_eq!(adapters.find("file.gguf").unwrap(), folder.join("file.gguf"));
        assert!(matches!(adapters.find("other"), Err(Error::NoAdapter { .. })));
        let absolute = outside.path().join("secret.gguf");
        for hostile in [
            "../secret.gguf",
            "..",
            ".",
            "",
            "peft/../../secret.gguf",
            "peft/..",
            "..\\secret.gguf",
            "secret\0.gguf",
            "-x",
            "%2e%2e%2fsecret",
            absolute.to_str().unwrap(),
            &"x".repeat(10_000),
        ] {
            let error = adapters.find(hostile).unwrap_err();
            assert!(matches!(error, Error::AdapterName { .. }), "{hostile}: {error}");
            assert!(error.to_string().len() < 400, "{error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&absolute, folder.join("link.gguf")).unwrap();
            assert!(matches!(adapters.find("link"), Err(Error::NoAdapter { .. })));
        }
    }
}
