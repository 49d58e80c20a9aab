//! Fonts: what a code in a page's text says, and how wide it is.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use hayro_font::hayro_cmap::BfString;
use hayro_font::{CMapResolverFn, FontCache, FontData, FontGlyph, FontQuery, FontResolverFn};
use hayro_syntax::object::{Array, Dict, Name, Rect, Stream};
use unicode_normalization::UnicodeNormalization;

use super::codes::{self, Codes};
use super::fuel::Fuel;
use super::program::Program;
use super::unpack::{font_fits, says, unpack};

/// So many letters of a font may have widths.
const MAX_WIDTHS: usize = 1 << 20;

/// A letter of a font.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// What it says; `None` if the font does not tell.
    pub text: Option<Rc<str>>,
    /// How far the next letter stands, in thousandths of the size; down the page in fonts that
    /// are written so.
    pub advance: f64,
}

/// A font of the document.
pub(super) struct Font<'a> {
    inner: Option<hayro_font::Font<'a>>,
    /// The weight says so, or the name.
    pub is_bold: bool,
    /// All letters have the same width.
    pub is_fixed: bool,
    pub is_horizontal: bool,
    /// The height of its letters, in sizes of the font.
    pub em: f64,
    letters: RefCell<HashMap<(u32, usize), Letter>>,
    codes: Codes,
    /// Whether it has a table of characters that says anything.
    has_table: bool,
    /// Read when a letter is met that has no other name.
    program: OnceCell<Program>,
}

impl Font<'_> {
    /// The next code of a string: its value, its bytes, and the letter.
    pub(super) fn letter(&self, bytes: &[u8], offset: usize) -> (u32, usize, Letter) {
        let Some(inner) = &self.inner else {
            let nothing = Letter { text: None, advance: 500.0 };
            return (u32::from(bytes[offset]), 1, nothing);
        };
        let (code, length) = inner.read_code(bytes, offset);
        let mut letters = self.letters.borrow_mut();
        let letter = letters.entry((code, length));
        let letter = letter.or_insert_with(|| self.meet(inner, code, length));
        (code, length.max(1), letter.clone())
    }

    fn meet(&self, font: &hayro_font::Font<'_>, code: u32, length: usize) -> Letter {
        let glyph = font.glyph(font.map_code(code), code);
        let unicode = match &glyph {
            FontGlyph::Outline(glyph) => glyph.as_unicode(),
            FontGlyph::Type3(glyph) => glyph.as_unicode(),
        };
        // A table may give the first of several glyphs what all of them say.
        let is_silent = unicode.is_none() && self.has_table;
        let text = unicode.and_then(|found| match found {
            BfString::Char(one) => readable(&one.to_string()),
            BfString::String(many) => readable(&many),
        });
        let of_codes = || self.codes.text(code, length).and_then(|text| readable(&text));
        let text = text.or_else(|| of_codes().filter(|_| self.codes.is_sure()));
        let text = match is_silent {
            true => text,
            false => text.or_else(|| self.of_program(&glyph)).or_else(of_codes),
        };
        let advance = font.code_advance(code);
        let advance = if font.is_horizontal() { advance.x } else { advance.y };
        let advance = if advance.is_finite() { advance.clamp(-10_000.0, 10_000.0) } else { 0.0 };
        Letter { text: text.map(Rc::from), advance }
    }

    /// What the font program says that a glyph stands for.
    fn of_program(&self, glyph: &FontGlyph<'_>) -> Option<String> {
        let FontGlyph::Outline(glyph) = glyph else { return None };
        let program = self.program.get_or_init(|| {
            let data = glyph.font_data().map(|found| found.data);
            data.map(|data| Program::of(data.as_ref().as_ref())).unwrap_or_default()
        });
        let character = program.character(glyph.glyph_id().to_u32())?;
        readable(&character.to_string())
    }
}

/// Ligatures and shaped forms become the letters they stand for; signs of symbol fonts become
/// what they look like; what nobody can read is nothing.
fn readable(text: &str) -> Option<String> {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb17}' => {
                out.extend([character].into_iter().nfkc())
            }
            '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' => {
                out.extend([character].into_iter().nfkc())
            }
            '\u{f0b7}' | '\u{f0a8}' | '\u{f09f}' => out.push('•'),
            '\u{f0a7}' => out.push('▪'),
            '\u{f02d}' | '\u{f0be}' => out.push('–'),
            '\u{f0d8}' | '\u{f0e0}' => out.push('‣'),
            '\u{f0fc}' => out.push('✓'),
            '\u{f020}'..='\u{f07e}' => out.extend(char::from_u32(character as u32 - 0xf000)),
            '\u{fffd}' | '\0' => return None,
            _ if is_private(character) => return None,
            _ => out.push(character),
        }
    }
    (!out.is_empty()).then_some(out)
}

fn is_private(character: char) -> bool {
    matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// The fonts met so far.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    programs: FontResolverFn,
    maps: CMapResolverFn,
    /// By where the dictionary stands in memory.
    met: HashMap<usize, Rc<Font<'a>>>,
}

impl<'a> Fonts<'a> {
    pub(super) fn new() -> Fonts<'a> {
        let programs: FontResolverFn = Arc::new(|query: &FontQuery| -> Option<(FontData, u32)> {
            let standard = match query {
                FontQuery::Standard(font) => *font,
                FontQuery::Fallback(query) => query.pick_standard_font(),
            };
            Some(standard.get_font_data())
        });
        let maps: CMapResolverFn = Arc::new(|name| codes::table(name.to_bytes()));
        Fonts { cache: FontCache::new(), programs, maps, met: HashMap::new() }
    }

    /// The font that a dictionary describes.
    pub(super) fn get(&mut self, dict: &Dict<'a>, fuel: &Fuel) -> Rc<Font<'a>> {
        let key = dict.data().as_ptr() as usize;
        if let Some(font) = self.met.get(&key) {
            return font.clone();
        }
        let inner = match font_fits(dict, fuel) && widths_fit(dict) {
            true => self.cache.font(dict, &self.programs, &self.maps),
            false => None,
        };
        let style = Style::of(dict);
        let font = Rc::new(Font {
            is_horizontal: inner.as_ref().is_none_or(|font| font.is_horizontal()),
            inner,
            is_bold: style.is_bold,
            is_fixed: style.is_fixed,
            em: em(dict),
            letters: RefCell::default(),
            codes: Codes::of(dict),
            has_table: has_table(dict, fuel),
            program: OnceCell::new(),
        });
        self.met.insert(key, font.clone());
        font
    }
}

/// Whether the widths are given for no more letters than a font can have: each of them is kept.
fn widths_fit(dict: &Dict<'_>) -> bool {
    let descendants = dict.get::<Array<'_>>("DescendantFonts").unwrap_or_default();
    let descendant = descendants.iter::<Dict<'_>>().next().unwrap_or_default();
    let widths = |key: &str| descendant.get::<Array<'_>>(key).unwrap_or_default();
    let given = ranged(&widths("W"), Down::No).saturating_add(ranged(&widths("W2"), Down::Yes));
    given <= MAX_WIDTHS && dict.get::<usize>("FirstChar").unwrap_or(0) <= MAX_WIDTHS
}

/// Whether widths are those of letters that are written down the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Down {
    Yes,
    No,
}

/// For how many letters an array gives widths by their first and last.
fn ranged(widths: &Array<'_>, down: Down) -> usize {
    let mut rest = widths.flex_iter();
    let mut count: usize = 0;
    loop {
        if rest.next::<(u32, Array<'_>)>().is_some() {
            continue;
        }
        let range = match down {
            Down::Yes => rest.next::<(u32, u32, f32, f32, f32)>().map(|found| (found.0, found.1)),
            Down::No => rest.next::<(u32, u32, f32)>().map(|found| (found.0, found.1)),
        };
        let Some((first, last)) = range else { return count };
        count = count.saturating_add(last.saturating_sub(first) as usize + 1);
    }
}

fn has_table(dict: &Dict<'_>, fuel: &Fuel) -> bool {
    let table = dict.get::<Stream<'_>>("ToUnicode").and_then(|table| unpack(&table, fuel));
    table.is_some_and(|table| says(&table, b"beginbf"))
}

/// How high letters are, in sizes of the font: fonts that draw their letters themselves (Type 3)
/// may count in other units than thousandths.
fn em(dict: &Dict<'_>) -> f64 {
    if dict.get::<Name<'_>>("Subtype").as_deref() != Some(b"Type3") {
        return 1.0;
    }
    let matrix = dict.get::<[f64; 6]>("FontMatrix").unwrap_or([0.001, 0.0, 0.0, 0.001, 0.0, 0.0]);
    let widths = dict.get::<Array<'_>>("Widths").unwrap_or_default();
    let widest = widths.iter::<f64>().take(256).fold(0.0, f64::max);
    let bounds = dict.get::<Rect>("FontBBox").map_or(0.0, |bounds| bounds.y1 - bounds.y0);
    let em = bounds.max(widest) * matrix[3].hypot(matrix[2]);
    // Neither is the height of the font, so what is near it is left alone.
    if (0.5..2.0).contains(&em) || !(0.01..1e4).contains(&em) { 1.0 } else { em }
}

struct Style {
    is_bold: bool,
    is_fixed: bool,
}

impl Style {
    fn of(dict: &Dict<'_>) -> Style {
        let descendant = dict
            .get::<Array<'_>>("DescendantFonts")
            .and_then(|fonts| fonts.iter::<Dict<'_>>().next())
            .unwrap_or_else(|| dict.clone());
        let descriptor = descendant.get::<Dict<'_>>("FontDescriptor").unwrap_or_default();
        let name = dict.get::<Name<'_>>("BaseFont").map(|name| name.as_str().to_lowercase());
        let name = name.unwrap_or_default();
        let flags = descriptor.get::<u32>("Flags").unwrap_or(0);
        let weight = descriptor.get::<u32>("FontWeight").unwrap_or(400);
        let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
        // Computer Modern says "bx" for bold, as in CMBX10 or SFBX1095.
        let is_bold = says(&["bold", "black", "heavy", "demi", "cmbx", "sfbx", "ecbx", "cmssbx"])
            || (600..=1000).contains(&weight)
            || flags & 1 << 18 != 0;
        let is_fixed =
            flags & 1 != 0 || says(&["courier", "mono", "consol", "cmtt", "sftt", "typewriter"]);
        Style { is_bold, is_fixed }
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn letters_are_made_readable() {
        assert_eq!(readable("ﬁ").as_deref(), Some("fi"));
        assert_eq!(readable("ﺡ").as_deref(), Some("ح"));
        assert_eq!(readable("\u{f0b7}").as_deref(), Some("•"));
        assert_eq!(readable("\u{e123}"), None);
        assert_eq!(readable("½").as_deref(), Some("½"));
    }
}
