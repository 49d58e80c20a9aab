//! What kind of thing a question asks for, and whether a sentence holds one.

use allod_retrieval::analysis::fold;

/// The kind of thing asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A sum of money or a rate, or that there is none to pay.
    Amount,
    /// A count or a measure.
    Number,
    /// A day, a time of day, a period.
    Time,
    /// A telephone number, an address of the post or the network.
    Contact,
}

/// Beginnings and phrases by which a question tells; folded, each between blanks.
const AMOUNT: &[&str] = &[
    " kostet", " kosten ", " wie teuer", " gebuhr", " preis", " taxe", " tarif", " wie hoch ", " busse",
    " combien coute", " coute", " coutent", " prix ", " quel est le montant", " taxe ", " tarifs ", " amende",
    " quanto costa", " quanto costano", " costa ", " prezzo", " tassa ", " tariffa", " quanto si paga", " multa",
    " quant custa", " custa", " custan", " pretsch", " taxa ", " how much", " cost ", " costs ", " price",
    " fee ", " fees ", " charge", " fine ", " wieviel ", " wie viel ", " quanto ammonta", " quant munta",
];
const NUMBER: &[&str] = &[
    " wie viele", " wieviele", " wie gross", " wie weit", " wie alt", " ab welchem alter", " combien de ",
    " combien d ", " quel age", " a partir de quel", " quanti ", " quante ", " che eta", " quants ", " quantas ",
    " how many", " how old", " how big", " how far", " wie schnell", " wie breit", " mindestalter",
];
const TIME: &[&str] = &[
    " wann ", " bis wann", " ab wann", " wie lange", " welche frist", " welcher frist", " frist ", " um wie viel uhr",
    " offnungszeiten", " geoffnet", " welchem tag", " welchen tagen", " welchem datum", " quand ", " horaire",
    " quel jour", " quels jours", " quelle heure", " quel delai", " combien de temps", " delai", " quando ",
    " entro quando", " orari", " che ora", " quale giorno", " quali giorni", " termine", " per quanto tempo",
    " cura ", " quant ditg", " uras ", " tge di ", " termin", " when ", " what time", " opening hours", " how long",
    " deadline", " which day", " what day", " how soon",
];
const CONTACT: &[&str] = &[
    " telefon", " nummer", " mail ", " email", " telephone", " numero", " courriel", " telefono", " phone ",
    " number ", " numer ",
];

/// Words that say that nothing is to be paid.
const FREE: &[&str] = &[
    "gratis", "kostenlos", "unentgeltlich", "gebuhrenfrei", "befreit", "gratuit", "exoner", "esent", "free of charge",
    "free ", "exempt", "keine gebuhr",
];
/// Names of months, days and parts of the day, and units of time, by their beginnings.
const TIMES: &[&str] = &[
    "januar", "februar", "marz", "april", "mai ", "juni", "juli", "august", "september", "oktober", "november",
    "dezember", "janvier", "fevrier", "mars", "avril", "juin", "juillet", "aout", "octobre", "decembre", "gennaio",
    "febbraio", "marzo", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "dicembre", "schaner",
    "favrer", "avrigl", "matg", "zercladur", "fanadur", "avust", "october", "january", "february", "march", "june",
    "july", "december", "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag", "lundi",
    "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche", "lunedi", "martedi", "mercoledi", "giovedi",
    "venerdi", "sabato", "domenica", "glindesdi", "mardi", "mesemna", "gievgia", "venderdi", "sonda", "dumengia",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "taglich", "wochentlich",
    "monatlich", "jahrlich", "jederzeit", "sofort", "unverzuglich", "tag", "woche", "monat", "jahr", "stunde", "uhr",
    "jour", "semaine", "mois", "annee", "heure", "giorn", "settiman", "mese", "mesi ", "anno", "anni", "emna",
    "mais", "onn", "days", "week", "month", "year", "hour", "immediately",
];

impl Expected {
    /// What the question asks for; `None` if it does not tell.
    pub(super) fn of(question: &str) -> Option<Expected> {
        let folded = blanked(question);
        let asks = |phrases: &[&str]| phrases.iter().any(|phrase| folded.contains(phrase));
        if asks(CONTACT) {
            Some(Expected::Contact)
        } else if asks(TIME) {
            Some(Expected::Time)
        } else if asks(NUMBER) {
            Some(Expected::Number)
        } else if asks(AMOUNT) {
            Some(Expected::Amount)
        } else {
            None
        }
    }

    /// Whether a text holds such a thing.
    pub(super) fn stands_in(self, text: &str) -> bool {
        let digit = text.bytes().any(|b| b.is_ascii_digit());
        let folded = || blanked(text);
        let any = |words: &[&str]| {
            let folded = folded();
            words.iter().any(|word| folded.contains(&format!(" {word}")))
        };
        match self {
            Expected::Amount => digit || any(FREE),
            Expected::Number => digit || number_word(&folded()),
            Expected::Time => digit || any(TIMES) || number_word(&folded()),
            Expected::Contact => digit || text.contains('@') || text.contains("www."),
        }
    }
}

/// Folded, with single blanks for all that is no letter or digit, one before and one after.
fn blanked(text: &str) -> String {
    let folded = fold(&text.to_lowercase());
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    format!(" {} ", words.collect::<Vec<_>>().join(" "))
}

fn number_word(blanked: &str) -> bool {
    const WORDS: &[&str] = &[
        "zwei", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun", "zehn", "zwolf", "deux", "trois",
        "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "douze", "due", "tre", "quattro", "cinque", "sei",
        "sette", "otto", "nove", "dieci", "dodici", "dus", "trais", "quatter", "tschintg", "diesch", "two",
        "three", "four", "five", "seven", "eight", "nine", "ten", "twelve", "halfte", "moitie", "meta", "half",
    ];
    blanked.split(' ').any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_tell_what_they_ask_for() {
        for (question, expected) in [
            ("Was kostet ein Sack?", Some(Expected::Amount)),
            ("Combien coûte la taxe ?", Some(Expected::Amount)),
            ("Wann ist die Sammelstelle geöffnet?", Some(Expected::Time)),
            ("How many dogs may I keep?", Some(Expected::Number)),
            ("Qual è il numero di telefono?", Some(Expected::Contact)),
            ("Darf ich grillieren?", None),
        ] {
            assert_eq!(Expected::of(question), expected, "{question}");
        }
    }

    #[test]
    fn sentences_hold_it_or_not() {
        assert!(Expected::Amount.stands_in("Die Abgabe ist unentgeltlich."));
        assert!(!Expected::Amount.stands_in("Die Gebühr ist im Voraus fällig."));
        assert!(Expected::Time.stands_in("Le premier jeudi du mois."));
        assert!(Expected::Number.stands_in("Höchstens zwei Hunde."));
        assert!(!Expected::Contact.stands_in("Am Schalter."));
    }
}
