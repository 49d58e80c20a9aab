//! `allod model pack`

use std::path::Path;

use allod_lm::{Checkpoint, Isa};
use serde_json::json;

use super::size;
use crate::Ending;
use crate::folder::Place;
use crate::output::Output;

/// Writes the packed weights of a model beside it, or takes them away.
pub fn run(model: &Path, remove: bool, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let checkpoint = Checkpoint::open(&place.model(model)?)?;
    if remove {
        let path = checkpoint.remove_packed()?;
        output.print(&json!({"removed": path}), |_| format!("removed {}", path.display()))?;
        return Ok(Ending::Done);
    }
    let (path, bytes) = checkpoint.write_packed(Isa::detect())?;
    output.print(&json!({"packed": path, "bytes": bytes}), |_| {
        format!("{}: {}", path.display(), size(bytes as u64))
    })?;
    Ok(Ending::Done)
}
