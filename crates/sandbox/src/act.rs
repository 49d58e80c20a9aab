//! Forbidden acts.

use std::collections::BTreeMap;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::acts::{files, kernel, network, processes};
use crate::grounds::Grounds;
use crate::layer::{Layer, Layers, Raised};
use crate::setup::Purpose;

/// Something that a cell must not be able to do, and how it is tried.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    /// Its name in reports.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// The layers that must each deny it alone.
    pub(crate) held_by: &'static [Hold],
    /// Does it; any error means that it was not done.
    pub(crate) attempt: fn(&Grounds) -> Result<(), Errno>,
}

/// A layer that must deny an act alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Environment,
    Privileges,
    Limits,
    /// From this version of Landlock on.
    Landlock(u32),
    Seccomp,
}

impl Hold {
    fn is(self, layer: Layer, landlock_abi: u32) -> bool {
        match self {
            Hold::Environment => layer == Layer::Environment,
            Hold::Privileges => layer == Layer::Privileges,
            Hold::Limits => layer == Layer::Limits,
            Hold::Landlock(from) => layer == Layer::Landlock && landlock_abi >= from,
            Hold::Seccomp => layer == Layer::Seccomp,
        }
    }
}

impl Act {
    /// Whether this layer must deny it alone, in a cell for this purpose and with this version of
    /// Landlock. A resident has room for descriptors, so its limits deny less.
    pub(crate) fn is_held_by(&self, layer: Layer, purpose: Purpose, landlock_abi: u32) -> bool {
        let loose = purpose == Purpose::Resident && layer == Layer::Limits;
        let held = self.held_by.iter().any(|hold| hold.is(layer, landlock_abi));
        held && (!loose || LIMITED.contains(&self.name))
    }

    /// Whether a cell for this purpose must not do it.
    pub(crate) fn is_forbidden(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Document || self.name != processes::THREAD
    }
}

/// What the limits of a resident deny by themselves.
const LIMITED: [&str; 2] = [kernel::TAKE_MEMORY, kernel::MESSAGE_QUEUE];

/// All acts that are tried.
pub const ACTS: &[&[Act]] = &[network::ACTS, files::ACTS, processes::ACTS, kernel::ACTS];

pub(crate) fn all() -> impl Iterator<Item = &'static Act> {
    ACTS.iter().flat_map(|acts| acts.iter())
}

/// What came of trying.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tried {
    pub(crate) layers: Layers,
    /// The system's error for each act that was tried; `None` if it was done.
    pub(crate) acts: BTreeMap<String, Option<i32>>,
}

/// Tries what the grounds ask for, here and now. An act that a missing layer should have denied
/// alone is not tried.
pub(crate) fn attempt(grounds: &Grounds, layers: &Layers) -> Tried {
    let asked = |act: &&Act| match grounds.alone {
        None => true,
        Some(layer) => {
            act.is_held_by(layer, grounds.purpose, grounds.landlock_abi)
                && layers.get(&layer).is_some_and(Raised::stands)
        }
    };
    let forbidden = all().filter(|act| act.is_forbidden(grounds.purpose));
    let tried = forbidden.filter(asked).map(|act| {
        let error = (act.attempt)(grounds).err().map(Errno::raw_os_error);
        (act.name.to_owned(), error)
    });
    Tried { acts: tried.collect(), layers: layers.clone() }
}
