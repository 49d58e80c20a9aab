//! What a file says about itself: title, outline and attachments.

use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, Object, Stream, String as Text};

use super::fuel::Fuel;
use super::text_string::text_string;
use super::unpack::unpack;
use crate::clean::tidy;

const MAX_OUTLINE: usize = 10_000;
const MAX_NAMES: usize = 1000;
const MAX_XMP_BYTES: usize = 1 << 20;

/// The title of the file, if it is one that a person gave.
pub(super) fn title(pdf: &Pdf, fuel: &Fuel) -> Option<String> {
    let info = pdf.metadata().title.as_deref().map(text_string);
    let from = |title: Option<String>| title.map(|title| tidy(&title)).filter(|t| is_title(t));
    from(info).or_else(|| from(xmp_title(pdf, fuel)))
}

/// Programs write file names and worse where a title should stand.
fn is_title(title: &str) -> bool {
    let lower = title.to_lowercase();
    let endings = [
        ".doc", ".docx", ".odt", ".rtf", ".pdf", ".indd", ".tex", ".dvi", ".ps", ".xls", ".xlsx",
        ".ppt", ".pptx", ".qxd", ".fm", ".txt", ".html", ".p65", ".wpd", ".cdr", ".ai",
    ];
    let junk = [
        "untitled",
        "(anonymous)",
        "anonymous",
        "unbenannt",
        "sans titre",
        "senza titolo",
        "document",
        "dokument",
    ];
    title.chars().filter(|c| c.is_alphabetic()).count() >= 3
        && title.len() <= 300
        && !lower.starts_with("microsoft word")
        && !lower.starts_with("microsoft powerpoint")
        && !lower.contains("\\")
        && !endings.iter().any(|ending| lower.ends_with(ending))
        && !junk.iter().any(|word| lower.trim_end_matches(|c: char| !c.is_alphabetic()) == *word)
        && (title.contains(' ') || !title.contains(['_', '/']))
}

fn catalog(pdf: &Pdf) -> Option<Dict<'_>> {
    pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())
}

/// `dc:title` of the XMP packet, found without reading all of its XML.
fn xmp_title(pdf: &Pdf, fuel: &Fuel) -> Option<String> {
    let stream = catalog(pdf)?.get::<Stream<'_>>("Metadata")?;
    let packet = unpack(&stream, fuel).filter(|packet| packet.len() <= MAX_XMP_BYTES)?;
    let packet = String::from_utf8_lossy(&packet).into_owned();
    let inside = packet.split_once("<dc:title")?.1.split_once("</dc:title>")?.0;
    let item = inside.split_once("<rdf:li")?.1.split_once('>')?.1;
    let text = item.split('<').next()?;
    let decoded = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    Some(decoded.replace("&apos;", "'").replace("&amp;", "&"))
}

/// The titles of the outline (bookmarks).
pub(super) fn outline(pdf: &Pdf) -> Vec<String> {
    let root = catalog(pdf).and_then(|catalog| catalog.get::<Dict<'_>>("Outlines"));
    let Some(first) = root.and_then(|root| root.get::<Dict<'_>>("First")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut waiting = vec![first];
    // Every item counts, so that items that lead to each other come to an end.
    for _ in 0..MAX_OUTLINE {
        let Some(item) = waiting.pop() else { break };
        if let Some(title) = item.get::<Text<'_>>("Title") {
            found.push(tidy(&text_string(title.as_bytes())));
        }
        waiting.extend(["Next", "First"].iter().filter_map(|key| item.get::<Dict<'_>>(key)));
    }
    found
}

/// Names of attached files.
pub(super) fn attachments(pdf: &Pdf) -> Vec<String> {
    let names = catalog(pdf).and_then(|catalog| catalog.get::<Dict<'_>>("Names"));
    let Some(root) = names.and_then(|names| names.get::<Dict<'_>>("EmbeddedFiles")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut waiting = vec![root];
    for _ in 0..MAX_NAMES {
        let Some(node) = waiting.pop() else { break };
        let kids = node.get::<Array<'_>>("Kids").unwrap_or_default();
        waiting.extend(kids.iter::<Dict<'_>>().take(MAX_NAMES));
        let files = node.get::<Array<'_>>("Names").unwrap_or_default();
        for file in files.iter::<Object<'_>>().filter_map(Object::into_dict).take(MAX_NAMES) {
            let name = ["UF", "F"].iter().find_map(|key| file.get::<Text<'_>>(key));
            found.extend(name.map(|name| tidy(&text_string(name.as_bytes()))));
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::is_title;

    #[test]
    fn titles_are_told_from_file_names() {
        for title in ["Bundesverfassung", "The Crazy Ones", "Fees 2026"] {
            assert!(is_title(title), "{title}");
        }
        for title in ["Microsoft Word - a.doc", "report_final.docx", "untitled", "1", "C:\\a b"] {
            assert!(!is_title(title), "{title}");
        }
    }
}
