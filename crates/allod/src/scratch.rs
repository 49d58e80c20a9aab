//! A folder that goes when a command ends.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// A folder of this process among the system's temporary ones.
pub struct Scratch {
    /// Where it is.
    pub path: PathBuf,
}

impl Scratch {
    /// Makes it; `purpose` is part of its name.
    pub fn new(purpose: &str) -> anyhow::Result<Scratch> {
        Scratch::within(&std::env::temp_dir(), purpose)
    }

    /// Makes it in a folder.
    pub fn within(folder: &Path, purpose: &str) -> anyhow::Result<Scratch> {
        let path = folder.join(format!("allod-{purpose}-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("the scratch folder {} cannot be made", path.display()))?;
        let path = path.canonicalize().context("the scratch folder cannot be found again")?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
