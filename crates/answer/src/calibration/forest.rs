//! A scorer: the sum of small trees.

use serde::{Deserialize, Serialize};

/// A tree's branch or leaf.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Node {
    /// Goes on at `low` if the feature's value is less than `least`, else at `high`.
    Branch {
        /// Which feature, by its place in the calibration's list.
        #[serde(rename = "f")]
        feature: usize,
        /// The least value that goes on at `high`.
        #[serde(rename = "t")]
        least: f64,
        /// Place of the next node in the tree.
        #[serde(rename = "l")]
        low: usize,
        /// Place of the next node in the tree.
        #[serde(rename = "h")]
        high: usize,
    },
    /// What the tree adds.
    Leaf {
        /// Added to the score.
        #[serde(rename = "v")]
        value: f64,
    },
}

/// A tree; its first node is the root, and every branch leads to later nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// Trees that are added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    /// The score of nothing known.
    pub base: f64,
    /// The trees.
    pub trees: Vec<Tree>,
}

impl Tree {
    /// What it adds for these values.
    #[must_use]
    pub fn value(&self, values: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes.get(at) {
                Some(Node::Leaf { value }) => return *value,
                Some(Node::Branch { feature, least, low, high }) => {
                    let value = values.get(*feature).copied().unwrap_or(0.0);
                    at = if value < *least { *low } else { *high };
                }
                None => return 0.0,
            }
        }
    }

    /// Whether every branch leads on to later nodes and asks for one of `features`.
    fn is_sound(&self, features: usize) -> bool {
        let sound = |(at, node): (usize, &Node)| match node {
            Node::Leaf { value } => value.is_finite(),
            Node::Branch { feature, low, high, .. } => {
                let on = |next: usize| next > at && next < self.nodes.len();
                *feature < features && on(*low) && on(*high)
            }
        };
        !self.nodes.is_empty() && self.nodes.iter().enumerate().all(sound)
    }
}

impl Forest {
    /// The score of these values: log odds.
    #[must_use]
    pub fn score(&self, values: &[f64]) -> f64 {
        self.trees.iter().fold(self.base, |sum, tree| sum + tree.value(values))
    }

    /// Whether it can be walked with so many features.
    #[must_use]
    pub fn is_sound(&self, features: usize) -> bool {
        self.base.is_finite() && self.trees.iter().all(|tree| tree.is_sound(features))
    }
}
