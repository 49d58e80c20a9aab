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

fn with_annotations(content: &str, annotations: &str) -> Maker {
    Maker::new().page_with(content, &format!("/Annots [{annotations}]"))
}

/// An appearance, as object 100.
fn appearance(content: &str) -> String {
    let entries = "/Type /XObject /Subtype /Form /BBox [0 0 180 14] \
        /Resources <</Font <</F 3 0 R>>>>";
    String::from_utf8(stream(entries, content.as_bytes())).unwrap()
}

const LINE: &str = "The council keeps a register of all fees and makes it known.";

#[test]
fn boxes_and_signatures_are_read_and_notes_are_not() {
    let note = "<</Subtype /Text /Rect [10 10 30 30] /Contents (A note) /AP <</N 100 0 R>>>>";
    let hidden = "<</Subtype /Stamp /F 2 /Rect [70 600 250 614] /AP <</N 100 0 R>>>>";
    let page = lines(70.0, 724.0, &[LINE]);
    let maker = |annotation: &str| {
        with_annotations(&page, annotation).object(&appearance("BT /F 9 Tf 2 3 Td (Paid) Tj ET"))
    };
    assert_eq!(text_of(&maker(&[note, hidden].concat())), LINE);
    for kind in ["/FreeText", "/Stamp", "/Widget /FT /Sig"] {
        let shown = format!("<</Subtype {kind} /Rect [70 600 250 614] /AP <</N 100 0 R>>>>");
        let found = text_of(&maker(&shown));
        assert_eq!(found, format!("{LINE}\n\nPaid"), "{kind}");
    }
    let bare = "<</Subtype /FreeText /Rect [70 580 250 614] /Contents (Paid in full)>>";
    assert_eq!(text_of(&maker(bare)), format!("{LINE}\n\nPaid in full"));
}

#[test]
fn an_annotation_hides_no_text() {
    let over = "<</Subtype /Highlight /Rect [60 715 500 740] /AP <</N 100 0 R>>>>";
    let maker = with_annotations(&lines(70.0, 724.0, &[LINE]), over);
    assert_eq!(text_of(&maker.object(&appearance("1 1 0 rg 0 0 180 14 re f"))), LINE);
}

#[test]
fn fields_show_what_a_reader_sees() {
    let field = |rest: &str| {
        let widget = format!("<</Subtype /Widget /Rect [120 720 300 734] {rest}>>");
        let page = lines(70.0, 724.0, &["Sum:"]);
        let drawn = appearance("BT /F 9 Tf 2 5 Td (CHF 20.00) Tj ET");
        text_of(&with_annotations(&page, &widget).object(&drawn))
    };
    assert_eq!(field("/FT /Tx /V (20) /AP <</N 100 0 R>>"), "Sum: CHF 20.00");
    assert_eq!(field("/FT /Tx /V (20)"), "Sum: 20");
    assert_eq!(field("/FT /Tx /Ff 8192 /V (secret)"), "Sum:");
    assert_eq!(field("/FT /Tx /F 2 /V (20)"), "Sum:");
    assert_eq!(field("/FT /Btn /Ff 65536 /AS /On /AP <</N 100 0 R>>"), "Sum:");
    let options = "/Opt [[(a) (CHF 10)] [(b) (CHF 30)]]";
    assert_eq!(field(&format!("/FT /Ch /V (b) {options}")), "Sum: CHF 30");
    assert_eq!(field(&format!("/FT /Ch /V [(a) (b)] {options}")), "Sum: CHF 10, CHF 30");
}

#[test]
fn a_field_that_is_too_small_is_read_whole() {
    let drawn = "q 0 0 30 14 re W n BT /F 9 Tf 2 5 Td (A long street) Tj ET Q";
    let widget = "<</Subtype /Widget /FT /Tx /V (A long street 20) /Rect [120 720 300 734] \
        /AP <</N 100 0 R>>>>";
    let maker = with_annotations(&lines(70.0, 724.0, &["Street:"]), widget);
    assert_eq!(text_of(&maker.object(&appearance(drawn))), "Street: A long street 20");
}

#[test]
fn long_values_are_wrapped_in_their_fields() {
    let value = "All who live in the town may use the hall for a small fee after six";
    let widget =
        format!("<</Subtype /Widget /FT /Tx /Ff 4096 /V ({value}) /Rect [70 640 200 710]>>");
    let found = text_of(&with_annotations(&lines(70.0, 600.0, &[LINE]), &widget));
    assert_eq!(found, format!("{value}\n\n{LINE}"));
    let document = read_bytes(&with_annotations("", &widget).bytes()).unwrap();
    let rects: Vec<_> = document.pages.unwrap().marks.iter().map(|mark| mark.rect).collect();
    assert!(rects.len() > 2 && rects.iter().all(|rect| rect.x1 < 205.0), "{rects:?}");
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

#[test]
fn widths_for_billions_of_letters_are_refused() {
    let content = "BT /T 12 Tf 70 700 Td <00460065> Tj ET";
    let font = composite("Identity-H", "/ToUnicode /Identity-H");
    for widths in ["/W [1 [500] 0 4294967295 500]", "/W2 [0 4294967295 500 500 500]"] {
        let font = font.replace("/DW 600", widths);
        assert_eq!(read_bytes(&with_font(content, &font).bytes()), Err(Unreadable::NoCharacters));
    }
    let drawn = drawn_font("70 /F").replace("/FirstChar 28 /LastChar 127", FAR);
    let found = read_bytes(&with_font("BT /T 1 Tf 70 700 Td (F) Tj ET", &drawn).bytes());
    assert_eq!(found, Err(Unreadable::NoCharacters));
}

const FAR: &str = "/FirstChar 4000000000 /LastChar 4000000001";

#[test]
fn a_table_may_say_all_with_the_first_glyph() {
    let table = "beginbfchar <0046> <00460065> endbfchar";
    let font = composite("Identity-H", "/ToUnicode 102 0 R");
    let font = font.replace("/DW 600", "/DW 600 /CIDToGIDMap 102 0 R");
    let maker = with_font("BT /T 12 Tf 70 700 Td <00460065> Tj ET", &font);
    let table = String::from_utf8(stream("", table.as_bytes())).unwrap();
    assert_eq!(text_of(&maker.object(&table)), "Fe");
}

#[test]
fn letters_that_cut_an_area_out_are_seen() {
    let page = "q 7 Tr BT /F 20 Tf 70 700 Td (Town hall) Tj ET 0 0 1 rg 0 600 595 200 re f Q";
    assert_eq!(text_of(&Maker::new().page(page)), "Town hall");
}

#[test]
fn mirrored_twice_is_upright() {
    let page = "BT /F -10 Tf 1 0 0 -1 70 700 Tm -100 Tz (Town hall) Tj ET";
    assert_eq!(text_of(&Maker::new().page(page)), "Town hall");
}

#[test]
fn narrow_gaps_part_words_where_there_are_no_blanks() {
    let page = "BT /F 18 Tf 70 700 Td [(T) -10 (wo) -158 (years) -158 (after) -158 (a)] TJ ET";
    assert_eq!(text_of(&Maker::new().page(page)), "Two years after a");
    let spaced = "BT /F 18 Tf 70 700 Td 2.2 Tc (FEES) Tj ET";
    assert_eq!(text_of(&Maker::new().page(spaced)), "FEES");
}

#[test]
fn narrow_letters_that_follow_each_other_are_two() {
    let page = |text: &str| format!("BT /F 10 Tf 40 Tz 70 700 Td ({text}) Tj ET");
    assert_eq!(text_of(&Maker::new().page(&page("illicit"))), "illicit");
    let bold = [text('F', 10.0, 70.0, 700.0, "Fees"), text('F', 10.0, 70.3, 700.0, "Fees")];
    assert_eq!(text_of(&Maker::new().page(&bold.concat())), "Fees");
}

#[test]
fn a_file_of_headers_alone_says_them() {
    let page = |number: usize| text('F', 10.0, 70.0, 810.0, &format!("Page {number}"));
    assert_eq!(text_of(&Maker::new().page(&page(1)).page(&page(2))), "Page 1\n\nPage 2");
}

#[test]
fn silent_files_say_why() {
    let read = |content: &str| read_bytes(&Maker::new().page(content).bytes());
    assert_eq!(read("3 Tr BT /F 10 Tf 70 700 Td (Unseen) Tj ET"), Err(Unreadable::Unseen));
    let image = stream("/Type /XObject /Subtype /Image /Width 1 /Height 1", b"0");
    let image = String::from_utf8(image).unwrap();
    let small = Maker::new().page("q 300 0 0 400 0 0 cm /X Do Q").object(&image);
    assert_eq!(read_bytes(&small.bytes()), Err(Unreadable::Scanned { pages: 1 }));
    let sign = Maker::new().page("q 30 0 0 40 0 0 cm /X Do Q").object(&image);
    assert_eq!(read_bytes(&sign.bytes()), Err(Unreadable::Empty));
    let encrypted = b"%PDF-1.7\ntrailer <</Encrypt 1 0 R>>";
    assert_eq!(read_bytes(encrypted), Err(Unreadable::Encryption));
}
