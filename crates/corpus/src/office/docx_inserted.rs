//! Files that a Word document takes in when it is opened: pages and texts that stand in it as they
//! are (`altChunk`), as programs write that make documents of pages.

use super::docx::FORMAT;
use super::graphic::Graphics;
use super::relations::Relations;
use crate::package::Package;
use crate::raw::Raw;
use crate::xml::Element;
use crate::{Language, Unreadable, clean, format, html, mail, plain};

/// Reads what the elements below `root` take in, and names what cannot be read.
pub(super) fn read(
    package: &mut Package,
    relations: &Relations,
    root: Element,
    found: &mut Graphics,
) -> Result<Vec<String>, Unreadable> {
    let mut left_out = Vec::new();
    for element in root.descendants().filter(|element| element.is("altChunk")) {
        let target = element.attribute("r:id").and_then(|id| relations.target(id));
        let Some(target) = target else { continue };
        let Some(bytes) = package.part(target)? else { continue };
        match blocks(target, &bytes) {
            Ok(blocks) => drop(found.insert(element.id(), blocks)),
            Err(_) => left_out.push(format!(
                "the inserted file {:?}: open and save the document in {FORMAT}",
                format::file_name(target)
            )),
        }
    }
    Ok(left_out)
}

fn blocks(path: &str, bytes: &[u8]) -> Result<Vec<Raw>, Unreadable> {
    match format::extension(path).as_str() {
        "htm" | "html" | "xhtml" => html::fragment(&html::decode(bytes)?),
        "mht" | "mhtml" => mail::page(bytes),
        "txt" => {
            let text = clean::decode(bytes)?;
            plain::read(&text, Language::detect(&text))
        }
        _ => Err(Unreadable::UnknownFormat { path: path.to_owned() }),
    }
}
