//! Numbers in words, in five languages: `einundzwanzig`, `quatre-vingt-dix`, `third`.

use std::collections::HashMap;
use std::sync::LazyLock;

use allod_corpus::Language;

use super::lexicon::columns;

/// How many words a number can have: `two hundred and fifty five`.
const LONGEST: usize = 5;

type Numerals = HashMap<String, i64>;

static NUMERALS: LazyLock<[Numerals; 5]> =
    LazyLock::new(|| [german(), french(), italian(), romansh(), english()]);

/// The number that begins these words, and how many of them say it. One alone is mostly an article
/// and no number here.
pub(super) fn number(words: &[&str], language: Language) -> Option<(i64, usize)> {
    let tables = &NUMERALS[columns(language)];
    let mut joined = String::new();
    let mut best = None;
    for (at, word) in words.iter().take(LONGEST).enumerate() {
        joined.push_str(word);
        if let Some(value) = tables.iter().find_map(|table| table.get(&joined)) {
            best = Some((*value, at + 1));
        }
    }
    best
}

/// The place in a row that a word names, from 1: `third`.
pub(super) fn ordinal(word: &str, language: Language) -> Option<u8> {
    let lists = &ORDINALS[columns(language)];
    let found = |list: &[&str; 12]| {
        list.iter().position(|stem| !stem.is_empty() && ends(word, stem)).map(|at| at as u8 + 1)
    };
    lists.iter().find_map(found)
}

/// Whether a word is a stem with at most two letters more.
fn ends(word: &str, stem: &str) -> bool {
    word.strip_prefix(stem).is_some_and(|rest| rest.len() <= 2 && rest.is_ascii())
}

/// Stems of the first twelve; those that mean something else mostly are left out.
const ORDINALS: [[&str; 12]; 5] = [
    [
        "erste", "zweite", "dritte", "vierte", "funfte", "sechste", "siebte", "achte", "neunte",
        "zehnte", "elfte", "zwolfte",
    ],
    [
        "premier",
        "deuxieme",
        "troisieme",
        "quatrieme",
        "cinquieme",
        "sixieme",
        "septieme",
        "huitieme",
        "neuvieme",
        "dixieme",
        "onzieme",
        "douzieme",
    ],
    [
        "primo", "", "terzo", "quarto", "quinto", "sesto", "settimo", "ottavo", "nono", "decimo",
        "", "",
    ],
    [
        "emprim",
        "",
        "terz",
        "quart",
        "tschintgavel",
        "sisavel",
        "setavel",
        "otgavel",
        "novavel",
        "dieschavel",
        "",
        "",
    ],
    [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth", "eleventh", "twelfth",
    ],
];

/// Forms below a hundred, with the hundreds and thousands put before them.
fn with_hundreds(
    below: &[(i64, String)],
    hundreds: &dyn Fn(&str, bool) -> Vec<String>,
    thousand: &[&str],
) -> Numerals {
    let mut numerals: Numerals = below.iter().map(|(n, word)| (word.clone(), *n)).collect();
    let digits: Vec<(i64, String)> =
        below.iter().filter(|(n, _)| (2..10).contains(n)).cloned().collect();
    let mut leads = vec![(1, String::new())];
    leads.extend(digits);
    for (count, lead) in &leads {
        for hundred in hundreds(lead, true) {
            numerals.insert(hundred, count * 100);
        }
        for hundred in hundreds(lead, false) {
            for (rest, word) in below {
                numerals.insert(format!("{hundred}{word}"), count * 100 + rest);
            }
        }
    }
    for word in thousand {
        numerals.insert((*word).to_owned(), 1000);
        for (count, lead) in below {
            numerals.insert(format!("{lead}{word}"), count * 1000);
        }
    }
    numerals
}

fn listed(first: i64, words: &str) -> Vec<(i64, String)> {
    words.split(' ').enumerate().map(|(at, word)| (first + at as i64, word.to_owned())).collect()
}

const GERMAN_TENS: &str = "zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig";

fn german() -> Numerals {
    let mut below = listed(
        2,
        "zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn \
         sechzehn siebzehn achtzehn neunzehn",
    );
    let ones = listed(1, "ein zwei drei vier funf sechs sieben acht neun");
    for (at, ten) in GERMAN_TENS.split(' ').enumerate() {
        let value = (at as i64 + 2) * 10;
        below.push((value, ten.to_owned()));
        below.extend(ones.iter().map(|(n, one)| (value + n, format!("{one}und{ten}"))));
    }
    let hundreds = |lead: &str, _: bool| match lead {
        "" => vec!["hundert".to_owned(), "einhundert".to_owned()],
        lead => vec![format!("{lead}hundert")],
    };
    with_hundreds(&below, &hundreds, &["tausend"])
}

fn english() -> Numerals {
    let mut below = listed(
        2,
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen \
         sixteen seventeen eighteen nineteen",
    );
    let ones = listed(1, "one two three four five six seven eight nine");
    let tens = listed(2, "twenty thirty forty fifty sixty seventy eighty ninety");
    for (ten, word) in &tens {
        below.push((ten * 10, word.clone()));
        below.extend(ones.iter().map(|(n, one)| (ten * 10 + n, format!("{word}{one}"))));
    }
    let hundreds = |lead: &str, alone: bool| {
        let lead = if lead.is_empty() { vec!["", "one", "a"] } else { vec![lead] };
        let ends: &[&str] = if alone { &[""] } else { &["", "and"] };
        let forms = lead.iter().flat_map(|lead| ends.iter().map(move |end| (lead, end)));
        forms.map(|(lead, end)| format!("{lead}hundred{end}")).collect()
    };
    with_hundreds(&below, &hundreds, &["thousand"])
}

fn french() -> Numerals {
    let teens = listed(
        2,
        "deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize \
         dixsept dixhuit dixneuf",
    );
    let mut below = teens.clone();
    let tens =
        [(20, "vingt"), (30, "trente"), (40, "quarante"), (50, "cinquante"), (60, "soixante")];
    let more = [(70, "septante"), (80, "huitante"), (90, "nonante"), (80, "quatrevingt")];
    for (ten, word) in tens.into_iter().chain(more) {
        below.push((ten, word.to_owned()));
        below.push((ten + 1, format!("{word}etun")));
        below.push((ten + 1, format!("{word}un")));
        // `soixante-dix` to `soixante-dix-neuf` go on where the tens end.
        let last = if matches!(word, "soixante" | "quatrevingt") { 19 } else { 9 };
        let rest = teens.iter().filter(|(n, _)| *n <= last);
        below.extend(rest.map(|(n, one)| (ten + n, format!("{word}{one}"))));
    }
    below.push((71, "soixanteetonze".to_owned()));
    below.push((80, "quatrevingts".to_owned()));
    let hundreds = |lead: &str, alone: bool| match (lead, alone) {
        ("", _) => vec!["cent".to_owned()],
        (lead, true) => vec![format!("{lead}cents"), format!("{lead}cent")],
        (lead, false) => vec![format!("{lead}cent")],
    };
    with_hundreds(&below, &hundreds, &["mille"])
}

/// Tens with units put after them: `apart` joins the two, or gives `None` for the usual way.
fn joined(tens: &[(i64, String)], ones: &[(i64, String)], apart: &str) -> Vec<(i64, String)> {
    let mut below = Vec::new();
    for (ten, word) in tens {
        below.push((ten * 10, word.clone()));
        for (n, one) in ones {
            let stem = word.trim_end_matches(['a', 'i']);
            let vowel = one.starts_with(['u', 'o', 'i']);
            let form = match (vowel, apart) {
                (true, _) => format!("{stem}{one}"),
                (false, "") => format!("{word}{one}"),
                (false, apart) => format!("{stem}{apart}{one}"),
            };
            below.push((ten * 10 + n, form));
        }
    }
    below
}

fn italian() -> Numerals {
    let mut below = listed(
        2,
        "due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici \
         quindici sedici diciassette diciotto diciannove",
    );
    let ones = listed(1, "uno due tre quattro cinque sei sette otto nove");
    let tens = listed(2, "venti trenta quaranta cinquanta sessanta settanta ottanta novanta");
    below.extend(joined(&tens, &ones, ""));
    let hundreds = |lead: &str, _: bool| vec![format!("{lead}cento")];
    with_hundreds(&below, &hundreds, &["mille", "mila"])
}

fn romansh() -> Numerals {
    let mut below = listed(
        2,
        "dus trais quatter tschintg sis set otg nov diesch indesch dudesch tredesch quattordesch \
         quindesch sedesch deschset deschdotg deschnov",
    );
    below.push((2, "duas".to_owned()));
    let ones = listed(1, "in dus trais quatter tschintg sis set otg nov");
    let tens = listed(2, "ventg trenta quaranta tschuncanta sessanta settanta otganta novanta");
    below.extend(joined(&tens, &ones, "a"));
    let hundreds = |lead: &str, _: bool| match lead {
        "dus" => vec!["duatschient".to_owned()],
        "trais" => vec!["traitschient".to_owned()],
        lead => vec![format!("{lead}tschient")],
    };
    with_hundreds(&below, &hundreds, &["milli", "mil"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_five_languages() {
        for (words, language, value) in [
            ("einundzwanzig", Language::De, 21),
            ("zweihundertfunfzig", Language::De, 250),
            ("quatre vingt dix sept", Language::Fr, 97),
            ("soixante et onze", Language::Fr, 71),
            ("deux cents", Language::Fr, 200),
            ("trentotto", Language::It, 38),
            ("duecentocinquanta", Language::It, 250),
            ("ventgatschintg", Language::Rm, 25),
            ("trentin", Language::Rm, 31),
            ("two hundred and fifty five", Language::En, 255),
            ("ten thousand", Language::En, 10_000),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            assert_eq!(number(&words, language), Some((value, words.len())), "{words:?}");
        }
        assert_eq!(number(&["ein"], Language::De), None);
        assert_eq!(number(&["two", "dogs"], Language::En), Some((2, 1)));
    }

    #[test]
    fn places_in_a_row_are_read() {
        assert_eq!(ordinal("dritten", Language::De), Some(3));
        assert_eq!(ordinal("premiere", Language::Fr), Some(1));
        assert_eq!(ordinal("quarta", Language::Rm), Some(4));
        assert_eq!(ordinal("secondary", Language::En), None);
    }
}
