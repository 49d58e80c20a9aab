//! Sentences.

use crate::abbreviation::{is_abbreviation, is_closing, is_month, is_opener};
use crate::label::marker;
use crate::{ByteRange, Language};

/// How many bytes before a stop are looked at for an abbreviation.
const MAX_WORD_BYTES: usize = 40;

/// A quotation up to this long keeps its sentences together.
const MAX_QUOTE_BYTES: usize = 200;

/// The sentences of `text[range]`, in order, trimmed; ranges are into `text`.
///
/// A line break ends a sentence: in canonical text it stands only where a break is meant. A range
/// that does not fit `text` has no sentences.
pub fn sentences(text: &str, range: ByteRange, language: Language) -> Vec<ByteRange> {
    let Some(slice) = range.slice(text) else { return Vec::new() };
    let mut found = Vec::new();
    let mut line_start = range.start;
    for line in slice.split_inclusive('\n') {
        split_line(line, line_start, language, &mut found);
        line_start += line.len();
    }
    found
}

/// The part of a sentence or passage after its number or list marker: "2 The council …" without
/// the "2 ".
pub fn without_marker(text: &str, range: ByteRange) -> ByteRange {
    let Some(slice) = range.slice(text) else { return range };
    let length = marker(slice).map_or(0, |marker| marker.length);
    ByteRange::new(range.start + length, range.end)
}

fn split_line(line: &str, offset: usize, language: Language, found: &mut Vec<ByteRange>) {
    let mut start = marker_length(line);
    let first = start;
    let mut begin = 0;
    for (at, sign) in line.char_indices() {
        if at < start || !matches!(sign, '.' | '!' | '?' | '…') {
            continue;
        }
        let end = closed(line, at + sign.len_utf8());
        if ends(line, first, at, end, sign, language) && !is_in_quotes(line, begin, end) {
            push(line, begin, end, offset, found);
            begin = end;
        }
        // The signs up to here are one ending; looking at each again would take quadratic time.
        start = end;
    }
    push(line, begin, line.len(), offset, found);
}

/// The length of the marker that a line starts with, so that "1. Text" is one sentence.
fn marker_length(line: &str) -> usize {
    let lead = line.len() - line.trim_start().len();
    lead + marker(&line[lead..]).map_or(0, |marker| marker.length)
}

fn push(line: &str, from: usize, to: usize, offset: usize, found: &mut Vec<ByteRange>) {
    let part = &line[from..to];
    let trimmed = part.trim();
    if trimmed.chars().any(char::is_alphanumeric) {
        let start = offset + from + (part.len() - part.trim_start().len());
        found.push(ByteRange::new(start, start + trimmed.len()));
    } else if let Some(last) =
        found.last_mut().filter(|last| !trimmed.is_empty() && last.end >= offset)
    {
        // Stray signs belong to the sentence before them.
        last.end = offset + from + part.trim_end().len();
    }
}

/// Past the signs that close a sentence with it: "?!", quotes, brackets.
fn closed(line: &str, from: usize) -> usize {
    let rest = &line[from..];
    let is_closing = |c: char| {
        matches!(c, '.' | '!' | '?' | '…' | '"' | '\'' | '”' | '“' | '’' | '»' | '›' | ')' | ']')
    };
    let end = from + rest.len() - rest.trim_start_matches(is_closing).len();
    // French sets a blank inside its quotes: « Oui. »
    let spaced = [" »", " ”"].iter().find(|quote| line[end..].starts_with(**quote));
    end + spaced.map_or(0, |quote| quote.len())
}

/// Whether a short quotation that began in this sentence goes on after `end`: «Stop! Who is it?».
fn is_in_quotes(line: &str, begin: usize, end: usize) -> bool {
    let from = line.ceil_char_boundary(begin.max(end.saturating_sub(MAX_QUOTE_BYTES)));
    let to = line.floor_char_boundary((end + MAX_QUOTE_BYTES).min(line.len()));
    let (before, after) = (&line[from..end], &line[end..to]);
    let is_open = |open: char, close: &[char]| {
        before.rfind(open).is_some_and(|at| !before[at + open.len_utf8()..].contains(close))
            && after.contains(close)
    };
    is_open('«', &['»']) || is_open('„', &['“', '”'])
}

/// Whether the sign at `at` ends a sentence.
fn ends(line: &str, first: usize, at: usize, end: usize, sign: char, language: Language) -> bool {
    let after = &line[end..];
    let next = after.trim_start();
    if next.is_empty() || next.len() == after.len() {
        return next.is_empty();
    }
    let Some(starter) = next.chars().next() else { return true };
    if starter.is_lowercase() || matches!(starter, ',' | ';' | ':' | ')' | ']' | '»') {
        return false;
    }
    if sign != '.' {
        return true;
    }
    let near = &next[..next.floor_char_boundary(MAX_WORD_BYTES.min(next.len()))];
    let next_word =
        near.split(|c: char| !c.is_alphanumeric()).find(|w| !w.is_empty()).unwrap_or_default();
    let before = &line[first.min(at)..at];
    let word = word_before(before);
    if is_amount(&before[..before.len() - word.len()], word) {
        return !is_month(next_word);
    }
    stop_ends(word, next_word, end == at + 1, language)
}

/// Whether a number is a time, an amount or the number of a thing, so that no ordinal can be meant:
/// "11:30.", "8.20.", "CHF 45.", "Art. 5.".
fn is_amount(before: &str, number: &str) -> bool {
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let decimals = number.split_once('.').is_some_and(|(_, after)| after.len() >= 2);
    let name = word_before(before.trim_end().trim_end_matches('.'));
    let counted = [
        "chf", "fr", "franken", "francs", "franchi", "eur", "euro", "art", "abs", "ziff", "ziffer",
        "nr", "nummer", "al", "cpv", "kapitel", "seite", "artikel", "§", "telefon", "tel",
    ];
    let is_joined =
        before.ends_with([':', '\'', '’', '/', '–', ',', '§']) || before.ends_with("§ ");
    is_number && (decimals || is_joined || counted.contains(&name.to_lowercase().as_str()))
}

/// The word before a stop, with inner stops: "z.B", "2026", "Abs".
fn word_before(before: &str) -> &str {
    let from = before.len().saturating_sub(MAX_WORD_BYTES);
    let tail = &before[before.ceil_char_boundary(from)..];
    let start = tail.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')));
    let word = start.map_or(tail, |at| &tail[at..]);
    word.trim_start_matches(|c: char| !c.is_alphanumeric())
}

fn stop_ends(word: &str, next_word: &str, is_bare: bool, language: Language) -> bool {
    if word.is_empty() {
        return true;
    }
    // "(Art. 5 ff.) The …", "… usw.» Der …": a bracket closed after the stop.
    if !is_bare {
        return is_opener(next_word) || !is_abbreviation(&word.to_lowercase(), language);
    }
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return number_ends(word, next_word, language);
    }
    let is_number_next = next_word.starts_with(|c: char| c.is_ascii_digit());
    let lower = word.to_lowercase();
    let last = lower.rsplit('.').next().unwrap_or_default();
    let is_known =
        is_abbreviation(&lower, language) || (lower.contains('.') && last.chars().count() <= 3);
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    if is_closing(&lower) {
        return !is_number_next && (is_opener(next_word) || !is_noun_like(language));
    }
    if lower.contains('.') || is_initial {
        return false;
    }
    !is_known && !matches!(lower.as_str(), "usw" | "etc") || lower == "etc" && is_opener(next_word)
}

/// Whether capitals are no sign of a new sentence.
fn is_noun_like(language: Language) -> bool {
    matches!(language, Language::De | Language::Other)
}

/// "am 1. Januar", "im 3. Stock" go on; "im Jahr 2019. Die …" ends.
fn number_ends(word: &str, next_word: &str, language: Language) -> bool {
    let is_ordinal_language = matches!(language, Language::De | Language::Other);
    if is_month(next_word) || next_word.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 2
    {
        return false;
    }
    word.len() > 2 || !is_ordinal_language || is_opener(next_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, language: Language) -> Vec<&str> {
        let all = ByteRange::new(0, text.len());
        sentences(text, all, language).into_iter().map(|range| range.slice(text).unwrap()).collect()
    }

    fn whole(language: Language, texts: &[&str]) {
        for text in texts {
            assert_eq!(split(text, language), [*text], "{language:?}");
        }
    }

    /// Sentences separated by `|`.
    fn parts(language: Language, texts: &[&str]) {
        for marked in texts {
            let expected: Vec<&str> = marked.split('|').map(str::trim).collect();
            assert_eq!(split(&marked.replace('|', ""), language), expected, "{language:?}");
        }
    }

    #[test]
    fn german() {
        whole(
            Language::De,
            &[
                "Die Gebühr gilt ab dem 1. Januar 2026 nach Art. 5 Abs. 2 Bst. a und § 7 Abs. 1 \
                    Satz 2.",
                "Es braucht z. B. einen Pass, d. h. ein Dokument mit Bild, bzw. eine Kopie.",
                "Das Büro liegt im 3. Stock und kostet ca. 3 Franken, inkl. MwSt.",
                "Dr. A. Muster wohnt an der Bahnhofstr. 5 in Pradaval.",
                "1. Die Gemeinde hilft.",
                "Er sagte «Halt! Wer da?», und ging.",
                "Gebühr: CHF 1'800.50 pro Grab",
                "Das gilt vom 5. bis 12. Mai.",
            ],
        );
        parts(
            Language::De,
            &[
                "Er kam 2019. | Die Gemeinde half.",
                "Das Amt hilft (Art. 5). | Es ist offen.",
                "Es gibt Papier, Glas usw. | Die Abfuhr ist am Dienstag.",
                "Geht das? | Ja! | Natürlich …",
                "«Es gilt.» | Danach war Ruhe.",
                "2 Er hilft. | Sie hilft auch.",
                "Siehe Art. 5. | Die Frist läuft.",
                "Es ist offen bis 11:30. | Hunde sind verboten.",
                "Es kostet CHF 45. | Hunde kosten CHF 8.20. | Katzen sind frei.",
            ],
        );
    }

    #[test]
    fn french() {
        whole(
            Language::Fr,
            &[
                "M. Dupont paie selon l'art. 12 al. 3 let. b de la loi, p. ex. en espèces.",
                "Mme Rochat habite env. 3 km plus loin, cf. ch. 2.",
                "L'essai débute le 1er juin à 18 h 30.",
            ],
        );
        parts(
            Language::Fr,
            &["La taxe est de 5. | Elle est due.", "Il dit : « Oui. » | Puis il sort."],
        );
    }

    #[test]
    fn italian_romansh_english() {
        whole(
            Language::It,
            &["Il sig. Rossi paga secondo l'art. 4 cpv. 3 lett. a, p. es. in contanti."],
        );
        parts(Language::It, &["La tassa è dovuta nel 2026. | Il Municipio decide."]);
        whole(
            Language::Rm,
            &["La taxa vala davent dals 1. da schaner tenor l'art. 2 al. 3 lit. a."],
        );
        parts(Language::Rm, &["La taxa è 12. | Cudeschs èn gratuits."]);
        parts(Language::Rm, &["Il biro è avert. | El è serrà la sonda."]);
        whole(
            Language::En,
            &["Mr. Smith pays approx. 5 francs, e.g. in cash, under Art. 5 para. 2."],
        );
        parts(
            Language::En,
            &["It costs CHF 5. | The office is open.", "Open at 8 a.m. | It closes at noon."],
        );
    }

    #[test]
    fn lines_are_sentences() {
        assert_eq!(
            split("Montag: 8–12\nDienstag: zu", Language::De),
            ["Montag: 8–12", "Dienstag: zu"]
        );
        assert_eq!(split("a. eins;\n\nb. zwei.", Language::De), ["a. eins;", "b. zwei."]);
        assert!(split(" \n … \n", Language::De).is_empty());
        assert!(sentences("äb", ByteRange::new(1, 2), Language::De).is_empty());
        assert!(sentences("a", ByteRange { start: 1, end: 0 }, Language::De).is_empty());
    }

    #[test]
    fn markers_can_be_left_out() {
        let text = "2 Die Gemeinde hilft.";
        let range = without_marker(text, ByteRange::new(0, text.len()));
        assert_eq!(range.slice(text), Some("Die Gemeinde hilft."));
    }
}
