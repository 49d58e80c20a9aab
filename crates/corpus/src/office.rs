//! Office documents: ZIP containers of XML parts.

mod docx;
mod docx_numbering;
mod docx_styles;
mod docx_table;
mod docx_text;
mod number_format;
mod open_document;
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

pub(crate) use docx::read as docx;
pub(crate) use open_document::read as open_document;
pub(crate) use pptx::read as pptx;
pub(crate) use xlsx::read as xlsx;
