//! What a file says about itself: title, outline, attachments, and the values of its form.

use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, Name, Object, Rect, Stream, String as Text};
use hayro_syntax::page::Page;

use super::fuel::Fuel;
use super::sheet::{Glyph, Sheet, Turn};
use super::text_string::text_string;
use super::unpack::unpack;
use crate::clean::tidy;

const MAX_OUTLINE: usize = 10_000;
const MAX_FIELDS: usize = 1000;
const MAX_VALUE_CHARS: usize = 4000;
const MAX_PARENTS: usize = 16;
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
    for _ in 0..MAX_FIELDS {
        let Some(node) = waiting.pop() else { break };
        let kids = node.get::<Array<'_>>("Kids").unwrap_or_default();
        waiting.extend(kids.iter::<Dict<'_>>().take(MAX_FIELDS));
        let files = node.get::<Array<'_>>("Names").unwrap_or_default();
        for file in files.iter::<Object<'_>>().filter_map(Object::into_dict).take(MAX_FIELDS) {
            let name = ["UF", "F"].iter().find_map(|key| file.get::<Text<'_>>(key));
            found.extend(name.map(|name| tidy(&text_string(name.as_bytes()))));
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// Writes the values of form fields onto the sheet, where their fields stand.
pub(super) fn fill_in(page: &Page<'_>, sheet: &mut Sheet) {
    let annotations = page.raw().get::<Array<'_>>("Annots").unwrap_or_default();
    let [a, b, c, d, e, f] = page.initial_transform(true).as_coeffs();
    for widget in annotations.iter::<Dict<'_>>().take(MAX_FIELDS) {
        let is_widget = widget.get::<Name<'_>>("Subtype").as_deref() == Some(b"Widget");
        let Some(rect) = widget.get::<Rect>("Rect").filter(|_| is_widget) else { continue };
        let Some(value) = value(&widget) else { continue };
        let point = |x: f64, y: f64| ((a * x + c * y + e) as f32, (b * x + d * y + f) as f32);
        let (from, to) = (point(rect.x0, rect.y0), point(rect.x1, rect.y1));
        write(sheet, &value, (from.0.min(to.0), from.1.min(to.1)), (from.1 - to.1).abs());
    }
}

/// What a field was filled in with; a tick for a box that is on.
fn value(widget: &Dict<'_>) -> Option<String> {
    let inherited = |key: &str| -> Option<Object<'_>> {
        let mut field = widget.clone();
        for _ in 0..MAX_PARENTS {
            if let Some(found) = field.get::<Object<'_>>(key) {
                return Some(found);
            }
            field = field.get::<Dict<'_>>("Parent")?;
        }
        None
    };
    let kind = inherited("FT")?.into_name()?;
    match (kind.as_ref(), inherited("V")) {
        (b"Btn", _) => {
            let state = widget.get::<Name<'_>>("AS")?;
            (state.as_ref() != b"Off").then(|| "✓".to_owned())
        }
        (b"Tx" | b"Ch", Some(Object::String(text))) => {
            let text = text_string(text.as_bytes());
            let text: String = text.chars().take(MAX_VALUE_CHARS).collect();
            (!text.trim().is_empty()).then_some(text)
        }
        _ => None,
    }
}

fn write(sheet: &mut Sheet, value: &str, (x, top): (f32, f32), height: f32) {
    let lines: Vec<&str> = value.lines().collect();
    let size = (height / lines.len().max(1) as f32 * 0.75).clamp(4.0, 11.0);
    let middle = beside(sheet, x, (top, top + height)).unwrap_or(top + 0.5 * height + 0.35 * size);
    for (row, line) in lines.iter().enumerate() {
        let y = if lines.len() > 1 { top + (1.0 + 1.2 * row as f32) * size } else { middle };
        for (column, letter) in line.chars().enumerate() {
            let x0 = x + 2.0 + column as f32 * 0.5 * size;
            sheet.glyphs.push(Glyph {
                text: letter.to_string().into(),
                x0,
                x1: x0 + 0.5 * size,
                y,
                size,
                is_bold: false,
                is_fixed: false,
                turn: Turn::Upright,
                is_furniture: false,
            });
        }
    }
}

/// The foot of the line that stands beside a field: its label.
fn beside(sheet: &Sheet, x: f32, (top, bottom): (f32, f32)) -> Option<f32> {
    let labels = sheet.glyphs.iter().filter(|glyph| {
        glyph.turn == Turn::Upright && glyph.y > top + 1.0 && glyph.y < bottom + 2.0
    });
    let nearest = labels.min_by(|a, b| (a.x1 - x).abs().total_cmp(&(b.x1 - x).abs()));
    nearest.map(|glyph| glyph.y)
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
