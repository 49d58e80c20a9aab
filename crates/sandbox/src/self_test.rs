//! Trying what a cell must not do.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::io::Errno;

use crate::Grounds;
use crate::act::{self, Tried};
use crate::cells::Cells;
use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::grounds::Prepared;
use crate::layer::{Layer, Layers};
use crate::report::{ActReport, Report};
use crate::setup::Setup;

/// Really tries every act of [`crate::ACTS`] in cells made as `setup` says: all acts with all
/// layers, and for each layer the acts that it must deny alone with that layer alone. `data` is the
/// folder with the program's state.
///
/// Nothing is harmed where an act is not denied: each is undone, or asks only whether it may be
/// done.
///
/// # Errors
/// [`Error::Start`] and what else keeps cells from being asked at all. An act that is not denied is
/// no error; the report says it.
pub fn self_test(setup: &Setup, data: &Path) -> Result<Report> {
    let prepared = Prepared::new(data, setup.limits.memory_bytes).of(setup.purpose);
    let together = attempt_in(setup, &prepared.grounds)?;
    let mut report = Report::default();
    report.set_layers(&together.layers);
    let required = Layer::ALL.into_iter().filter(|layer| layer.is_required());
    let mut alone = BTreeMap::new();
    for layer in required {
        let setup =
            if setup.layers.contains(&layer) { setup.only(&[layer]) } else { setup.only(&[]) };
        let grounds = Grounds { alone: Some(layer), ..prepared.grounds.clone() };
        alone.insert(layer, attempt_in(&setup, &grounds)?);
    }
    judge(&mut report, &together, &alone, &prepared.grounds);
    Ok(report)
}

/// Tries every act here, in this process: what hostile code in a cell would do. Gives the names of
/// the acts that were done.
#[must_use]
pub fn attempt_all(grounds: &Grounds) -> Vec<String> {
    let tried = act::attempt(grounds, &Layers::new());
    tried.acts.into_iter().filter(|(_, error)| error.is_none()).map(|(name, _)| name).collect()
}

fn attempt_in(setup: &Setup, grounds: &Grounds) -> Result<Tried> {
    let request = serde_json::to_vec(grounds).map_err(std::io::Error::from);
    let answer = Cells::new(setup.clone())?.ask_for(Kind::Acts, &request.map_err(Error::start)?)?;
    serde_json::from_slice(&answer).map_err(|_| Error::Garbled { what: "no list of acts" })
}

fn judge(report: &mut Report, together: &Tried, alone: &BTreeMap<Layer, Tried>, grounds: &Grounds) {
    let (purpose, abi) = (grounds.purpose, grounds.landlock_abi);
    for act in act::all().filter(|act| act.is_forbidden(purpose)) {
        let denied = |tried: &Tried| tried.acts.get(act.name).copied().flatten();
        let error = denied(together);
        let held = alone.iter().filter(|(layer, _)| act.is_held_by(**layer, purpose, abi));
        let (denied_alone, not_denied): (Vec<_>, Vec<_>) =
            held.partition(|(_, tried)| denied(tried).is_some());
        let failures =
            not_denied.iter().map(|(layer, _)| format!("{} (by {} alone)", act.name, layer.name()));
        report.failed.extend(error.is_none().then(|| act.name.to_owned()));
        report.failed.extend(failures);
        if error.is_some() {
            report.denied.push(act.name.to_owned());
        }
        let acted = ActReport {
            what: act.what,
            error: error.map(|code| Errno::from_raw_os_error(code).to_string()),
            denied_alone_by: denied_alone.into_iter().map(|(layer, _)| *layer).collect(),
        };
        report.acts.insert(act.name.to_owned(), acted);
    }
}
