//! `allod eval`: how good this instance is, as numbers.

mod citations;
mod retrieval;

use crate::Ending;
use crate::eval_arguments::EvalCommand;
use crate::folder::Place;
use crate::output::Output;

/// Measures and prints.
pub fn run(command: &EvalCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        EvalCommand::Citations(arguments) => citations::run(arguments, output),
        EvalCommand::Retrieval(arguments) => retrieval::run(arguments, place, output),
    }
}
