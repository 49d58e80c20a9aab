//! `allod witness`

use allod_ledger::{VerifierKey, Witness};

use crate::Ending;
use crate::arguments::WitnessArguments;
use crate::folder::Place;
use crate::output::say;

/// The folder of a data folder that a witness remembers in.
const FOLDER: &str = "witness";

/// Serves until it is told to stop.
pub fn run(arguments: &WitnessArguments, place: &Place) -> anyhow::Result<Ending> {
    let logs = arguments.logs.iter().map(|vkey| vkey.trim().parse());
    let logs = logs.collect::<Result<Vec<VerifierKey>, allod_ledger::Error>>()?;
    let witness = Witness::open(&place.data.join(FOLDER), &arguments.name, logs)?;
    let vkey = witness.vkey();
    allod_server::serve_witness(witness, arguments.listen, |address| {
        say(&format!(
            "A witness listens on http://{address} (stop with Ctrl-C). In the policy of the log:\n\
             witnesses:\n  - url: http://{address}\n    vkey: {vkey}"
        ));
    })?;
    Ok(Ending::Done)
}
