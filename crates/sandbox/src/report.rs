//! What a self-test found.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::layer::{self, Layer, Layers};

/// What became of one forbidden act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActReport {
    /// The act in words.
    pub what: &'static str,
    /// How it ended with all layers: the system's error, or `None` if it was done.
    pub error: Option<String>,
    /// The layers that denied it alone.
    pub denied_alone_by: Vec<Layer>,
}

/// What a self-test found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The acts that were tried and denied as promised.
    pub denied: Vec<String>,
    /// What was not denied: an act, or an act and the layer that must deny it alone.
    pub failed: Vec<String>,
    /// What each layer consists of, or why it is missing.
    pub layers: BTreeMap<String, String>,
    /// The required layers that are missing.
    pub missing: Vec<Layer>,
    /// Each act, by its name.
    pub acts: BTreeMap<String, ActReport>,
}

impl Report {
    /// Whether everything was denied by every layer that must, and no required layer is missing.
    pub fn holds(&self) -> bool {
        self.failed.is_empty() && self.missing.is_empty() && !self.denied.is_empty()
    }

    /// One line: how many acts were denied, or what is wrong.
    pub fn summary(&self) -> String {
        if self.holds() {
            return format!("{} forbidden acts tried, all denied", self.denied.len());
        }
        let missing: Vec<&str> = self.missing.iter().map(|layer| layer.name()).collect();
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("missing: {}", missing.join(", ")));
        }
        // What a missing layer does not deny needs no list.
        let by_missing = |failed: &str| missing.iter().any(|layer| failed.contains(layer));
        let failed: Vec<&str> =
            self.failed.iter().map(String::as_str).filter(|failed| !by_missing(failed)).collect();
        if !failed.is_empty() {
            parts.push(format!("not denied: {}", failed.join(", ")));
        }
        if self.denied.is_empty() && self.failed.is_empty() {
            parts.push("nothing could be tried".to_owned());
        }
        parts.join("; ")
    }

    pub(crate) fn set_layers(&mut self, layers: &Layers) {
        self.missing = layer::missing(layers);
        let said = Layer::ALL.into_iter().map(|layer| {
            let detail = match layers.get(&layer) {
                Some(raised) if raised.stands() => raised.detail().to_owned(),
                Some(raised) => format!("missing: {}", raised.detail()),
                None => "missing: not asked for".to_owned(),
            };
            (layer.name().to_owned(), detail)
        });
        self.layers = said.collect();
    }
}
