//! How much a question looks like one that takes several steps: a linear classifier over counts
//! that any language has.
//!
//! Its weights are whole numbers in a file that is part of the program, and the score is a whole
//! number of thousandths, so it is the same on every machine. The score is a fact: what it leads
//! to, the policy says.

mod features;
mod train;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::Kind;
use super::lexicon::Reading;
pub(super) use features::kinds_of_words;
use features::{features, names};
pub use train::{ComplexityExample, train_complexity};

/// A weight of so much is one in the sum that a score is made of.
const UNIT: f64 = 1024.0;
/// A shorter question needs no steps, whatever stands in it.
const WORDS_MIN: usize = 5;

/// The classifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complexity {
    bias: i32,
    weights: Vec<i32>,
}

static BUILT_IN: LazyLock<Complexity> = LazyLock::new(|| {
    Complexity::read(include_str!("complexity/weights.txt")).expect("a test reads the file")
});

impl Complexity {
    /// The one that decisions rest on.
    #[must_use]
    pub fn built_in() -> &'static Complexity {
        &BUILT_IN
    }

    /// Reads what [`train_complexity`] gives; `None` if it has not all features, each once.
    #[must_use]
    pub fn read(text: &str) -> Option<Complexity> {
        let mut found = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with("//")) {
            let (name, weight) = line.split_once(' ')?;
            if found.insert(name, weight.parse::<i32>().ok()?).is_some() {
                return None;
            }
        }
        let bias = found.remove("bias")?;
        let names = names();
        let weights = names.iter().map(|name| found.remove(name.as_str()));
        let weights: Vec<i32> = weights.collect::<Option<_>>()?;
        found.is_empty().then_some(Complexity { bias, weights })
    }

    /// Its file.
    fn write(&self) -> String {
        let mut text = "// Written by `train_complexity`; do not edit.\n".to_owned();
        let names = names();
        let rows = names.iter().map(String::as_str).zip(&self.weights);
        for (name, weight) in [("bias", &self.bias)].into_iter().chain(rows) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} {weight}");
        }
        text
    }

    /// How much a question looks like one that takes several steps, in thousandths.
    #[must_use]
    pub fn score(&self, question: &str) -> u16 {
        let reading = Reading::of(question);
        self.score_of(question, &reading, reading.found(Kind::ComplexReasoning).len())
    }

    pub(super) fn score_of(&self, question: &str, reading: &Reading, patterns: usize) -> u16 {
        if reading.tokens.len() < WORDS_MIN {
            return 0;
        }
        let has = features(question, reading, patterns);
        let weights = self.weights.iter().zip(has).filter(|(_, has)| *has);
        let sum = weights.fold(i64::from(self.bias), |sum, (weight, _)| sum + i64::from(*weight));
        (1000.0 / (1.0 + libm::exp(-(sum as f64) / UNIT))).round() as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_whole_and_is_written_as_it_was_read() {
        let text = include_str!("complexity/weights.txt");
        assert_eq!(Complexity::built_in().write(), text);
        assert!(text.len() < 100_000);
        let (cut, _) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(Complexity::read(cut), None);
        assert_eq!(Complexity::read(&format!("{text}more 1\n")), None);
        assert_eq!(Complexity::read(&format!("{text}bias 1\n")), None);
    }

    #[test]
    fn what_takes_steps_scores_higher_in_every_language() {
        let pairs = [
            (
                "If the tax falls by 10 percent and we buy a second dog, do we pay more or less \
                 than before, and from when on?",
                "When is the dog tax due?",
            ),
            (
                "Wenn die Steuer um 10 Prozent sinkt und wir einen zweiten Hund kaufen, zahlen wir \
                 dann mehr oder weniger als vorher, und ab wann?",
                "Wann ist die Hundesteuer fällig?",
            ),
            (
                "Si la taxe baisse de 10 pour cent et que nous achetons un deuxième chien, \
                 payons-nous plus ou moins qu'avant, et à partir de quand ?",
                "Quand la taxe sur les chiens est-elle due ?",
            ),
            (
                "Se la tassa cala del 10 per cento e compriamo un secondo cane, paghiamo di più o \
                 di meno rispetto a prima, e da quando?",
                "Quando è dovuta la tassa sui cani?",
            ),
            (
                "Sche la taglia sa sbassa per 10 pertschient e nus cumprain in segund chaun, \
                 pajain nus dapli u damain che avant, ed a partir da cura?",
                "Cura sto la taglia da chauns vegnir pajada?",
            ),
        ];
        for (several, one) in pairs {
            let score = |text| Complexity::built_in().score(text);
            assert!(score(several) > 500 && score(one) < 200, "{several} {}", score(several));
            assert!(score(several) > 4 * score(one).max(1), "{one} {}", score(one));
        }
    }

    #[test]
    fn any_text_has_a_score() {
        let long = "if ".repeat(50_000);
        let scores =
            ["", "?", "\u{0}", long.as_str()].map(|text| Complexity::built_in().score(text));
        assert!(scores.iter().all(|score| *score <= 1000), "{scores:?}");
        assert_eq!(scores[..3], [0; 3]);
    }
}
