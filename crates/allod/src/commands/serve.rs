//! `allod serve`

use std::sync::Arc;

use allod_answer::{Desk, DeskOptions};
use allod_server::{Keyless, ServeOptions};

use crate::Ending;
use crate::arguments::ServeArguments;
use crate::folder::Place;
use crate::output::say;

/// Serves until it is told to stop, then finishes what it has begun.
pub fn run(arguments: &ServeArguments, place: &Place) -> anyhow::Result<Ending> {
    let options = DeskOptions {
        model: (&arguments.model).into(),
        embedder: arguments.embedder.clone(),
        reranker: arguments.reranker.clone(),
        ..place.options()
    };
    let desk = Arc::new(Desk::open(&place.data, &options)?);
    let keyless = if arguments.require_key { Keyless::Refused } else { Keyless::LocalOperator };
    let options = ServeOptions { listen: arguments.listen, keyless, ..ServeOptions::default() };
    allod_server::serve(Arc::clone(&desk), options, |address| {
        say(&format!("Allod listens on http://{address}/ (stop with Ctrl-C)"));
    })?;
    desk.rest()?;
    Ok(Ending::Done)
}
