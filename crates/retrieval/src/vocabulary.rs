//! The words that a compartment's passages hold, and how many passages hold each: what a question
//! is weighed by and expanded over.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// The terms of one compartment. A term is a language code, `|` and a stem.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    /// Sorted by term.
    terms: Vec<(Box<str>, u32)>,
    /// Positions in `terms`, sorted by language and then by the stem read backwards.
    by_ending: Vec<u32>,
}

impl Vocabulary {
    /// From the number of passages that hold each term.
    pub(crate) fn new(counts: HashMap<String, u32>) -> Vocabulary {
        let mut terms: Vec<(Box<str>, u32)> =
            counts.into_iter().map(|(term, count)| (term.into_boxed_str(), count)).collect();
        terms.sort_unstable();
        let mut by_ending: Vec<u32> = (0..terms.len() as u32).collect();
        by_ending.sort_unstable_by(|a, b| backwards(&terms[*a as usize].0, &terms[*b as usize].0));
        Vocabulary { terms, by_ending }
    }

    fn count(&self, term: &str) -> u32 {
        match self.terms.binary_search_by(|(t, _)| t.as_ref().cmp(term)) {
            Ok(at) => self.terms[at].1,
            Err(_) => 0,
        }
    }

    /// Terms that begin with `start` (language code included).
    fn beginning_with<'a>(&'a self, start: &str) -> impl Iterator<Item = (&'a str, u32)> + use<'a> {
        let first = self.terms.partition_point(|(t, _)| t.as_ref() < start);
        let terms = &self.terms[first..];
        // The terms themselves are read only where they are asked for: they lie all over memory.
        let count = terms.partition_point(|(t, _)| t.starts_with(start));
        terms[..count].iter().map(|(t, n)| (t.as_ref(), *n))
    }

    /// Terms of the same language that end like `term` and are longer.
    fn ending_like<'a>(&'a self, term: &str) -> impl Iterator<Item = (&'a str, u32)> {
        let entry = |at: &u32| &self.terms[*at as usize];
        let first =
            self.by_ending.partition_point(|at| backwards(&entry(at).0, term) == Ordering::Less);
        let (code, stem) = parts(term);
        self.by_ending[first..]
            .iter()
            .map(entry)
            .take_while(move |(t, _)| parts(t).0 == code && parts(t).1.ends_with(stem))
            .map(|(t, n)| (t.as_ref(), *n))
            .filter(move |(t, _)| t.len() > term.len())
    }
}

fn parts(term: &str) -> (&str, &str) {
    term.split_once('|').unwrap_or(("", term))
}

/// Order by language, then by the stem's bytes from the last to the first.
fn backwards(a: &str, b: &str) -> Ordering {
    let ((code_a, stem_a), (code_b, stem_b)) = (parts(a), parts(b));
    code_a.cmp(code_b).then_with(|| stem_a.bytes().rev().cmp(stem_b.bytes().rev()))
}

/// The vocabularies of the compartments that a question may see, read as one.
pub(crate) struct Vocabularies {
    /// One per compartment.
    pub(crate) each: Vec<Arc<Vocabulary>>,
}

impl Vocabularies {
    /// In how many passages the term stands.
    pub(crate) fn count(&self, term: &str) -> u32 {
        self.each.iter().map(|v| v.count(term)).sum()
    }

    /// Terms that begin with `start`, at most `limit`, the most frequent first.
    pub(crate) fn beginning_with(&self, start: &str, limit: usize) -> Vec<(String, u32)> {
        self.most_frequent(limit, |v, add| v.beginning_with(start).for_each(|(t, n)| add(t, n)))
    }

    /// Longer terms that end like `term`, at most `limit`, the most frequent first.
    pub(crate) fn ending_like(&self, term: &str, limit: usize) -> Vec<(String, u32)> {
        self.most_frequent(limit, |v, add| v.ending_like(term).for_each(|(t, n)| add(t, n)))
    }

    /// Terms with the same first letter that differ by one edit.
    pub(crate) fn one_edit_away(&self, term: &str, limit: usize) -> Vec<(String, u32)> {
        let Some(first) = parts(term).1.chars().next() else { return Vec::new() };
        let start = format!("{}|{first}", parts(term).0);
        self.most_frequent(limit, |v, add| {
            v.beginning_with(&start)
                .filter(|(t, _)| one_edit(t, term))
                .for_each(|(t, n)| add(t, n));
        })
    }

    fn most_frequent<'a>(
        &'a self,
        limit: usize,
        visit: impl Fn(&'a Vocabulary, &mut dyn FnMut(&'a str, u32)),
    ) -> Vec<(String, u32)> {
        let mut found: Vec<(&str, u32)> = Vec::new();
        for vocabulary in &self.each {
            visit(vocabulary, &mut |term, count| found.push((term, count)));
        }
        if self.each.len() > 1 {
            found.sort_unstable_by(|a, b| a.0.cmp(b.0));
            found.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                kept.1 += if same { next.1 } else { 0 };
                same
            });
        }
        let order = |a: &(&str, u32), b: &(&str, u32)| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0));
        if found.len() > limit {
            found.select_nth_unstable_by(limit, order);
            found.truncate(limit);
        }
        found.sort_unstable_by(order);
        found.into_iter().map(|(term, count)| (term.to_owned(), count)).collect()
    }
}

/// Whether two words differ by one inserted, removed, replaced or swapped byte (words are folded,
/// so a letter is nearly always a byte).
fn one_edit(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() - short.len() > 1 || a == b {
        return false;
    }
    let (short, long) = (short.as_bytes(), long.as_bytes());
    let same = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    if short.len() < long.len() {
        return short[same..] == long[same + 1..];
    }
    let swapped = same + 1 < short.len()
        && short[same] == long[same + 1]
        && short[same + 1] == long[same]
        && short[same + 2..] == long[same + 2..];
    swapped || short[same + 1..] == long[same + 1..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabularies() -> Vocabularies {
        let terms = ["de|hund", "de|hundesteu", "de|steu", "de|grundsteu", "en|steu", "de|abfall"];
        let counts = terms.iter().map(|t| ((*t).to_owned(), t.len() as u32)).collect();
        let other = HashMap::from([("de|hund".to_owned(), 3)]);
        let each = vec![Arc::new(Vocabulary::new(counts)), Arc::new(Vocabulary::new(other))];
        Vocabularies { each }
    }

    #[test]
    fn counts_add_up_over_compartments() {
        assert_eq!(vocabularies().count("de|hund"), 7 + 3);
        assert_eq!(vocabularies().count("de|katze"), 0);
    }

    #[test]
    fn compounds_are_found_from_both_ends() {
        let names =
            |found: Vec<(String, u32)>| found.into_iter().map(|(t, _)| t).collect::<Vec<_>>();
        let vocabularies = vocabularies();
        assert_eq!(names(vocabularies.beginning_with("de|hund", 9)), ["de|hundesteu", "de|hund"]);
        assert_eq!(names(vocabularies.ending_like("de|steu", 9)), ["de|grundsteu", "de|hundesteu"]);
        assert_eq!(names(vocabularies.one_edit_away("de|abfal", 9)), ["de|abfall"]);
        assert_eq!(names(vocabularies.one_edit_away("de|hudn", 9)), ["de|hund"]);
    }
}
