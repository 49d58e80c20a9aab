//! Reading plain text: what is a heading, an article, a numbered paragraph, a list, a wrapped line.

use std::collections::HashSet;

use crate::clean::LINE_BREAK;
use crate::label::{Label, MarkerKind, article, dialect, is_title, marker};
use crate::raw::{Raw, check_count};
use crate::structure::ARTICLE_LEVEL;
use crate::{BlockKind, Language, Unreadable};

/// How far back a hyphenated word is looked at.
const MAX_WORD_BYTES: usize = 60;

/// A heading is at most this long.
const MAX_HEADING_BYTES: usize = 120;

/// The blocks of a plain text.
pub(crate) fn read(text: &str, language: Language) -> Result<Vec<Raw>, Unreadable> {
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    let mut reader = Reader {
        width: wrap_width(&lines),
        compounds: compounds(text),
        has_notes: has_notes(&lines),
        language: dialect(lines.iter().copied(), language),
        ..Reader::default()
    };
    for (index, line) in lines.iter().enumerate() {
        if reader.last_line.is_empty() {
            let run = lines[index..].iter().take_while(|line| !line.is_empty());
            let is_short =
                |line: &&str| line.len() * 10 <= reader.width * 6 && !line.ends_with('-');
            reader.is_verse = run.clone().count() > 1 && run.clone().all(is_short);
        }
        let next = lines.get(index + 1).copied().unwrap_or_default();
        reader.take(line, next);
        if index % 4096 == 0 {
            check_count(&reader.found)?;
        }
    }
    reader.flush();
    check_count(&reader.found)?;
    Ok(reader.found)
}

/// The width at which lines were wrapped: nine in ten of the longer lines are not longer.
fn wrap_width(lines: &[&str]) -> usize {
    let mut widths: Vec<usize> = lines.iter().map(|line| line.len()).filter(|n| *n > 40).collect();
    widths.sort_unstable();
    widths.get(widths.len() * 9 / 10).copied().unwrap_or(80)
}

/// Words that are written with a hyphen inside a line: they keep it at a line's end too.
pub(crate) fn compounds(text: &str) -> HashSet<&str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '-'));
    words
        .filter(|word| word.len() <= MAX_WORD_BYTES && word.trim_matches('-').contains('-'))
        .take(100_000)
        .collect()
}

/// Whether paragraphs are numbered "1 Text", so that "1     Text" is a footnote.
fn has_notes(lines: &[&str]) -> bool {
    let is_numbered = |line: &&&str| {
        marker(line).is_some_and(|m| m.kind == MarkerKind::Paragraph && m.length <= 4)
    };
    lines.iter().filter(is_numbered).take(3).count() == 3
}

#[derive(Default)]
struct Reader<'a> {
    found: Vec<Raw>,
    language: Language,
    width: usize,
    compounds: HashSet<&'a str>,
    has_notes: bool,
    /// The block being read, already joined.
    text: String,
    kind: Option<BlockKind>,
    last_line: &'a str,
    /// Whether all lines up to the next blank one are short: an address, a list of names.
    is_verse: bool,
    /// Whether the block being read has lines "Name: value".
    has_entries: bool,
    /// Lines of the block being read.
    lines: usize,
    last_paragraph: u32,
    last_item: u32,
    last_article: u32,
    in_article: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, line: &'a str, next: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            self.last_line = "";
            return self.flush();
        }
        if let Some(level) = underline(trimmed) {
            return self.underlined(level);
        }
        let is_taken = self.title_continues(line)
            || self.article(trimmed)
            || self.note(trimmed)
            || self.heading(trimmed, next);
        if !is_taken {
            self.text_line(line, trimmed);
        }
        self.last_line = line;
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let kind = self.kind.take().unwrap_or(BlockKind::Paragraph);
        self.lines = 0;
        if !text.is_empty() {
            self.found.push(Raw::new(kind, text));
        }
    }

    fn begin(&mut self, kind: BlockKind, text: &str) {
        self.flush();
        self.kind = Some(kind);
        self.has_entries = is_entry(text);
        self.text.push_str(text);
        self.lines = 1;
    }

    fn push_heading(&mut self, kind: BlockKind, text: &str) {
        self.flush();
        self.found.push(Raw::new(kind, text));
    }

    /// A row of `=` or `-` under one line makes it a heading; else it is only a rule.
    fn underlined(&mut self, level: u8) {
        if self.lines == 1 && self.text.len() <= MAX_HEADING_BYTES {
            self.kind = Some(BlockKind::Heading { level });
        }
        self.flush();
        self.in_article = false;
    }

    fn article(&mut self, line: &str) -> bool {
        let Some(label) = article(line, self.language) else { return false };
        let head = &line[..line.len() - label.rest.len()];
        let is_set_off = label.rest.is_empty() || head.ends_with("  ") || head.ends_with('\t');
        let label = if is_set_off { self.without_note(label) } else { label };
        let follows = (self.last_article..=self.last_article + 5).contains(&label.ordinal());
        let is_free = self.text.is_empty() || ends_sentence(self.last_line);
        let reads_well = !label.is_reference() && label.has_title() && is_free;
        let is_heading =
            is_set_off && (is_free || follows) || reads_well && (follows || self.text.is_empty());
        let is_lead = self.text.is_empty() && follows && !label.is_reference();
        if !is_heading && !is_lead {
            return false;
        }
        self.last_article = label.ordinal();
        (self.last_paragraph, self.last_item, self.in_article) = (0, 0, true);
        let kind = BlockKind::Article { number: label.plain_number(), level: ARTICLE_LEVEL };
        let head = format!("{} {}", label.word, label.number);
        if is_heading {
            self.push_heading(kind, &format!("{head} {}", label.rest));
        } else {
            self.push_heading(kind, &head);
            self.begin(BlockKind::Paragraph, label.rest);
        }
        true
    }

    /// Where a footnote's digits stick to the number, "Art. 6324" after Art. 62 is Art. 63.
    fn without_note<'l>(&self, label: Label<'l>) -> Label<'l> {
        let expected = self.last_article + 1..=self.last_article + 2;
        let is_number = label.number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || self.last_article == 0 || label.ordinal() <= self.last_article + 5 {
            return label;
        }
        let mut starts = (1..label.number.len()).rev().map(|length| &label.number[..length]);
        let fits =
            |number: &&str| number.parse().is_ok_and(|number: u32| expected.contains(&number));
        starts.find(fits).map_or(label, |number| Label { number, ..label })
    }

    /// The second line of an article's title, set in under the first.
    fn title_continues(&mut self, line: &str) -> bool {
        let is_set_in = line.starts_with("      ") && !self.last_line.is_empty();
        let Some(raw) = self.found.last_mut().filter(|_| is_set_in && self.text.is_empty()) else {
            return false;
        };
        let is_article = matches!(raw.kind, BlockKind::Article { .. });
        if is_article {
            raw.text.push(' ');
            raw.text.push_str(line.trim());
        }
        is_article
    }

    /// "1     Adopted on …": a footnote among paragraphs that are numbered "1 Text".
    fn note(&mut self, line: &str) -> bool {
        let is_note = self.has_notes
            && marker(line).is_some_and(|found| {
                found.kind == MarkerKind::Paragraph && found.length >= found.value.len() + 3
            });
        if is_note {
            self.begin(BlockKind::Quote, line);
        }
        is_note
    }

    fn heading(&mut self, line: &str, next: &str) -> bool {
        let Some(level) = self.heading_level(line, next) else { return false };
        self.push_heading(BlockKind::Heading { level }, line);
        self.in_article = false;
        true
    }

    fn heading_level(&self, line: &str, next: &str) -> Option<u8> {
        if line.len() > MAX_HEADING_BYTES || !line.contains(char::is_alphabetic) {
            return None;
        }
        let is_free = self.text.is_empty();
        let is_alone = is_free && next.trim().is_empty();
        if part_level(line).is_some() && (is_free || ends_sentence(self.last_line)) {
            return part_level(line);
        }
        if self.found.is_empty() && is_alone && is_title(line) && marker(line).is_none() {
            return Some(1);
        }
        if is_free && is_shouted(line) {
            return Some(2);
        }
        if is_alone && is_title(line) {
            return numbered_level(line);
        }
        if let (true, Some(level)) = (is_free, numbered_level(line)) {
            // "1. Passwords" over running text.
            let title = line.split_once([' ', '\t']).map_or(line, |(_, title)| title.trim_start());
            return self.is_caption(title, next).then_some(level);
        }
        (is_free && self.is_caption(line, next)).then_some(3)
    }

    /// A short first line over running text: "Library, Upper Street 5".
    fn is_caption(&self, line: &str, next: &str) -> bool {
        let next = next.trim();
        is_title(line)
            && !line.contains(": ")
            && marker(line).is_none()
            && line.starts_with(char::is_uppercase)
            && line.len() * 10 < self.width * 6
            && !ends_with_link_word(line)
            && (next.len() * 10 > self.width * 6 || is_entry(next))
            && next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
            && marker(next).is_none()
            && article(next, self.language).is_none()
    }

    fn text_line(&mut self, line: &'a str, trimmed: &str) {
        if let Some(kind) = self.item_kind(trimmed) {
            return self.begin(kind, trimmed);
        }
        if self.text.is_empty() {
            return self.begin(BlockKind::Paragraph, trimmed);
        }
        if self.kind == Some(BlockKind::Quote) && !line.starts_with("  ") {
            return self.begin(BlockKind::Paragraph, trimmed);
        }
        self.lines += 1;
        match self.is_break(trimmed) {
            true => {
                self.has_entries |= is_entry(trimmed);
                self.text.push(LINE_BREAK);
            }
            false => self.join(trimmed),
        }
        self.text.push_str(trimmed);
    }

    /// The kind of block that a line with a number, letter or bullet begins.
    fn item_kind(&mut self, line: &str) -> Option<BlockKind> {
        let found = marker(line)?;
        let is_free = self.text.is_empty()
            || ends_item(self.last_line)
            || self.last_line.len() * 2 < self.width;
        let digits = found.value.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = found.value[..digits].parse().unwrap_or(0);
        let text = &line[found.length..];
        match found.kind {
            MarkerKind::Paragraph => {
                let in_brackets = line.starts_with(['(', '^']);
                let follows = number == self.last_paragraph + 1
                    || number == self.last_paragraph && digits < found.value.len();
                let fits = in_brackets && is_free || self.in_article && follows && is_free;
                if !fits || text.starts_with(char::is_lowercase) {
                    return None;
                }
                (self.last_paragraph, self.last_item) = (number, 0);
                Some(BlockKind::Paragraph)
            }
            MarkerKind::Number => {
                let follows = number == 1 || number == self.last_item + 1;
                if !(is_free && (follows || self.text.is_empty())) || is_date(text) {
                    return None;
                }
                self.last_item = number;
                Some(BlockKind::ListItem)
            }
            MarkerKind::Letter | MarkerKind::Bullet => is_free.then_some(BlockKind::ListItem),
        }
    }

    /// Whether the break before `line` was meant: the next word would have fitted, or the lines
    /// are entries "Name: value".
    fn is_break(&self, line: &str) -> bool {
        let word = line.split_whitespace().next().unwrap_or_default();
        let fits = (self.last_line.len() + 1 + word.len()) * 4 <= self.width * 3;
        let starts = line.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
        if is_entry(line) && (fits || self.has_entries) || self.is_verse && starts {
            return true;
        }
        let ends =
            self.last_line.ends_with(['.', ':', '!', '?', ')']) || is_entry(self.last_line.trim());
        fits && starts && ends
    }

    /// What stands between a line and the next one of the same paragraph.
    fn join(&mut self, line: &str) {
        join(&mut self.text, line, |word| self.compounds.contains(word));
    }
}

/// Makes `text` ready for the next line of its paragraph: adds a blank, or takes away the hyphen
/// that divided a word. `is_compound` knows words that are written with a hyphen inside a line.
pub(crate) fn join(text: &mut String, line: &str, is_compound: impl Fn(&str) -> bool) {
    if !text.ends_with('-') {
        return text.push(' ');
    }
    let word = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let before = &text[..text.len() - 1];
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(MAX_WORD_BYTES))..];
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || c == '-'))
        .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let compound = format!("{}-{word}", &before[start..]);
    match () {
        // "Ein- und Ausgang": the hyphen stands for a word.
        _ if is_conjunction(word) || before.ends_with(' ') => text.push(' '),
        _ if !before.ends_with(char::is_lowercase) || !word.starts_with(char::is_lowercase) => {}
        _ if is_compound(&compound) || is_french_tail(word) => {}
        _ => drop(text.pop()),
    }
}

pub(crate) fn ends_sentence(line: &str) -> bool {
    let line = line.trim_end();
    line.is_empty()
        || line.ends_with(['.', ':', ';', '!', '?', ')', '»', '”', '"', '“'])
        || line.ends_with(|c: char| c.is_ascii_digit())
        || is_title(line) && line.len() < 60
}

fn ends_item(line: &str) -> bool {
    let line = line.trim_end();
    let last = line.rsplit(' ').next().unwrap_or_default();
    ends_sentence(line) || line.ends_with(',') || is_conjunction(last)
}

pub(crate) fn is_conjunction(word: &str) -> bool {
    matches!(
        word,
        "und"
            | "oder"
            | "sowie"
            | "bzw"
            | "bis"
            | "et"
            | "ou"
            | "e"
            | "ed"
            | "o"
            | "u"
            | "ubain"
            | "and"
            | "or"
    )
}

/// French words that follow a hyphen: "peut-être", "est-il".
fn is_french_tail(word: &str) -> bool {
    matches!(
        word,
        "il" | "elle"
            | "on"
            | "ils"
            | "elles"
            | "ce"
            | "ci"
            | "là"
            | "je"
            | "tu"
            | "nous"
            | "vous"
            | "être"
            | "même"
            | "mêmes"
            | "t"
            | "dire"
            | "y"
            | "en"
            | "le"
            | "la"
            | "les"
    )
}

fn ends_with_link_word(line: &str) -> bool {
    let last = line.rsplit(' ').next().unwrap_or_default();
    is_conjunction(last)
        || matches!(
            last,
            "der"
                | "die"
                | "das"
                | "des"
                | "dem"
                | "den"
                | "von"
                | "vom"
                | "in"
                | "im"
                | "mit"
                | "für"
                | "zu"
                | "zur"
                | "zum"
                | "de"
                | "du"
                | "la"
                | "le"
                | "les"
                | "à"
                | "di"
                | "del"
                | "della"
                | "il"
                | "da"
                | "dal"
                | "per"
                | "the"
                | "of"
                | "for"
                | "to"
                | "a"
                | "an"
                | "ina"
                | "in'"
                | "cun"
        )
}

/// "Monday: 8–12", "Chair: A. Muster".
fn is_entry(line: &str) -> bool {
    let Some((name, value)) = line.split_once(':') else { return false };
    let name = name.trim_end();
    value.starts_with([' ', '\t'])
        && name.len() <= 40
        && name.split(' ').count() <= 4
        && name.starts_with(char::is_alphabetic)
}

fn underline(line: &str) -> Option<u8> {
    let is_all = |sign: u8| line.len() >= 3 && line.bytes().all(|byte| byte == sign);
    match () {
        _ if is_all(b'=') => Some(1),
        _ if is_all(b'-') || is_all(b'~') => Some(2),
        _ if is_all(b'_') || is_all(b'*') => Some(3),
        _ => None,
    }
}

fn is_shouted(line: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 5 && !line.contains(char::is_lowercase) && !line.ends_with(['.', ',', ';', ':'])
}

/// "2. Kapitel: …", "Chapitre 3 …", "Titolo IV", "Präambel".
fn part_level(line: &str) -> Option<u8> {
    const PARTS: &[(&str, u8)] = &[
        ("teil", 2),
        ("titel", 2),
        ("titre", 2),
        ("titolo", 2),
        ("part", 2),
        ("title", 2),
        ("partie", 2),
        ("parte", 2),
        ("kapitel", 3),
        ("chapitre", 3),
        ("capitolo", 3),
        ("chapitel", 3),
        ("chapter", 3),
        ("abschnitt", 4),
        ("section", 4),
        ("sezione", 4),
        ("secziun", 4),
        ("unterabschnitt", 5),
    ];
    if line.ends_with(['.', ';', ',']) && line.len() > 20 {
        return None;
    }
    let mut words = line.split([' ', ':', '\t']).filter(|word| !word.is_empty());
    let (first, second) = (words.next()?, words.next().unwrap_or_default());
    let lower = first.to_lowercase();
    if matches!(lower.as_str(), "präambel" | "préambule" | "preambolo" | "preambel" | "preamble")
        && second.is_empty()
    {
        return Some(2);
    }
    let level =
        |word: &str| PARTS.iter().find(|(part, _)| *part == word.to_lowercase()).map(|(_, n)| *n);
    let is_number = |word: &str| {
        let bare = word.trim_end_matches(['.', ':', 'a', 'b', 'c']);
        !bare.is_empty()
            && bare.len() <= 6
            && bare.chars().all(|c| c.is_ascii_digit() || "IVXLC".contains(c))
    };
    let is_ordinal = first.ends_with('.') && is_number(first);
    match (level(first), level(second)) {
        (Some(level), _) if is_number(second) && first.starts_with(char::is_uppercase) => {
            Some(level)
        }
        (_, Some(level)) if is_ordinal && second.starts_with(char::is_uppercase) => Some(level),
        _ => None,
    }
}

/// "3. Roads", "2.1 Scope", "IV. Fees": deeper numbers are lower headings.
fn numbered_level(line: &str) -> Option<u8> {
    let (number, rest) = line.split_once([' ', '\t'])?;
    let is_roman = number.ends_with('.')
        && number.len() > 1
        && number[..number.len() - 1].chars().all(|c| "IVXLC".contains(c));
    let parts: Vec<&str> = number.trim_end_matches('.').split('.').collect();
    let is_number = parts
        .iter()
        .all(|part| matches!(part.len(), 1..=3) && part.bytes().all(|b| b.is_ascii_digit()));
    let is_single = parts.len() == 1 && !number.ends_with('.');
    let starts = rest.trim_start().starts_with(char::is_uppercase);
    (starts && (is_roman || (is_number && !is_single)) && !is_date(rest))
        .then(|| u8::try_from(parts.len()).unwrap_or(4).min(4) + 1)
}

/// Whether "1." before this text is a day.
fn is_date(text: &str) -> bool {
    let word = text.trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    crate::abbreviation::is_month(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::assemble;

    fn blocks(text: &str) -> Vec<(BlockKind, String)> {
        let (text, blocks) = assemble(read(text, Language::De).unwrap());
        let slice = |range: crate::ByteRange| range.slice(&text).unwrap().to_owned();
        blocks.into_iter().map(|block| (block.kind, slice(block.range))).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        blocks(text).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn an_act_without_blank_lines() {
        let text = "1. Titel: Allgemeines\nArt. 1 Zweck\n1 Die Gemeinde regelt den Verkehr, \
            insbesondere innert\n\
            30 Tagen, auf ihren Strassen. Sie kann nach Art. 5\nAbs. 2 weitere Regeln \
            erlassen.\n2 Sie sorgt für:\n\
            a. Ordnung;\nb. Ruhe.\nArt. 2          Mittel\nKeine.\n1    Angenommen am 5. Mai,\n   \
              in Kraft.\n3 Ende.\n";
        let found = blocks(text);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "1. Titel: Allgemeines",
                "Art. 1 Zweck",
                "1 Die Gemeinde regelt den Verkehr, insbesondere innert 30 Tagen, auf ihren \
                    Strassen. Sie kann nach Art. 5 Abs. 2 weitere Regeln erlassen.",
                "2 Sie sorgt für:",
                "a. Ordnung;",
                "b. Ruhe.",
                "Art. 2 Mittel",
                "Keine.",
                "1 Angenommen am 5. Mai, in Kraft.",
                "3 Ende.",
            ]
        );
        assert_eq!(found[0].0, BlockKind::Heading { level: 2 });
        assert_eq!(found[4].0, BlockKind::ListItem);
        assert_eq!(found[6].0, BlockKind::Article { number: "2".to_owned(), level: ARTICLE_LEVEL });
        assert_eq!(found[8].0, BlockKind::Quote);
    }

    #[test]
    fn notes_stick_to_articles() {
        let text =
            "Art. 62      Schule\nText.\nArt. 6324    Bildung und\n             Beruf\n1 Text.\n";
        let expected = ["Art. 62 Schule", "Text.", "Art. 63 Bildung und Beruf", "1 Text."];
        assert_eq!(texts(text), expected);
    }

    #[test]
    fn numbered_headings_over_running_text() {
        let text = "1. Passwörter\nEin Passwort hat mindestens 14 Zeichen. Es wird gewechselt, \
            wenn jemand es kennen könnte.\n\n2. Geräte\nWer ein Gerät verliert, sagt es dem Dienst \
            innert vier Stunden, auch am Wochenende.\n\n1. Das Formular ausfüllen\n2. Das Formular \
            abgeben\n";
        let found = blocks(text);
        let heading = BlockKind::Heading { level: 2 };
        let kinds: Vec<&BlockKind> = found.iter().map(|(kind, _)| kind).collect();
        let item = BlockKind::ListItem;
        let text = BlockKind::Paragraph;
        assert_eq!(kinds, [&heading, &text, &heading, &text, &item, &item], "{found:?}");
        assert_eq!(found[0].1, "1. Passwörter");
    }

    #[test]
    fn headings_of_minutes() {
        let text = "GEMEINDE X\nProtokoll des Rates\n\n1. Heizung\n\nDer Rat vergibt den Auftrag, \
            der am\n\
            1. Mai beginnt.\n\nTitel\n=====\nText.\n\n2.1 Tarif\n\nText.";
        let kinds: Vec<BlockKind> = blocks(text).into_iter().map(|(kind, _)| kind).collect();
        let heading = |level| BlockKind::Heading { level };
        let paragraph = BlockKind::Paragraph;
        assert_eq!(
            kinds,
            [
                heading(2),
                paragraph.clone(),
                heading(2),
                paragraph.clone(),
                heading(1),
                paragraph.clone(),
                heading(3),
                paragraph,
            ]
        );
    }

    #[test]
    fn lines_are_joined_or_kept() {
        let text = "Die Gemeinde führt ein öffent-\nliches Bad sowie Ein- und Aus-\ngänge. Das \
            Bad ist im Winter-\n\
            Halbjahr zu. Die Ein-\nund Ausgänge auch.";
        let joined = "Die Gemeinde führt ein öffentliches Bad sowie Ein- und Ausgänge. Das Bad \
            ist im Winter-Halbjahr zu. \
            Die Ein- und Ausgänge auch.";
        assert_eq!(texts(text), [joined]);
        let text = "Montag: 08:30-11:30\nDienstag: 14:00-18:00\nAm Mittwoch bleibt das \
            Gemeindehaus den ganzen Nachmittag zu.";
        assert!(texts(text)[0].contains("11:30\nDienstag"), "{:?}", texts(text));
        assert!(texts(text)[0].contains("18:00\nAm"), "{:?}", texts(text));
    }

    #[test]
    fn addresses_keep_their_lines() {
        let long = "Sehr geehrte Damen und Herren, ich möchte auf dem Dach eine Anlage bauen.";
        let text = format!("Mattias Joos\nVia Cuort 17\n7999 Pradaval\n\n{long}\n");
        assert_eq!(texts(&text), ["Mattias Joos\nVia Cuort 17\n7999 Pradaval", long]);
    }

    #[test]
    fn a_caption_over_text() {
        let text = "Tit\n\nBiblioteca, Via Sura 5\nLa biblioteca è averta il mardi ed il venderdi \
            da las 15:00\nfin las 18:30.";
        assert_eq!(blocks(text)[1].0, BlockKind::Heading { level: 3 });
    }
}
