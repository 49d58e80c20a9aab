//! The sample corpus, carried in the binary so that the demo needs nothing beside it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use include_dir::{Dir, include_dir};

static SAMPLES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../samples");

/// Writes the documents below `folder` and says where.
pub fn write(folder: &Path) -> anyhow::Result<PathBuf> {
    let documents = SAMPLES.get_dir("documents").context("the binary carries no documents")?;
    let target = folder.join("documents");
    std::fs::create_dir_all(folder.join("documents"))?;
    for area in documents.dirs() {
        std::fs::create_dir_all(folder.join(area.path()))?;
    }
    documents
        .extract(folder)
        .with_context(|| format!("the samples cannot be written to {}", target.display()))?;
    Ok(target)
}

/// Writes the policy and the templates of the municipality into a data folder.
pub fn furnish(data: &Path) -> anyhow::Result<()> {
    let unwritten = || format!("the samples cannot be written to {}", data.display());
    let templates = SAMPLES.get_dir("templates").context("the binary carries no templates")?;
    std::fs::create_dir_all(data.join("templates")).with_context(unwritten)?;
    templates.extract(data).with_context(unwritten)?;
    let policy = SAMPLES.get_file("allod.yaml").context("the binary carries no policy")?;
    std::fs::write(data.join("allod.yaml"), policy.contents()).with_context(unwritten)
}

/// The questions with known answers.
pub fn questions() -> String {
    let file = SAMPLES.get_file("questions.jsonl");
    file.and_then(|file| file.contents_utf8()).unwrap_or_default().to_owned()
}
