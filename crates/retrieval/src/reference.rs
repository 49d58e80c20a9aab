//! Questions that name a place: `§ 5 UrhG`, `Art. 12 Abs. 3 des Baureglements`.

use crate::analysis::{Word, words};
use crate::compartment::PassageEntry;
use crate::question::Question;

/// What a passage at the named place gains over others that only speak of it.
pub(crate) const NAMED: f64 = 4.0;
/// Fewer letters are the first ones of many titles.
const SHORTEST_ABBREVIATION: usize = 3;
/// Bytes of a title in which an act's own number stands; later ones are of acts that it names.
const OWN_NUMBER_WITHIN: usize = 60;
/// A name of the document must be met at least so well.
const NAME_STRENGTH: f64 = 0.6;

/// Whether the passage stands at the place that the question names, in the document that it names.
/// `strengths` says how well each concept is matched by the passage and what stands above it.
pub(crate) fn names(question: &Question, entry: &PassageEntry, strengths: &[f64]) -> bool {
    let place = words(&entry.place, entry.language);
    let at = |reference: &str| place.iter().any(|word| word.folded == reference);
    let mut articles = question.concepts.iter().filter(|c| c.word.starts_with("art_")).peekable();
    if articles.peek().is_none() || !articles.all(|c| at(&c.word)) {
        return false;
    }
    let paragraphs: Vec<&str> = references(question, "abs_").collect();
    let numbered = place.iter().any(|word| word.folded.starts_with("abs_"));
    let paragraph = !numbered || paragraphs.is_empty() || paragraphs.iter().any(|p| at(p));
    paragraph && names_document(question, entry, strengths)
}

fn references<'a>(question: &'a Question, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let words = question.concepts.iter().map(|concept| concept.word.as_str());
    words.filter(move |word| word.starts_with(kind))
}

/// Whether a word of the question is the document's name: in its title or the name of its file.
fn names_document(question: &Question, entry: &PassageEntry, strengths: &[f64]) -> bool {
    let name = crate::evidence::above(&entry.path, std::iter::once(&entry.title));
    let name = words(&name, entry.language);
    let initials = initials(&name);
    let known = short_names(&entry.title);
    let abbreviated = |word: &str| {
        word.len() >= SHORTEST_ABBREVIATION && initials.contains(word) || known.contains(&word)
    };
    if question.concepts.iter().any(|concept| abbreviated(&concept.word)) {
        return true;
    }
    let hits = question.hits(&name, entry.language);
    hits.iter().any(|hit| {
        let concept = &question.concepts[hit.concept];
        let tells = !concept.weak && !concept.word.starts_with(|c: char| c.is_ascii_digit());
        tells && hit.strength >= NAME_STRENGTH && strengths[hit.concept] > 0.0
    })
}

/// Acts of the Union that are asked for by other names than their titles have: the number, and
/// names in the languages of the house that the first letters of no title give.
const SHORT_NAMES: [(&str, &[&str]); 13] = [
    ("2016/679", &["gdpr", "dsgvo", "rgpd"]),
    ("2016/680", &["led", "jirl"]),
    ("2024/1689", &["aia", "kivo", "ria"]),
    ("2022/2065", &["dsa", "gdd", "rsn"]),
    ("2022/1925", &["dma", "gdm"]),
    ("2022/868", &["dga"]),
    ("2022/2555", &["nis2"]),
    ("2022/2554", &["dora"]),
    ("2024/2847", &["cra"]),
    ("910/2014", &["eidas"]),
    ("2024/1183", &["eidas"]),
    ("2014/65", &["mifid"]),
    ("1907/2006", &["reach"]),
];

/// The short names of the act that a title is of: that with the number that comes first.
fn short_names(title: &str) -> &'static [&'static str] {
    let own = &title[..title.floor_char_boundary(OWN_NUMBER_WITHIN)];
    let numbers = |c: char| !(c.is_ascii_digit() || c == '/');
    let number = own.split(numbers).find(|word| word.len() > 4 && word.contains('/'));
    let known = SHORT_NAMES.iter().find(|(known, _)| number == Some(known));
    known.map_or(&[], |(_, names)| names)
}

/// The first letters of the names in a title: `General Data Protection Regulation` is `gdpr`.
fn initials(title: &[Word]) -> String {
    let names = title.iter().filter(|word| word.capital);
    names.filter_map(|word| word.folded.chars().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_of_the_union_is_known_by_its_own_number() {
        let gdpr = "REGULATION (EU) 2016/679 OF THE EUROPEAN PARLIAMENT of 27 April 2016";
        assert!(short_names(gdpr).contains(&"dsgvo"));
        let other = "Règlement (UE) 2018/1725 relatif à la protection (voir 2016/679)";
        assert!(short_names(other).is_empty() && short_names("Kehrichtreglement").is_empty());
    }
}
