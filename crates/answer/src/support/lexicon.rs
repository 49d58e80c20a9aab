//! Words that turn a sentence round: negations, duties and choices, limits, opposites. Folded; each
//! list has a column for German, French, Italian, Romansh and English.

use allod_corpus::Language;
use allod_retrieval::analysis::Word;

/// Whether a sentence affirms or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polarity {
    Affirmative,
    Negative,
}

/// Whether a sentence speaks of a duty or of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modality {
    Must,
    May,
}

/// The columns of a language: all where it is not one of the five.
pub(super) fn columns(language: Language) -> std::ops::Range<usize> {
    match language {
        Language::De => 0..1,
        Language::Fr => 1..2,
        Language::It => 2..3,
        Language::Rm => 3..4,
        Language::En => 4..5,
        _ => 0..5,
    }
}

const NEGATIONS: [&str; 5] = [
    "nicht nie niemals weder kein keine keinen keinem keiner keines nichts ohne niemand niemandem",
    "pas jamais aucun aucune ni sans rien nul nulle",
    "non nessun nessuno nessuna mai senza niente",
    "betg nagin nagina nagins naginas senza mai",
    "not no never without none nor neither cannot don doesn isn aren won nobody nothing",
];
/// Words that deny by their meaning.
const DENIALS: [&str; 5] = [
    "verboten untersagt unzulassig ausgeschlossen verbietet untersagen entfallt unerlaubt",
    "interdit interdite interdits interdites defendu exclu exclue exclus prohibe interdiction",
    "vietato vietata vietati vietate proibito proibita escluso esclusa esclusi escluse divieto",
    "scumanda scumandada scumandads scumandadas exclus",
    "forbidden prohibited banned excluded",
];
const MUST: [&str; 5] = [
    "muss mussen musste verpflichtet obligatorisch zwingend pflicht",
    "doit doivent obligatoire obligatoires tenu tenue tenus tenues",
    "deve devono obbligatorio obbligatoria obbligato obbligata obbligati tenuto tenuta tenuti",
    "sto ston duai duain obligatoric",
    "must shall required obliged mandatory compulsory",
];
const MAY: [&str; 5] = [
    "kann konnen darf durfen freiwillig freigestellt",
    "peut peuvent facultatif facultative facultatifs libre",
    "puo possono facoltativo facoltativa facoltativi",
    "po pon dastga dastgan facultativ",
    "may can optional voluntary",
];

/// Pairs that exclude each other where two sentences are about the same thing.
const OPPOSITES: [&[(&str, &str)]; 5] = [DE, FR, IT, RM, EN];
const DE: &[(&str, &str)] = &[
    ("mindestens", "hochstens maximal"),
    ("vor", "nach"),
    ("vorher", "nachher"),
    ("mehr", "weniger"),
    ("offen geoffnet", "geschlossen zu"),
    ("offnet", "schliesst"),
    ("erhoht steigt", "gesenkt sinkt reduziert ermassigt"),
    ("mit", "ohne"),
    ("inbegriffen inklusive", "exklusive zuzuglich"),
    ("erlaubt gestattet zulassig", "verboten untersagt unzulassig"),
    ("einheimische einwohner", "auswartige"),
    ("vormittag vormittags morgen", "nachmittag nachmittags abend"),
    ("fruhestens", "spatestens"),
    ("jahrlich", "monatlich wochentlich taglich einmalig"),
    ("monatlich", "jahrlich wochentlich taglich einmalig"),
    ("erwachsene", "kinder"),
];
const FR: &[(&str, &str)] = &[
    ("plus", "moins"),
    ("avant", "apres"),
    ("avec", "sans"),
    ("minimum", "maximum"),
    ("ouvert ouverte ouverts ouvertes", "ferme fermee fermes fermees"),
    ("autorise autorisee permis admis", "interdit interdite defendu"),
    ("inclus comprise compris", "exclus"),
    ("augmente", "diminue reduit"),
    ("matin", "soir"),
    ("annuel annuelle", "mensuel mensuelle hebdomadaire"),
    ("gratuit gratuite gratuitement", "payant payante"),
];
const IT: &[(&str, &str)] = &[
    ("prima", "dopo"),
    ("con", "senza"),
    ("minimo almeno", "massimo"),
    ("piu", "meno"),
    ("aperto aperta aperti", "chiuso chiusa chiusi"),
    ("ammesso consentito permesso autorizzato", "vietato proibito"),
    ("incluso inclusa compreso", "escluso esclusa"),
    ("mattina", "sera pomeriggio"),
    ("annuale annuo", "mensile settimanale"),
    ("gratuito gratuita", "pagamento"),
];
const RM: &[(&str, &str)] = &[
    ("avant", "suenter"),
    ("cun", "senza"),
    ("avert averta avertas averts", "serra serrada serradas"),
    ("lubi lubida permess", "scumanda scumandada"),
    ("dapli pli", "damain main"),
];
const EN: &[(&str, &str)] = &[
    ("before", "after"),
    ("with", "without"),
    ("least minimum", "most maximum"),
    ("more", "less fewer"),
    ("open", "closed"),
    ("allowed permitted", "forbidden prohibited banned"),
    ("included including", "excluded excluding"),
    ("morning", "afternoon evening"),
    ("annual yearly annually", "monthly weekly daily"),
    ("increased", "reduced decreased"),
    ("free", "paid"),
    ("earliest", "latest"),
];

/// Words that carry no content of their own for the check.
pub(super) fn is_function(folded: &str, language: Language) -> bool {
    [&NEGATIONS, &MUST, &MAY].iter().any(|lists| holds(lists, folded, language))
}

fn holds(lists: &[&str; 5], folded: &str, language: Language) -> bool {
    lists[columns(language)].iter().any(|list| list.split(' ').any(|word| word == folded))
}

impl Polarity {
    /// Two negations cancel out, as in `nicht verboten`.
    pub(super) fn of(words: &[Word], language: Language) -> Polarity {
        let count =
            |lists| words.iter().filter(|word| holds(lists, &word.folded, language)).count();
        let negations = match count(&NEGATIONS) {
            0 => usize::from(columns(language).contains(&1) && no_more(words)),
            more => more,
        };
        let denied = negations + count(&DENIALS);
        if denied % 2 == 1 { Polarity::Negative } else { Polarity::Affirmative }
    }
}

/// French `ne … plus`: neither word denies without the other, and `au plus` is a limit.
fn no_more(words: &[Word]) -> bool {
    let ne = words.iter().any(|word| matches!(word.folded.as_str(), "ne" | "n"));
    let limit = |at: usize| at > 0 && matches!(words[at - 1].folded.as_str(), "au" | "de");
    let plus = (0..words.len()).any(|at| words[at].folded == "plus" && !limit(at));
    ne && plus
}

impl Modality {
    /// `None` where neither or both are said.
    pub(super) fn of(words: &[Word], language: Language) -> Option<Modality> {
        let any = |lists| words.iter().any(|word| holds(lists, &word.folded, language));
        match (any(&MUST), any(&MAY)) {
            (true, false) => Some(Modality::Must),
            (false, true) => Some(Modality::May),
            _ => None,
        }
    }
}

/// Opposites of which the sentence has one and the cited sentence the other, and neither has both.
pub(super) fn opposites(
    said: &[Word],
    cited: &[Word],
    language: Language,
) -> Vec<(&'static str, &'static str)> {
    let find = |words: &[Word], list: &'static str| {
        list.split(' ').find(|entry| words.iter().any(|word| word.folded == *entry))
    };
    let mut found = Vec::new();
    for (a, b) in OPPOSITES[columns(language)].iter().copied().flatten() {
        let ours = (find(said, a), find(said, b));
        let theirs = (find(cited, a), find(cited, b));
        match (ours, theirs) {
            ((Some(x), None), (None, Some(y))) | ((None, Some(x)), (Some(y), None)) => {
                found.push((x, y))
            }
            _ => {}
        }
    }
    found
}
