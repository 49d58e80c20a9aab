//! `allod model pack`

use std::io::ErrorKind;
use std::path::Path;

use allod_lm::{Checkpoint, Error, Isa};
use serde_json::json;

use super::size;
use crate::Ending;
use crate::folder::Place;
use crate::output::Output;

/// Writes the packed weights of a model beside it, or takes them away.
pub fn run(model: &Path, remove: bool, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let checkpoint = Checkpoint::open(&place.model(model)?)?;
    if remove {
        let path = checkpoint.remove_packed().map_err(told)?;
        output.print(&json!({"removed": path}), |_| format!("removed {}", path.display()))?;
        return Ok(Ending::Done);
    }
    let (path, bytes) = checkpoint.write_packed(Isa::detect())?;
    output.print(&json!({"packed": path, "bytes": bytes}), |_| {
        format!("{}: {}", path.display(), size(bytes as u64))
    })?;
    Ok(Ending::Done)
}

/// Says what to do where there is nothing to remove.
fn told(error: Error) -> anyhow::Error {
    let error = anyhow::Error::from(error);
    let is_missing = |cause: &(dyn std::error::Error + 'static)| {
        let system = cause.downcast_ref::<std::io::Error>();
        system.is_some_and(|system| system.kind() == ErrorKind::NotFound)
    };
    if !error.chain().any(is_missing) {
        return error;
    }
    error.context(
        "this model has no packed weights beside it, so nothing need be removed; `allod model pack \
         MODEL` makes them",
    )
}
