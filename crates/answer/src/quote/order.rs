//! How many of a question's words a sentence has in the question's own order. Who did what to whom
//! shows there: the words of both sides are the same, and only their order differs.

use allod_retrieval::analysis::Word;

use super::slots::{Kind, standing};

/// What a word weighs that says nothing of the subject.
const SMALL_WEIGHT: f64 = 0.1;

/// What stands in order, each as a share, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Order {
    /// Of all words of the question.
    pub(super) words: f64,
    /// Of their weight.
    pub(super) weight: f64,
    /// Of those that tell and that the sentence has.
    pub(super) telling: f64,
}

/// Holds a question's words against a sentence's; `weights` are those of the words that tell.
pub(super) fn order(
    question: &[Word],
    kinds: &[Kind],
    weights: &[Option<f64>],
    sentence: &[Word],
) -> Order {
    let places: Vec<Vec<usize>> = question.iter().map(|word| standing(word, sentence)).collect();
    let weigh = |at: usize| weights[at].unwrap_or(SMALL_WEIGHT);
    let tells = |at: usize| if kinds[at] == Kind::Small { 0.0 } else { 1.0 };
    let share = |of: &dyn Fn(usize) -> f64, among: &dyn Fn(usize) -> bool| {
        let all: f64 = (0..question.len()).filter(|at| among(*at)).map(of).sum();
        longest(&places, of, sentence.len()) / all.max(f64::MIN_POSITIVE)
    };
    Order {
        words: share(&|_| 1.0, &|_| true),
        weight: share(&weigh, &|_| true),
        telling: share(&tells, &|at| !places[at].is_empty()),
    }
}

/// The weight of the heaviest words that stand in one order on both sides.
fn longest(places: &[Vec<usize>], weigh: &dyn Fn(usize) -> f64, sentence: usize) -> f64 {
    // Up to each place of the sentence, for the words so far.
    let mut best = vec![0.0_f64; sentence + 1];
    for (at, places) in places.iter().enumerate().filter(|(_, places)| !places.is_empty()) {
        let before = best.clone();
        for place in places {
            best[place + 1] = best[place + 1].max(before[*place] + weigh(at));
        }
        for place in 1..best.len() {
            best[place] = best[place].max(best[place - 1]);
        }
    }
    best.last().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::asked::Asked;
    use crate::quote::slots::kinds;
    use allod_corpus::Language;
    use allod_retrieval::analysis::words;

    fn held(question: &str, sentence: &str, language: Language) -> Order {
        let plain = words(question, language);
        let kinds = kinds(question, &plain, Asked::of(&plain, language), language);
        let weights: Vec<Option<f64>> =
            kinds.iter().map(|kind| (*kind != Kind::Small).then_some(1.0)).collect();
        order(&plain, &kinds, &weights, &words(sentence, language))
    }

    #[test]
    fn turned_round_words_are_out_of_order() {
        use Language::{De, En};
        let said = "Duke William conquered England in 1066.";
        let same = held("When did Duke William conquer England?", said, En);
        let turned = held("When did England conquer Duke William?", said, En);
        assert_eq!(same.telling, 1.0);
        assert!(turned.telling < 0.8 && turned.words < same.words && turned.weight < same.weight);
        let lies = held("Wo liegt der Friedhof der Gemeinde?", "Der Friedhof liegt am See.", De);
        assert!(lies.telling > 0.4 && lies.telling < 0.6, "{lies:?}");
    }

    #[test]
    fn nothing_stands_in_order_in_nothing() {
        assert_eq!(held("Who?", "", Language::En).words, 0.0);
        assert_eq!(held("", "Some words.", Language::En), Order::default());
    }
}
