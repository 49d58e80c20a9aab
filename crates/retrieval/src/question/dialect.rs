//! Swiss German spellings: what a word of the dialect may be in the German of the passages.
//! `choschtet` is `kostet`, `hundestüür` is `hundesteuer`, `gmeind` is `gemeinde`.

use std::collections::BTreeSet;

/// So many spellings of one word are tried.
const SPELLINGS_MAX: usize = 60;
/// A word differs in so many places at most.
const CHANGES_MAX: usize = 3;
/// A shorter word has too many spellings for what it tells.
const SHORTEST: usize = 4;

/// What is written in the dialect, and what it may be; folded, so that `üü` is `uu`. `^` stands for
/// the beginning of a word, `$` for its end.
const RULES: &[(&str, &str)] = &[
    ("^ch", "k"),
    ("scht", "st"),
    ("schp", "sp"),
    ("uur$", "euer"),
    ("uu", "eu"),
    ("uu", "au"),
    ("uu", "u"),
    ("ii", "ei"),
    ("ii", "i"),
    ("aa", "a"),
    ("oo", "o"),
    ("ue", "u"),
    ("ie", "i"),
    ("^gm", "gem"),
    ("^gs", "ges"),
    ("^bsch", "besch"),
    ("^bs", "bes"),
    ("^bw", "bew"),
    ("chg", "kg"),
    ("ig$", "ung"),
    ("igs", "ungs"),
    ("et$", "en"),
    ("e$", "en"),
    ("i$", "e"),
    ("li$", "lein"),
    ("^usz", "ausz"),
    ("^us", "aus"),
    ("^uf", "auf"),
    ("^abf", "abf"),
    ("^ama", "anme"),
    ("^aa", "an"),
    ("isch$", "ist"),
    ("oi", "eu"),
    ("ai", "ei"),
];

/// Spellings of a folded word in written German, the nearest first; without the word itself.
pub(super) fn spellings(folded: &str) -> Vec<String> {
    if folded.len() < SHORTEST || !folded.is_ascii() {
        return Vec::new();
    }
    let mut seen: BTreeSet<String> = BTreeSet::from([folded.to_owned()]);
    let mut found: Vec<String> = Vec::new();
    let mut last = vec![folded.to_owned()];
    for _ in 0..CHANGES_MAX {
        let mut next = Vec::new();
        for word in &last {
            for changed in RULES.iter().filter_map(|rule| changed(word, *rule)) {
                if found.len() < SPELLINGS_MAX && seen.insert(changed.clone()) {
                    found.push(changed.clone());
                    next.push(changed);
                }
            }
        }
        last = next;
    }
    found
}

fn changed(word: &str, (from, to): (&str, &str)) -> Option<String> {
    if let Some(start) = from.strip_prefix('^') {
        return word.strip_prefix(start).map(|rest| format!("{to}{rest}"));
    }
    if let Some(end) = from.strip_suffix('$') {
        return word.strip_suffix(end).map(|rest| format!("{rest}{to}"));
    }
    word.contains(from).then(|| word.replacen(from, to, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_dialect_are_found_in_written_german() {
        for (dialect, written) in [
            ("choschtet", "kostet"),
            ("hundestuur", "hundesteuer"),
            ("gmeind", "gemeind"),
            ("zuezug", "zuzug"),
            ("schuel", "schul"),
            ("chind", "kind"),
            ("huus", "haus"),
            ("bewilligig", "bewilligung"),
            ("ziit", "zeit"),
            ("amalde", "anmelden"),
        ] {
            assert!(spellings(dialect).iter().any(|s| s == written), "{dialect}");
        }
        assert!(spellings("uuuuuuuuuuuuuiiiiiiiaaaaaaa").len() <= SPELLINGS_MAX);
        assert!(spellings("zug").is_empty() && spellings("").is_empty());
    }
}
