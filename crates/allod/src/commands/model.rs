//! `allod model`

mod convert;
mod import;
mod inspect;
mod pack;

use allod_registry::{Artifact, Registry};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::ModelCommand;
use crate::folder::Place;
use crate::output::Output;

/// Brings models in, lists them, looks into them and takes them away.
pub fn run(command: &ModelCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        ModelCommand::Import(arguments) => import::run(arguments, place, output),
        ModelCommand::List => list(&place.models(), output),
        ModelCommand::Inspect { model, published, verify } => {
            inspect::run(model, published.as_deref(), *verify, place, output)
        }
        ModelCommand::Convert(arguments) => convert::run(arguments, place, output),
        ModelCommand::Pack { model, remove } => pack::run(model, *remove, place, output),
        ModelCommand::Remove { name } => {
            let artifact = place.models().remove(name)?;
            output.print(&json!({"removed": artifact.name.as_str()}), |_| {
                format!("removed {}", artifact.name)
            })?;
            Ok(Ending::Done)
        }
    }
}

fn list(registry: &Registry, output: &Output) -> anyhow::Result<Ending> {
    let artifacts = registry.list()?;
    let values: Vec<Value> = artifacts.iter().map(value).collect();
    output.print(&values, |_| match artifacts.is_empty() {
        true => "no models; bring one in with `allod model import PATH`".into(),
        false => artifacts.iter().map(line).collect(),
    })?;
    Ok(Ending::Done)
}

/// A model that was imported, for programs.
fn value(artifact: &Artifact) -> Value {
    json!({
        "name": artifact.name.as_str(),
        "kind": artifact.kind,
        "digest": format!("sha256:{}", artifact.digest),
        "bytes": artifact.bytes(),
        "files": artifact.files.iter().map(|file| json!({
            "name": file.name, "bytes": file.bytes, "digest": format!("sha256:{}", file.digest),
        })).collect::<Vec<Value>>(),
        "path": artifact.path,
        "imported_at": artifact.imported_at,
    })
}

fn line(artifact: &Artifact) -> String {
    let digest = artifact.digest.to_string();
    let size = size(artifact.bytes());
    let (name, kind) = (artifact.name.as_str(), &artifact.kind);
    format!("{name:<32}  {kind:<8}  {size:>10}  {}  {}\n", &digest[..12], artifact.imported_at)
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(least, _)| bytes >= *least);
    match unit {
        Some((least, unit)) => format!("{:.1} {unit}", bytes as f64 / least as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
    }
}
