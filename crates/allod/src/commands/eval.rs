//! `allod eval`: how good this instance is, as numbers.

mod retrieval;

use crate::Ending;
use crate::arguments::EvalCommand;
use crate::folder::Place;
use crate::output::Output;

/// Measures and prints.
pub fn run(command: &EvalCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        EvalCommand::Retrieval(arguments) => retrieval::run(arguments, place, output),
    }
}
