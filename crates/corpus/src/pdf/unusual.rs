//! Files as programs of the world make them: fonts without tables of characters, forms, files that
//! say nothing.

use super::make::{Maker, lines, stream, text};
use crate::{Document, Source, Unreadable, read};

fn read_bytes(bytes: &[u8]) -> Result<Document, Unreadable> {
    read(&Source { path: "a.pdf", bytes, sidecar: None })
}

fn text_of(maker: &Maker) -> String {
    read_bytes(&maker.bytes()).unwrap().text
}

/// A file whose page is drawn with the font `T`, which is object 101.
fn with_font(content: &str, font: &str) -> Maker {
    let form = stream(
        "/Type /XObject /Subtype /Form /Resources <</Font <</T 101 0 R>>>>",
        content.as_bytes(),
    );
    Maker::new().page("/X Do").object(&String::from_utf8(form).unwrap()).object(font)
}

/// A font that draws letters itself, in units of points; its letters have these names.
fn drawn_font(differences: &str) -> String {
    let widths = "40 ".repeat(100);
    format!(
        "<</Type /Font /Subtype /Type3 /FontMatrix [1 0 0 1 0 0] /FontBBox [0 -14 64 58] \
         /FirstChar 28 /LastChar 127 /Widths [{widths}] /CharProcs <<>> \
         /Encoding <</Differences [{differences}]>>>>"
    )
}

#[test]
fn drawn_letters_may_be_large_in_a_small_font() {
    let content = "BT /T 0.24 Tf 70 700 Td (Fees) Tj ET";
    assert_eq!(text_of(&with_font(content, &drawn_font("70 /F 101 /e 115 /s"))), "Fees");
}

#[test]
fn names_that_repeat_codes_say_them() {
    let content = "BT /T 0.24 Tf 70 700 Td (O\\034ces) Tj ET";
    let tex = drawn_font("28 /a28 79 /a79 99 /a99 101 /a101 115 /a115");
    assert_eq!(text_of(&with_font(content, &tex)), "Ofices");
    let hex = drawn_font("79 /C4f 99 /C63 101 /C65 115 /C73");
    assert_eq!(text_of(&with_font("BT /T 0.24 Tf 70 700 Td (Oces) Tj ET", &hex)), "Oces");
    // Names that only count the letters of the font.
    let counted: String = (30..90).map(|code| format!("{code} /g{code} ")).collect();
    let found = read_bytes(&with_font(content, &drawn_font(&counted)).bytes());
    assert_eq!(found, Err(Unreadable::NoCharacters));
}

fn composite(encoding: &str, rest: &str) -> String {
    format!(
        "<</Type /Font /Subtype /Type0 /BaseFont /Odd /Encoding /{encoding} {rest} \
         /DescendantFonts [<</Type /Font /Subtype /CIDFontType2 /BaseFont /Odd \
         /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /DW 600 \
         /FontDescriptor <</Type /FontDescriptor /FontName /Odd /Flags 4>>>>]>>"
    )
}

#[test]
fn codes_of_known_encodings_are_read() {
    let read = |codes: &str, font: &str| {
        read_bytes(&with_font(&format!("BT /T 12 Tf 70 700 Td <{codes}> Tj ET"), font).bytes())
    };
    let found = |codes: &str, font: &str| read(codes, font).unwrap().text;
    assert_eq!(found("8abf8e9a", &composite("90ms-RKSJ-H", "")), "漢字");
    assert_eq!(found("00460065", &composite("UniJIS-UCS2-H", "")), "Fe");
    assert_eq!(found("00460065", &composite("Identity-H", "/ToUnicode /Identity-H")), "Fe");
    let mute = read("00460065", &composite("Identity-H", ""));
    assert_eq!(mute, Err(Unreadable::NoCharacters));
}
