//! How cells are made, and how a keeper is told.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::layer::Layer;
use crate::limits::Limits;

/// The first argument of a keeper's command line.
pub(crate) const KEEPER: &str = "allod-keeper";
/// And of a resident's.
pub(crate) const RESIDENT: &str = "allod-resident";

/// What a cell is for; its layers are made accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Purpose {
    /// Reads one document in one thread and ends.
    #[default]
    Document,
    /// Lives as long as the program, has threads, and is handed descriptors of files that may be
    /// read: see [`crate::Resident`].
    Resident,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Document => "document",
            Purpose::Resident => "resident",
        }
    }

    fn named(name: &str) -> Option<Purpose> {
        [Purpose::Document, Purpose::Resident].into_iter().find(|one| one.name() == name)
    }
}

/// What to do where a required layer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// Read nothing.
    #[default]
    Refuse,
    /// Read with the layers that there are.
    GoOn,
}

/// How cells are made.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What the cells are for.
    pub purpose: Purpose,
    /// What one request may use; of a resident only the memory is limited.
    pub limits: Limits,
    /// What to do where a required layer is missing.
    pub missing: Missing,
    /// The program whose `main` calls [`crate::enter`]; this one.
    pub program: PathBuf,
    /// The layers to raise; all of them, but in tests.
    pub layers: BTreeSet<Layer>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            purpose: Purpose::default(),
            limits: Limits::default(),
            missing: Missing::default(),
            // What runs now, even if the file was replaced meanwhile by another version.
            program: PathBuf::from("/proc/self/exe"),
            layers: Layer::ALL.into(),
        }
    }
}

impl Setup {
    /// The same without a layer, to test what it holds by itself.
    #[must_use]
    pub fn without(&self, layer: Layer) -> Setup {
        let layers = self.layers.iter().copied().filter(|other| *other != layer).collect();
        Setup { layers, ..self.clone() }
    }

    /// The same with these layers and no other.
    #[must_use]
    pub fn only(&self, layers: &[Layer]) -> Setup {
        Setup { layers: layers.iter().copied().collect(), ..self.clone() }
    }
}

/// What a keeper is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) purpose: Purpose,
    pub(crate) parent: i32,
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_seconds: u64,
    pub(crate) request_bytes_max: usize,
    pub(crate) missing: Missing,
    pub(crate) layers: BTreeSet<Layer>,
}

impl Order {
    pub(crate) fn of(setup: &Setup, parent: i32) -> Order {
        Order {
            purpose: setup.purpose,
            parent,
            memory_bytes: setup.limits.memory_bytes,
            cpu_seconds: setup.limits.cpu_seconds,
            request_bytes_max: setup.limits.request_bytes_max,
            missing: setup.missing,
            layers: setup.layers.clone(),
        }
    }

    /// The command line of a keeper or, begun otherwise, of a resident.
    pub(crate) fn arguments(&self, first: &str) -> Vec<String> {
        let missing = match self.missing {
            Missing::Refuse => "refuse",
            Missing::GoOn => "go-on",
        };
        let layers: Vec<&str> = self.layers.iter().map(|layer| layer.name()).collect();
        vec![
            first.to_owned(),
            self.purpose.name().to_owned(),
            self.parent.to_string(),
            self.memory_bytes.to_string(),
            self.cpu_seconds.to_string(),
            self.request_bytes_max.to_string(),
            missing.to_owned(),
            layers.join(","),
        ]
    }

    /// The order that a command line gives; `None` if it does not begin so.
    pub(crate) fn parse(first: &str, arguments: &[OsString]) -> Option<Order> {
        let words: Vec<&str> = arguments.iter().map(|word| word.to_str()).collect::<Option<_>>()?;
        let [begins, purpose, parent, memory, cpu, request, missing, layers] = words[..] else {
            return None;
        };
        if begins != first {
            return None;
        }
        let names = layers.split(',').filter(|name| !name.is_empty());
        Some(Order {
            purpose: Purpose::named(purpose)?,
            parent: parent.parse().ok()?,
            memory_bytes: memory.parse().ok()?,
            cpu_seconds: cpu.parse().ok()?,
            request_bytes_max: request.parse().ok()?,
            missing: if missing == "go-on" { Missing::GoOn } else { Missing::Refuse },
            layers: names.map(Layer::named).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_the_command_line() {
        let setup = Setup { missing: Missing::GoOn, ..Setup::default() };
        let resident = Setup { purpose: Purpose::Resident, ..Setup::default() };
        for setup in [setup.without(Layer::Landlock), setup.only(&[]), Setup::default(), resident] {
            let order = Order::of(&setup, 17);
            let words: Vec<OsString> =
                order.arguments(KEEPER).into_iter().map(Into::into).collect();
            assert_eq!(Order::parse(RESIDENT, &words), None);
            assert_eq!(Order::parse(KEEPER, &words), Some(order));
        }
        assert_eq!(Order::parse(KEEPER, &["serve".into()]), None);
        assert_eq!(Order::parse(KEEPER, &[KEEPER.into()]), None);
    }
}
