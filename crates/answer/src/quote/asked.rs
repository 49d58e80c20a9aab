//! How a question asks: by which word.

use allod_corpus::Language;
use allod_retrieval::analysis::Word;

/// The word that a question is asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `who`, `whom`, `whose`.
    Who,
    /// `when`, `what year`.
    When,
    /// `where`.
    Where,
    /// `how many`, `how much`.
    HowMany,
    /// `why`.
    Why,
    /// `how`.
    How,
    /// `which`, `what` before a word.
    Which,
    /// `what` alone.
    What,
    /// A question that is answered by yes or no.
    YesNo,
    /// Key words, or a question of another form.
    Other,
}

impl Asked {
    /// All, in the order of their features.
    pub(super) const ALL: [Asked; 10] = [
        Asked::Who,
        Asked::When,
        Asked::Where,
        Asked::HowMany,
        Asked::Why,
        Asked::How,
        Asked::Which,
        Asked::What,
        Asked::YesNo,
        Asked::Other,
    ];

    /// How a question asks; `words` are all its words.
    pub(super) fn of(words: &[Word], language: Language) -> Asked {
        let plain: Vec<&str> = words.iter().map(|word| word.folded.as_str()).collect();
        let first = plain.first().copied().unwrap_or_default();
        if in_list(column(language, VERBS), first) {
            return Asked::YesNo;
        }
        for (at, word) in plain.iter().enumerate() {
            let next = plain.get(at + 1).copied().unwrap_or_default();
            if let Some(asked) = by_word(word, next, language) {
                return asked;
            }
        }
        Asked::Other
    }
}

fn by_word(word: &str, next: &str, language: Language) -> Option<Asked> {
    let lists = [
        (WHO, Asked::Who),
        (WHEN, Asked::When),
        (WHERE, Asked::Where),
        (WHY, Asked::Why),
        (WHICH, Asked::Which),
        (WHAT, Asked::What),
        (HOW_MANY, Asked::HowMany),
    ];
    if in_list(column(language, HOW), word) {
        let many = in_list(column(language, MANY), next);
        return Some(if many { Asked::HowMany } else { Asked::How });
    }
    let found = lists.into_iter().find(|(list, _)| in_list(column(language, *list), word))?.1;
    if in_list(column(language, TIMES), next) {
        return Some(Asked::When);
    }
    Some(found)
}

fn column(language: Language, lists: [&str; 5]) -> &str {
    match language {
        Language::De => lists[0],
        Language::Fr => lists[1],
        Language::It => lists[2],
        Language::Rm => lists[3],
        _ => lists[4],
    }
}

fn in_list(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|other| other == word)
}

const WHO: [&str; 5] = ["wer wem wen wessen", "qui", "chi", "tgi", "who whom whose"];
const WHEN: [&str; 5] = ["wann", "quand", "quando", "cura", "when"];
const WHERE: [&str; 5] = ["wo wohin woher", "ou", "dove", "nua", "where"];
const WHY: [&str; 5] = ["warum weshalb wieso", "pourquoi", "perche", "pertge", "why"];
const WHICH: [&str; 5] = [
    "welche welcher welches welchen welchem",
    "quel quelle quels quelles lequel laquelle",
    "quale quali qual",
    "tgenin tgenina tgenins tgeninas",
    "which",
];
const WHAT: [&str; 5] = ["was", "que quoi qu", "che cosa", "tge", "what"];
const HOW: [&str; 5] = ["wie", "comment", "come", "co sco", "how"];
const MANY: [&str; 5] = [
    "viel viele vielen lange oft hoch gross alt weit",
    "",
    "",
    "",
    "many much \
    long old far often large tall high",
];
const HOW_MANY: [&str; 5] =
    ["wieviel wieviele", "combien", "quanto quanti quante quanta", "quant quants quantas", ""];
const TIMES: [&str; 5] = [
    "jahr jahre tag datum monat jahrhundert",
    "annee jour date mois siecle an",
    "anno giorno data mese secolo",
    "onn di data mais",
    "year day date month century decade time",
];
const VERBS: [&str; 5] = [
    "ist sind war waren hat haben darf durfen kann konnen muss mussen gibt wird werden gilt \
     braucht bin habe soll gelten besteht bestehen brauche bekomme bekommt bekommen erhalte erhalt \
     erhalten zahlt zahle werde",
    "est sont a ont peut doit faut puis dois ai y existe suis peux recoit recois",
    "e sono ha hanno puo deve posso devo si bisogna esiste c viene vengono ricevo riceve",
    "e en ha han po poss sto dastga datti datt hai vegn vegnan survegn survegnan",
    "is are was were do does did has have had can could may must should will would am need",
];

#[cfg(test)]
mod tests {
    use super::*;
    use allod_retrieval::analysis::words;

    #[test]
    fn the_word_tells() {
        use Language::{De, En, Fr, It, Rm};
        for (question, language, asked) in [
            ("Who ruled the duchy?", En, Asked::Who),
            ("In what year did it end?", En, Asked::When),
            ("How many people live there?", En, Asked::HowMany),
            ("Wie wird es gemacht?", De, Asked::How),
            ("Wie viele Hunde darf ich halten?", De, Asked::HowMany),
            ("Darf ich grillieren?", De, Asked::YesNo),
            ("Où se trouve la piscine ?", Fr, Asked::Where),
            ("Quanto costa?", It, Asked::HowMany),
            ("Tgi è president?", Rm, Asked::Who),
            ("Hundetaxe", De, Asked::Other),
        ] {
            assert_eq!(Asked::of(&words(question, language), language), asked, "{question}");
        }
    }
}
