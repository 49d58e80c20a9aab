//! `allod model import`

use std::path::Path;

use allod_lm::{Inspection, inspect, model_files};
use allod_registry::{Artifact, Name, Placing, Source};
use anyhow::{Context, bail};

use super::{line, value};
use crate::Ending;
use crate::arguments::ImportArguments;
use crate::folder::Place;
use crate::output::{Output, say};
use crate::progress::ByteBar;

/// Checks a model whole and puts a copy of it into the data folder.
pub fn run(arguments: &ImportArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let path = &arguments.path;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => Name::suggested_by(path).context("give it a name with --name")?,
    };
    // Before hours of copying, whether it is worth it.
    let inspection = inspect(path, None)?;
    refuse(&inspection)?;
    let source = source(path, &inspection)?;
    let artifact = put(&source, &name, arguments.link, place)?;
    output.print(&value(&artifact), |_| line(&artifact))?;
    for warning in inspection.warnings {
        say(&format!("allod: warning: {warning}"));
    }
    Ok(Ending::Done)
}

fn put(source: &Source, name: &Name, link: bool, place: &Place) -> anyhow::Result<Artifact> {
    let placing = if link { Placing::Link } else { Placing::Copy };
    let bar = ByteBar::new();
    // What is kept is what was checked: the copy, not what it was made from.
    let check = |copy: &Path| {
        let inspection = inspect(copy, None).map_err(|error| error.to_string())?;
        refuse(&inspection).map_err(|error| error.to_string())
    };
    let artifact = place.models().put(source, name, placing, &bar, &check);
    bar.finish();
    Ok(artifact?)
}

fn refuse(inspection: &Inspection) -> anyhow::Result<()> {
    match inspection.is_usable() {
        true => Ok(()),
        false => bail!("the model cannot be used: {}", inspection.refusals.join("; ")),
    }
}

fn source(path: &Path, inspection: &Inspection) -> anyhow::Result<Source> {
    let (folder, paths) = model_files(path)?;
    let below = |path: &Path| -> anyhow::Result<String> {
        let name = path.strip_prefix(&folder)?;
        let parts: Option<Vec<&str>> = name.components().map(|c| c.as_os_str().to_str()).collect();
        Ok(parts.with_context(|| format!("{}: the name is no UTF-8", path.display()))?.join("/"))
    };
    let files = paths.iter().map(|path| below(path)).collect::<anyhow::Result<Vec<String>>>()?;
    let opens = if path.is_dir() { None } else { files.first().cloned() };
    let kind = serde_json::to_value(inspection.kind)?.as_str().unwrap_or_default().to_string();
    let imported_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    // A bare file name lies in the current folder.
    let here = folder.as_os_str().is_empty();
    let folder = if here { Path::new(".").to_path_buf() } else { folder };
    Ok(Source { folder, files, opens, kind, imported_at })
}
