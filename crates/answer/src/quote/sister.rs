//! Another one of the same sort: the row of the tax office where the building office is asked
//! about, *Federal Council* for *National Council*, the second child for the third.

use std::collections::{HashMap, HashSet};

use allod_corpus::Language;
use allod_retrieval::Question;
use allod_retrieval::analysis::{Word, is_stop_word, is_weak_word, words};

use super::opposites::{column, in_list};
use super::units::is_row;
use crate::support::quantity::{Value, quantities};

/// A thing that is matched less is not spoken of.
const SPOKEN_OF: f64 = 0.3;
/// A word that stands for one of the question at least so well is one that was asked for.
const ASKED: f64 = 0.3;
/// And nearly as well as the word that stands for it best.
const NEARLY: f64 = 0.2;
/// A thing whose share of the question is less may be missing from a sentence.
const TELLING_SHARE: f64 = 0.22;
/// Of several, the share of all of them counts.
const MISSING_SHARE: f64 = 0.3;
/// So many small words may stand between two words of one name: `droit de la famille`.
const JOINED_BY: usize = 3;

/// Articles, and prepositions that join two nouns or stand before one; folded.
const JOINERS: [&str; 5] = [
    "der die das den dem des ein eine einen einem einer eines von vom zu zum zur im in ins am an \
     auf fur bei beim mit nach vor aus uber unter pro je",
    "le la les l un une des de du d a au aux pour en dans par sur avec chez apres avant pendant",
    "il lo la i gli le l un uno una di del dello della dei degli delle dell d a al allo alla ai \
     agli alle all da dal dalla per in nel nella nell nei nelle su sul sulla sull con",
    "il la ils las l in ina da dal da la dals dalla dallas d a al als alla allas per en el ella \
     els ellas sin cun",
    "the a an of for in on at to by with from",
];
/// Words by which a question puts the noun forward that follows.
const ASKING: &[&str] = &[
    "what", "which", "many", "much", "quel", "quelle", "quels", "quelles", "quale", "quali",
    "qual", "quanti", "quante", "tge", "tgenin", "tgenina", "tgenins", "tgeninas", "quants",
    "quantas",
];
/// Beginnings of words for all that come after the first; folded.
const MORE: &[&str] = &[
    "weiter",
    "zusatzlich",
    "folgend",
    "jede",
    "suivant",
    "supplementaire",
    "chaque",
    "autre",
    "ulterior",
    "successiv",
    "seguent",
    "ogni",
    "altr",
    "ulteriur",
    "mintga",
    "further",
    "additional",
    "each",
    "every",
    "next",
    "subsequent",
];
/// Prepositions of time: before, during, after; folded.
const TIMES: [[&str; 3]; 5] = [
    ["vor bevor", "wahrend in im", "nach"],
    ["avant", "pendant durant", "apres"],
    ["prima", "durante", "dopo"],
    ["avant", "durant", "suenter"],
    ["before", "during in", "after"],
];
/// Those of them that may mean a place instead.
const PLACES: &[&str] = &["in", "im"];

/// A noun of the question.
#[derive(Debug)]
struct Thing {
    /// Which of the question's words.
    word: usize,
    concept: usize,
}

/// The things that a question names.
pub(super) struct Things<'a> {
    text: &'a str,
    question: &'a Question,
    words: &'a [Word],
    language: Language,
    all: Vec<Thing>,
    /// Places in a row, and the concept that each one counts.
    ordinals: Vec<(u8, usize)>,
    /// The headings above, where they are in the question's language.
    above: Vec<Said<'a>>,
}

impl<'a> Things<'a> {
    pub(super) fn of(
        text: &'a str,
        words: &'a [Word],
        language: Language,
        question: &'a Question,
    ) -> Things<'a> {
        let mut all: Vec<Thing> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let concept = question.concepts.iter().position(|c| c.word == word.folded && !c.weak);
            let plain = !word.is_number() && !word.folded.contains('_');
            // `the patient's lungs`
            let last = all.last().map(|last: &Thing| last.word + 1);
            let owned = at > 0 && words[at - 1].folded == "s" && last == Some(at - 1);
            let follows = last == Some(at) || owned;
            if let Some(concept) = concept.filter(|_| plain)
                && is_noun(text, words, at, language, follows)
            {
                all.push(Thing { word: at, concept });
            }
        }
        let concept = |word: &Word| question.concepts.iter().position(|c| c.word == word.folded);
        let ordinals = ordinals(text, words, language);
        let ordinals = ordinals.filter_map(|(n, at)| Some((n, concept(words.get(at)?)?))).collect();
        Things { text, question, words, language, all, ordinals, above: Vec::new() }
    }

    /// With the headings of what is read: `Night work` says that an allowance is not for Sundays.
    pub(super) fn under(mut self, headings: &'a [String], language: Language) -> Things<'a> {
        if language == self.language {
            let said = |heading: &'a String| Said::of(heading, language, self.question);
            self.above = headings.iter().map(said).collect();
        }
        self
    }

    /// Whether a sentence or row speaks of none of the things, or of a sister of one. `matched`
    /// says how well each concept is matched by it or by what stands above it, `joined` how well
    /// with what stands beside it.
    pub(super) fn are_missed(
        &self,
        text: &str,
        language: Language,
        matched: &[f64],
        joined: &[f64],
    ) -> bool {
        if language != self.language {
            return false;
        }
        // Another row tells nothing of this one.
        let around = if is_row(text) { matched } else { joined };
        let none = self.share(self.all.iter()) >= TELLING_SHARE
            && self.all.iter().all(|thing| weakly(around, thing.concept, SPOKEN_OF));
        let missing: Vec<&Thing> =
            self.all.iter().filter(|thing| weakly(matched, thing.concept, SPOKEN_OF)).collect();
        none || self.is_sister(text, &missing)
    }

    fn is_sister(&self, text: &str, missing: &[&Thing]) -> bool {
        let said = Said::of(text, self.language, self.question);
        if self.counts_otherwise(&said) || self.is_at_another_time(&said) {
            return true;
        }
        // Of a long question one word may be missing; a row has no other words for it.
        let all = self.share(missing.iter().copied()) >= MISSING_SHARE;
        let counts = |thing: &&&Thing| {
            said.row || all || self.share(std::iter::once(**thing)) >= TELLING_SHARE
        };
        let renamed = |thing: &&Thing| {
            self.named_otherwise(thing, &said)
                || self.above.iter().any(|heading| self.named_otherwise(thing, heading))
        };
        missing.iter().filter(counts).any(renamed)
            || !missing.is_empty() && self.is_other_row(&said)
    }

    /// Which share of the question's weight things have.
    fn share<'t>(&self, things: impl Iterator<Item = &'t Thing>) -> f64 {
        let concepts = &self.question.concepts;
        let all: f64 = concepts.iter().map(|concept| concept.weight).sum();
        let own: f64 = things.map(|thing| concepts[thing.concept].weight).sum();
        own / all.max(f64::MIN_POSITIVE)
    }

    /// Whether the second of what the question asks the third of is spoken of.
    fn counts_otherwise(&self, said: &Said) -> bool {
        let more = |word: &Word| MORE.iter().any(|start| word.folded.starts_with(start));
        if said.words.iter().any(more) {
            return false;
        }
        let counted: Vec<(u8, usize)> = ordinals(said.text, &said.words, self.language).collect();
        self.ordinals.iter().any(|(number, concept)| {
            let mut same = counted.iter().filter(|(_, at)| said.stands_for(*at, *concept));
            let first = same.next();
            first.is_some_and(|(other, _)| other != number) && same.all(|(n, _)| n != number)
        })
    }

    /// Whether the sentence says what is during a time, and the question asks for after it; or the
    /// other way round.
    fn is_at_another_time(&self, said: &Said) -> bool {
        let Some(column) = column(self.language) else { return false };
        let kind = |word: &Word| {
            let has = |list: &&str| in_list(list, &word.folded);
            Some((TIMES[column].iter().position(has)?, PLACES.contains(&word.folded.as_str())))
        };
        // `pendant le temps d'essai`
        let small = |word: &Word| {
            is_joiner(word, self.language) || is_weak_word(&word.folded, self.language)
        };
        let before = |words: &[Word], at: usize| {
            let near = words[..at].iter().rev().enumerate();
            let mut near = near.take_while(|(by, word)| *by < 2 || small(word));
            near.find_map(|(_, word)| kind(word))
        };
        self.all.iter().any(|thing| {
            let Some((asked, is_place)) = before(self.words, thing.word) else { return false };
            let at = (0..said.words.len()).filter(|at| said.stands_for(*at, thing.concept));
            let told: Vec<usize> = at.filter_map(|at| Some(before(&said.words, at)?.0)).collect();
            !is_place && !told.is_empty() && told.iter().all(|told| *told != asked)
        })
    }

    /// Whether the thing is part of a name (`carte de pêche`, `National Council`) of which the
    /// sentence has the rest, with another word in the place of the thing.
    fn named_otherwise(&self, thing: &Thing, said: &Said) -> bool {
        let english = self.language == Language::En;
        let next = |other: &&Thing| other.word == thing.word + 1;
        let head = self.all.iter().find(next).filter(|_| english);
        if let Some(head) = head {
            return said.places(head.concept).any(|at| {
                let before = at.checked_sub(1);
                before.is_some_and(|before| said.is_new(before) && said.follows(before, at))
            });
        }
        let joins = |at: &usize| is_joiner(&self.words[*at], self.language);
        let Some(head) = (0..thing.word).rev().find(|at| !joins(at)) else { return false };
        // `findet das Fest`: a verb is no part of a name.
        let is_thing = self.all.iter().any(|other| other.word == head);
        if !is_thing && !is_noun(self.text, self.words, head, self.language, false) {
            return false;
        }
        let joined = thing.word - head - 1;
        let named = &self.words[head].folded;
        let concept = self.question.concepts.iter().position(|c| c.word == *named);
        let Some(concept) = concept.filter(|_| joined <= JOINED_BY && (joined > 0 || !english))
        else {
            return false;
        };
        let capital = self.words[thing.word].capital;
        said.places(concept).any(|at| {
            let mut place = at + 1;
            while place < said.words.len() && is_joiner(&said.words[place], self.language) {
                place += 1;
            }
            let alike = (place > at + 1) == (joined > 0) || said.row;
            let cased = said.row
                || self.language != Language::De && joined > 0
                || said.words.get(place).is_some_and(|word| word.capital == capital);
            alike && cased && said.is_new(place) && said.follows(at, place)
        })
    }

    /// Whether a row tells of something by a name that has nothing of the question, while the
    /// things that it does match are the names of columns.
    fn is_other_row(&self, said: &Said) -> bool {
        let (Some(key), true) = (said.key(), said.row) else { return false };
        let values = said.values();
        let told = |thing: &Thing| said.places(thing.concept).any(&values);
        let of_key: Vec<usize> =
            (0..said.words.len()).filter(|at| key.contains(&said.words[*at].range.start)).collect();
        let named = of_key.iter().any(|at| said.is_new(*at));
        let asked = of_key.iter().any(|at| said.asked.contains(at));
        named && !asked && !self.all.iter().any(told)
    }
}

/// A sentence or row beside the question.
struct Said<'a> {
    text: &'a str,
    words: Vec<Word>,
    language: Language,
    row: bool,
    /// Which words stand for concepts of the question, and for which.
    hits: Vec<(usize, usize)>,
    asked: HashSet<usize>,
}

impl<'a> Said<'a> {
    fn of(text: &'a str, language: Language, question: &Question) -> Said<'a> {
        let words = words(text, language);
        let found = question.hits(&words, language);
        let mut best: HashMap<usize, f64> = HashMap::new();
        for hit in &found {
            let strength = best.entry(hit.concept).or_default();
            *strength = strength.max(hit.strength);
        }
        let surely = found.iter().filter(|hit| hit.strength >= ASKED);
        let hits: Vec<(usize, usize)> = surely.map(|hit| (hit.word, hit.concept)).collect();
        // What is near a word of the question that stands there itself is not that word.
        let own = found.iter().filter(|hit| hit.strength >= ASKED.max(best[&hit.concept] - NEARLY));
        let asked = own.map(|hit| hit.word).collect();
        Said { text, words, language, row: is_row(text), hits, asked }
    }

    fn stands_for(&self, word: usize, concept: usize) -> bool {
        self.hits.contains(&(word, concept))
    }

    fn places(&self, concept: usize) -> impl Iterator<Item = usize> {
        self.hits.iter().filter(move |(_, own)| *own == concept).map(|(word, _)| *word)
    }

    /// Whether a word says something that the question does not.
    fn is_new(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| {
            let small = is_stop_word(&word.folded, self.language)
                || is_weak_word(&word.folded, self.language);
            word.folded.len() > 1 && !word.is_number() && !small && !self.asked.contains(&at)
        })
    }

    /// Whether nothing but blanks and apostrophes parts the words from one to another.
    fn follows(&self, one: usize, other: usize) -> bool {
        let (from, to) = (self.words[one].range.end, self.words[other].range.start);
        let between = self.text.get(from..to).unwrap_or_default();
        !between.contains([',', '.', ';', ':', '(', ')', '\n', '–'])
    }

    /// Where the first cell of a row says what the row is about.
    fn key(&self) -> Option<std::ops::Range<usize>> {
        let cell = self.text.split("; ").next()?;
        let (header, value) = cell.split_once(": ")?;
        let start = header.len() + ": ".len();
        Some(start..start + value.len())
    }

    /// Whether a word stands in a cell and not in the name of its column.
    fn values(&self) -> impl Fn(usize) -> bool {
        let mut cells = Vec::new();
        let mut at = 0;
        for cell in self.text.split_inclusive("; ") {
            let header = cell.find(": ").map_or(0, |header| header + 2);
            cells.push(at + header..at + cell.len());
            at += cell.len();
        }
        let starts: Vec<usize> = self.words.iter().map(|word| word.range.start).collect();
        move |word| cells.iter().any(|cell| cell.contains(&starts[word]))
    }
}

/// Whether a question has a preposition that means after a time.
pub(super) fn asks_after(words: &[Word], language: Language) -> bool {
    let after =
        |word: &Word| column(language).is_some_and(|at| in_list(TIMES[at][2], &word.folded));
    words.iter().any(after)
}

/// Whether a word of a question is a noun or belongs to the name of one, as far as its letters and
/// neighbours tell. `follows` says that the word before it is one.
fn is_noun(text: &str, words: &[Word], at: usize, language: Language, follows: bool) -> bool {
    let word = &words[at];
    // `ouvre-t-elle`
    let verb = language == Language::Fr && text[word.range.end..].starts_with('-');
    if language == Language::De || verb {
        return word.capital && at > 0;
    }
    // The `e` of an e-bike says nothing of what follows it.
    let mut before = words[..at].iter().rev();
    let before = before.find(|word| word.folded.len() > 1 || is_joiner(word, language));
    let joined = before.is_some_and(|before| {
        is_joiner(before, language) || ASKING.contains(&before.folded.as_str())
    });
    joined || follows || word.capital && at > 0
}

fn is_joiner(word: &Word, language: Language) -> bool {
    column(language).is_some_and(|at| in_list(JOINERS[at], &word.folded))
}

fn weakly(strengths: &[f64], concept: usize, least: f64) -> bool {
    strengths.get(concept).is_none_or(|strength| *strength < least)
}

/// The places in a row that a text names in words, each with the index of the word behind it.
fn ordinals<'a>(
    text: &'a str,
    words: &'a [Word],
    language: Language,
) -> impl Iterator<Item = (u8, usize)> + 'a {
    quantities(text, language).into_iter().filter_map(move |quantity| {
        let Value::Ordinal(number) = quantity.value else { return None };
        let at = words.iter().position(|word| word.range.contains(&quantity.start()))?;
        Some((number, at + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{De, En, Fr, It, Rm};

    fn missed(question: &str, text: &str, language: Language) -> bool {
        let plain = Question::plain(question, language);
        let asked = words(question, language);
        let things = Things::of(question, &asked, language, &plain);
        let matched = plain.strengths(&plain.hits(&words(text, language), language));
        things.are_missed(text, language, &matched, &matched)
    }

    #[test]
    fn the_row_of_another_is_not_taken() {
        let row = "Amtsstelle: Bauamt; Adresse: Werkstrasse 4; Telefon: 081 555 10 30";
        assert!(missed("Wie lautet die Adresse des Steueramts?", row, De));
        assert!(!missed("Wie lautet die Adresse vom Bauamt?", row, De));
        let row = "Prestation: Carte de pêche annuelle; Émolument: CHF 90";
        assert!(missed("Combien coûte une carte de chasse annuelle ?", row, Fr));
        assert!(!missed("Combien coûte une carte de pêche annuelle ?", row, Fr));
        let row = "Prestation: Stationnement, zone Lac; Émolument: CHF 240 par an";
        assert!(missed("Combien coûte le stationnement en zone Centre ?", row, Fr));
        assert!(!missed("Combien coûte le stationnement en zone Lac ?", row, Fr));
        let row = "Prestazione: Tassa cani; Tariffa: CHF 110; Osservazioni: all'anno";
        assert!(missed("Quanto costa la tassa per i gatti?", row, It));
        assert!(!missed("Quanto costa la tassa per i cani?", row, It));
    }

    #[test]
    fn a_name_with_another_word_in_it_names_another() {
        for (question, text, language) in [
            (
                "Quanti membri ha il Consiglio nazionale?",
                "Il Consiglio federale ha sette membri.",
                It,
            ),
            (
                "How many members has the National Council?",
                "The Federal Council has seven members.",
                En,
            ),
            (
                "Quants commembers ha il Cussegl naziunal?",
                "Il Cussegl federal ha set commembers.",
                Rm,
            ),
            ("Who leads the winter camp?", "The summer camp will be led by Tom Hale.", En),
            (
                "Quel est le rabais pour le troisième enfant ?",
                "Un rabais de 20 % est accordé pour le deuxième enfant.",
                Fr,
            ),
            (
                "Combien de jours de vacances ont les domestiques privés ?",
                "Le demi-jour de congé du domestique privé est accordé le matin.",
                Fr,
            ),
            (
                "Tgi fa las visitas guidadas en las baselgias?",
                "Visitas guidadas per gruppas custan CHF 150.",
                Rm,
            ),
            ("Cura è avert il museum?", "La biblioteca è averta il mardi.", Rm),
            ("Wann findet das Weihnachtsessen statt?", "Der Ausflug findet am Freitag statt.", De),
            (
                "Wie lange ist die Kündigungsfrist nach der Probezeit?",
                "Während der Probezeit beträgt die Kündigungsfrist sieben Tage.",
                De,
            ),
            (
                "Quel est le délai de congé pendant le temps d'essai ?",
                "Après le temps d'essai, le délai de congé est d'un mois.",
                Fr,
            ),
        ] {
            assert!(missed(question, text, language), "{question}");
        }
    }

    #[test]
    fn a_heading_says_what_its_sentences_are_about() {
        let missed_under = |question: &str, heading: &str, text: &str, language| {
            let plain = Question::plain(question, language);
            let asked = words(question, language);
            let above = [heading.to_owned()];
            let things = Things::of(question, &asked, language, &plain).under(&above, language);
            let mut matched = plain.strengths(&plain.hits(&words(text, language), language));
            let of_heading = plain.strengths(&plain.hits(&words(heading, language), language));
            matched.iter_mut().zip(of_heading).for_each(|(own, more)| *own = own.max(more));
            things.are_missed(text, language, &matched, &matched)
        };
        let text = "Une indemnité de 6 francs 50 par heure est versée.";
        let question = "Quelle est l'indemnité pour le travail du dimanche ?";
        assert!(missed_under(question, "Travail de nuit", text, Fr));
        assert!(!missed_under(question, "Travail du dimanche", text, Fr));
        assert!(!missed_under(question, "Indemnités", text, Fr));
        let text = "An allowance of CHF 6.50 an hour is paid.";
        let question = "What is the allowance for Sunday work?";
        assert!(missed_under(question, "Night work", text, En));
        assert!(!missed_under(question, "Sunday work", text, En));
    }

    #[test]
    fn what_is_meant_is_not_taken_for_its_sister() {
        for (question, text, language) in [
            (
                "Quanti membri ha il Consiglio nazionale?",
                "Il Consiglio nazionale ha 200 membri.",
                It,
            ),
            ("How many members has the Council?", "The Federal Council has seven members.", En),
            (
                "Quel est le rabais pour le deuxième enfant ?",
                "Un rabais de 20 % est accordé pour le deuxième enfant.",
                Fr,
            ),
            (
                "Wie lange ist die Kündigungsfrist in der Probezeit?",
                "Während der Probezeit beträgt die Kündigungsfrist sieben Tage.",
                De,
            ),
            (
                "Wann findet im Schulhaus der Elternabend statt?",
                "Der Elternabend findet am Freitag statt.",
                De,
            ),
            ("What wage is recommended for babysitters?", "The recommended wage is CHF 11.", En),
            (
                "Is the e-bike scheme closed in winter?",
                "From December on the scheme is closed.",
                En,
            ),
            (
                "Wie viel Steuer zahlt man für den zweiten Hund?",
                "Die Steuer beträgt CHF 120 für den ersten Hund und CHF 180 für jeden weiteren.",
                De,
            ),
            ("Quand la bibliothèque ouvre-t-elle ?", "La bibliothèque communale est ouverte.", Fr),
        ] {
            assert!(!missed(question, text, language), "{question}");
        }
    }
}
