//! Whether two sentences that answer one question answer it differently.
//!
//! Nothing is taken for a dispute that may be two cases: each sentence may say what the other does
//! not, but not both, and numbers that are not asked for must agree.

use allod_corpus::Language;
use serde::{Deserialize, Serialize};

use super::alignment::{Alignment, Match};
use super::features::Looked;
use super::finding::{Finding, Ground};
use super::quantity::{Quantity, Unit, Value};
use super::text::Text;

/// Words of one sentence that the other lacks, at most.
const STRANGE_MAX: usize = 3;
/// More figures of the kind asked for are a list, not an answer.
const FIGURES_MAX: usize = 2;
/// How much of a sentence the other must say before negations and duties are compared.
const SAME_MATTER: f64 = 0.6;
/// A finding that is no weaker is sure.
const SURE: f64 = 0.7;

/// What two sources do not agree in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// A number, a sum, a date, a period.
    Figure,
    /// Whether something must be, may be, or is at all.
    Duty,
}

impl Matter {
    /// Its name in receipts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Matter::Figure => "figure",
            Matter::Duty => "duty",
        }
    }
}

/// The kind of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Money.
    Sum,
    Percent,
    /// Days, weeks, months.
    Period,
    /// A month by name.
    Month,
    /// A clock's hour.
    Time,
    /// A number that says not what it counts.
    Bare,
    /// Metres, litres.
    Measure,
}

/// The class of a figure; `None` for a weekday, a place in a row, an article: those tell cases
/// apart and answer nothing.
fn class(quantity: &Quantity) -> Option<Class> {
    use Unit::{Article, Day, Euro, Hour, Minute, Money, Month, Paragraph, Percent, Week, Year};
    match quantity.value {
        Value::Name(1..=12) => Some(Class::Month),
        Value::Name(_) | Value::Ordinal(_) => None,
        Value::Number { unit: None, .. } => Some(Class::Bare),
        Value::Number { unit: Some(unit), .. } => match unit {
            Money | Euro => Some(Class::Sum),
            Percent => Some(Class::Percent),
            Hour | Minute => Some(Class::Time),
            Day | Week | Month | Year => Some(Class::Period),
            Article | Paragraph => None,
            _ => Some(Class::Measure),
        },
    }
}

/// Two sentences that may answer one question.
pub(crate) struct Pair<'a> {
    pub(crate) one: &'a str,
    pub(crate) other: &'a str,
    pub(crate) language: Language,
    /// The kinds of figures that are asked for; empty where the question does not tell.
    pub(crate) asked: &'a [Class],
}

impl Pair<'_> {
    /// What the two do not agree in. `is_known` says which folded words do not tell cases apart:
    /// those of the question and those that say little.
    pub(crate) fn differs(&self, is_known: &dyn Fn(&str) -> bool) -> Option<Matter> {
        let one = Text::new(self.one, self.language);
        let other = Text::new(self.other, self.language);
        let (mine, theirs) = (strange(&one, &other, is_known), strange(&other, &one, is_known));
        if mine.max(theirs) > STRANGE_MAX || mine.min(theirs) > 0 {
            return None;
        }
        if !self.asked.is_empty() {
            return self.figures_differ(&one, &other, self.asked).then_some(Matter::Figure);
        }
        let alike = mine + theirs == 0;
        let all = [Class::Sum, Class::Percent, Class::Period, Class::Time, Class::Measure];
        if alike && all.iter().any(|kind| self.figures_differ(&one, &other, &[*kind])) {
            return Some(Matter::Figure);
        }
        self.duties_differ().then_some(Matter::Duty)
    }

    /// Whether figures of these kinds stand in both, in equal number, none of them the same, while
    /// all others agree.
    fn figures_differ(&self, one: &Text, other: &Text, asked: &[Class]) -> bool {
        let parted = |text: &Text| -> (Vec<Quantity>, Vec<Quantity>) {
            text.quantities
                .iter()
                .cloned()
                .partition(|q| class(q).is_some_and(|class| asked.contains(&class)))
        };
        let ((mine, my_others), (theirs, their_others)) = (parted(one), parted(other));
        let disjoint = !mine.iter().any(|own| theirs.iter().any(|q| same(own, q)));
        let few = (1..=FIGURES_MAX).contains(&mine.len()) && mine.len() == theirs.len();
        few && disjoint && agree(&my_others, &their_others)
    }

    fn duties_differ(&self) -> bool {
        let there = Looked::at(self.one, self.other, self.language);
        let back = Looked::at(self.other, self.one, self.language);
        let turned = |looked: &Looked| {
            let conditional = |f: &Finding| f.ground == Ground::Condition;
            looked.covered >= SAME_MATTER
                && !looked.findings.iter().any(conditional)
                && looked.findings.iter().any(turns)
        };
        turned(&there) && turned(&back)
    }
}

/// Whether a finding says that the one allows what the other forbids, or affirms what it denies.
fn turns(finding: &Finding) -> bool {
    let ground = matches!(
        finding.ground,
        Ground::Negation | Ground::Modality | Ground::Exemption | Ground::Opposite
    );
    ground && finding.strength >= SURE
}

fn same(one: &Quantity, other: &Quantity) -> bool {
    one.same(other) || other.same(one)
}

/// Whether of each kind that both have, they have one in common.
fn agree(one: &[Quantity], other: &[Quantity]) -> bool {
    one.iter().all(|own| {
        let mut alike = other.iter().filter(|q| own.same_kind(q)).peekable();
        alike.peek().is_none() || alike.any(|q| same(own, q))
    })
}

/// How many words of a text that tell stand for none of the other's.
fn strange(text: &Text, other: &Text, is_known: &dyn Fn(&str) -> bool) -> usize {
    let laid = Alignment::new(text, other);
    let missing = |at: usize| laid.to[at] == Match::None;
    let tells = |folded: &str| folded.len() > 2 && !is_known(folded);
    text.content().filter(|(at, token)| missing(*at) && tells(&token.word.folded)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{De, En, Fr, It, Rm};
    use allod_retrieval::analysis::{is_stop_word, is_weak_word, words};

    fn differs(
        asked: &[Class],
        question: &str,
        one: &str,
        other: &str,
        language: Language,
    ) -> Option<Matter> {
        let words: Vec<String> =
            words(question, language).into_iter().map(|word| word.folded).collect();
        let known = |word: &str| {
            let little = is_weak_word(word, language) || is_stop_word(word, language);
            little || words.iter().any(|own| own == word)
        };
        let pair = Pair { one, other, language, asked };
        let there = pair.differs(&known);
        let back = Pair { one: other, other: one, ..pair }.differs(&known);
        assert_eq!(there, back, "{one} {other}");
        there
    }

    #[test]
    fn sums_that_answer_one_question_differ() {
        let figure = Some(Matter::Figure);
        for (question, one, other, language) in [
            (
                "Was kostet die Hundetaxe?",
                "Die Hundetaxe beträgt CHF 120 im Jahr.",
                "Die Hundetaxe beträgt CHF 150 im Jahr.",
                De,
            ),
            (
                "Combien coûte la taxe sur les chiens ?",
                "La taxe sur les chiens s'élève à 120 francs par an.",
                "La taxe sur les chiens est de 150 francs par an.",
                Fr,
            ),
            (
                "Quanto costa la tassa sui cani?",
                "La tassa sui cani ammonta a 120 franchi.",
                "La tassa sui cani è di 150 franchi.",
                It,
            ),
            (
                "Quant custa la taxa da chauns?",
                "La taxa da chauns importa 120 francs.",
                "La taxa da chauns munta a 150 francs.",
                Rm,
            ),
            (
                "How much is the dog tax?",
                "The dog tax is CHF 120 a year.",
                "The dog tax amounts to CHF 150 a year.",
                En,
            ),
        ] {
            assert_eq!(differs(&[Class::Sum], question, one, other, language), figure, "{one}");
            assert_eq!(differs(&[Class::Sum], question, one, one, language), None, "{one}");
        }
    }

    #[test]
    fn what_one_allows_and_the_other_forbids_differs() {
        for (question, one, other, language) in [
            (
                "Darf man im Park grillieren?",
                "Das Grillieren im Park ist erlaubt.",
                "Das Grillieren im Park ist verboten.",
                De,
            ),
            (
                "Les chiens sont-ils admis au parc ?",
                "Les chiens sont admis au parc.",
                "Les chiens ne sont pas admis au parc.",
                Fr,
            ),
            (
                "I cani sono ammessi nel parco?",
                "I cani sono ammessi nel parco.",
                "I cani non sono ammessi nel parco.",
                It,
            ),
            (
                "Èn chauns lubids en il parc?",
                "Chauns èn lubids en il parc.",
                "Chauns n'èn betg lubids en il parc.",
                Rm,
            ),
            (
                "Are dogs allowed in the park?",
                "Dogs are allowed in the park.",
                "Dogs are not allowed in the park.",
                En,
            ),
        ] {
            assert_eq!(differs(&[], question, one, other, language), Some(Matter::Duty), "{one}");
        }
    }

    #[test]
    fn other_cases_are_no_dispute() {
        for (asked, question, one, other) in [
            (
                Class::Sum,
                "Was kostet der Eintritt?",
                "Der Eintritt für Kinder kostet CHF 5.",
                "Der Eintritt für Erwachsene kostet CHF 8.",
            ),
            (
                Class::Sum,
                "Was kostet ein Sack?",
                "Ein Sack zu 17 Litern kostet CHF 1.30.",
                "Ein Sack zu 35 Litern kostet CHF 2.40.",
            ),
            (
                Class::Time,
                "Wann ist der Schalter offen?",
                "Der Schalter ist am Montag um 8 Uhr offen.",
                "Der Schalter ist am Dienstag um 9 Uhr offen.",
            ),
            (
                Class::Sum,
                "Was kostet der Eintritt?",
                "Der Eintritt kostet CHF 5.",
                "Der Eintritt kostet 5 Franken.",
            ),
        ] {
            assert_eq!(differs(&[asked], question, one, other, De), None, "{one}");
        }
    }
}
