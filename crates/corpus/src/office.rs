//! Office documents: ZIP containers of XML parts.

mod date_format;
mod docx;
mod docx_formula;
mod docx_inserted;
mod docx_numbering;
mod docx_styles;
mod docx_table;
mod docx_text;
mod graphic;
mod number_format;
mod open_document;
mod open_document_object;
mod open_document_style;
mod open_document_text;
mod pptx;
mod relations;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod xlsx;
mod xlsx_sheet;

/// The folder of the main part that a container's relations name: "word", "xl", "ppt"; else "".
pub(crate) fn main_folder(package: &mut crate::package::Package) -> String {
    let main = relations::main_part(package, "", "ZIP").unwrap_or_default();
    main.split_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default()
}

pub(crate) use docx::read as docx;
pub(crate) use docx_text::is_made;
pub(crate) use open_document::read as open_document;
pub(crate) use pptx::read as pptx;
pub(crate) use xlsx::read as xlsx;
