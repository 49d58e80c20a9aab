//! `allod eval`: how good this instance is, as numbers.

mod calibrate;
mod citations;
mod injection;
mod privacy;
mod qa;
mod retrieval;

use std::path::Path;

use allod_eval::Squad;
use anyhow::Context;

use crate::Ending;
use crate::eval_arguments::{ArticleArguments, EvalCommand};
use crate::folder::Place;
use crate::output::Output;

/// Measures and prints.
pub fn run(command: &EvalCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        EvalCommand::Citations(arguments) => citations::run(arguments, output),
        EvalCommand::Retrieval(arguments) => retrieval::run(arguments, place, output),
        EvalCommand::Injection(arguments) => injection::run(arguments, place, output),
        EvalCommand::Privacy(arguments) => privacy::run(arguments, output),
        EvalCommand::Qa(arguments) => qa::run(arguments, place, output),
        EvalCommand::Calibrate(arguments) => calibrate::run(arguments, place, output),
    }
}

/// A SQuAD file, or every so many of its articles.
fn squad(file: &Path, articles: &ArticleArguments) -> anyhow::Result<Squad> {
    let squad = Squad::parse(&read(file)?).with_context(|| file.display().to_string())?;
    let squad =
        articles.part.map_or_else(|| squad.clone(), |part| squad.part(part.number - 1, part.of));
    let squad = if articles.withhold { squad.withholding() } else { squad };
    anyhow::ensure!(squad.questions() > 0, "{}: holds no questions", file.display());
    Ok(squad)
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// A share in percent.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
