//! Finding an act's structure in blocks that a reader produced: articles, and lists that lost
//! their line breaks.

use crate::clean::LINE_BREAK;
use crate::label::{MarkerKind, article, dialect, is_title, marker};
use crate::raw::Raw;
use crate::{BlockKind, Language, note};

/// The level of an article whose heading is a line of text: below every heading.
pub(crate) const ARTICLE_LEVEL: u8 = 7;

/// A longer block is no number or letter alone.
const MAX_MARKER_BYTES: usize = 8;

/// A title that stands in the block after a bare "Article 5" is at most this long.
const MAX_FOLLOWING_TITLE_BYTES: usize = 160;

/// The blocks with articles and list items marked as such.
pub(crate) fn refine(raws: Vec<Raw>, language: Language) -> Vec<Raw> {
    let language = dialect(raws.iter().map(|raw| raw.text.as_str()), language);
    let mut refiner = Refiner { found: Vec::with_capacity(raws.len()), language, last_article: 0 };
    for raw in note::apart(join_markers(raws)) {
        refiner.take(raw);
    }
    let mut found = join_titles(note::settle(refiner.found));
    mark_title(&mut found);
    found
}

/// A number or letter that stands in a block of its own before the block that it numbers, as pages
/// set in columns have it: one block again.
fn join_markers(raws: Vec<Raw>) -> Vec<Raw> {
    let mut found: Vec<Raw> = Vec::with_capacity(raws.len());
    let mut raws = raws.into_iter().peekable();
    while let Some(raw) = raws.next() {
        let next = if is_bare_marker(&raw) { raws.next_if(may_be_numbered) } else { None };
        found.push(match next {
            Some(text) => Raw {
                kind: text.kind,
                text: format!("{} {}", raw.text.trim(), text.text.trim_start()),
                lead: 0,
            },
            None => raw,
        });
    }
    found
}

/// "1.", "(a)", "–" and nothing else.
fn is_bare_marker(raw: &Raw) -> bool {
    let text = raw.text.trim();
    let may_be = matches!(raw.kind, BlockKind::Paragraph | BlockKind::ListItem);
    // A bare figure may be anything.
    let is_signed = text.ends_with(['.', ')', '-', '–', '—', '•']);
    may_be
        && is_signed
        && text.len() <= MAX_MARKER_BYTES
        && marker(&format!("{text} x")).is_some_and(|found| found.length == text.len() + 1)
}

fn may_be_numbered(raw: &Raw) -> bool {
    let text = raw.text.trim();
    let may_be = matches!(raw.kind, BlockKind::Paragraph | BlockKind::ListItem);
    may_be
        && text.contains(char::is_alphabetic)
        && marker(text).is_none()
        && !is_bare_marker(raw)
        && article(text, Language::Other).is_none()
}

struct Refiner {
    found: Vec<Raw>,
    language: Language,
    /// The number of the article before, so that a sentence that begins with "Art. 40 …" is not
    /// taken for the article after Art. 3.
    last_article: u32,
}

impl Refiner {
    fn take(&mut self, raw: Raw) {
        match raw.kind {
            BlockKind::Heading { level } => self.heading(raw, level),
            BlockKind::Paragraph => self.paragraph(raw),
            BlockKind::ListItem => self.split_glued(raw),
            _ => self.found.push(raw),
        }
    }

    fn heading(&mut self, raw: Raw, level: u8) {
        let text = without_doubled_lead(&raw);
        match article(&text, self.language) {
            Some(label) => {
                self.last_article = label.ordinal();
                let number = label.plain_number();
                self.found.push(Raw::new(BlockKind::Article { number, level }, text.clone()));
            }
            None => self.found.push(Raw { text, ..raw }),
        }
    }

    fn paragraph(&mut self, raw: Raw) {
        let text = without_doubled_lead(&raw);
        let Some(label) = article(&text, self.language) else { return self.split_glued(raw) };
        let is_bold = raw.lead > 0;
        let follows = (self.last_article..=self.last_article + 5).contains(&label.ordinal());
        // A title of several lines is wrapping only if nothing else says where it ends.
        let first_break =
            text.find([LINE_BREAK, '\n']).filter(|at| *at > label_end(&text, label.rest));
        let title_end = bold_title_end(&raw, &text).or(first_break);
        let is_heading = label.has_title() && title_end.is_none();
        if label.is_reference() && !is_bold || !(is_bold || follows || is_heading) {
            return self.split_glued(Raw { text, ..raw });
        }
        self.last_article = label.ordinal();
        let number = label.plain_number();
        let kind = BlockKind::Article { number, level: ARTICLE_LEVEL };
        if is_heading {
            return self.found.push(Raw::new(kind, text.clone()));
        }
        let end = title_end
            .filter(|end| text.get(label_end(&text, label.rest)..*end).is_some_and(is_title))
            .unwrap_or_else(|| label_end(&text, label.rest));
        let (head, body) = text.split_at(end);
        self.found.push(Raw::new(kind, head.trim_end_matches(['*', ' ', ':', LINE_BREAK])));
        self.split_glued(Raw::new(BlockKind::Paragraph, body.trim_start()));
    }

    /// Splits "… are:a. this;b. that" into introduction and items.
    fn split_glued(&mut self, raw: Raw) {
        let starts = glued_items(&raw.text);
        if starts.is_empty() {
            let kind = paragraph_kind(&raw);
            return self.found.push(Raw { kind, ..raw });
        }
        let kind = paragraph_kind(&raw);
        self.found.push(Raw::new(kind, &raw.text[..starts[0]]));
        let ends = starts.iter().skip(1).copied().chain([raw.text.len()]);
        for (start, end) in starts.iter().zip(ends) {
            self.found.push(Raw::new(BlockKind::ListItem, &raw.text[*start..end]));
        }
    }
}

/// Paragraphs that begin like list items are list items, whatever the format called them.
fn paragraph_kind(raw: &Raw) -> BlockKind {
    let is_item = |kind| matches!(kind, MarkerKind::Letter | MarkerKind::Bullet);
    match raw.kind {
        BlockKind::Paragraph if marker(&raw.text).is_some_and(|found| is_item(found.kind)) => {
            BlockKind::ListItem
        }
        ref kind => kind.clone(),
    }
}

fn label_end(text: &str, rest: &str) -> usize {
    text.trim_end().len() - rest.len()
}

/// Where a bold article heading ends and plain text follows: "**Art. 5 Fees** The council …".
fn bold_title_end(raw: &Raw, text: &str) -> Option<usize> {
    let ends_inside = raw.lead > 0 && raw.text == text && raw.lead < text.trim_end().len();
    ends_inside.then_some(raw.lead)
}

/// "**Art. 1** Art. 1 Purpose" says its label twice; once is enough.
fn without_doubled_lead(raw: &Raw) -> String {
    let (lead, rest) = raw.text.split_at_checked(raw.lead).unwrap_or(("", &raw.text));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (lead, rest) = (words(lead), rest.trim_start());
    let said: Vec<String> = rest.split_whitespace().take(lead.len()).map(str::to_owned).collect();
    match !lead.is_empty() && said == lead {
        true => rest.to_owned(),
        false => raw.text.clone(),
    }
}

/// The starts of list items that follow without a blank: "a. ", "b. " … in order.
fn glued_items(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut from = 0;
    for letter in 'a'..='z' {
        let Some(at) = find_item(text, from, &letter.to_string()) else { break };
        starts.push(at);
        from = at + 3;
        for addition in ["bis", "ter", "quater"] {
            let Some(at) = find_item(text, from, &format!("{letter}{addition}")) else { break };
            starts.push(at);
            from = at + 3;
        }
    }
    // One letter alone is no list.
    if starts.len() < 2 { Vec::new() } else { starts }
}

fn find_item(text: &str, from: usize, value: &str) -> Option<usize> {
    let pattern = format!("{value}. ");
    let found = text[from..].match_indices(&pattern).map(|(at, _)| from + at);
    found.into_iter().find(|at| is_glued(&text[..*at]))
}

/// Whether an item can begin right after `before`: a sign, or a conjunction that lost its blank.
fn is_glued(before: &str) -> bool {
    if before.ends_with([':', ';', ',', ')', ']', '.']) {
        return true;
    }
    let word = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    matches!(
        word,
        "und" | "oder" | "sowie" | "et" | "ou" | "e" | "ed" | "o" | "od" | "u" | "and" | "or"
    ) && before[..before.len() - word.len()].ends_with([' ', ';', ','])
        && before[..before.len() - word.len()].trim_end().ends_with([';', ','])
}

/// "Article 5" and its title in the next block become one heading.
fn join_titles(raws: Vec<Raw>) -> Vec<Raw> {
    let mut found: Vec<Raw> = Vec::with_capacity(raws.len());
    let mut raws = raws.into_iter().peekable();
    while let Some(mut raw) = raws.next() {
        let is_bare = matches!(&raw.kind, BlockKind::Article { .. }) && is_bare_label(&raw.text);
        if is_bare && let Some(title) = raws.next_if(is_following_title) {
            // A short block that nothing follows is the article's text, not its title.
            match raws.peek() {
                Some(next) if !is_heading(next) => {
                    raw.text = format!("{} {}", raw.text.trim(), title.text.trim())
                }
                _ => {
                    found.push(raw);
                    raw = title;
                }
            }
        }
        found.push(raw);
    }
    found
}

fn is_heading(raw: &Raw) -> bool {
    matches!(raw.kind, BlockKind::Article { .. } | BlockKind::Heading { .. })
}

fn is_bare_label(text: &str) -> bool {
    article(text, Language::En).is_some_and(|label| label.rest.is_empty())
}

fn is_following_title(raw: &Raw) -> bool {
    let text = raw.text.trim();
    raw.kind == BlockKind::Paragraph
        && text.len() <= MAX_FOLLOWING_TITLE_BYTES
        && text.starts_with(char::is_uppercase)
        && is_title(text)
        && marker(text).is_none()
        && article(text, Language::Other).is_none()
}

/// A first block that is a heading of the first level is the document's title.
fn mark_title(raws: &mut [Raw]) {
    let first = raws.iter_mut().find(|raw| !raw.text.trim().is_empty());
    if let Some(raw) = first.filter(|raw| raw.kind == BlockKind::Heading { level: 1 }) {
        raw.kind = BlockKind::Title;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refined(raws: Vec<Raw>) -> Vec<(BlockKind, String)> {
        let found = refine(raws, Language::De);
        found.into_iter().map(|raw| (raw.kind, crate::clean::tidy(&raw.text))).collect()
    }

    fn bold(text: &str, lead: usize) -> Raw {
        Raw { kind: BlockKind::Paragraph, text: text.to_owned(), lead }
    }

    fn plain(text: &str) -> Raw {
        bold(text, 0)
    }

    fn article_of(number: &str) -> BlockKind {
        BlockKind::Article { number: number.to_owned(), level: ARTICLE_LEVEL }
    }

    #[test]
    fn a_doubled_label_is_said_once() {
        let found = refined(vec![bold("Art. 1 Art. 1 Zweck", 6), bold("Art. 2 Art. 2", 6)]);
        assert_eq!(found[0], (article_of("1"), "Art. 1 Zweck".to_owned()));
        assert_eq!(found[1], (article_of("2"), "Art. 2".to_owned()));
    }

    #[test]
    fn label_and_text_in_one_paragraph() {
        let found = refined(vec![bold("§ 1 Ein Todesfall ist zu melden.", 4)]);
        assert_eq!(found[0], (article_of("1"), "§ 1".to_owned()));
        assert_eq!(found[1], (BlockKind::Paragraph, "Ein Todesfall ist zu melden.".to_owned()));
        let found = refined(vec![bold("Art. 5 Gebühren Die Gemeinde erhebt sie.", 16)]);
        assert_eq!(found[0], (article_of("5"), "Art. 5 Gebühren".to_owned()));
        assert_eq!(found[1].1, "Die Gemeinde erhebt sie.");
        let found = refined(vec![plain("Art. 1 Zweck\u{2028}Das Reglement gilt.")]);
        assert_eq!(found[0].1, "Art. 1 Zweck");
        assert_eq!(found[1].1, "Das Reglement gilt.");
    }

    #[test]
    fn a_mention_is_no_article() {
        for text in ["Art. 40 Die Pflicht gilt nicht.", "Art. 3 Abs. 2 gilt sinngemäss."] {
            assert_eq!(refined(vec![plain(text)])[0].0, BlockKind::Paragraph, "{text}");
        }
    }

    #[test]
    fn glued_lists_come_apart() {
        let text = "2 Aufgaben sind:a. die Pflege;b. der Bau usw. und so fort; undc. den Rest.";
        let found = refined(vec![plain(text)]);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        let items = ["a. die Pflege;", "b. der Bau usw. und so fort; und", "c. den Rest."];
        assert_eq!(texts, [&["2 Aufgaben sind:"], &items[..]].concat());
        assert_eq!(found[1].0, BlockKind::ListItem);
        assert_eq!(refined(vec![plain("Siehe Kap. 3 etc. a. b. und z.B. c. so")]).len(), 1);
    }

    #[test]
    fn a_marker_alone_belongs_to_what_it_numbers() {
        let texts = |blocks: &[&str]| {
            let raws = blocks.iter().map(|text| plain(text)).collect();
            refined(raws).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        let found = texts(&["Article 30 Records", "1.", "It shall contain:", "(a)", "the name;"]);
        assert_eq!(found, ["Article 30 Records", "1. It shall contain:", "(a) the name;"]);
        // Markers in a row, a number of figures, and text that has its own marker stay.
        for blocks in [["(a)", "(b)"], ["2026", "Budget"], ["1.", "a. the name"], ["3", "Fees"]] {
            assert_eq!(texts(&blocks), blocks);
        }
    }

    #[test]
    fn a_title_may_follow_its_label() {
        let found =
            refined(vec![plain("Article 1"), plain("Subject-matter"), plain("1. This applies.")]);
        assert_eq!(found[0], (article_of("1"), "Article 1 Subject-matter".to_owned()));
        let found = refined(vec![plain("Article 1"), plain("Repealed")]);
        assert_eq!(found[1], (BlockKind::Paragraph, "Repealed".to_owned()));
    }
}
