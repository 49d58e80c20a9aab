//! Which office a request belongs to: the policy's own words first, then a small classifier that
//! learns from the examples in the policy and from nothing else.
//!
//! What goes in is the asker's request and the policy, so the same request goes to the same office
//! for ever, and no document has a say in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::classify::{phrase, words};
use crate::facts::recorded;
use crate::policy::Policy;

/// An office that requests can go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Office {
    /// Its name.
    pub name: String,
    /// Words or phrases that send a request here.
    pub contains_any: Vec<String>,
    /// Requests that belong here.
    pub examples: Vec<String>,
    /// Whether it decides on persons: then a person looks at each request.
    pub decides_on_persons: bool,
}

/// How an office was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutedBy {
    /// By a word or phrase of the policy.
    Rule,
    /// By the words of the examples.
    Words,
    /// Not at all: a person must say.
    Nothing,
}

/// Where a request goes, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfficeFacts {
    /// The office; `None` if none is sure enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// How it was found.
    pub by: RoutedBy,
    /// How sure that is, 0 to 1.
    pub probability: f64,
    /// Whether the office decides on persons.
    pub decides_on_persons: bool,
}

/// Below this the words of the examples do not decide.
const SURE_FROM: f64 = 0.6;
/// Inflected forms share so many first letters.
const STEM_LETTERS: usize = 6;
/// Words shorter than this are articles and prepositions.
const WORD_LETTERS_MIN: usize = 3;

/// The office that a request goes to; `None` if the policy names no offices.
#[must_use]
pub fn office_of(policy: &Policy, request: &str) -> Option<OfficeFacts> {
    if policy.offices.is_empty() {
        return None;
    }
    let tokens = words(request);
    let named = policy.offices.iter().filter(|office| {
        office.contains_any.iter().any(|text| phrase(text).is_some_and(|p| p.is_in(&tokens)))
    });
    let named: Vec<&Office> = named.collect();
    if let [only] = named[..] {
        return Some(facts(Some(only), RoutedBy::Rule, 1.0));
    }
    // Several named: the words say which of these. None named: which of all.
    let among = if named.is_empty() { policy.offices.iter().collect() } else { named };
    Some(by_words(&among, &stems(request)))
}

fn facts(office: Option<&Office>, by: RoutedBy, probability: f64) -> OfficeFacts {
    OfficeFacts {
        office: office.map(|office| office.name.clone()),
        by,
        probability: recorded(probability),
        decides_on_persons: office.is_some_and(|office| office.decides_on_persons),
    }
}

/// Multinomial naive Bayes over the words of the examples that more than chance ties to an office.
/// A request that shares no word with any example goes nowhere.
fn by_words(offices: &[&Office], request: &BTreeSet<String>) -> OfficeFacts {
    let counts: Vec<BTreeMap<String, f64>> = offices.iter().map(|office| counted(office)).collect();
    let vocabulary: BTreeSet<&String> = counts.iter().flat_map(BTreeMap::keys).collect();
    let known: Vec<&String> = request.iter().filter(|word| vocabulary.contains(word)).collect();
    if known.is_empty() {
        return facts(None, RoutedBy::Nothing, 0.0);
    }
    let score = |counts: &BTreeMap<String, f64>| -> f64 {
        let total: f64 = counts.values().sum::<f64>() + vocabulary.len() as f64;
        let log =
            |word: &&&String| ((counts.get(**word).copied().unwrap_or(0.0) + 1.0) / total).ln();
        known.iter().map(|word| log(&word)).sum()
    };
    let scores: Vec<f64> = counts.iter().map(score).collect();
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
    let probability = 1.0 / sum;
    let best = scores.iter().position(|score| *score == highest);
    match best.filter(|_| probability >= SURE_FROM) {
        Some(best) => facts(Some(offices[best]), RoutedBy::Words, probability),
        None => facts(None, RoutedBy::Nothing, probability),
    }
}

/// In how many examples of the office each word stands.
fn counted(office: &Office) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for word in office.examples.iter().flat_map(|example| stems(example)) {
        *counts.entry(word).or_insert(0.0) += 1.0;
    }
    counts
}

fn stems(text: &str) -> BTreeSet<String> {
    let long = |word: &&str| word.chars().count() >= WORD_LETTERS_MIN;
    let stem = |word: &str| word.chars().take(STEM_LETTERS).collect();
    words(text).iter().map(|token| token.text).filter(long).map(stem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let text = concat!(
            "offices:\n",
            "  - name: waste\n",
            "    contains_any: ['kehricht*']\n",
            "    examples: [When is the rubbish collected?, Wann wird das Altpapier abgeholt?]\n",
            "  - name: building\n",
            "    decides_on_persons: true\n",
            "    contains_any: ['baugesuch*']\n",
            "    examples: [I want to build a garage, Darf ich einen Zaun bauen?]\n",
        );
        Policy::parse(text).unwrap()
    }

    fn office(request: &str) -> OfficeFacts {
        office_of(&policy(), request).unwrap()
    }

    #[test]
    fn the_policys_words_come_first_then_the_examples() {
        let by_rule = office("Was kostet ein Kehrichtsack?");
        assert_eq!((by_rule.office.as_deref(), by_rule.by), (Some("waste"), RoutedBy::Rule));
        let by_words = office("Wann wird Altpapier abgeholt bei uns?");
        assert_eq!((by_words.office.as_deref(), by_words.by), (Some("waste"), RoutedBy::Words));
        assert!(by_words.probability > SURE_FROM);
        let building = office("Darf ich bauen?");
        assert_eq!(building.office.as_deref(), Some("building"));
        assert!(building.decides_on_persons);
    }

    #[test]
    fn what_nothing_is_known_of_goes_nowhere() {
        let unknown = office("Qui est le président ?");
        assert_eq!((unknown.office, unknown.by), (None, RoutedBy::Nothing));
        assert_eq!(office_of(&Policy::built_in(), "Kehricht"), None);
    }
}
