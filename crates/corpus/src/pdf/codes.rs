//! What the codes of a text say by themselves, in fonts that carry no table of characters: codes
//! that are Unicode, or of an encoding of East Asia, or that give their glyphs their names.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, UTF_16BE, WINDOWS_1252};
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};

/// What is known of a font's codes.
#[derive(Debug, Default)]
pub(super) enum Codes {
    /// Nothing.
    #[default]
    Mute,
    /// They are Unicode.
    Unicode,
    /// They are probably Unicode, unless the font program says more.
    MaybeUnicode,
    /// They are of this encoding.
    Encoded(&'static Encoding),
    /// They are of the Japanese standard's table, without the bits that mark it.
    Jis,
    /// Their glyphs are named after these of them; TeX numbers them in its own way.
    Names { codes: BTreeSet<u8>, is_tex: bool },
}

impl Codes {
    pub(super) fn of(font: &Dict<'_>) -> Codes {
        let is = |key: &str, name: &[u8]| font.get::<Name<'_>>(key).as_deref() == Some(name);
        match font.get::<Name<'_>>("Subtype").as_deref() {
            Some(b"Type0") if is("ToUnicode", b"Identity-H") || is("ToUnicode", b"Identity-V") => {
                match glyphs(font) {
                    Glyphs::Numbered => Codes::MaybeUnicode,
                    Glyphs::Mapped | Glyphs::Absent => Codes::Unicode,
                }
            }
            Some(b"Type0") if is("Encoding", b"Identity-H") && glyphs(font) == Glyphs::Mapped => {
                Codes::MaybeUnicode
            }
            Some(b"Type0") => {
                let name = font.get::<Name<'_>>("Encoding");
                name.map_or(Codes::Mute, |name| predefined(name.as_ref()))
            }
            Some(b"Type1" | b"Type3") => names(font).unwrap_or_default(),
            _ => Codes::Mute,
        }
    }

    /// Whether they say more than the font program.
    pub(super) fn is_sure(&self) -> bool {
        matches!(self, Codes::Unicode | Codes::Encoded(_) | Codes::Jis)
    }

    /// What a code of so many bytes says.
    pub(super) fn text(&self, code: u32, length: usize) -> Option<String> {
        let bytes = code.to_be_bytes();
        let bytes = bytes.get(bytes.len().checked_sub(length)?..)?;
        match self {
            Codes::Mute => None,
            Codes::Unicode | Codes::MaybeUnicode => decoded(UTF_16BE, bytes),
            Codes::Encoded(encoding) => decoded(encoding, bytes),
            Codes::Jis => decoded(EUC_JP, &bytes.iter().map(|b| b | 0x80).collect::<Vec<u8>>()),
            Codes::Names { codes, is_tex } => {
                let code = u8::try_from(code).ok().filter(|code| codes.contains(code))?;
                let special = tex(code).filter(|_| *is_tex);
                special.map(str::to_owned).or_else(|| decoded(WINDOWS_1252, &[code]))
            }
        }
    }
}

fn decoded(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    (!text.contains(char::is_control)).then(|| text.into_owned())
}

/// How codes lead to the glyphs of a composite font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glyphs {
    /// It is embedded, and codes may be the numbers of its glyphs.
    Numbered,
    /// It is not embedded, but says which glyphs its codes are.
    Mapped,
    Absent,
}

fn glyphs(font: &Dict<'_>) -> Glyphs {
    let descendants = font.get::<Array<'_>>("DescendantFonts").unwrap_or_default();
    let descendant = descendants.iter::<Dict<'_>>().next().unwrap_or_default();
    let descriptor = descendant.get::<Dict<'_>>("FontDescriptor").unwrap_or_default();
    let is_embedded =
        ["FontFile", "FontFile2", "FontFile3"].iter().any(|key| descriptor.contains_key(*key));
    match () {
        _ if is_embedded => Glyphs::Numbered,
        _ if descendant.get::<Stream<'_>>("CIDToGIDMap").is_some() => Glyphs::Mapped,
        _ => Glyphs::Absent,
    }
}

/// The encoding that a predefined name stands for (ISO 32000-1, section 9.7.5.2).
fn predefined(name: &[u8]) -> Codes {
    let Ok(name) = std::str::from_utf8(name) else { return Codes::Mute };
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    match () {
        _ if name.starts_with("Uni") && has(&["UCS2", "UTF16"]) => Codes::Encoded(UTF_16BE),
        _ if has(&["RKSJ"]) => Codes::Encoded(SHIFT_JIS),
        _ if has(&["GB-EUC", "GBK-EUC", "GBKp-EUC", "GBpc-EUC", "GBK2K"]) => {
            Codes::Encoded(GB18030)
        }
        _ if has(&["B5pc", "ETen-B5", "ETenms-B5", "HKscs-B5"]) => Codes::Encoded(BIG5),
        _ if has(&["KSC-EUC", "KSCms-UHC", "KSCpc-EUC"]) => Codes::Encoded(EUC_KR),
        _ if matches!(name, "EUC-H" | "EUC-V") => Codes::Encoded(EUC_JP),
        _ if matches!(name, "H" | "V") => Codes::Jis,
        _ => Codes::Mute,
    }
}

/// A table of codes in place of a predefined one: how long they are, and no more. Signs of ASCII
/// have the numbers that widths are given for; all others their own codes.
pub(super) fn table(name: &[u8]) -> Option<&'static [u8]> {
    static TABLES: LazyLock<[[Vec<u8>; 2]; 4]> = LazyLock::new(|| {
        let unicode = "<0000> <001f> 0 <0020> <007e> 1 <007f> <ffff> 127";
        let shifted = "<20> <7e> 1 <a1> <df> 327 <8140> <9ffc> 33088 <e040> <fcfc> 57408";
        let eight = "<20> <7e> 1 <8140> <fefe> 33088";
        let seven = "<2121> <7e7e> 8481";
        [unicode, shifted, eight, seven].map(|ranges| {
            [0, 1].map(|mode| {
                let count = ranges.split(' ').count() / 3;
                format!(
                    "begincmap /CMapName /Codes def /WMode {mode} def {count} begincidrange \
                     {ranges} endcidrange endcmap"
                )
                .into_bytes()
            })
        })
    });
    let index = match predefined(name) {
        Codes::Encoded(encoding) if encoding == UTF_16BE => 0,
        Codes::Encoded(encoding) if encoding == SHIFT_JIS => 1,
        Codes::Encoded(_) => 2,
        Codes::Jis => 3,
        _ => return None,
    };
    let is_down = name == b"V" || name.ends_with(b"-V");
    Some(TABLES[index][usize::from(is_down)].as_slice())
}

/// The codes whose glyphs have them for names ("a65", "C41"), unless the names only count.
fn names(font: &Dict<'_>) -> Option<Codes> {
    let differences = font.get::<Dict<'_>>("Encoding")?.get::<Array<'_>>("Differences")?;
    let (mut codes, mut is_tex, mut code) = (BTreeSet::new(), true, 0_i64);
    for entry in differences.iter::<Object<'_>>() {
        match entry {
            Object::Number(number) => code = number.as_i64(),
            Object::Name(name) => {
                if let (Ok(own), Some(is_decimal)) = (u8::try_from(code), repeats(&name, code)) {
                    codes.insert(own);
                    is_tex &= is_decimal && name.as_ref().starts_with(b"a");
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    let (first, last) = (*codes.first()?, *codes.last()?);
    let is_whole = first >= 32 && last >= b'z';
    let counts = usize::from(last - first) + 1 == codes.len() && codes.len() > 8 && !is_whole;
    let is_low = codes.range(0..8).count() > 2;
    (!counts && !is_low).then_some(Codes::Names { codes, is_tex })
}

/// Whether a name is letters and this number; whether it is written with ten digits.
fn repeats(name: &Name<'_>, code: i64) -> Option<bool> {
    let name = std::str::from_utf8(name.as_ref()).ok()?;
    let from = name.find(|c: char| c.is_ascii_digit()).filter(|from| (1..=3).contains(from));
    let is_decimal = from.is_some_and(|from| name[from..].parse() == Ok(code));
    let sign = name.chars().next().filter(char::is_ascii_alphabetic)?;
    let is_hex = || code > 0xf && i64::from_str_radix(&name[sign.len_utf8()..], 16) == Ok(code);
    (is_decimal || is_hex()).then_some(is_decimal)
}

/// Codes of TeX's fonts that are not those of Latin-1.
fn tex(code: u8) -> Option<&'static str> {
    Some(match code {
        11 | 27 => "ff",
        12 | 28 => "fi",
        13 | 29 => "fl",
        14 | 30 => "ffi",
        15 | 31 => "ffl",
        16 => "“",
        17 => "”",
        18 => "„",
        19 => "«",
        20 => "»",
        21 => "–",
        22 => "—",
        25 | 255 => "ß",
        39 => "’",
        96 => "‘",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predefined_encodings() {
        let text = |name: &[u8], code: u32, length| predefined(name).text(code, length);
        assert_eq!(text(b"90ms-RKSJ-H", 0x8abf, 2).as_deref(), Some("漢"));
        assert_eq!(text(b"UniGB-UCS2-H", 0x6c49, 2).as_deref(), Some("汉"));
        assert_eq!(text(b"KSCms-UHC-H", 0xb0a1, 2).as_deref(), Some("가"));
        assert_eq!(text(b"ETen-B5-V", 0xa4a4, 2).as_deref(), Some("中"));
        assert_eq!(text(b"H", 0x3441, 2).as_deref(), Some("漢"));
        assert_eq!(text(b"GBK-EUC-H", 0x41, 1).as_deref(), Some("A"));
        assert_eq!(text(b"Identity-H", 0x41, 2), None);
        assert!(table(b"ETen-B5-V").unwrap().windows(8).any(|part| part == b"/WMode 1"));
        assert_eq!(table(b"Adobe-Japan1-UCS2"), None);
    }

    #[test]
    fn names_that_repeat_their_codes() {
        let repeats = |name: &'static [u8], code| repeats(&Name::new_unescaped(name), code);
        assert_eq!(repeats(b"a65", 65), Some(true));
        assert_eq!(repeats(b"C2f", 0x2f), Some(false));
        assert_eq!(repeats(b"g12", 65), None);
        assert_eq!(repeats(b"zero", 48), None);
        assert_eq!(repeats(b"65", 65), None);
    }
}
