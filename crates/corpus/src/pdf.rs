//! Reading PDF (ISO 32000): text in reading order, with its places on the pages.
//!
//! The syntax, filters, encryption and fonts of PDF are read by `hayro-syntax` and `hayro-font`;
//! what stands where ([`draw`]), and how that becomes lines, columns, tables and blocks, is ours.

mod about;
mod annotation;
mod band;
mod block;
mod codes;
mod column;
mod cover;
mod draw;
mod font;
mod fuel;
mod furniture;
mod ink;
mod layout;
mod line;
mod note;
mod path;
mod place;
mod program;
mod sheet;
mod table;
mod text_string;
mod unpack;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use crate::pages::{Mark, PageSize, Pages};
use crate::raw::{Raw, check_count};
use crate::{Unreadable, clean};
use block::{Body, Builder};
use font::Fonts;
use fuel::{Fuel, MAX_OBJECTS, MAX_PAGES};
use place::Place;
use sheet::{SCAN_COVER, Sheet};

/// A scan has fewer letters than this.
const SCAN_LETTERS: usize = 12;

/// In a file without any text, pictures that cover so much of a page are what it says.
const PICTURE_COVER: f32 = 0.1;

/// What was read.
pub(crate) struct Found {
    pub raws: Vec<Raw>,
    /// The title that the file gives itself; may be empty.
    pub title: String,
    pages: Pages,
    places: Vec<Place>,
}

impl Found {
    /// The pages, with the places of `text`, which was made of the blocks.
    pub(crate) fn pages(self, text: &str) -> Pages {
        let mut marks: Vec<Mark> = place::marks(text, &self.places);
        marks.sort_by_key(|mark| mark.range);
        Pages { marks, ..self.pages }
    }
}

/// Reads a PDF file.
pub(crate) fn read(bytes: &[u8]) -> Result<Found, Unreadable> {
    if bytes.len() > clean::MAX_BYTES {
        return Err(Unreadable::TooLarge { bytes: bytes.len(), limit: clean::MAX_BYTES });
    }
    unpack::refuse_bombs(bytes)?;
    // A damaged file may meet a mistake in a library; that makes it unreadable and no more.
    catch_unwind(AssertUnwindSafe(|| read_trusting(bytes))).unwrap_or(Err(Unreadable::Damaged))
}

fn read_trusting(bytes: &[u8]) -> Result<Found, Unreadable> {
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| refusal(error, bytes))?;
    refuse_large(&pdf)?;
    let fuel = Fuel::new();
    let sheets = sheets(&pdf, &fuel);
    if fuel.is_spent() {
        return Err(Unreadable::TooMuch { what: "drawing instructions or packed data" });
    }
    let sizes = sheets.iter().map(|sheet| PageSize { width: sheet.width, height: sheet.height });
    let pages = Pages {
        sizes: sizes.collect(),
        marks: Vec::new(),
        missing: missing(&sheets)?,
        hidden: hidden(&sheets),
        attachments: about::attachments(&pdf),
    };
    let title = about::title(&pdf, &fuel).unwrap_or_default();
    let (body, regions) = layout::regions(sheets, &about::outline(&pdf));
    let (raws, places) = blocks(&body, regions);
    check_count(&raws)?;
    Ok(Found { raws, title, pages, places })
}

fn refusal(error: LoadPdfError, bytes: &[u8]) -> Unreadable {
    match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Unreadable::Protected,
        LoadPdfError::Decryption(_) => Unreadable::Encryption,
        // Of a file that had to be repaired it is not said why it cannot be decrypted.
        LoadPdfError::Invalid if unpack::says(bytes, b"/Encrypt") => Unreadable::Encryption,
        LoadPdfError::Invalid => Unreadable::Damaged,
    }
}

fn refuse_large(pdf: &Pdf) -> Result<(), Unreadable> {
    match () {
        _ if pdf.len() > MAX_OBJECTS => Err(Unreadable::TooMuch { what: "objects" }),
        _ if pdf.pages().len() > MAX_PAGES => Err(Unreadable::TooMuch { what: "pages" }),
        _ if pdf.pages().is_empty() => Err(Unreadable::Damaged),
        _ => Ok(()),
    }
}

fn sheets(pdf: &Pdf, fuel: &Fuel) -> Vec<Sheet> {
    let mut fonts = Fonts::new();
    pdf.pages().iter().map(|page| draw::draw(page, &mut fonts, fuel)).collect()
}

/// Pages with text that nobody can see.
fn hidden(sheets: &[Sheet]) -> Vec<u32> {
    let hides = |sheet: &Sheet| sheet.hidden > 0;
    sheets.iter().zip(1..).filter(|(sheet, _)| hides(sheet)).map(|(_, page)| page).collect()
}

/// Pages whose text is missing; an error if that is all of them.
fn missing(sheets: &[Sheet]) -> Result<Vec<u32>, Unreadable> {
    let letters = |sheet: &Sheet| sheet.glyphs.iter().filter(|glyph| !glyph.is_blank()).count();
    let is_scan = |sheet: &Sheet| sheet.pictured > SCAN_COVER && letters(sheet) < SCAN_LETTERS;
    let is_mute = |sheet: &Sheet| sheet.unreadable > 20 && sheet.unreadable > letters(sheet);
    let pages = |is: &dyn Fn(&Sheet) -> bool| -> Vec<u32> {
        let found = sheets.iter().zip(1..).filter(|(sheet, _)| is(sheet));
        found.map(|(_, page)| page).collect()
    };
    let (scans, mute) = (pages(&is_scan), pages(&is_mute));
    let all = pages(&|sheet| is_scan(sheet) || is_mute(sheet));
    let has_text = pages(&|sheet| !is_scan(sheet) && !is_mute(sheet) && letters(sheet) > 0);
    match has_text.is_empty() {
        true if !scans.is_empty() && scans.len() >= mute.len() => {
            Err(Unreadable::Scanned { pages: sheets.len() })
        }
        true => why_silent(sheets).map_or(Ok(all), Err),
        false => Ok(all),
    }
}

/// Why no page has text that can be read, if that can be told.
fn why_silent(sheets: &[Sheet]) -> Option<Unreadable> {
    let any = |is: &dyn Fn(&Sheet) -> bool| sheets.iter().any(is);
    match () {
        _ if any(&|sheet| sheet.unreadable > 0) => Some(Unreadable::NoCharacters),
        _ if any(&|sheet| sheet.hidden > 0) => Some(Unreadable::Unseen),
        _ if any(&|sheet| sheet.pictured > PICTURE_COVER) => {
            Some(Unreadable::Scanned { pages: sheets.len() })
        }
        _ => None,
    }
}

fn blocks(body: &Body, regions: Vec<block::Region>) -> (Vec<Raw>, Vec<Place>) {
    let mut builder = Builder::new(body);
    regions.into_iter().for_each(|region| builder.region(region));
    let mut places = Vec::new();
    let mut raws = Vec::new();
    for piece in builder.finish() {
        places.extend(piece.places);
        raws.push(piece.raw);
    }
    (raws, places)
}

#[cfg(test)]
mod make;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unusual;
