//! How claims of one language are altered and reworded, read from a table of its own. The check
//! does not see these tables.

use std::sync::LazyLock;

use allod_corpus::Language;

/// The rules of a language.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) parties: Vec<Vec<&'static str>>,
    pub(super) names: Vec<Vec<&'static str>>,
    pub(super) modals: Vec<Vec<&'static str>>,
    pub(super) units: Vec<Vec<&'static str>>,
    pub(super) opposites: Vec<Vec<&'static str>>,
    pub(super) quantifiers: Vec<Vec<&'static str>>,
    pub(super) comparisons: Vec<Vec<&'static str>>,
    pub(super) synonyms: Vec<Vec<&'static str>>,
    pub(super) passives: Vec<Vec<&'static str>>,
    pub(super) unnegations: Vec<Vec<&'static str>>,
    pub(super) finite: Vec<&'static str>,
    pub(super) negation: &'static str,
    pub(super) conditions: Vec<&'static str>,
    pub(super) relatives: Vec<&'static str>,
    pub(super) prefaces: Vec<&'static str>,
    pub(super) numbers: Vec<(&'static str, &'static str)>,
    pub(super) months: Vec<&'static str>,
    pub(super) date: &'static str,
    pub(super) ordinals: Vec<Vec<&'static str>>,
    pub(super) fractions: Vec<Vec<&'static str>>,
    pub(super) measures: Vec<Vec<&'static str>>,
    pub(super) turns: Vec<Turn>,
    pub(super) nevers: Vec<&'static str>,
    pub(super) exceptions: Vec<&'static str>,
    pub(super) together: Vec<&'static str>,
    pub(super) conjunctions: Vec<&'static str>,
    pub(super) alikes: Vec<Turn>,
    pub(super) frames: Vec<(&'static str, &'static str)>,
    pub(super) table_headers: Vec<&'static str>,
    pub(super) table_names: Vec<&'static str>,
    pub(super) table_says: Vec<&'static str>,
    pub(super) table_unit: &'static str,
}

/// A phrase and what it is turned into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) kind: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

impl Turn {
    fn read(name: &'static str, rest: &'static str) -> Option<Turn> {
        let (from, to) = rest.split_once(" | ")?;
        Some(Turn { kind: name.split_once(' ')?.1, from, to })
    }
}

static RULES: LazyLock<[Rules; 5]> = LazyLock::new(|| {
    [
        include_str!("rules/de.txt"),
        include_str!("rules/fr.txt"),
        include_str!("rules/it.txt"),
        include_str!("rules/rm.txt"),
        include_str!("rules/en.txt"),
    ]
    .map(read)
});

/// The rules of one of the five languages, English's for others.
pub(super) fn rules(language: Language) -> &'static Rules {
    let at = Language::ALL.iter().position(|known| *known == language);
    &RULES[at.unwrap_or(4)]
}

fn read(file: &'static str) -> Rules {
    let mut rules = Rules::default();
    for line in file.lines() {
        let Some((name, rest)) = line.split_once(": ") else { continue };
        let words = || rest.split(' ').collect::<Vec<_>>();
        let group = || rest.split(" | ").map(|option| option.trim_end_matches('|').trim_end());
        match name {
            "party" => rules.parties.push(group().collect()),
            "name" => rules.names.push(group().collect()),
            "modal" => rules.modals.push(group().collect()),
            "unit" => rules.units.push(group().collect()),
            "opposite" => rules.opposites.push(group().collect()),
            "quantifier" => rules.quantifiers.push(group().collect()),
            "compare" => rules.comparisons.push(group().collect()),
            "synonym" => rules.synonyms.push(group().collect()),
            "passive" => rules.passives.push(group().collect()),
            "unnegate" => rules.unnegations.push(group().collect()),
            "finite" => rules.finite = words(),
            "negate" => rules.negation = rest,
            "condition" => rules.conditions = words(),
            "relative" => rules.relatives = words(),
            "preface" => rules.prefaces.push(rest),
            "number" => {
                rules.numbers = rest.split(' ').filter_map(|pair| pair.split_once('=')).collect();
            }
            "month" => rules.months = words(),
            "date" => rules.date = rest,
            "ordinal" => rules.ordinals.push(group().collect()),
            "fraction" => rules.fractions.push(group().collect()),
            "measure" => rules.measures.push(group().collect()),
            "never" => rules.nevers.push(rest),
            "exception" => rules.exceptions = group().collect(),
            "together" => rules.together = words(),
            "conjunction" => rules.conjunctions = words(),
            "table headers" => rules.table_headers = group().collect(),
            "table names" => rules.table_names = group().collect(),
            "table fee" | "table time" => rules.table_says.push(rest),
            "table unit" => rules.table_unit = rest,
            _ if name.starts_with("frame ") => rules.frames.push((name, rest)),
            _ if name.starts_with("turn ") => rules.turns.extend(Turn::read(name, rest)),
            _ if name.starts_with("same ") => rules.alikes.extend(Turn::read(name, rest)),
            _ => {}
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_kind_of_rule() {
        for language in Language::ALL {
            let rules = rules(language);
            let groups = [
                &rules.parties,
                &rules.names,
                &rules.modals,
                &rules.units,
                &rules.opposites,
                &rules.quantifiers,
                &rules.comparisons,
                &rules.synonyms,
                &rules.passives,
                &rules.ordinals,
                &rules.fractions,
                &rules.measures,
            ];
            for group in groups {
                assert!(!group.is_empty() && group.iter().all(|one| one.len() > 1), "{language:?}");
            }
            for kind in ["bound", "every", "denial", "duty", "sibling", "reversed", "prefix"] {
                assert!(rules.turns.iter().any(|turn| turn.kind == kind), "{language:?} {kind}");
            }
            assert!(rules.alikes.len() > 9 && rules.exceptions.len() > 5, "{language:?}");
            assert_eq!(rules.table_headers.len(), 3, "{language:?}");
            assert!(rules.frames.iter().all(|(_, frame)| frame.contains("{}")), "{language:?}");
            assert!(rules.nevers.iter().all(|never| never.contains("{}")), "{language:?}");
            assert_eq!(rules.months.len(), 12, "{language:?}");
            assert!(rules.negation.contains("{}") && rules.date.contains("{y}"), "{language:?}");
        }
    }
}
