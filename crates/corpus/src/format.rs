//! Which format a file has: by its first bytes where they are clear, else by its extension.

use crate::Unreadable;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Markdown,
    Html,
    Plain,
    Pdf,
}

/// Extensions of formats that have a name but no reader yet.
const NOT_YET: &[(&str, &str)] = &[
    ("docx", "Word (docx)"),
    ("doc", "Word (doc)"),
    ("xlsx", "Excel (xlsx)"),
    ("xls", "Excel (xls)"),
    ("pptx", "PowerPoint (pptx)"),
    ("ppt", "PowerPoint (ppt)"),
    ("odt", "OpenDocument text (odt)"),
    ("ods", "OpenDocument spreadsheet (ods)"),
    ("odp", "OpenDocument presentation (odp)"),
    ("rtf", "RTF"),
    ("epub", "EPUB"),
    ("csv", "CSV"),
    ("tsv", "TSV"),
    ("eml", "E-mail (eml)"),
    ("msg", "Outlook (msg)"),
    ("mbox", "Mailbox (mbox)"),
    ("zip", "ZIP"),
    ("gz", "gzip"),
    ("tar", "tar"),
    ("7z", "7-Zip"),
    ("rst", "reStructuredText"),
    ("adoc", "AsciiDoc"),
    ("tex", "TeX"),
    ("xml", "XML"),
    ("json", "JSON"),
    ("yaml", "YAML"),
    ("yml", "YAML"),
    ("png", "PNG image"),
    ("jpg", "JPEG image"),
    ("jpeg", "JPEG image"),
    ("tif", "TIFF image"),
    ("tiff", "TIFF image"),
];

/// First bytes that no text file has, whatever its name.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "ZIP (or an Office document)"),
    (b"PK\x05\x06", "ZIP (or an Office document)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Office (doc, xls, ppt, msg)"),
    (b"{\\rtf", "RTF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"II*\0", "TIFF image"),
    (b"MM\0*", "TIFF image"),
];

impl Format {
    pub(crate) fn of(path: &str, bytes: &[u8]) -> Result<Format, Unreadable> {
        let signature = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start));
        let extension = extension(path);
        let named = NOT_YET.iter().find(|(known, _)| *known == extension);
        if bytes.starts_with(b"%PDF-") || extension == "pdf" {
            return Ok(Format::Pdf);
        }
        match extension.as_str() {
            _ if named.is_some() => Err(not_yet(named)),
            _ if signature.is_some() => Err(not_yet(signature)),
            "md" | "markdown" => Ok(Format::Markdown),
            "html" | "htm" => Ok(Format::Html),
            "txt" => Ok(Format::Plain),
            _ => Err(Unreadable::UnknownFormat { path: path.to_owned() }),
        }
    }
}

fn not_yet<T>(entry: Option<&(T, &'static str)>) -> Unreadable {
    Unreadable::NotYet { format: entry.map_or("this", |(_, name)| name) }
}

/// The file name of a path, whichever way its slashes lean.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn extension(path: &str) -> String {
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
        let unknown = |path: &str| Err(Unreadable::UnknownFormat { path: path.to_owned() });
        assert_eq!(Format::of("README", b""), unknown("README"));
        assert_eq!(Format::of("a.md/README", b""), unknown("a.md/README"));
        assert_eq!(
            Format::of("a.rst", b""),
            Err(Unreadable::NotYet { format: "reStructuredText" })
        );
    }

    #[test]
    fn the_first_bytes_beat_the_extension() {
        assert_eq!(Format::of("a.txt", b"%PDF-1.7"), Ok(Format::Pdf));
        assert_eq!(Format::of("a.pdf", b"\n%PDF-1.7"), Ok(Format::Pdf));
        let error = Format::of("a.md", b"PK\x03\x04").unwrap_err();
        assert!(error.to_string().contains("ZIP"), "{error}");
    }

    #[test]
    fn stems() {
        assert_eq!(stem("a/b.c.md"), "b.c");
        assert_eq!(stem(".md"), ".md");
    }
}
