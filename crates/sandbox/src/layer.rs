//! What a cell's walls are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One of the layers around a cell. They overlap on purpose: most acts are denied by several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// An empty environment and no descriptors but the pipes.
    Environment,
    /// No capabilities, no way to gain any, and nobody's user id where the program ran as root.
    Privileges,
    /// Own network, IPC, host name and, without root, user namespaces. The one layer that is not
    /// required: many containers forbid it.
    Namespaces,
    /// No more memory, processor time, descriptors, processes, file bytes or core than allowed.
    Limits,
    /// Landlock: no file, no TCP; signals and abstract sockets only inside, where the kernel can.
    Landlock,
    /// A list of the system calls that reading needs; every other one is refused.
    Seccomp,
}

impl Layer {
    /// All, in the order in which they are raised.
    pub const ALL: [Layer; 6] = [
        Layer::Environment,
        Layer::Namespaces,
        Layer::Privileges,
        Layer::Limits,
        Layer::Landlock,
        Layer::Seccomp,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Environment => "environment",
            Layer::Privileges => "privileges",
            Layer::Namespaces => "namespaces",
            Layer::Limits => "limits",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
        }
    }

    /// Whether a cell without it counts as weaker than promised.
    pub fn is_required(self) -> bool {
        self != Layer::Namespaces
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn named(name: &str) -> Option<Layer> {
        Layer::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

/// What became of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raised {
    /// It stands; what it consists of.
    Stands(String),
    /// It is missing; why.
    Missing(String),
}

impl Raised {
    /// Whether it stands.
    pub fn stands(&self) -> bool {
        matches!(self, Raised::Stands(_))
    }

    /// What it consists of, or why it is missing.
    pub fn detail(&self) -> &str {
        match self {
            Raised::Stands(detail) | Raised::Missing(detail) => detail,
        }
    }
}

/// What became of each layer.
pub(crate) type Layers = BTreeMap<Layer, Raised>;

/// The required layers that do not stand.
pub(crate) fn missing(layers: &Layers) -> Vec<Layer> {
    let stands = |layer: &Layer| layers.get(layer).is_some_and(Raised::stands);
    Layer::ALL.into_iter().filter(|layer| layer.is_required() && !stands(layer)).collect()
}
