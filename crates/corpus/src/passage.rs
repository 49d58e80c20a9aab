//! Passages: what is found, shown and cited.

use serde::{Deserialize, Serialize};

use crate::label::{Marker, MarkerKind, article, marker};
use crate::{Block, BlockKind, ByteRange, Document, Language, contents, sentences};

/// A passage is not longer than this.
pub const MAX_PASSAGE_BYTES: usize = 1200;

/// Paragraphs of a long text are put together up to this length.
const PACKED_BYTES: usize = 700;

/// Headings deeper than this are left out of a passage's path, and long ones are cut.
const MAX_HEADINGS: usize = 8;
const MAX_HEADING_BYTES: usize = 300;

/// A longer introduction is cut to its last sentence.
const MAX_INTRODUCTION_BYTES: usize = 400;

/// What a passage mainly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassageKind {
    /// A whole article.
    Article,
    /// Running text, or one paragraph of an article.
    Paragraph,
    /// Items of a list.
    List,
    /// Rows of a table.
    Table,
    /// Quoted text.
    Quote,
    /// Footnotes and other notes.
    Note,
    /// Text whose lines matter.
    Code,
}

/// A part of a document that can be found, understood and cited on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Where it stands in the canonical text.
    pub range: ByteRange,
    /// Its place in the document's own words: "Art. 12 Abs. 3", "§ 5", or "".
    pub place: String,
    /// The headings above it: the document's title first, the article's heading last.
    pub heading_path: Vec<String>,
    /// The sentence that introduces it, when that stands in an earlier passage ("… sind:").
    pub introduction: Option<ByteRange>,
    /// What it mainly is.
    pub kind: PassageKind,
}

/// The passages of a document, in order, without overlap.
///
/// An article or section of at most [`MAX_PASSAGE_BYTES`] is one passage. A longer one is cut at
/// its paragraphs, those at their list items, and those at sentences. No passage crosses a
/// heading. Headings stand in `heading_path`, not in passages; a document of headings alone is
/// one passage. A table of contents is in none: what it leads to is.
pub fn passages(document: &Document) -> Vec<Passage> {
    let mut walk = Walk::new(document);
    let contents = contents::entries(document);
    for (block, _) in document.blocks.iter().zip(contents).filter(|(_, leads)| !leads) {
        walk.take(block);
    }
    walk.end_section();
    if walk.found.is_empty() && !document.text.is_empty() {
        walk.whole_text();
    }
    walk.found
}

struct ArticlePlace {
    /// "Art. 12".
    place: String,
    level: u8,
}

struct Walk<'a> {
    document: &'a Document,
    found: Vec<Passage>,
    /// Levels and texts of the headings above.
    headings: Vec<(u8, String)>,
    article: Option<ArticlePlace>,
    section: Vec<&'a Block>,
}

/// Blocks that belong together: a numbered paragraph with its list, or the rows of a table.
struct Unit<'a> {
    blocks: Vec<&'a Block>,
    /// The number of the paragraph that it stands in.
    number: Option<String>,
}

impl Unit<'_> {
    fn range(&self) -> ByteRange {
        span(&self.blocks)
    }

    fn is_table(&self) -> bool {
        // A unit has rows only or none.
        self.blocks.first().is_some_and(|block| block.kind == BlockKind::TableRow)
    }
}

fn span(blocks: &[&Block]) -> ByteRange {
    let start = blocks.first().map_or(0, |block| block.range.start);
    let end = blocks.last().map_or(start, |block| block.range.end);
    ByteRange::new(start, end)
}

impl<'a> Walk<'a> {
    fn new(document: &'a Document) -> Walk<'a> {
        let headings = vec![(0, cut(&document.metadata.title))];
        Walk { document, found: Vec::new(), headings, article: None, section: Vec::new() }
    }

    fn take(&mut self, block: &'a Block) {
        match &block.kind {
            BlockKind::Title => self.heading(block, 1),
            BlockKind::Heading { level } => self.heading(block, (*level).max(1)),
            BlockKind::Article { level, .. } => {
                self.heading(block, *level);
                let place = self.article_place(block);
                self.article = Some(ArticlePlace { place, level: *level });
            }
            _ => self.section.push(block),
        }
    }

    fn heading(&mut self, block: &Block, level: u8) {
        self.end_section();
        self.headings.retain(|(above, _)| *above < level);
        if self.article.as_ref().is_some_and(|article| article.level >= level) {
            self.article = None;
        }
        let text = cut(self.document.slice(block.range));
        let is_title = self.headings.len() == 1 && self.headings[0].1 == text;
        if !is_title && self.headings.len() < MAX_HEADINGS {
            self.headings.push((level, text));
        }
    }

    fn article_place(&self, block: &Block) -> String {
        let text = self.document.slice(block.range);
        // English labels are a superset: the block is known to be an article.
        match article(text, Language::En) {
            Some(label) => format!("{} {}", label.word, label.number),
            None => String::new(),
        }
    }

    fn end_section(&mut self) {
        let section = std::mem::take(&mut self.section);
        // Notes stand apart from the text that they are about.
        let is_note = |block: &&Block| block.kind == BlockKind::Note;
        for part in section.chunk_by(|above, below| is_note(above) == is_note(below)) {
            self.end_part(part.to_vec());
        }
    }

    fn end_part(&mut self, section: Vec<&'a Block>) {
        let range = span(&section);
        if range.len() <= MAX_PASSAGE_BYTES {
            let kind = self.kind_of(&section);
            let place = self.place(None);
            return self.push(range, place, None, kind);
        }
        for unit in self.pack(self.units(&section)) {
            self.emit(&unit);
        }
    }

    fn kind_of(&self, blocks: &[&Block]) -> PassageKind {
        let all = |kind: BlockKind| blocks.iter().all(|block| block.kind == kind);
        match () {
            _ if all(BlockKind::TableRow) => PassageKind::Table,
            _ if all(BlockKind::Note) => PassageKind::Note,
            _ if self.article.is_some() && blocks.len() == self.section_length(blocks) => {
                PassageKind::Article
            }
            _ if all(BlockKind::ListItem) => PassageKind::List,
            _ if all(BlockKind::Quote) => PassageKind::Quote,
            _ if all(BlockKind::Code) => PassageKind::Code,
            _ => PassageKind::Paragraph,
        }
    }

    /// A whole section was taken when nothing of it was emitted before.
    fn section_length(&self, blocks: &[&Block]) -> usize {
        let start = blocks.first().map_or(0, |block| block.range.start);
        let last_heading = self.document.blocks.partition_point(|block| block.range.start < start);
        let before = last_heading.checked_sub(1).map(|at| &self.document.blocks[at].kind);
        let is_first = matches!(
            before,
            None | Some(BlockKind::Title | BlockKind::Heading { .. } | BlockKind::Article { .. })
        );
        let end = last_heading + blocks.len();
        let is_last = self.document.blocks.get(end).is_none_or(|block| {
            matches!(
                block.kind,
                BlockKind::Title | BlockKind::Heading { .. } | BlockKind::Article { .. }
            )
        });
        if is_first && is_last { blocks.len() } else { usize::MAX }
    }

    /// The units of a section: each numbered paragraph begins one, each table is one.
    fn units(&self, section: &[&'a Block]) -> Vec<Unit<'a>> {
        let lists_are_paragraphs = self.lists_are_paragraphs(section);
        let mut units: Vec<Unit> = Vec::new();
        for block in section {
            let number = self.number_of(block, lists_are_paragraphs);
            let is_row = block.kind == BlockKind::TableRow;
            let joins = match units.last() {
                None => false,
                Some(unit) if unit.is_table() != is_row => false,
                Some(_) if is_row => true,
                Some(_) => number.is_none() && self.continues(block),
            };
            match units.last_mut().filter(|_| joins) {
                Some(unit) => unit.blocks.push(block),
                None => {
                    let before = units.last().and_then(|unit| unit.number.clone());
                    let number = number.or(before);
                    units.push(Unit { blocks: vec![block], number });
                }
            }
        }
        units
    }

    /// Whether a block belongs to the one before it: list items, and unnumbered text in an article.
    fn continues(&self, block: &Block) -> bool {
        match block.kind {
            BlockKind::ListItem => true,
            BlockKind::Paragraph => {
                self.article.is_some()
                    || self.document.slice(block.range).starts_with(char::is_lowercase)
            }
            _ => false,
        }
    }

    /// In some acts the paragraphs of an article are written as a numbered list.
    fn lists_are_paragraphs(&self, section: &[&Block]) -> bool {
        section.first().is_some_and(|block| {
            block.kind == BlockKind::ListItem
                && marker(self.document.slice(block.range))
                    .is_some_and(|found| found.kind == MarkerKind::Number && found.value == "1")
        })
    }

    fn number_of(&self, block: &Block, lists_are_paragraphs: bool) -> Option<String> {
        self.article.as_ref()?;
        let Marker { kind, value, .. } = marker(self.document.slice(block.range))?;
        let counts = match (&block.kind, kind) {
            (BlockKind::Paragraph, MarkerKind::Paragraph | MarkerKind::Number) => true,
            (BlockKind::ListItem, MarkerKind::Number) => lists_are_paragraphs,
            _ => false,
        };
        counts.then(|| value.split_whitespace().collect())
    }

    /// Puts short neighbours together; in an article each paragraph stays its own.
    fn pack(&self, units: Vec<Unit<'a>>) -> Vec<Unit<'a>> {
        let mut packed: Vec<Unit> = Vec::new();
        for unit in units {
            let fits = packed.last().is_some_and(|last| {
                let joint = unit.range().end - last.range().start;
                let limit = if last.is_table() { 0 } else { PACKED_BYTES };
                let same_place = self.article.is_none() || last.number == unit.number;
                same_place && !unit.is_table() && joint <= limit
            });
            match packed.last_mut().filter(|_| fits) {
                Some(last) => last.blocks.extend(unit.blocks),
                None => packed.push(unit),
            }
        }
        packed
    }

    /// Emits a unit, cut at blocks and then at sentences where it is too long.
    fn emit(&mut self, unit: &Unit<'a>) {
        let place = self.place(unit.number.as_deref());
        let introduction = self.introduction(unit);
        let mut group: Vec<&Block> = Vec::new();
        for block in &unit.blocks {
            let start = group.first().map_or(block.range.start, |first| first.range.start);
            if !group.is_empty() && block.range.end - start > MAX_PASSAGE_BYTES {
                self.emit_group(&group, &place, introduction);
                group.clear();
            }
            group.push(block);
        }
        self.emit_group(&group, &place, introduction);
    }

    fn emit_group(&mut self, group: &[&Block], place: &str, introduction: Option<ByteRange>) {
        let range = span(group);
        let kind = self.kind_of(group);
        let outside = |range: ByteRange| introduction.filter(|intro| intro.end <= range.start);
        if range.len() <= MAX_PASSAGE_BYTES {
            return self.push(range, place.to_owned(), outside(range), kind);
        }
        for piece in pieces(&self.document.text, range, self.document.metadata.language) {
            self.push(piece, place.to_owned(), outside(piece), kind);
        }
    }

    /// The text before a list that says what its items are.
    fn introduction(&self, unit: &Unit) -> Option<ByteRange> {
        let first = unit.blocks.first().filter(|_| unit.blocks.len() > 1)?;
        if !self.document.slice(first.range).ends_with(':') {
            return None;
        }
        if first.range.len() <= MAX_INTRODUCTION_BYTES {
            return Some(first.range);
        }
        let language = self.document.metadata.language;
        sentences(&self.document.text, first.range, language).pop()
    }

    fn place(&self, number: Option<&str>) -> String {
        let Some(article) = &self.article else { return String::new() };
        match number {
            Some(number) => {
                let word = paragraph_word(&article.place, self.document.metadata.language);
                format!("{} {word} {number}", article.place)
            }
            None => article.place.clone(),
        }
    }

    fn push(
        &mut self,
        range: ByteRange,
        place: String,
        introduction: Option<ByteRange>,
        kind: PassageKind,
    ) {
        let heading_path = self.headings.iter().map(|(_, text)| text.clone()).collect();
        self.found.push(Passage { range, place, heading_path, introduction, kind });
    }

    fn whole_text(&mut self) {
        self.headings.truncate(1);
        self.article = None;
        let all = ByteRange::new(0, self.document.text.len());
        let mut found = pieces(&self.document.text, all, self.document.metadata.language);
        if found.is_empty() {
            found = cut_at_blanks(&self.document.text, all);
        }
        for piece in found {
            self.push(piece, String::new(), None, PassageKind::Paragraph);
        }
    }
}

/// How a paragraph of an article is called.
fn paragraph_word(article: &str, language: Language) -> &'static str {
    match language {
        _ if article.starts_with('§') => "Abs.",
        Language::De | Language::Other => "Abs.",
        Language::Fr | Language::Rm => "al.",
        Language::It => "cpv.",
        Language::En => "para.",
    }
}

fn cut(heading: &str) -> String {
    let line = heading.replace('\n', " ");
    match line.len() <= MAX_HEADING_BYTES {
        true => line,
        false => format!("{}…", &line[..line.floor_char_boundary(MAX_HEADING_BYTES)]),
    }
}

/// Cuts a long text at sentences, and sentences that are too long at blanks.
fn pieces(text: &str, range: ByteRange, language: Language) -> Vec<ByteRange> {
    let mut found: Vec<ByteRange> = Vec::new();
    for sentence in sentences(text, range, language) {
        match found.last_mut() {
            Some(last) if sentence.end - last.start <= MAX_PASSAGE_BYTES => last.end = sentence.end,
            _ => found.extend(cut_at_blanks(text, sentence)),
        }
    }
    found
}

fn cut_at_blanks(text: &str, range: ByteRange) -> Vec<ByteRange> {
    let mut found = Vec::new();
    let mut start = range.start;
    while range.end - start > MAX_PASSAGE_BYTES {
        let limit = text.floor_char_boundary(start + MAX_PASSAGE_BYTES);
        let end = text[start..limit].rfind(char::is_whitespace).map_or(limit, |at| start + at);
        let end = if end == start { limit } else { end };
        found.push(ByteRange::new(start, end));
        start = end + (text[end..range.end].len() - text[end..range.end].trim_start().len());
    }
    if start < range.end {
        found.push(ByteRange::new(start, range.end));
    }
    found
}
