//! `allod serve`

use std::sync::Arc;

use allod_server::{Keyless, ServeOptions};

use crate::Ending;
use crate::arguments::ServeArguments;
use crate::folder::Place;
use crate::output::say;

/// Serves until it is told to stop, then finishes what it has begun.
pub fn run(arguments: &ServeArguments, place: &Place) -> anyhow::Result<Ending> {
    let desk = Arc::new(place.desk((&arguments.model).into())?);
    let keyless = if arguments.require_key { Keyless::Refused } else { Keyless::LocalOperator };
    let options = ServeOptions { listen: arguments.listen, keyless, ..ServeOptions::default() };
    allod_server::serve(Arc::clone(&desk), options, |address| {
        say(&format!("Allod listens on http://{address}/ (stop with Ctrl-C)"));
    })?;
    desk.rest()?;
    Ok(Ending::Done)
}
