//! Words of public administration that mean nearly the same. A citizen asks for the price of a
//! rubbish bag, the regulation speaks of the fee for a refuse sack. Groups are per language; a word
//! may stand in several.

use crate::analysis::{fold, stem};
use allod_corpus::Language;
use std::collections::HashMap;
use std::sync::LazyLock;

type Synonyms = HashMap<String, Vec<String>>;

/// Stems that may stand for this stem.
pub(crate) fn synonyms(stem: &str, language: Language) -> impl Iterator<Item = &'static str> {
    let table = match language {
        Language::De => Some(&TABLES[0]),
        Language::Fr => Some(&TABLES[1]),
        Language::It => Some(&TABLES[2]),
        Language::Rm => Some(&TABLES[3]),
        Language::En => Some(&TABLES[4]),
        _ => None,
    };
    table.and_then(|t| t.get(stem)).into_iter().flatten().map(String::as_str)
}

static TABLES: LazyLock<[Synonyms; 5]> = LazyLock::new(|| {
    [
        table(include_str!("thesaurus/de.txt"), Language::De),
        table(include_str!("thesaurus/fr.txt"), Language::Fr),
        table(include_str!("thesaurus/it.txt"), Language::It),
        table(include_str!("thesaurus/rm.txt"), Language::Rm),
        table(include_str!("thesaurus/en.txt"), Language::En),
    ]
});

/// One group of words a line.
fn table(groups: &'static str, language: Language) -> Synonyms {
    let mut table = Synonyms::new();
    for line in groups.lines().filter(|line| !line.starts_with('#')) {
        let mut stems: Vec<String> =
            line.split_whitespace().map(|word| stem(word, &fold(word), language)).collect();
        stems.sort();
        stems.dedup();
        for own in &stems {
            let others = stems.iter().filter(|other| *other != own).cloned();
            table.entry(own.clone()).or_default().extend(others);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synonyms_go_both_ways_and_stay_in_their_language() {
        let of = |word: &str, language| {
            let word = stem(word, &fold(word), language);
            synonyms(&word, language).map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(of("kehricht", Language::De).contains(&"abfall".to_owned()));
        assert!(of("abfälle", Language::De).contains(&"kehricht".to_owned()));
        assert!(of("fee", Language::En).contains(&"tariff".to_owned()));
        assert!(of("kehricht", Language::Fr).is_empty());
    }
}
