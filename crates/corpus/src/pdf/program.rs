//! What an embedded font program says about its glyphs, for fonts that carry no table of
//! characters.

use std::collections::HashMap;

use skrifa::raw::ps::agl::name_to_char;
use skrifa::{FontRef, GlyphNames, MetadataProvider};

/// More characters than any font has.
const MAX_CHARACTERS: usize = 1 << 17;

/// The characters that the glyphs of a program stand for.
#[derive(Debug, Default)]
pub(super) struct Program {
    characters: HashMap<u32, char>,
}

impl Program {
    /// What a TrueType or OpenType program says; nothing of another one.
    pub(super) fn of(data: &[u8]) -> Program {
        let Ok(font) = FontRef::from_index(data, 0) else { return Program::default() };
        let mut characters = HashMap::new();
        let map = font.charmap();
        // Symbol fonts number their signs as they like.
        let mappings = map.mappings().take(if map.is_symbol() { 0 } else { MAX_CHARACTERS });
        for (code, glyph) in mappings {
            let Some(character) = char::from_u32(code).filter(|c| says_something(*c)) else {
                continue;
            };
            characters.entry(glyph.to_u32()).or_insert(character);
        }
        for (glyph, name) in GlyphNames::new(&font).iter().take(MAX_CHARACTERS) {
            if name.is_synthesized() {
                continue;
            }
            if let Some(character) = name_to_char(name.as_str()).filter(|c| says_something(*c)) {
                characters.entry(glyph.to_u32()).or_insert(character);
            }
        }
        Program { characters }
    }

    /// The character of a glyph.
    pub(super) fn character(&self, glyph: u32) -> Option<char> {
        self.characters.get(&glyph).copied()
    }
}

/// Radicals share their glyphs with the words that look like them.
fn says_something(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{2e80}'..='\u{2fdf}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A font with nothing but a table of characters: A, B, C are glyphs 3, 4, 5.
    fn font(platform: u16) -> Vec<u8> {
        let words = |values: &[u16]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_be_bytes()).collect()
        };
        let head = words(&[0, 1, platform, if platform == 3 { 10 } else { 0 }, 0, 12]);
        let group = words(&[12, 0, 0, 28, 0, 0, 0, 1, 0, 65, 0, 67, 0, 3]);
        let table = [head, group].concat();
        let offset = words(&[1, 0, 1, 16, 0, 0]);
        let record = words(&[0, 0, 0, 28, 0, table.len() as u16]);
        [offset, b"cmap".to_vec(), record, table].concat()
    }

    #[test]
    fn glyphs_say_their_characters() {
        let program = Program::of(&font(3));
        assert_eq!(program.character(4), Some('B'));
        assert_eq!(program.character(6), None);
        assert_eq!(Program::of(b"no font").character(1), None);
        for end in 0..font(3).len() {
            let _ = Program::of(&font(3)[..end]);
        }
    }
}
