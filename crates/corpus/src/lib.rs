//! Documents in; canonical text, structure, passages and sentences out.
//!
//! # Canonical text
//!
//! A citation is a document's digest and a byte range in its canonical text, and the digest is the
//! SHA-256 of that text. So the same file must always give the same text, and this is what it is:
//!
//! - UTF-8 in Unicode normalization form C. Line ends are `\n`; the text neither begins nor ends
//!   with one.
//! - A sequence of *blocks* (title, headings, articles, paragraphs, list items, table rows, quotes,
//!   code), separated by exactly one blank line. Each block is a byte range; between two ranges
//!   stands `\n\n` and nothing else.
//! - Inside a block, blanks of every kind are single spaces. `\n` stands only where the author
//!   broke the line on purpose, and in code, which keeps its lines and blanks.
//! - Markup is gone; what it says to a reader stays: list markers and numbers as written ("3.",
//!   "a)", "-"), numbers of paragraphs ("2 …", "(2) …"), alternative texts of pictures.
//! - A table row is written "Header: cell; Header: cell", or "cell | cell" without a header, so
//!   that it can be quoted alone. Empty cells are left out; cells that span rows are repeated.
//! - Gone are: front matter, comments, scripts, navigation, struck-out and hidden text, targets of
//!   links, control characters, and characters that are not seen but could hide or reorder words
//!   (zero-width, bidirectional controls, variation selectors, tags, soft hyphens).
//! - Four repairs of what conversions break: "Art. 1 Art. 1 Purpose" says its label once; list
//!   items glued into one line ("… are:a. this;b. that") become blocks; the title that follows a
//!   bare "Article 5" joins it; words hyphenated at the line ends of plain text are joined.
//!
//! Any change to these rules changes digests, and is a change that users must hear of.
//! `docs/canonical-text.md` says what is kept and dropped per format, with examples.
//!
//! # Failing closed
//!
//! A document that cannot be read as its author meant is [`Unreadable`], with the reason and the
//! place: above all when its access label or its dates cannot be understood.

mod abbreviation;
mod clean;
mod digest;
mod document;
mod error;
mod format;
mod front;
mod html;
mod html_page;
mod html_table;
mod label;
mod language;
mod markdown;
mod pages;
mod passage;
mod pdf;
mod place;
mod plain;
mod profile;
mod raw;
mod sentence;
mod structure;
mod table;

use format::Format;
use front::Front;
use raw::Raw;

pub use digest::{Digest, NotADigest};
pub use document::{Amendment, Block, BlockKind, ByteRange, Document, Metadata, Source};
pub use error::Unreadable;
pub use language::Language;
pub use pages::{Mark, PageRect, PageSize, Pages};
pub use passage::{MAX_PASSAGE_BYTES, Passage, PassageKind, passages};
pub use place::covers;
pub use sentence::{sentences, without_marker};

/// How many blocks are looked at for the language.
const LANGUAGE_BLOCKS: usize = 200;

/// Reads a file into a document: `.md`, `.markdown`, `.html`, `.htm`, `.txt` and `.pdf`.
///
/// What the sidecar says goes before what the front matter says, and that before what the text
/// shows. The title is, in this order: as said, HTML's `title`, the first heading, the file's name.
pub fn read(source: &Source) -> Result<Document, Unreadable> {
    let format = Format::of(source.path, source.bytes)?;
    let said_beside = source.sidecar.map(front::sidecar).transpose()?.unwrap_or_default();
    if format == Format::Pdf {
        said_beside.check_dates()?;
        return read_pdf(source, said_beside);
    }
    let decoded = clean::decode(source.bytes)?;
    let (said_inside, body) = front::split(&decoded)?;
    let said = said_beside.or(said_inside);
    said.check_dates()?;
    let found = blocks(format, body, said.language)?;
    document(found, said, source.path)
}

fn read_pdf(source: &Source, said: Front) -> Result<Document, Unreadable> {
    let mut read = pdf::read(source.bytes)?;
    let raws = std::mem::take(&mut read.raws);
    let language = said.language.unwrap_or_else(|| detect(&raws));
    let found = Found { raws, language, title: std::mem::take(&mut read.title) };
    let mut document = document(found, said, source.path)?;
    document.pages = Some(read.pages(&document.text));
    Ok(document)
}

fn document(found: Found, said: Front, path: &str) -> Result<Document, Unreadable> {
    let (text, blocks) = raw::assemble(structure::refine(found.raws, found.language));
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    let title = title(&said, &found.title, &text, &blocks, path);
    let metadata = metadata(said, title, found.language);
    Ok(Document { digest: Digest::of(text.as_bytes()), text, metadata, blocks, pages: None })
}

/// What a reader found.
struct Found {
    raws: Vec<Raw>,
    language: Language,
    title: String,
}

fn blocks(format: Format, body: &str, said: Option<Language>) -> Result<Found, Unreadable> {
    let detected = |raws: &[Raw]| said.unwrap_or_else(|| detect(raws));
    match format {
        Format::Markdown => {
            let raws = markdown::read(body)?;
            Ok(Found { language: detected(&raws), raws, title: String::new() })
        }
        Format::Plain | Format::Pdf => {
            let language = said.unwrap_or_else(|| Language::detect(body));
            Ok(Found { raws: plain::read(body, language)?, language, title: String::new() })
        }
        Format::Html => {
            let page = html::read(body)?;
            let named = Language::from_code(&page.language).filter(|lang| *lang != Language::Other);
            let language = said.or(named).unwrap_or_else(|| detect(&page.raws));
            Ok(Found { raws: page.raws, language, title: clean::tidy(&page.title) })
        }
    }
}

fn detect(raws: &[Raw]) -> Language {
    let texts: Vec<&str> = raws.iter().take(LANGUAGE_BLOCKS).map(|raw| raw.text.as_str()).collect();
    Language::detect(&texts.join("\n"))
}

fn title(said: &Front, page: &str, text: &str, blocks: &[Block], path: &str) -> String {
    let is_heading = |block: &&Block| match block.kind {
        BlockKind::Title => true,
        BlockKind::Heading { level } => level <= 2,
        _ => false,
    };
    let heading = blocks.first().filter(is_heading).or_else(|| {
        blocks
            .iter()
            .find(|block| matches!(block.kind, BlockKind::Title | BlockKind::Heading { level: 1 }))
    });
    let heading =
        heading.and_then(|block| block.range.slice(text)).map(|text| text.replace('\n', " "));
    let page = Some(page).filter(|page| !page.is_empty()).map(|page| page.replace('\n', " "));
    let stem = clean::tidy(format::stem(path));
    let named = if stem.is_empty() { "document".to_owned() } else { stem };
    said.title.clone().or(page).or(heading).unwrap_or(named)
}

fn metadata(said: Front, title: String, language: Language) -> Metadata {
    Metadata {
        title,
        language,
        valid_from: said.valid_from,
        valid_until: said.valid_until,
        label: said.label,
        source: said.source,
        amends: said.amends.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
