//! `allod export`

use std::path::Path;

use allod_answer::Bundle;
use anyhow::Context;
use serde_json::json;

use super::ledger::{existing, open, prove};
use crate::Ending;
use crate::folder::{self, Place};
use crate::output::Output;
use crate::replay_arguments::ExportCommand;

/// Writes what is recorded into one file.
pub fn run(command: &ExportCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        ExportCommand::Subject(arguments) => super::export_subject::run(arguments, place, output),
        ExportCommand::Feedback { tenant } => feedback(tenant.as_deref(), place, output),
        ExportCommand::Receipt { receipt, bundle } => export(*receipt, bundle, place, output),
    }
}

/// One object a line, with `--json` and without: a program reads it in any case.
fn feedback(tenant: Option<&str>, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    for record in place.desk_without_model()?.feedback(tenant)? {
        output.line(&serde_json::to_string(&record)?)?;
    }
    Ok(Ending::Done)
}

fn export(index: u64, file: &Path, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let log = existing(place)?;
    let store = allod_answer::open_store(&place.data)?;
    let ledger = open(&log, folder::remembered(&place.data)?.as_ref())?;
    let proof = prove(place, &ledger, index)?;
    let text = Bundle::write(store.as_ref(), &ledger, index, proof)?;
    std::fs::write(file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
    let value = json!({"bundle": file, "bytes": text.len(), "vkey": ledger.vkey()});
    output.print(&value, |_| {
        format!(
            "{}: receipt {index} with all but the weights, {} bytes. It holds what was asked and \
             answered. The log's key, to be given by another way:\n{}",
            file.display(),
            text.len(),
            ledger.vkey().trim_end(),
        )
    })?;
    Ok(Ending::Done)
}
