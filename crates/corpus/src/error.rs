//! Why a file could not be read.

/// Why a file could not be read, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A known format that this version does not read.
    #[error("{format} files cannot be read yet: {}", instead(format))]
    NotYet {
        /// The format's name, such as "PDF".
        format: &'static str,
    },
    /// An extension that says nothing.
    #[error(
        "unknown format of {path:?}: readable are Markdown, HTML, reStructuredText, plain text, \
         PDF, Word, Excel, PowerPoint, OpenDocument, CSV, mail (.eml, .mbox) and ZIP files of these"
    )]
    UnknownFormat {
        /// The file's path.
        path: String,
    },
    /// More bytes than the limit.
    #[error("the file has {bytes} bytes, the limit is {limit}: split it into smaller documents")]
    TooLarge {
        /// The file's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Bytes that are not UTF-8, and not plainly Windows-1252.
    #[error(
        "not UTF-8 at byte {offset}, and its encoding cannot be told for sure: convert the file to \
         UTF-8"
    )]
    NotUtf8 {
        /// The first byte that does not fit.
        offset: usize,
    },
    /// UTF-16 or UTF-32.
    #[error("the file is {encoding}: convert it to UTF-8")]
    Utf16 {
        /// What it seems to be, such as "UTF-16 (little endian)".
        encoding: &'static str,
    },
    /// Bytes that are no text at all, whatever the name says.
    #[error("the file is binary, not text: {bytes} of its characters are control characters")]
    Binary {
        /// How many control characters were counted.
        bytes: usize,
    },
    /// Elements, lists or quotes nested too deeply.
    #[error("nested more than {limit} levels deep at byte {offset}: flatten the document")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where the limit was passed.
        offset: usize,
    },
    /// An HTML tag or comment that does not end.
    #[error("a tag or comment near byte {offset} has more than {limit} parts: is it closed?")]
    TagTooLong {
        /// The limit.
        limit: usize,
        /// About where it begins.
        offset: usize,
    },
    /// More blocks than the limit.
    #[error("more than {limit} paragraphs, rows and headings: split it into smaller documents")]
    TooManyBlocks {
        /// The limit.
        limit: usize,
    },
    /// Front matter or a sidecar that cannot be understood. Nothing in it is guessed or dropped: a
    /// wrong label or date must not make a document more visible than was meant.
    #[error("{place}, line {line}: {message}")]
    Metadata {
        /// "front matter" or "sidecar".
        place: &'static str,
        /// The line, counted from 1, in the file that says it.
        line: usize,
        /// What is wrong and what is expected.
        message: String,
    },
    /// A file that breaks its format's rules.
    #[error("the {format} file is damaged or no such file: {detail}; save it anew")]
    Broken {
        /// The format's name, such as "Word".
        format: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A file that asks for a password.
    #[error("the {format} file is protected by a password: save it without one")]
    Encrypted {
        /// The format's name.
        format: &'static str,
    },
    /// XML that defines entities: no office program writes any, and they can expand without end.
    #[error("the {format} file defines entities of its own, which no office program does: refused")]
    Definition {
        /// The format's name.
        format: &'static str,
    },
    /// A compressed file that unpacks to more than its size justifies.
    #[error("unpacks to more than {limit} bytes, which its size does not justify: is it a bomb?")]
    Expands {
        /// The limit for this file.
        limit: u64,
    },
    /// A name in an archive that leads out of it.
    #[error("the name {name:?} leads out of the archive: it is not read")]
    UnsafeName {
        /// The name as it stands in the archive.
        name: String,
    },
    /// Archives in archives in archives.
    #[error("archives and mails inside one another more than {limit} deep: unpack them")]
    NestedFiles {
        /// The limit.
        limit: usize,
    },
    /// More files in an archive than the limit.
    #[error("more than {limit} files in it: split the archive")]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// A file of several documents, where one was asked for.
    #[error("the file holds {documents} documents, not one: read them with read_all")]
    Several {
        /// How many.
        documents: usize,
    },
    /// No text in it.
    #[error("the document has no text")]
    Empty,
    /// A file that needs a password.
    #[error("the PDF is protected by a password: save a copy without one and ingest that")]
    Protected,
    /// Encryption that is not known.
    #[error(
        "the PDF is encrypted, in a way that is not read or with a password: save an unencrypted \
         copy and ingest that"
    )]
    Encryption,
    /// A file that is not what it says it is, or broken.
    #[error("the PDF is damaged and cannot be read: open it in a viewer and save it anew")]
    Damaged,
    /// Pages that are pictures of text.
    #[error(
        "all {pages} pages are scans (pictures of text) without a text layer: run text recognition \
         (OCR) on the file and ingest the result"
    )]
    Scanned {
        /// How many pages the file has.
        pages: usize,
    },
    /// Text in fonts that do not say which characters they show.
    #[error(
        "the fonts of the PDF do not say which characters they show: run text recognition (OCR) \
         on the file and ingest the result"
    )]
    NoCharacters,
    /// Text that is there and that nobody can see.
    #[error(
        "nobody can see the text of the PDF: it is not painted, has the colour of the paper, is \
         covered or too small; save a copy in which it is seen"
    )]
    Unseen,
    /// Packed data that unpack beyond all measure.
    #[error("packed data at byte {offset} unpack to more than {limit} bytes: refused")]
    Bomb {
        /// Where they begin.
        offset: usize,
        /// The limit.
        limit: usize,
    },
    /// More work than a document may cost.
    #[error("the PDF has too many {what}: split it into smaller documents")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
    },
}

/// What to do with a file of a format that is not read.
fn instead(format: &str) -> &'static str {
    let is = |starts: &[&str]| starts.iter().any(|start| format.starts_with(start));
    match () {
        _ if is(&["old Office"]) => {
            "open it in the program that made it and save it as .docx, .xlsx, .pptx or .eml"
        }
        _ if is(&["Word", "RTF"]) => "save the document as .docx and ingest that file",
        _ if is(&["Excel"]) => "save the workbook as .xlsx and ingest that file",
        _ if is(&["PowerPoint"]) => "save the presentation as .pptx and ingest that file",
        _ if is(&["flat OpenDocument"]) => "save it as .odt, .ods or .odp and ingest that file",
        _ if is(&["Outlook"]) => "save the mail as .eml and ingest that file",
        _ if is(&["S/MIME"]) => "save the mail without encryption as .eml and ingest that file",
        _ if is(&["Visio", "XPS"]) => "save it as PDF and ingest that file",
        _ if is(&["gzip", "tar", "7-Zip", "RAR"]) => "unpack it and ingest what it holds",
        _ if format.ends_with("image") => {
            "make a PDF of it with text recognition (OCR) and ingest that file"
        }
        _ => "save the document as Markdown, HTML or plain text and ingest that file",
    }
}
