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
//! - Five repairs of what conversions break: "Art. 1 Art. 1 Purpose" says its label once; list
//!   items glued into one line ("… are:a. this;b. that") become blocks; the title that follows a
//!   bare "Article 5" joins it; words hyphenated at the line ends of plain text are joined; a
//!   number or letter alone joins the block that it numbers.
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
mod contents;
mod digest;
mod document;
mod error;
mod format;
mod found;
mod frame;
mod front;
mod html;
mod html_density;
mod html_page;
mod label;
mod language;
mod mail;
mod mailbox;
mod markdown;
mod member;
mod note;
mod office;
mod package;
mod pages;
mod passage;
mod pdf;
mod place;
mod plain;
mod profile;
mod raw;
mod restructured;
mod sentence;
mod separated;
mod sheet;
mod stated;
mod structure;
mod table;
mod western;
mod xml;

use format::Format;
use found::Found;
use front::Front;

pub use abbreviation::is_month;
pub use digest::{Digest, NotADigest};
pub use document::{Amendment, Block, BlockKind, ByteRange, Document, Metadata, Source};
pub use error::Unreadable;
pub use language::Language;
pub use member::{Member, read_all};
pub use note::is_amendment;
pub use pages::{Mark, PageRect, PageSize, Pages};
pub use passage::{MAX_PASSAGE_BYTES, Passage, PassageKind, passages};
pub use place::covers;
pub use sentence::{sentences, without_marker};

/// How many blocks are looked at for the language.
const LANGUAGE_BLOCKS: usize = 200;

/// Reads a file into a document; of a mail, its own text. A file of several documents, such as a
/// ZIP archive, is refused: [`read_all`] reads those.
///
/// What the sidecar says goes before what the front matter says, and that before what the text
/// shows. The title is, in this order: as said, as the file's properties have it, the first
/// heading, the file's name.
///
/// # Errors
/// [`Unreadable`]: why, and what to do about it.
pub fn read(source: &Source) -> Result<Document, Unreadable> {
    let mut members = read_all(source);
    match members.iter().position(|member| member.path.is_empty()) {
        Some(index) => members.swap_remove(index).document,
        None => Err(Unreadable::Several { documents: members.len() }),
    }
}

/// Reads the document that a file of this format is.
fn read_one(format: Format, path: &str, bytes: &[u8], said: Front) -> Result<Document, Unreadable> {
    if bytes.len() > clean::MAX_BYTES {
        return Err(Unreadable::TooLarge { bytes: bytes.len(), limit: clean::MAX_BYTES });
    }
    if format == Format::Pdf {
        return read_pdf(path, bytes, said);
    }
    let found = match format {
        Format::Docx => office::docx(bytes)?,
        Format::Xlsx => office::xlsx(bytes)?,
        Format::Pptx => office::pptx(bytes)?,
        Format::OpenDocument => office::open_document(bytes)?,
        Format::Separated => separated::read(bytes)?,
        Format::Mail | Format::Mailbox | Format::Zip | Format::Pdf => {
            unreachable!("these are read before")
        }
        Format::Markdown | Format::Html | Format::Plain | Format::Restructured => {
            text(format, bytes, said.language)?
        }
    };
    document_of(path, found, said)
}

fn read_pdf(path: &str, bytes: &[u8], said: Front) -> Result<Document, Unreadable> {
    said.check_dates()?;
    let mut read = pdf::read(bytes)?;
    let title = std::mem::take(&mut read.title);
    let found = Found { title, ..Found::of(std::mem::take(&mut read.raws)) };
    let mut document = document_of(path, found, said)?;
    document.pages = Some(read.pages(&document.text));
    Ok(document)
}

/// Reads a format that is text.
fn text(format: Format, bytes: &[u8], hint: Option<Language>) -> Result<Found, Unreadable> {
    let decoded = match format {
        Format::Html => html::decode(bytes)?,
        _ => clean::decode(bytes)?,
    };
    let (said, body) = front::split(&decoded)?;
    let found = match format {
        Format::Markdown => Found::of(markdown::read(body)?),
        Format::Restructured => restructured::read(body)?,
        Format::Html => html::found(body)?,
        _ => {
            let language = hint.or(said.language).unwrap_or_else(|| Language::detect(body));
            Found { language: Some(language), ..Found::of(plain::read(body, language)?) }
        }
    };
    Ok(Found { said: said.or(found.said), ..found })
}

/// Makes a document of what a reader found and of what is said about it.
fn document_of(path: &str, found: Found, said: Front) -> Result<Document, Unreadable> {
    let said = said.or(found.said);
    said.check_dates()?;
    let said = said.or_if_consistent(stated::stated(&found.raws));
    raw::check_count(&found.raws)?;
    let language = said.language.or(found.language).unwrap_or_else(|| detect(&found.raws));
    let (text, blocks) = raw::assemble(structure::refine(found.raws, language));
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    let title = title(&said, &found.title, &text, &blocks, path);
    let metadata = metadata(said, title, language, found.left_out);
    Ok(Document { digest: Digest::of(text.as_bytes()), text, metadata, blocks, pages: None })
}

fn detect(raws: &[raw::Raw]) -> Language {
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

fn metadata(said: Front, title: String, language: Language, left_out: Vec<String>) -> Metadata {
    Metadata {
        title,
        language,
        valid_from: said.valid_from,
        valid_until: said.valid_until,
        label: said.label,
        source: said.source,
        amends: said.amends.unwrap_or_default(),
        work: said.work,
        left_out,
    }
}

#[cfg(test)]
mod tests;
