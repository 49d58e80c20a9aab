//! `allod tune`

use allod_tune::{TableRecipe, TrainingData, train_table};
use anyhow::Context;
use serde_json::json;

use crate::Ending;
use crate::arguments::{TuneCommand, TuneEmbedArguments};
use crate::folder::Place;
use crate::output::{Output, say};

/// Steps between two lines about the loss.
const TOLD: usize = 250;

/// Trains what was asked for and writes the artifact.
pub fn run(command: &TuneCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        TuneCommand::Embed(arguments) => embed(arguments, place, output),
    }
}

fn embed(arguments: &TuneEmbedArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let recipe = TableRecipe::default();
    let steps = arguments.steps.unwrap_or(recipe.steps);
    let recipe = TableRecipe { steps, ..recipe };
    let policy = place.read_policy()?;
    let data = TrainingData {
        folders: arguments.data.clone(),
        held_out: arguments.held_out.clone(),
        shield: allod_answer::shield(policy.privacy.training, &policy.privacy)?,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
    let trained = train_table(&recipe, &data, threads, |progress| {
        if progress.step % TOLD == 0 {
            say(&format!("step {} of {steps}: loss {:.3}", progress.step, progress.loss));
        }
    })?;
    let out = &arguments.out;
    std::fs::write(out, &trained.bytes)
        .with_context(|| format!("{} cannot be written", out.display()))?;
    let (bytes, digest) = (trained.bytes.len(), allod_lm::digest_bytes(&trained.bytes));
    let result = json!({"file": out, "bytes": bytes, "digest": digest, "facts": trained.facts});
    output.print(&result, |_| format!("{}: {bytes} bytes, {digest}", out.display()))?;
    Ok(Ending::Done)
}
