use super::make::{Maker, lines, stream, text};
use crate::{Block, BlockKind, Document, Source, Unreadable, read};
use proptest::prelude::*;

fn read_bytes(bytes: &[u8]) -> Result<Document, Unreadable> {
    read(&Source { path: "a.pdf", bytes, sidecar: None })
}

fn read_pages(pages: &[String]) -> Document {
    let maker = pages.iter().fold(Maker::new(), |maker, page| maker.page(page));
    read_bytes(&maker.bytes()).unwrap()
}

fn texts(document: &Document) -> Vec<&str> {
    document.blocks.iter().map(|block| document.slice(block.range)).collect()
}

fn kinds(document: &Document) -> Vec<BlockKind> {
    document.blocks.iter().map(|block: &Block| block.kind.clone()).collect()
}

const LONG: &str = "The council keeps a register of all fees and makes it known every year in";

#[test]
fn paragraphs_headings_and_lists() {
    let page = [
        text('B', 18.0, 70.0, 780.0, "Fees of the town"),
        text('B', 10.0, 70.0, 740.0, "Register"),
        lines(70.0, 724.0, &[LONG, "the gazette; whoever pays too much is re-", "paid the rest."]),
        lines(70.0, 670.0, &["\u{95} for water", "\u{95} for waste"]),
    ];
    let document = read_pages(&[page.concat()]);
    let paragraph = format!("{LONG} the gazette; whoever pays too much is repaid the rest.");
    let expected = ["Fees of the town", "Register", &paragraph, "- for water", "- for waste"];
    assert_eq!(texts(&document), expected);
    let kinds = kinds(&document);
    assert_eq!(kinds[..2], [BlockKind::Title, BlockKind::Heading { level: 2 }]);
    assert_eq!(kinds[2..], [BlockKind::Paragraph, BlockKind::ListItem, BlockKind::ListItem]);
    assert_eq!(document.metadata.title, "Fees of the town");
}

#[test]
fn a_numbered_heading_is_no_second_line_of_the_title() {
    let page = [
        text('B', 18.0, 70.0, 780.0, "Fees of the nursery"),
        text('B', 18.0, 70.0, 757.0, "1. Fees"),
        lines(70.0, 730.0, &[LONG, "the gazette."]),
    ];
    assert_eq!(texts(&read_pages(&[page.concat()]))[..2], ["Fees of the nursery", "1. Fees"]);
}

#[test]
fn every_line_has_its_place() {
    let page = lines(70.0, 724.0, &[LONG, "the gazette."]);
    let document = read_pages(&[String::new(), page]);
    let pages = document.pages.unwrap();
    assert_eq!(pages.sizes.len(), 2);
    let [first, second] = pages.marks[..] else { panic!("{:?}", pages.marks) };
    assert_eq!((first.page, second.page), (2, 2));
    assert_eq!(first.range.slice(&document.text), Some(LONG));
    assert_eq!(second.range.slice(&document.text), Some("the gazette."));
    let rect = first.rect;
    assert!((rect.x0 - 70.0).abs() < 1.0 && rect.x1 > 300.0, "{rect:?}");
    assert!(rect.y0 > 105.0 && rect.y1 < 125.0 && rect.y1 - rect.y0 > 8.0, "{rect:?}");
}

#[test]
fn columns_are_read_one_after_the_other() {
    let column = |name: &str, x: f32| {
        let line = |index: usize| format!("{name} line {index} of a text in a column");
        let all: Vec<String> = (1..=8).map(line).collect();
        lines(x, 700.0, &all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let title = text('B', 16.0, 150.0, 760.0, "A paper with a title over both columns");
    let page = [title, column("left", 70.0), column("right", 320.0)].concat();
    let found = read_pages(&[page]).text;
    let place = |needle: &str| found.find(needle).unwrap_or_else(|| panic!("{needle} in {found}"));
    assert!(place("both columns") < place("left line 1"));
    assert!(place("left line 8") < place("right line 1"), "{found}");
}

#[test]
fn rows_between_lines_across_are_rows_of_a_table() {
    let rule = |y: f32| format!("70 {y} m 470 {y} l S\n");
    let row = |y: f32, name: &str, fee: &str, more: &[&str]| {
        [text('F', 10.0, 72.0, y, name), text('F', 10.0, 150.0, y, fee), lines(250.0, y, more)]
            .concat()
    };
    let page = [
        row(700.0, "Service", "Fee", &["What for"]),
        rule(695.0),
        row(
            680.0,
            "Copy",
            "CHF 2",
            &["One page of a document that the office", "keeps, made at the desk"],
        ),
        rule(662.0),
        row(
            648.0,
            "Seal",
            "CHF 20",
            &["A signature that is given at the desk", "before an officer"],
        ),
        rule(630.0),
        row(616.0, "Search", "CHF 50", &["One hour in the archive"]),
        rule(610.0),
        lines(70.0, 560.0, &["The office sends a bill at the end of the month."]),
    ];
    let expected = [
        "Service: Copy; Fee: CHF 2; What for: One page of a document that the office keeps, made \
         at \
         the desk",
        "Service: Seal; Fee: CHF 20; What for: A signature that is given at the desk before an \
         officer",
        "Service: Search; Fee: CHF 50; What for: One hour in the archive",
        "The office sends a bill at the end of the month.",
    ];
    assert_eq!(texts(&read_pages(&[page.concat()])), expected);
}

#[test]
fn a_hyphen_at_the_end_of_a_short_line_joins_it() {
    let page = [lines(
        70.0,
        724.0,
        &[LONG, "the gazette, with the AHV-", "Nummer of each person who pays one."],
    )];
    let found = read_pages(&[page.concat()]).text;
    assert!(found.contains("the AHV-Nummer of each"), "{found}");
}

#[test]
fn headers_and_page_numbers_go() {
    let page = |number: usize| {
        [
            text('F', 8.0, 70.0, 810.0, "Town of Pradaval"),
            lines(
                70.0,
                724.0,
                &[&format!("Text number {} that stands on one page only.", 40 + 7 * number)],
            ),
            text('F', 8.0, 290.0, 30.0, &format!("Page {number} of 4")),
        ]
        .concat()
    };
    let document = read_pages(&[1, 2, 3, 4].map(page));
    assert_eq!(document.text.matches("Town of Pradaval").count(), 1);
    assert!(!document.text.contains("Page"), "{}", document.text);
    assert!(document.text.contains("Text number 68"));
}

#[test]
fn a_paragraph_goes_on_over_the_page_and_its_note_stands_apart() {
    let note = text('F', 5.5, 70.0, 64.5, "1") + &text('F', 8.0, 80.0, 62.0, "Adopted in 2026.");
    let mark = text('F', 6.0, 70.0 + 330.5, 727.5, "1");
    let first = lines(70.0, 724.0, &[LONG]) + &mark + &note;
    let second = lines(70.0, 770.0, &["the gazette and at the town hall.", "", LONG]);
    let document = read_pages(&[first, second]);
    let joined = format!("{LONG} the gazette and at the town hall.");
    assert_eq!(texts(&document)[..2], [joined.as_str(), "1 Adopted in 2026."]);
    assert_eq!(kinds(&document)[1], BlockKind::Quote);
}

#[test]
fn tables_keep_their_headers() {
    let row = |y: f32, font: char, cells: [&str; 3]| -> String {
        let place =
            |(index, cell): (usize, &str)| text(font, 10.0, 70.0 + 120.0 * index as f32, y, cell);
        cells.into_iter().enumerate().map(place).collect()
    };
    let rows = [
        row(700.0, 'B', ["Service", "Unit", "Fee"]),
        row(685.0, 'F', ["Certificate", "piece", "CHF 20"]),
        row(670.0, 'F', ["Copy", "page", "CHF 1"]),
    ];
    let expected =
        ["Service: Certificate; Unit: piece; Fee: CHF 20", "Service: Copy; Unit: page; Fee: CHF 1"];
    let aligned = read_pages(&[rows.concat()]);
    assert_eq!(texts(&aligned), expected);
    assert_eq!(kinds(&aligned), [BlockKind::TableRow, BlockKind::TableRow]);
    let across = [712.0, 696.0, 681.0, 665.0].map(|y| format!("65 {y} m 420 {y} l S\n"));
    let down = [65.0, 185.0, 305.0, 420.0].map(|x| format!("{x} 712 m {x} 665 l S\n"));
    let ruled = read_pages(&[[across.concat(), down.concat(), rows.concat()].concat()]);
    assert_eq!(texts(&ruled), expected);
    assert_eq!(ruled.pages.unwrap().marks.len(), 2);
}

#[test]
fn a_ruled_header_of_two_rows_groups_its_columns() {
    let text = [
        lines(70.0, 700.0, &["Service"]),
        lines(230.0, 700.0, &["Fee"]),
        lines(190.0, 685.0, &["Residents"]),
        lines(310.0, 685.0, &["Visitors"]),
        lines(70.0, 670.0, &["Copy"]),
        lines(190.0, 670.0, &["CHF 1"]),
        lines(310.0, 670.0, &["CHF 2"]),
    ];
    let across = [712.0, 696.0, 681.0, 665.0].map(|y| format!("65 {y} m 420 {y} l S\n"));
    let down = [65.0, 185.0, 420.0].map(|x| format!("{x} 712 m {x} 665 l S\n"));
    let half = "305 696 m 305 665 l S\n".to_owned();
    let page = [across.concat(), down.concat(), half, text.concat()].concat();
    let expected = ["Service: Copy; Fee, Residents: CHF 1; Fee, Visitors: CHF 2"];
    assert_eq!(texts(&read_pages(&[page])), expected);
}

#[test]
fn form_values_stand_at_their_fields() {
    let field =
        "<</Type /Annot /Subtype /Widget /FT /Tx /V (Mattias Joos) /Rect [120 720 300 734]>>";
    let page = lines(70.0, 724.0, &["Name:"]);
    let bytes = Maker::new().page_with(&page, &format!("/Annots [{field}]")).bytes();
    assert_eq!(read_bytes(&bytes).unwrap().text, "Name: Mattias Joos");
}

#[test]
fn titles_and_attachments_are_named() {
    let names = "/Names <</EmbeddedFiles <</Names [(a) <</F (plan.xlsx) /UF (plan.xlsx)>>]>>>>";
    let bytes =
        Maker::new().page(&lines(70.0, 724.0, &["Text."])).about(names, "Fees 2026").bytes();
    let document = read_bytes(&bytes).unwrap();
    assert_eq!(document.metadata.title, "Fees 2026");
    assert_eq!(document.pages.unwrap().attachments, ["plan.xlsx"]);
}

#[test]
fn scans_are_refused_or_named() {
    let image = stream("/Type /XObject /Subtype /Image /Width 1 /Height 1", b"0");
    let image = String::from_utf8(image).unwrap();
    let scan = "q 595 0 0 842 0 0 cm /X Do Q";
    let all = Maker::new().page(scan).page(scan).object(&image);
    assert_eq!(read_bytes(&all.bytes()), Err(Unreadable::Scanned { pages: 2 }));
    let some = Maker::new().page(&lines(70.0, 724.0, &[LONG])).page(scan).object(&image);
    assert_eq!(read_bytes(&some.bytes()).unwrap().pages.unwrap().missing, [2]);
}

#[test]
fn turned_text_is_read_and_placed() {
    let page = "BT /F 10 Tf 0 1 -1 0 300 200 Tm (Upwards along the page) Tj ET";
    let document = read_pages(&[page.to_owned()]);
    assert_eq!(document.text, "Upwards along the page");
    let rect = document.pages.unwrap().marks[0].rect;
    assert!(rect.y1 - rect.y0 > 80.0 && rect.x1 - rect.x0 < 15.0, "{rect:?}");
    assert!((rect.y1 - 642.0).abs() < 1.0, "{rect:?}");
}

#[test]
fn drawings_inside_drawings_come_to_an_end() {
    let form = stream(
        "/Type /XObject /Subtype /Form /Resources <</XObject <</X 100 0 R>> /Font <</F 3 0 R>>>>",
        b"BT /F 10 Tf 70 700 Td (Again) Tj ET /X Do /X Do",
    );
    let bytes = Maker::new().page("/X Do").object(&String::from_utf8(form).unwrap()).bytes();
    assert!(read_bytes(&bytes).unwrap().text.starts_with("Again"));
}

#[test]
fn broken_files_are_refused() {
    assert_eq!(read_bytes(b"%PDF-1.7\n"), Err(Unreadable::Damaged));
    assert_eq!(read_bytes(b"no PDF at all"), Err(Unreadable::Damaged));
    let empty = Maker::new().page("").bytes();
    assert_eq!(read_bytes(&empty), Err(Unreadable::Empty));
}

/// A file with most of what the reader knows.
fn sample() -> Vec<u8> {
    let table =
        [("A", 70.0), ("B", 170.0)].map(|(cell, x)| lines(x, 500.0, &[cell, "1", "2", "3"]));
    let form = stream("/Type /XObject /Subtype /Form", b"0 0 m 9 9 l S");
    let page = [lines(70.0, 724.0, &[LONG, LONG]), table.concat(), "/X Do".to_owned()].concat();
    let widget = "/Annots [<</Subtype /Widget /FT /Tx /V (x) /Rect [1 2 30 40]>>]";
    let maker = Maker::new().page_with(&page, widget).page(&page);
    let outline = "/Outlines <</First <</Title (The council)>>>>";
    maker.about(outline, "Fees").object(&String::from_utf8(form).unwrap()).bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_files_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(document) = read_bytes(&bytes) {
            let pages = document.pages.clone().unwrap();
            for mark in &pages.marks {
                prop_assert!(mark.range.slice(&document.text).is_some());
                prop_assert!((1..=pages.sizes.len() as u32).contains(&mark.page));
            }
        }
    }

    #[test]
    fn any_instructions_are_survived(content in "[0-9a-zA-Z()<>/\\[\\] .\\-*'\"]{0,400}") {
        let _ = read_bytes(&Maker::new().page(&content).bytes());
    }
}

fn shared(folder: &str) -> Option<std::path::PathBuf> {
    let path = format!("{}/../../../shared/data/{folder}", env!("CARGO_MANIFEST_DIR"));
    let path = std::path::PathBuf::from(path);
    if !path.is_dir() {
        println!("skipped: no {}", path.display());
    }
    path.is_dir().then_some(path)
}

fn read_file(path: &std::path::Path) -> Result<Document, Unreadable> {
    read(&Source {
        path: &path.to_string_lossy(),
        bytes: &std::fs::read(path).unwrap(),
        sidecar: None,
    })
}

/// Letters only: numbers may be marks of notes, hyphens may divide words.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

#[test]
fn real_acts_give_their_text() {
    let Some(folder) = shared("swiss-constitution-5lang") else { return };
    for language in ["de", "fr", "it", "rm", "en"] {
        let document = read_file(&folder.join(format!("{language}_23.09.2018.pdf"))).unwrap();
        let found = letters(&document.text);
        let expected = std::fs::read_to_string(folder.join(format!("{language}.txt"))).unwrap();
        // In the index the text has lines of two columns; wide blanks part them.
        let parts = expected.split(['\n', '…']).flat_map(|line| line.split("   ")).map(letters);
        let parts: Vec<String> = parts.collect();
        let all: usize = parts.iter().map(String::len).sum();
        let there: usize = parts.iter().filter(|p| found.contains(*p)).map(String::len).sum();
        let share = there as f64 / all as f64;
        println!("{language}: {share:.4} of the letters in lines that were found");
        assert!(share > 0.97, "{language}: {share}");
        let laid = document.pages.unwrap();
        assert!(laid.sizes.len() > 70);
        let marked: usize = laid.marks.iter().map(|mark| mark.range.len()).sum();
        assert!(marked * 100 > document.text.len() * 95, "{marked} of {}", document.text.len());
    }
}

#[test]
fn unusual_files_are_read_or_refused() {
    let Some(folder) = shared("pdf-parser-samples") else { return };
    let folders = std::fs::read_dir(folder).unwrap().filter_map(|entry| entry.ok());
    let files = folders
        .filter(|entry| entry.path().is_dir())
        .flat_map(|entry| std::fs::read_dir(entry.path()).unwrap().filter_map(|entry| entry.ok()));
    for file in files {
        let read = read_file(&file.path());
        println!("{}: {:?}", file.path().display(), read.as_ref().map(|d| d.text.len()));
        let is_locked = file.path().to_string_lossy().contains("password");
        assert_eq!(read.is_err(), is_locked, "{}", file.path().display());
    }
}

#[test]
fn the_sample_keeps_its_table() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../samples/documents/guides/carte-des-sentiers.pdf"
    );
    let document = read_file(std::path::Path::new(path)).unwrap();
    let row = "Itinéraire: 4 Crête du Crêt; Longueur: 13,4 km; Dénivelé: 920 m; Durée: 5 h 30";
    assert!(texts(&document).contains(&row), "{}", document.text);
}

#[test]
fn what_nobody_sees_is_left_out() {
    let seen = lines(70.0, 724.0, &[LONG, "the gazette."]);
    let white = format!("q 1 1 1 rg {}Q ", text('F', 10.0, 70.0, 600.0, "The fee is nine francs."));
    let unpainted =
        format!("q 3 Tr {}Q ", text('F', 10.0, 70.0, 580.0, "The fee is eight francs."));
    let tiny = text('F', 1.0, 70.0, 560.0, "The fee is seven francs.");
    let bar = "q 0 0 0.5 rg 60 500 300 20 re f Q ";
    let on_bar = format!("{bar}q 0 0 0 0 k {}Q ", text('F', 10.0, 70.0, 505.0, "White on blue."));
    let document = read_pages(&[[seen, white, unpainted, tiny, on_bar].concat()]);
    let all = texts(&document).join(" ");
    assert!(all.contains("gazette") && all.contains("White on blue."), "{all}");
    assert!(!all.contains("francs"), "{all}");
    let pages = document.pages.unwrap();
    assert_eq!(pages.hidden, [1]);
    assert_eq!(pages.lacks().unwrap(), "invisible text left out on page 1");
}

#[test]
fn what_was_painted_over_or_cut_off_is_left_out() {
    let seen = lines(70.0, 724.0, &[LONG, "the gazette."]);
    let said = |y: f32, text_: &str| text('F', 10.0, 70.0, y, text_);
    let hidden = [
        // Under a white sheet, a black bar that is drawn line by line, outside of what is shown.
        format!("{}q 1 g 60 595 300 20 re f Q ", said(600.0, "The fee is nine francs.")),
        format!(
            "{}q 0 g 60 575 m 360 575 l 360 595 l 60 595 l h f Q ",
            said(580.0, "The fee is eight francs.")
        ),
        format!("q 0 0 50 50 re W n {}Q ", said(560.0, "The fee is seven francs.")),
    ];
    let shown = [
        // Before the letters; beside them; through a pattern of holes; in a layer; cut narrow.
        format!("q 0.9 g 60 535 300 20 re f Q {}", said(540.0, "one")),
        format!("{}q 0 g 60 528 300 3 re f 60 500 300 12 re f Q ", said(520.0, "two")),
        format!("{}q 0 g 60 475 300 20 re 65 477 290 16 re f* Q ", said(480.0, "three")),
        format!("{}/OC /L BDC q 0 g 60 455 300 20 re f Q EMC ", said(460.0, "four")),
        format!("{}q 0 0 20 20 re W n 0 g 60 435 300 20 re f Q ", said(440.0, "five")),
        format!("q 60 415 300 20 re W n {}Q ", said(420.0, "six")),
        format!("{}q /Pattern cs /P scn 60 395 300 20 re f Q ", said(400.0, "seven")),
        format!("{}q 0 g 60 380 m 200 420 360 340 360 380 c h f Q ", said(380.0, "eight")),
    ];
    let document = read_pages(&[[seen, hidden.concat(), shown.concat()].concat()]);
    let all = texts(&document).join(" ");
    for word in ["gazette", "one", "two", "three", "four", "five", "six", "seven", "eight"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    assert!(!all.contains("francs"), "{all}");
    assert_eq!(document.pages.unwrap().hidden, [1]);
}

#[test]
fn the_text_of_a_scan_lies_unpainted_on_its_picture() {
    let picture = "<</Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray \
        /BitsPerComponent 8 /Length 1>> stream\nX\nendstream";
    let page = format!("q 595 0 0 842 0 0 cm /X Do Q 3 Tr {}", lines(70.0, 724.0, &[LONG, "end."]));
    let document = read_bytes(&Maker::new().page(&page).object(picture).bytes()).unwrap();
    assert!(document.text.contains(LONG));
    assert!(document.pages.unwrap().hidden.is_empty());
}
