//! `allod show`

use anyhow::Context;
use serde_json::json;

use crate::Ending;
use crate::arguments::ShowArguments;
use crate::folder::Place;
use crate::output::Output;

/// Prints the canonical text of a version, byte for byte: its SHA-256 is the digest.
pub fn run(arguments: &ShowArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let store = allod_answer::open_store(&place.data)?;
    let version = store.version(&arguments.digest, None)?.with_context(|| {
        format!(
            "no document version has the digest {}; citations and receipts name them in full",
            arguments.digest
        )
    })?;
    if output.json {
        let value = json!({
            "digest": version.digest,
            "path": version.path,
            "title": version.title,
            "language": version.language,
            "label": version.label,
            "valid_from": version.valid_from,
            "valid_until": version.valid_until,
            "ingested_at": version.ingested_at,
            "text": version.text,
        });
        output.line(&value.to_string())?;
    } else {
        output.raw(&version.text)?;
    }
    Ok(Ending::Done)
}
