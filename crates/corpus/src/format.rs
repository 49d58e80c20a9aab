//! Which format a file has: by its first bytes where they are clear, else by its extension.

use crate::package::Package;
use crate::{Unreadable, office};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Markdown,
    Html,
    Plain,
    Pdf,
    Restructured,
    /// Rows of cells with a sign between them.
    Separated,
    Docx,
    Xlsx,
    Pptx,
    /// OpenDocument: text, spreadsheet or presentation.
    OpenDocument,
    Mail,
    Mailbox,
    Zip,
}

/// Extensions of formats that are read.
const READ: &[(&str, Format)] = &[
    ("md", Format::Markdown),
    ("markdown", Format::Markdown),
    ("html", Format::Html),
    ("htm", Format::Html),
    ("xhtml", Format::Html),
    ("xht", Format::Html),
    ("shtml", Format::Html),
    ("txt", Format::Plain),
    ("pdf", Format::Pdf),
    ("rst", Format::Restructured),
    ("rest", Format::Restructured),
    ("csv", Format::Separated),
    ("tsv", Format::Separated),
    ("tab", Format::Separated),
    ("docx", Format::Docx),
    ("docm", Format::Docx),
    ("dotx", Format::Docx),
    ("dotm", Format::Docx),
    ("xlsx", Format::Xlsx),
    ("xlsm", Format::Xlsx),
    ("xltx", Format::Xlsx),
    ("xltm", Format::Xlsx),
    ("pptx", Format::Pptx),
    ("pptm", Format::Pptx),
    ("ppsx", Format::Pptx),
    ("ppsm", Format::Pptx),
    ("potx", Format::Pptx),
    ("potm", Format::Pptx),
    ("odt", Format::OpenDocument),
    ("ott", Format::OpenDocument),
    ("ods", Format::OpenDocument),
    ("ots", Format::OpenDocument),
    ("odp", Format::OpenDocument),
    ("otp", Format::OpenDocument),
    ("eml", Format::Mail),
    ("mht", Format::Mail),
    ("mhtml", Format::Mail),
    ("mbox", Format::Mailbox),
    ("mbx", Format::Mailbox),
    ("zip", Format::Zip),
];

/// Extensions of formats that have a name but no reader yet.
const NOT_YET: &[(&str, &str)] = &[
    ("doc", "Word (doc)"),
    ("xls", "Excel (xls)"),
    ("xlsb", "Excel (xlsb)"),
    ("ppt", "PowerPoint (ppt)"),
    ("rtf", "RTF"),
    ("epub", "EPUB"),
    ("msg", "Outlook (msg)"),
    ("pst", "Outlook (pst)"),
    ("p7m", "S/MIME (p7m)"),
    ("vcf", "contact (vcf)"),
    ("ics", "calendar (ics)"),
    ("fodt", "flat OpenDocument (fodt)"),
    ("fods", "flat OpenDocument (fods)"),
    ("fodp", "flat OpenDocument (fodp)"),
    ("gz", "gzip"),
    ("tar", "tar"),
    ("7z", "7-Zip"),
    ("rar", "RAR"),
    ("adoc", "AsciiDoc"),
    ("tex", "TeX"),
    ("xml", "XML"),
    ("json", "JSON"),
    ("yaml", "YAML"),
    ("yml", "YAML"),
    ("png", "PNG image"),
    ("jpg", "JPEG image"),
    ("jpeg", "JPEG image"),
    ("gif", "GIF image"),
    ("tif", "TIFF image"),
    ("tiff", "TIFF image"),
];

/// First bytes that no text file has, whatever its name.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"{\\rtf", "RTF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"II*\0", "TIFF image"),
    (b"MM\0*", "TIFF image"),
    (b"\x78\x9f\x3e\x22", "Outlook (winmail.dat)"),
];

/// The first bytes of the container of old Office files and of those with a password.
const OLD_OFFICE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
const OLD_FORMATS: &str = "old Office (doc, xls, ppt, msg)";
/// What stands in it in UTF-16 if it holds a file with a password.
const ENCRYPTED: &str = "EncryptedPackage";
/// How much of a file is looked at for what it is.
const PROBE_BYTES: usize = 1 << 10;

impl Format {
    pub(crate) fn of(path: &str, bytes: &[u8]) -> Result<Format, Unreadable> {
        let extension = extension(path);
        let read = READ.iter().find(|(known, _)| *known == extension).map(|(_, format)| *format);
        let named = NOT_YET.iter().find(|(known, _)| *known == extension);
        let signature = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start));
        if bytes.starts_with(b"%PDF-") {
            return Ok(Format::Pdf);
        }
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return Format::of_package(bytes, read);
        }
        match read {
            _ if named.is_some() => match said_by_text(bytes) {
                // Programs of offices export pages under the names of documents.
                Some(format) if matches!(extension.as_str(), "doc" | "xls") => Ok(format),
                _ => Err(not_yet(named)),
            },
            Some(format) if format.is_package() => Err(format.no_package(bytes)),
            // A mail may begin with anything; nothing else begins with these bytes.
            _ if signature.is_some() => Err(not_yet(signature)),
            _ if bytes.starts_with(OLD_OFFICE) => Err(Unreadable::NotYet { format: OLD_FORMATS }),
            Some(format) => Ok(format),
            None => Err(Unreadable::UnknownFormat { path: path.to_owned() }),
        }
    }

    /// What a ZIP container holds, whatever the file is called.
    fn of_package(bytes: &[u8], said: Option<Format>) -> Result<Format, Unreadable> {
        let Ok(mut package) = Package::open(bytes, "ZIP") else {
            return Ok(said.filter(|format| format.is_package()).unwrap_or(Format::Zip));
        };
        let main = office::main_folder(&mut package);
        let has = |name: &str| package.has(name);
        let other = |format| Err(Unreadable::NotYet { format });
        match () {
            _ if has("word/document.xml") => Ok(Format::Docx),
            _ if has("xl/workbook.bin") => other("Excel (xlsb)"),
            _ if has("xl/workbook.xml") => Ok(Format::Xlsx),
            _ if has("ppt/presentation.xml") => Ok(Format::Pptx),
            _ if has("mimetype") && has("content.xml") => Ok(Format::OpenDocument),
            _ if main == "word" => Ok(Format::Docx),
            _ if main == "xl" => Ok(Format::Xlsx),
            _ if main == "ppt" => Ok(Format::Pptx),
            _ if main == "visio" => other("Visio"),
            _ if has("FixedDocSeq.fdseq") || has("FixedDocumentSequence.fdseq") => other("XPS"),
            _ => Ok(Format::Zip),
        }
    }

    fn is_package(self) -> bool {
        matches!(
            self,
            Format::Docx | Format::Xlsx | Format::Pptx | Format::OpenDocument | Format::Zip
        )
    }

    /// Why a file that should be a container is none.
    fn no_package(self, bytes: &[u8]) -> Unreadable {
        let format = self.name();
        let mark: Vec<u8> = ENCRYPTED.encode_utf16().flat_map(u16::to_le_bytes).collect();
        match bytes.starts_with(OLD_OFFICE) {
            true if bytes.windows(mark.len()).any(|window| window == mark) => {
                Unreadable::Encrypted { format }
            }
            true => Unreadable::NotYet { format: OLD_FORMATS },
            false => Unreadable::Broken { format, detail: "it is no ZIP container".to_owned() },
        }
    }

    /// The name as users know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Markdown => "Markdown",
            Format::Html => "HTML",
            Format::Plain => "text",
            Format::Pdf => "PDF",
            Format::Restructured => "reStructuredText",
            Format::Separated => "CSV",
            Format::Docx => "Word",
            Format::Xlsx => "Excel",
            Format::Pptx => "PowerPoint",
            Format::OpenDocument => "OpenDocument",
            Format::Mail => "mail",
            Format::Mailbox => "mailbox",
            Format::Zip => "ZIP",
        }
    }
}

/// What a file is whose name says something else: a page, or one packed as a mail.
fn said_by_text(bytes: &[u8]) -> Option<Format> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(PROBE_BYTES)]).to_lowercase();
    let start = head.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let is_page = ["<!doctype html", "<html", "<head", "<meta", "<table", "<style"];
    match () {
        _ if is_page.iter().any(|tag| start.starts_with(tag)) => Some(Format::Html),
        _ if head.contains("mime-version:") && head.contains("multipart/related") => {
            Some(Format::Mail)
        }
        _ => None,
    }
}

fn not_yet<T>(entry: Option<&(T, &'static str)>) -> Unreadable {
    Unreadable::NotYet { format: entry.map_or("this", |(_, name)| name) }
}

/// The file name of a path, whichever way its slashes lean.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

pub(crate) fn extension(path: &str) -> String {
    let name = file_name(path);
    name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default()
}

/// The file name without its extension.
pub(crate) fn stem(path: &str) -> &str {
    let name = file_name(path);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_says_the_format() {
        assert_eq!(Format::of("a/B.MD", b""), Ok(Format::Markdown));
        assert_eq!(Format::of("a.b/c.htm", b""), Ok(Format::Html));
        assert_eq!(Format::of("a.rst", b""), Ok(Format::Restructured));
        let unknown = |path: &str| Err(Unreadable::UnknownFormat { path: path.to_owned() });
        assert_eq!(Format::of("README", b""), unknown("README"));
        assert_eq!(Format::of("a.md/README", b""), unknown("a.md/README"));
        assert_eq!(Format::of("a.adoc", b""), Err(Unreadable::NotYet { format: "AsciiDoc" }));
    }

    #[test]
    fn the_first_bytes_beat_the_extension() {
        assert_eq!(Format::of("a.txt", b"\x1f\x8b"), Err(Unreadable::NotYet { format: "gzip" }));
        assert_eq!(Format::of("a.md", b"PK\x03\x04"), Ok(Format::Zip));
        let old = Err(Unreadable::NotYet { format: OLD_FORMATS });
        assert_eq!(Format::of("a.docx", OLD_OFFICE), old);
        let mark: Vec<u8> = ENCRYPTED.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let locked = Format::of("a.docx", &[OLD_OFFICE, &mark].concat());
        assert_eq!(locked, Err(Unreadable::Encrypted { format: "Word" }));
        let page = b"\xef\xbb\xbf\n<HTML><table><tr><td>x</table>";
        assert_eq!(Format::of("a.xls", page), Ok(Format::Html));
        let packed = b"Date: x\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n";
        assert_eq!(Format::of("a.doc", packed), Ok(Format::Mail));
        assert!(matches!(Format::of("a.doc", b"x"), Err(Unreadable::NotYet { .. })));
        assert_eq!(Format::of("a.docx", b"PK\x03\x04"), Ok(Format::Docx));
        assert!(matches!(Format::of("a.xlsx", b"x"), Err(Unreadable::Broken { .. })));
    }

    #[test]
    fn stems() {
        assert_eq!(stem("a/b.c.md"), "b.c");
        assert_eq!(stem(".md"), ".md");
    }
}
