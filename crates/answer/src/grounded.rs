//! Holding what a model wrote against the evidence: sentence by sentence, cut what is not
//! supported, and number what stays.

use allod_corpus::{ByteRange, Language, sentences};
use allod_retrieval::Evidence;

use crate::support::{Support, Verdict, check};

/// A sentence that stays, with the places that support it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The sentence, without citation marks.
    pub text: String,
    /// The places that support it.
    pub places: Vec<Place>,
}

/// A place in one piece of evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Which piece of evidence, from 0.
    pub evidence: usize,
    /// The range in the version's canonical text.
    pub range: ByteRange,
    /// The support score, 0 to 1.
    pub score: f64,
}

/// The check of one sentence that the model wrote, kept in the receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The verdict on the sentence: of its best citation, or unsupported when it has none.
    pub verdict: Verdict,
    /// The score of the best citation.
    pub score: f64,
    /// Why it is not supported, in words.
    pub because: Vec<String>,
}

/// What is left of a model's text, and the checks of all its sentences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// The sentences that are supported.
    pub claims: Vec<Claim>,
    /// One check for each sentence that the model wrote.
    pub checks: Vec<Checked>,
}

/// Holds `text` against `evidence`. A sentence must carry at least one citation such as `[2]`, and
/// one of its citations must support it; other sentences are cut.
#[must_use]
pub fn hold(text: &str, evidence: &[Evidence], language: Language) -> Held {
    let mut held = Held::default();
    for (sentence, numbers) in cited_sentences(text, language) {
        let supports: Vec<(usize, Support)> = numbers
            .into_iter()
            .filter_map(|number| number.checked_sub(1))
            .filter(|&index| index < evidence.len())
            .map(|index| (index, check(&sentence, &in_context(&evidence[index]), language)))
            .collect();
        held.checks.push(verdict_of(&supports));
        let places = places_of(&sentence, &supports, evidence, language);
        if !places.is_empty() {
            held.claims.push(Claim { text: sentence, places });
        }
    }
    held
}

/// A passage with its title and place before it: a sentence may name the article that it cites.
fn in_context(evidence: &Evidence) -> String {
    format!("{} {}\n{}", evidence.title, evidence.place, evidence.text)
}

/// A contradiction by one citation outweighs support by another: sources that disagree are no
/// basis for an unqualified sentence.
fn verdict_of(supports: &[(usize, Support)]) -> Checked {
    let contradicted = supports.iter().find(|(_, s)| s.verdict == Verdict::Contradicted);
    let best = supports.iter().max_by(|a, b| a.1.score.total_cmp(&b.1.score));
    match contradicted.or(best) {
        Some((_, support)) => Checked {
            verdict: support.verdict,
            score: support.score,
            because: support.because.clone(),
        },
        None => Checked {
            verdict: Verdict::Unsupported,
            score: 0.0,
            because: vec!["it cites nothing that was given".into()],
        },
    }
}

fn places_of(
    sentence: &str,
    supports: &[(usize, Support)],
    evidence: &[Evidence],
    language: Language,
) -> Vec<Place> {
    if supports.iter().any(|(_, support)| support.verdict == Verdict::Contradicted) {
        return Vec::new();
    }
    supports
        .iter()
        .filter(|(_, support)| support.verdict == Verdict::Supported)
        .map(|(index, support)| Place {
            evidence: *index,
            range: narrowest(sentence, &evidence[*index], language),
            score: support.score,
        })
        .collect()
}

/// The single sentence of the passage that supports the claim alone, or the whole passage.
fn narrowest(claim: &str, evidence: &Evidence, language: Language) -> ByteRange {
    let whole = ByteRange { start: 0, end: evidence.text.len() };
    sentences(&evidence.text, whole, evidence.language)
        .into_iter()
        .map(|range| (check(claim, &evidence.text[range.start..range.end], language), range))
        .filter(|(support, _)| support.verdict == Verdict::Supported)
        .max_by(|a, b| a.0.score.total_cmp(&b.0.score))
        .map_or_else(
            || evidence.clear_range(),
            |(_, range)| ByteRange {
                start: evidence.range.start + range.start,
                end: evidence.range.start + range.end,
            },
        )
}

/// The sentences of a model's text, each with the citation numbers that it carries. Marks that
/// follow the full stop belong to the sentence before them.
fn cited_sentences(text: &str, language: Language) -> Vec<(String, Vec<usize>)> {
    let (plain, marks) = take_marks(text);
    let ranges = sentences(&plain, ByteRange { start: 0, end: plain.len() }, language);
    let mut cited: Vec<(String, Vec<usize>)> =
        ranges.iter().map(|r| (tidy(&plain[r.start..r.end]), Vec::new())).collect();
    for (at, number) in marks {
        if let Some(index) = ranges.iter().rposition(|range| range.start < at) {
            let numbers = &mut cited[index].1;
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
    }
    cited.retain(|(sentence, _)| sentence.chars().any(char::is_alphanumeric));
    cited
}

fn tidy(sentence: &str) -> String {
    let joined = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.replace(" .", ".").replace(" ,", ",")
}

/// The text without its marks, and each mark's number with the place in the remaining text where
/// it stood.
fn take_marks(text: &str) -> (String, Vec<(usize, usize)>) {
    let mut plain = String::with_capacity(text.len());
    let mut marks = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        plain.push_str(&rest[..open]);
        rest = &rest[open..];
        match mark(rest) {
            Some((numbers, length)) => {
                marks.extend(numbers.into_iter().map(|number| (plain.len(), number)));
                rest = &rest[length..];
            }
            None => {
                plain.push('[');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    (plain, marks)
}

/// Reads `[1]` or `[1, 3]` at the start of `text`: the numbers, and the mark's length in bytes.
fn mark(text: &str) -> Option<(Vec<usize>, usize)> {
    let close = text.find(']')?;
    let numbers: Option<Vec<usize>> =
        text[1..close].split(',').map(|number| number.trim().parse().ok()).collect();
    Some((numbers?, close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_before_and_after_the_full_stop_belong_to_their_sentence() {
        let text = "The fee is CHF 20 [1]. It is due in May.[2, 3] Nobody said this.";
        let cited = cited_sentences(text, Language::En);
        let numbers: Vec<Vec<usize>> = cited.iter().map(|(_, numbers)| numbers.clone()).collect();
        assert_eq!(numbers, [vec![1], vec![2, 3], vec![]]);
        assert_eq!(cited[0].0, "The fee is CHF 20.");
    }

    #[test]
    fn brackets_that_are_no_marks_stay() {
        let (plain, marks) = take_marks("see [note] and [4] and [");
        assert_eq!(plain, "see [note] and  and [");
        assert_eq!(marks.len(), 1);
    }
}
