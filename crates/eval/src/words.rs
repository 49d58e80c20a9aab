//! Two texts compared as SQuAD compares them: small letters, no punctuation, no articles.

/// Articles of the five languages: which words an annotator took along says nothing.
const ARTICLES: &[&str] = &[
    "a", "an", "the", "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem",
    "einer", "le", "la", "les", "l", "un", "une", "il", "lo", "gli", "uno", "una", "ils", "las",
    "ina",
];

/// The words that count.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let kept: Vec<String> =
        words.clone().filter(|word| !ARTICLES.contains(word)).map(str::to_owned).collect();
    if kept.is_empty() { words.map(str::to_owned).collect() } else { kept }
}

/// Whether both say the same words.
pub(crate) fn same(given: &str, gold: &str) -> bool {
    words(given) == words(gold)
}

/// Whether the words of `gold` stand together in `text`.
pub(crate) fn holds(text: &str, gold: &str) -> bool {
    let (text, gold) = (words(text), words(gold));
    !gold.is_empty() && text.windows(gold.len()).any(|part| part == gold)
}

/// The harmonic mean of the share of `given` that is in `gold` and the share of `gold` that is in
/// `given`, 0 to 1.
pub(crate) fn f1(given: &str, gold: &str) -> f64 {
    let (given, gold) = (words(given), words(gold));
    let mut left = gold.clone();
    let mut common = 0;
    for word in &given {
        if let Some(at) = left.iter().position(|other| other == word) {
            left.swap_remove(at);
            common += 1;
        }
    }
    if common == 0 {
        return 0.0;
    }
    let (precision, recall) = (ratio(common, given.len()), ratio(common, gold.len()));
    2.0 * precision * recall / (precision + recall)
}

/// A share, 0 of nothing.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_and_signs_do_not_count() {
        assert!(same("The Normans.", "normans") && !same("Norman", "Normans"));
        assert!(same("the", "The"));
        assert!((f1("the 10th century", "10th century") - 1.0).abs() < 1e-9);
        assert!((f1("10th century France", "10th century") - 0.8).abs() < 1e-9);
        assert_eq!(f1("", "x"), 0.0);
    }

    #[test]
    fn words_must_stand_together() {
        assert!(holds("He was born in the 10th century.", "10th century"));
        assert!(!holds("the 10th or 11th century", "10th century") && !holds("a", ""));
    }
}
