//! What kind of thing a question asks for, and how well a sentence holds one.

use super::asked::Asked;
use super::phrases::{BODIES, CONDITION, DURATION, ROLE, SINCE, WHO};
use crate::support::quantity::{Quantity, Unit, Value, quantities};
use allod_corpus::Language;
use allod_retrieval::analysis::{Word, fold, is_stop_word, words};

/// The word that a question is asked by is one of so many first ones.
const ASKING_WORDS: usize = 2;

/// The kind of thing asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A sum of money or a rate, or that there is none to pay.
    Amount,
    /// How high something is: any number that is none of a place or a year.
    Figure,
    /// A number of the things that the word names.
    Count(Word),
    /// An age, a size, a distance: a number of something that begins with one of these.
    Measure(&'static [&'static str]),
    /// A day or a time of day.
    When,
    /// A period.
    Duration,
    /// A person or a body, other than those that the question names.
    Who(Vec<String>),
    /// The name of the one who is what the word says: `wer ist der Brunnenmeister`.
    Name(Word),
    /// A telephone number, an address of the post or the network.
    Contact,
}

/// Phrases by which a question tells; folded, each between blanks.
const AMOUNT: &[&str] = &[
    " kostet",
    " kosten ",
    " wie teuer",
    " wie hoch ist der beitrag",
    " wie viel bezahl",
    " wie viel zahl",
    " coute",
    " coutent",
    " costa ",
    " costano ",
    " si paga",
    " verdien",
    " custa ",
    " custan",
    " quant munta",
    " how much",
    " quanto pag",
    " combien pai",
    " combien pay",
    " cost ",
    " costs ",
];
/// Questions after a height that may be a sum, a share or a number.
const FIGURE: &[&str] = &[
    " wie hoch ist ",
    " wie hoch sind ",
    " wie hoch liegt ",
    " a combien s eleve",
    " a quanto ammonta",
    " how high is ",
    " how high are ",
    " how high can ",
];
/// Names of what is paid: a question that is not answered by yes or no, a person or a place asks
/// how much it is.
const CHARGES: &[&str] = &[
    " gebuhr",
    " preis",
    " taxe",
    " tarif",
    " busse",
    "steuer ",
    " impot ",
    " imposta ",
    " prix ",
    " montant",
    " tarifs ",
    " amende",
    " prezzo",
    " tassa ",
    " tariffa",
    " multa",
    " lohn",
    " salaire",
    " stipendio",
    " salary",
    " wage",
    " pretsch",
    " taxa ",
    " price",
    " fee ",
    " fees ",
    " fine ",
    " rent ",
    " miete ",
    " mietzins",
    " loyer ",
    " affitto ",
    " pigione ",
];
const COUNT: &[&str] = &[
    " wie viele ",
    " wieviele ",
    " combien de ",
    " combien d ",
    " quanti ",
    " quante ",
    " quants ",
    " quantas ",
    " how many ",
];
/// Measures: how they are asked for, and how their units begin.
const MEASURES: &[(&[&str], &[&str])] = &[
    (
        &[
            " wie alt",
            " welchem alter",
            " mindestalter",
            " quel age",
            " che eta",
            " quale eta",
            " tge vegliadetgna",
            " how old",
            " what age",
        ],
        &["jahr", "monat", "woche", "an", "mois", "mes", "onn", "mais", "year", "month", "week"],
    ),
    (
        &[
            " wie gross",
            " wie weit",
            " wie breit",
            " wie tief",
            " wie hoch darf",
            " quelle taille",
            " quelle distance",
            " quelle est la surface",
            " quelle surface",
            " quale distanza",
            " che distanza",
            " how big",
            " how far",
        ],
        &[
            "meter", "metre", "metr", "zenti", "centi", "milli", "kilom", "chilom", "quadrat",
            "kubik", "cubi", "hekt", "hect", "ett", "prozent", "m", "cm", "km", "m2", "qm", "ha",
        ],
    ),
    (
        &[" wie schnell darf", " wie schnell fahr", " quelle vitesse", " how fast"],
        &["km", "kilom", "chilom", "stunden"],
    ),
    (&[" wie laut", " how loud"], &["dez", "dec", "db"]),
];
/// A name stands so many words from its role at most.
const NEAR_WORDS: usize = 6;
/// What a number of another kind is worth where a measure is asked for.
const OTHER_MEASURE: f64 = 0.3;
const WHEN: &[&str] = &[
    " wann ",
    " um wie viel uhr",
    " offnungszeiten",
    " welchem tag",
    " welchen tagen",
    " welchem datum",
    " quand ",
    " horaire",
    " quel jour",
    " quels jours",
    " quelle heure",
    " quelles heures",
    " quando ",
    " orari",
    " che ora",
    " quale giorno",
    " quali giorni",
    " cura ",
    " uras ",
    " tge di ",
    " when ",
    " what time",
    " opening hours",
    " which day",
    " what day",
    " at what time",
    " hours ",
    "zeiten ",
    " welchen daten",
    " quelles dates",
    " quali date",
];
const CONTACT: &[&str] = &[
    " telefon",
    " rufnummer",
    " mail ",
    " email",
    " telephone",
    " courriel",
    " telefono",
    " phone ",
    " numer da tel",
];

/// Words that say that nothing is to be paid.
const FREE: &[&str] = &[
    "gratis",
    "kostenlos",
    "unentgeltlich",
    "gebuhrenfrei",
    "befreit",
    "gratuit",
    "exoner",
    "esent",
    "esonerat",
    "free of charge",
    "free",
    "exempt",
    "keine gebuhr",
];
/// Words that tell a time without a number or a name of a day.
const TIMES: &[&str] = &[
    "taglich",
    "wochentlich",
    "monatlich",
    "jahrlich",
    "jederzeit",
    "sofort",
    "unverzuglich",
    "sommer",
    "winter",
    "herbst",
    "fruhling",
    "immediat",
    "quotidien",
    "toujours",
    "ete ",
    "hiver",
    "automne",
    "printemps",
    "sempre",
    "subito",
    "estate",
    "inverno",
    "autunno",
    "primavera",
    "immediat",
    "daily",
    "weekly",
    "always",
    "immediately",
    "summer",
    "autumn",
    "spring",
    "weihnachten ",
    "weihnacht ",
    "neujahr ",
    "silvester ",
    "ostern ",
    "pfingsten ",
    "noel ",
    "nouvel an ",
    "paques ",
    "pentecote ",
    "natale ",
    "capodanno ",
    "pasqua ",
    "pentecoste ",
    "nadal ",
    "bumaun ",
    "pasca ",
    "christmas ",
    "easter ",
    "new year ",
];
/// Beginnings of words for those of whom a body is made up, and how it is said that it is.
const MEMBERS: &[&str] = &["mitglied", "membr", "commember", "member"];
const COMPOSED: &[&str] = &[
    " besteht aus ",
    " bestehen aus ",
    " setzt sich aus ",
    " se compose d",
    " est compose",
    " si compone ",
    " e compost",
    " sa cumpona ",
    " consists of ",
    " is composed of ",
    " is made up of ",
];

impl Expected {
    /// What the question asks for; `None` if it does not tell.
    pub(super) fn of(question: &str, language: Language) -> Option<Expected> {
        let folded = blanked(question);
        let role = ROLE.iter().find_map(|phrase| counted(question, &folded, phrase, language));
        let role = role.or_else(|| bare_role(question, language));
        if let Some(role) = role.filter(|role| language != Language::De || role.capital) {
            return Some(Expected::Name(role));
        }
        let asks = |phrases: &[&str]| phrases.iter().any(|phrase| folded.contains(phrase));
        let counted = COUNT.iter().find_map(|phrase| counted(question, &folded, phrase, language));
        let kinds = [
            (DURATION, Expected::Duration),
            (WHEN, Expected::When),
            (AMOUNT, Expected::Amount),
            (CONTACT, Expected::Contact),
            (WHO, Expected::Who(words(question, language).into_iter().map(|w| w.folded).collect())),
        ];
        // `how many years` asks for a period.
        let time = |word: &Word| is_period_word(&word.folded);
        let measure = MEASURES.iter().find(|(phrases, _)| asks(phrases));
        if let (None, Some((_, units))) = (&counted, measure) {
            return Some(Expected::Measure(units));
        }
        if asks(SINCE) {
            return Some(Expected::When);
        }
        if counted.is_none() && asks(CONDITION) {
            return None;
        }
        match counted {
            Some(word) if time(&word) => return Some(Expected::Duration),
            Some(word) => return Some(Expected::Count(word)),
            None => {}
        }
        let found = kinds.into_iter().find(|(phrases, _)| asks(phrases)).map(|(_, kind)| kind);
        let charged = || asks(CHARGES) && !asks_otherwise(question, language);
        match found {
            None | Some(Expected::Contact | Expected::Who(_)) if charged() => {
                Some(Expected::Amount)
            }
            None if asks(FIGURE) => Some(Expected::Figure),
            found => found,
        }
    }

    /// How well a text holds such a thing: 1 surely, 0 not at all.
    pub(super) fn stands_in(&self, text: &str, language: Language) -> f64 {
        let text = without_marker(text, language);
        let found = quantities(text, language);
        let begins = |starts: &[&str]| {
            let folded = blanked(text);
            starts.iter().any(|start| folded.contains(&format!(" {start}")))
        };
        let holds = match self {
            Expected::Amount => found.iter().any(is_sum) || begins(FREE),
            Expected::Figure => found.iter().any(is_figure) || begins(FREE),
            Expected::Count(word) => return count_of(word, text, language, &found),
            Expected::Measure(units) => return measure(units, text, &found),
            Expected::When => {
                // `2019/1020` is the number of an act.
                let part = |q: &Quantity| text[q.start() + q.shown(text).len()..].starts_with('/');
                found.iter().any(|q| is_time(q) && !part(q)) || clock(text) || begins(TIMES)
            }
            Expected::Duration => found.iter().any(is_time) || counts_letters(text, language),
            Expected::Name(role) => named_beside(role, text, language),
            Expected::Who(asked) => names_someone(text, language, asked),
            Expected::Contact => text.contains('@') || text.contains("www.") || long_number(text),
        };
        f64::from(holds)
    }
}

/// Beginnings of what a text is long in; folded.
const LETTERS: &[&str] = &["zeichen", "buchstabe", "caracter", "caratter", "segn", "character"];

/// Whether a text says how long another one is: `how long must a password be?`
fn counts_letters(text: &str, language: Language) -> bool {
    let words = words(text, language);
    let counted = |two: &[Word]| {
        two[0].is_number() && LETTERS.iter().any(|start| two[1].folded.starts_with(start))
    };
    words.windows(2).any(counted)
}

/// The role in `wer ist Brunnenmeister`, which German names without an article. Two capitals in a
/// row are somebody's name.
fn bare_role(question: &str, language: Language) -> Option<Word> {
    let words = words(question, language);
    let [who, is, role, rest @ ..] = words.as_slice() else { return None };
    let asks = language == Language::De
        && who.folded == "wer"
        && matches!(is.folded.as_str(), "ist" | "war" | "wird" | "wurde");
    let named = rest.first().is_some_and(|next| next.capital);
    (asks && role.capital && !named).then(|| role.clone())
}

/// Whether a question is answered by yes or no, a reason, a place or a person: then a charge that
/// it names is what it is about, and not what it asks for.
fn asks_otherwise(question: &str, language: Language) -> bool {
    let words = words(last_sentence(question), language);
    // `fine for who lights a fire` asks for a fine.
    let asked = Asked::of(&words[..words.len().min(ASKING_WORDS)], language);
    matches!(asked, Asked::YesNo | Asked::Where | Asked::Why | Asked::Who)
}

fn last_sentence(question: &str) -> &str {
    let sentences = question.trim_end_matches(['?', '.', '!', ' ']).rsplit_once(['.', '!', '?']);
    sentences.map_or(question, |(_, last)| last)
}

/// What a question that is answered by yes or no asks of its subject: the last word of its main
/// clause that says something, as in `is the tax refunded if I move away`.
fn predicate(question: &str, language: Language) -> Option<String> {
    let words = words(last_sentence(question), language);
    if Asked::of(&words, language) != Asked::YesNo {
        return None;
    }
    let side = ["wenn", "falls", "if", "when", "si", "quand", "se", "quando", "sche"];
    let main = words.iter().skip(1).take_while(|word| !side.contains(&word.folded.as_str()));
    let says = |word: &&Word| !is_stop_word(&word.folded, language) && !word.is_number();
    let content: Vec<&Word> = main.filter(says).collect();
    // Of one word alone nothing can be asked, and `free` is said in many words.
    let free = |word: &Word| FREE.iter().any(|start| word.folded.starts_with(start));
    let last = content.last().filter(|word| content.len() > 1 && !free(word));
    last.map(|word| word.folded.clone())
}

/// The word that the question puts forward: `which company`, `how many dogs`, `what level`.
pub(super) fn focus(question: &str, language: Language) -> Option<String> {
    let folded = blanked(question);
    let phrases = FOCUS.iter().chain(COUNT);
    match phrases.filter_map(|phrase| counted(question, &folded, phrase, language)).next() {
        Some(word) => (!is_period_word(&word.folded)).then_some(word.folded),
        None => predicate(question, language),
    }
}

/// Words before the one that is put forward.
const FOCUS: &[&str] = &[
    " welche ",
    " welcher ",
    " welches ",
    " welchen ",
    " welchem ",
    " quel ",
    " quelle ",
    " quels ",
    " quelles ",
    " quale ",
    " quali ",
    " qual e il ",
    " qual e la ",
    " tge ",
    " tgenin ",
    " tgenina ",
    " tgenins ",
    " tgeninas ",
    " which ",
    " what ",
    " quel est le ",
    " quelle est la ",
    " quel est l ",
    " quelle est l ",
    " was fur ",
];

/// The word that follows `how many`.
fn counted(question: &str, folded: &str, phrase: &str, language: Language) -> Option<Word> {
    let at = folded.find(phrase)?;
    let before = folded[..at].split_whitespace().count();
    let skip = before + phrase.split_whitespace().count();
    let plain = words(question, language).into_iter().filter(|w| !w.folded.contains('_'));
    let tells = |word: &Word| !is_stop_word(&word.folded, language) && !is_adjective(&word.folded);
    plain.skip(skip).find(|word| word.folded.len() > 2 && tells(word))
}

/// Common adjectives that stand before the noun that is counted or asked for.
fn is_adjective(folded: &str) -> bool {
    const ADJECTIVES: &[&str] = &[
        "bon",
        "bons",
        "bonne",
        "bonnes",
        "nouveau",
        "nouveaux",
        "nouvelle",
        "nouvelles",
        "grand",
        "grande",
        "petit",
        "petite",
        "neue",
        "neuen",
        "neuer",
        "grosse",
        "grossen",
        "kleine",
        "kleinen",
        "nuovi",
        "nuove",
        "nuovo",
        "nuova",
        "buoni",
        "buone",
        "grandi",
        "novs",
        "novas",
        "gronds",
        "grondas",
        "new",
        "good",
        "right",
    ];
    ADJECTIVES.contains(&folded)
}

/// Whether a number stands beside the word that is counted: `14 places`, `26 right answers`,
/// `places: 14`.
fn count_of(word: &Word, text: &str, language: Language, found: &[Quantity]) -> f64 {
    let words = words(text, language);
    let beside = |quantity: &Quantity| {
        let at = words.iter().position(|w| w.range.end > quantity.start()).unwrap_or(0);
        let around = at.saturating_sub(2)..(at + 4).min(words.len());
        words[around].iter().any(|other| alike(word, other))
    };
    let next = |quantity: &Quantity| {
        let after =
            words.iter().find(|w| w.range.start >= quantity.start() + quantity.shown(text).len());
        after.is_some_and(|after| alike(word, after))
    };
    let whole = blanked(text);
    let composed = MEMBERS.iter().any(|member| word.folded.starts_with(member))
        && COMPOSED.iter().any(|phrase| whole.contains(phrase));
    let counts = |quantity: &Quantity| match quantity.value {
        Value::Number { unit: None, .. } => composed || beside(quantity),
        // `five weeks` counts weeks of holiday.
        Value::Number { unit: Some(unit), .. } => unit.is_time() && next(quantity),
        _ => false,
    };
    f64::from(found.iter().any(counts))
}

/// Whether a number of such a unit stands there.
fn measure(units: &[&str], text: &str, found: &[Quantity]) -> f64 {
    let of_unit = |quantity: &Quantity| {
        let after = blanked(&text[quantity.start() + quantity.shown(text).len()..]);
        let next = after.split_whitespace().next().unwrap_or_default();
        units.iter().any(|unit| if unit.len() < 3 { next == *unit } else { next.starts_with(unit) })
    };
    let other = if found.is_empty() { 0.0 } else { OTHER_MEASURE };
    if found.iter().any(of_unit) { 1.0 } else { other }
}

/// The text without the number of its paragraph or item: that counts nothing.
pub(super) fn without_marker(text: &str, language: Language) -> &str {
    let text = text.trim_start();
    let marker = text.split_whitespace().next().unwrap_or_default();
    let rest = text[marker.len()..].trim_start();
    let digits = marker.trim_matches(['(', ')', '.']);
    let number = digits.len() < 6 && digits.starts_with(|c: char| c.is_ascii_digit());
    let first = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let sentence = is_stop_word(&fold(&first.to_lowercase()), language);
    let capital = first.starts_with(char::is_uppercase);
    let marked = marker.len() > digits.len() || digits.contains('.') || sentence;
    if number && capital && marked { rest } else { text }
}

fn alike(a: &Word, b: &Word) -> bool {
    let (short, long) = if a.stem.len() <= b.stem.len() { (a, b) } else { (b, a) };
    a.stem == b.stem || (short.stem.len() > 3 && long.folded.contains(&short.stem))
}

fn is_sum(quantity: &Quantity) -> bool {
    matches!(
        quantity.value,
        Value::Number {
            unit: Some(Unit::Money | Unit::Euro | Unit::Dollar | Unit::Pound | Unit::Percent),
            ..
        }
    )
}

fn is_figure(quantity: &Quantity) -> bool {
    match quantity.value {
        Value::Number { unit: Some(unit), .. } => !matches!(unit, Unit::Article | Unit::Paragraph),
        Value::Number { value, unit: None } => !(1900..2100).contains(&(value / 10_000)),
        _ => false,
    }
}

fn is_time(quantity: &Quantity) -> bool {
    match quantity.value {
        Value::Name(_) => true,
        Value::Ordinal(_) => false,
        Value::Number { unit: Some(unit), .. } => unit.is_time(),
        Value::Number { value, unit: None } => (1900..2100).contains(&(value / 10_000)),
    }
}

fn is_period_word(folded: &str) -> bool {
    const PERIODS: &[&str] = &[
        "tag", "woche", "monat", "jahr", "stund", "minut", "jour", "semaine", "mois", "annee",
        "ans", "heure", "temps", "giorn", "settiman", "mesi", "anni", "ore", "dis", "emnas",
        "mais", "onns", "uras", "day", "week", "month", "year", "hour",
    ];
    PERIODS.iter().any(|period| folded.starts_with(period))
}

/// `08:30`, `8.30 Uhr`, `8h30`, `8 h`.
fn clock(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let colon = (1..bytes.len()).any(|at| bytes[at] == b':' && digit(at - 1) && digit(at + 1));
    let folded = blanked(text);
    let words: Vec<&str> = folded.split_whitespace().collect();
    let marked = words.windows(2).any(|pair| {
        let number = pair[0].bytes().all(|b| b.is_ascii_digit());
        number && matches!(pair[1], "uhr" | "h" | "heures" | "am" | "pm")
    });
    let joined =
        words.iter().any(|w| w.starts_with(|c: char| c.is_ascii_digit()) && w.contains('h'));
    colon || marked || joined
}

/// A body, or two capitalised words in a row as names have them; none of them in the question.
fn names_someone(text: &str, language: Language, asked: &[String]) -> bool {
    let words = words(text, language);
    let new = |word: &Word| !asked.contains(&word.folded);
    let body = |word: &Word| BODIES.iter().any(|body| word.folded.starts_with(body));
    let name = |pair: &[Word]| {
        let between = pair[0].range.end.min(pair[1].range.start)..pair[1].range.start;
        pair.iter().all(|word| word.capital && new(word) && word.folded.len() > 1)
            && text[between].trim().is_empty()
    };
    words.iter().any(|word| body(word) && new(word)) || words.windows(2).any(name)
}

/// Whether a name, two capitalised words in a row, stands within a few words of the role.
fn named_beside(role: &Word, text: &str, language: Language) -> bool {
    let words = words(text, language);
    let roles = words.iter().enumerate().filter(|(_, word)| alike(word, role));
    let name = |pair: &[Word]| {
        let between = pair[0].range.end.min(pair[1].range.start)..pair[1].range.start;
        let plain = pair.iter().all(|w| w.capital && !alike(w, role) && w.folded.len() > 1);
        plain && text[between].trim().is_empty()
    };
    roles.into_iter().any(|(at, _)| {
        // The first word has its capital from the sentence.
        let near = at.saturating_sub(NEAR_WORDS).max(1)..(at + NEAR_WORDS).min(words.len());
        words[near].windows(2).any(name)
    })
}

/// Seven digits or more with nothing but blanks between: a telephone number.
fn long_number(text: &str) -> bool {
    let mut digits = 0;
    for character in text.chars() {
        match character {
            '0'..='9' => digits += 1,
            ' ' | '\u{a0}' => {}
            _ => digits = 0,
        }
        if digits >= 7 {
            return true;
        }
    }
    false
}

/// Folded, with single blanks for all that is no letter or digit, one before and one after.
fn blanked(text: &str) -> String {
    let folded = fold(&text.to_lowercase());
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    format!(" {} ", words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{De, En, Fr, It, Rm};

    #[test]
    fn questions_tell_what_they_ask_for() {
        for (question, language, expected) in [
            ("Was kostet ein Sack?", De, Some(Expected::Amount)),
            ("Combien coûte la taxe ?", Fr, Some(Expected::Amount)),
            ("Wann ist die Sammelstelle geöffnet?", De, Some(Expected::When)),
            ("Wie viele Jahre gilt der Ausweis?", De, Some(Expected::Duration)),
            ("Per quanto tempo vale?", It, Some(Expected::Duration)),
            ("Qual è il numero di telefono?", It, Some(Expected::Contact)),
            ("Darf ich grillieren?", De, None),
            ("Wird die Hundesteuer zurückerstattet?", De, None),
            ("Is the dog tax refunded?", En, None),
            ("multa per chi accende un fuoco", It, Some(Expected::Amount)),
            ("Wie hoch ist die Hundesteuer?", De, Some(Expected::Amount)),
            ("Quelle est la taxe ?", Fr, Some(Expected::Amount)),
            ("Was kostet die Gebühr?", De, Some(Expected::Amount)),
            ("Wie hoch ist der Stundenansatz?", De, Some(Expected::Figure)),
            ("A combien s'élève l'indemnité ?", Fr, Some(Expected::Figure)),
        ] {
            assert_eq!(Expected::of(question, language), expected, "{question}");
        }
        let counted = Expected::of("How many dogs may I keep?", En);
        assert!(matches!(counted, Some(Expected::Count(word)) if word.folded == "dogs"));
        let condition = Expected::of("Wann besteht ein Anspruch auf Auskunft?", De);
        assert_eq!(condition, None);
        let role = Expected::of("Wer ist der Brunnenmeister der Gemeinde?", De);
        assert!(matches!(role, Some(Expected::Name(word)) if word.folded == "brunnenmeister"));
        let bare = Expected::of("Wer ist Gemeindeschreiberin von Almens?", De);
        assert!(matches!(bare, Some(Expected::Name(word)) if word.folded == "gemeindeschreiberin"));
        for question in ["Wer ist Hans Meier?", "Wer ist für Bauten zuständig?"] {
            assert!(matches!(Expected::of(question, De), Some(Expected::Who(_))), "{question}");
        }
        assert!(matches!(Expected::of("Tgi è responsabel?", Rm), Some(Expected::Who(_))));
    }

    #[test]
    fn a_yes_or_no_question_puts_its_predicate_forward() {
        for (question, language, word) in [
            ("Is the dog tax refunded if I move away?", En, Some("refunded")),
            ("Wird die Hundesteuer zurückerstattet?", De, Some("zuruckerstattet")),
            ("Wie hoch ist die Hundesteuer?", De, None),
            ("Sind Baubewilligungen gratis?", De, None),
        ] {
            assert_eq!(focus(question, language).as_deref(), word, "{question}");
        }
    }

    #[test]
    fn sentences_hold_it_or_not() {
        let holds = |expected: Expected, text, language| expected.stands_in(text, language);
        assert_eq!(holds(Expected::Amount, "Die Abgabe ist unentgeltlich.", De), 1.0);
        assert_eq!(holds(Expected::Amount, "Parking costs GBP 6 per day.", En), 1.0);
        assert_eq!(holds(Expected::Amount, "Die Gebühr ist in 30 Tagen fällig.", De), 0.0);
        assert_eq!(holds(Expected::When, "Le premier jeudi du mois.", Fr), 1.0);
        assert_eq!(holds(Expected::When, "Ouvert de 8h30 à midi.", Fr), 1.0);
        assert_eq!(holds(Expected::Contact, "Am Schalter.", De), 0.0);
        let who = Expected::of("Wer leitet die Alp Crap Alv?", De).unwrap();
        assert_eq!(holds(who.clone(), "Auf der Alp Crap Alv weiden Schafe.", De), 0.0);
        assert_eq!(holds(who, "Die Alp leitet Seraina Caduff.", De), 1.0);
        let role = Expected::of("Who is the mayor?", En).unwrap();
        assert_eq!(holds(role.clone(), "The mayor, Seraina Caduff, leads the council.", En), 1.0);
        assert_eq!(holds(role, "The mayor decides within ten days.", En), 0.0);
        let age = Expected::of("Wie alt muss ein Hund sein?", De).unwrap();
        assert_eq!(holds(age.clone(), "Der Hund ist mindestens zwei Jahre alt.", De), 1.0);
        assert!(holds(age, "Der Kurs hat vier Lektionen.", De) < 0.5);
        let graves = Expected::of("Wie viele Hunde leben hier?", De).unwrap();
        assert_eq!(holds(graves, "3 Die Hunde sind anzuleinen.", De), 0.0);
        let weeks = Expected::of("Wie viele Ferienwochen habe ich?", De).unwrap();
        assert_eq!(holds(weeks.clone(), "Der Anspruch beträgt fünf Wochen.", De), 1.0);
        assert_eq!(holds(weeks, "Er beträgt CHF 50 je Woche.", De), 0.0);
        let long = Expected::of("How long must a password be?", En).unwrap();
        assert_eq!(holds(long.clone(), "A password has at least 14 characters.", En), 1.0);
        assert_eq!(holds(long, "A password has several characters.", En), 0.0);
        let members = Expected::of("Quanti membri ha il Consiglio nazionale?", It).unwrap();
        assert_eq!(holds(members, "Il Consiglio nazionale si compone di 200 deputati.", It), 1.0);
        assert_eq!(holds(Expected::When, "La crèche est fermée entre Noël et Nouvel An.", Fr), 1.0);
        let dogs = Expected::of("Wie viele Hunde darf ich halten?", De).unwrap();
        assert_eq!(holds(dogs.clone(), "Erlaubt sind höchstens zwei Hunde.", De), 1.0);
        assert!(
            holds(dogs, "Hunde, die älter sind, kosten während langer Zeit 5 Franken.", De) < 0.5
        );
    }
}
