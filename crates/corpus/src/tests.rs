//! Whole documents: properties that hold for any input, and real acts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use proptest::prelude::*;
use unicode_normalization::is_nfc;

use super::*;

fn read_text(path: &str, text: &str) -> Document {
    read(&Source { path, bytes: text.as_bytes(), sidecar: None }).unwrap()
}

/// What must hold for every document.
fn check(document: &Document) {
    let text = &document.text;
    assert_eq!(document.digest, Digest::of(text.as_bytes()));
    assert!(is_nfc(text) && !text.contains('\r') && text.trim() == text);
    assert!(!document.metadata.title.is_empty());
    let mut end = None;
    for block in &document.blocks {
        let slice = block.range.slice(text).expect("a block is a slice");
        assert!(!slice.is_empty() && !slice.contains("\n\n"));
        let start = end.map_or(0, |end: usize| end + 2);
        assert_eq!(block.range.start, start, "blocks follow each other");
        end = Some(block.range.end);
    }
    assert_eq!(end, Some(text.len()));
    check_passages(document);
}

fn check_passages(document: &Document) {
    let found = passages(document);
    assert!(!found.is_empty());
    let mut end = 0;
    for passage in &found {
        assert!(passage.range.start >= end && !passage.range.is_empty());
        assert!(passage.range.len() <= MAX_PASSAGE_BYTES);
        let slice = document.slice(passage.range);
        assert_eq!(slice.trim(), slice);
        assert!(!passage.heading_path.is_empty());
        end = passage.range.end;
        let mut last = passage.range.start;
        for sentence in sentences(&document.text, passage.range, document.metadata.language) {
            assert!(passage.range.contains(sentence) && sentence.start >= last);
            assert_eq!(document.slice(sentence).trim(), document.slice(sentence));
            last = sentence.end;
        }
    }
}

/// Fragments that readers treat in special ways.
fn fragments() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "Art. 1 ",
            "**Art. 2** ",
            "§ 3 ",
            "1 Die ",
            "(2) ",
            "a. ",
            ":a. x;b. y",
            "\n",
            "\n\n",
            "# ",
            "## ",
            "- ",
            "1. ",
            "| a | b |\n|---|---|\n",
            "> ",
            "```\n",
            "<p>",
            "</p>",
            "<table>",
            "<tr>",
            "<td>",
            "<th rowspan=3>",
            "<li>",
            "<b>",
            "</b>",
            "<sup>",
            "<main>",
            "<nav>",
            "</div>",
            "---\n",
            "label: x\n",
            "z. B. ",
            "Nr. 5. ",
            "Ein-\n",
            "\u{200b}",
            "\u{301}",
            "\u{2028}",
            "é",
            "«",
            "»",
            "[^1]",
            "~~",
            "&#8203;",
            "&nbsp;",
            "\t",
            "   ",
            "===\n",
            "Montag: 8\n",
            "1     Note\n",
            "<br>",
            ": term\n",
            "\\",
            "*",
            "_",
            "`",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
        "[a-zA-Zäöü .]{0,40}",
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_or_refused(text in fragments(), sidecar in prop::option::of("\\PC{0,60}")) {
        for path in ["a.md", "a.html", "a.txt"] {
            for sidecar in [None, sidecar.as_deref()] {
                let source = Source { path, bytes: text.as_bytes(), sidecar };
                if let Ok(document) = read(&source) {
                    check(&document);
                    prop_assert_eq!(read(&source).unwrap(), document);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for path in ["a.md", "a.html", "a.txt", "a.pdf", ""] {
            if let Ok(document) = read(&Source { path, bytes: &bytes, sidecar: None }) {
                check(&document);
            }
        }
    }

    #[test]
    fn any_range_has_sentences(text in "\\PC{0,80}", start in 0usize..90, end in 0usize..90) {
        for range in sentences(&text, ByteRange::new(start, end), Language::De) {
            prop_assert!(range.slice(&text).is_some());
        }
    }
}

#[test]
fn a_document_that_begins_with_indented_code_begins_with_its_words() {
    for path in ["a.md", "a.html"] {
        let text = match path {
            "a.md" => "```\n\tfirst\n\tsecond\n```\n",
            _ => "<pre>\n\tfirst\n\tsecond\n</pre>",
        };
        let document = read_text(path, text);
        check(&document);
        assert_eq!(document.text, "first\n second");
    }
}

#[test]
fn places_in_five_languages() {
    let long = "wort ".repeat(150);
    let cases = [
        ("de", "Art. 12", "Art. 12 Abs. 2"),
        ("fr", "Art. 12", "Art. 12 al. 2"),
        ("it", "Art. 12", "Art. 12 cpv. 2"),
        ("rm", "Art. 12", "Art. 12 al. 2"),
        ("en", "Article 12", "Article 12 para. 2"),
        ("fr", "§ 5", "§ 5 Abs. 2"),
        ("en", "Section 4", "Section 4 para. 2"),
    ];
    for (language, label, place) in cases {
        let text = format!(
            "---\nlanguage: {language}\n---\n## I. X\n### {label} Title\n\n1 {long}\n\n2 {long}\n"
        );
        let document = read_text("a.md", &text);
        let found = passages(&document);
        assert_eq!(found.len(), 2, "{text}");
        assert_eq!(found[1].place, place);
        assert_eq!(found[1].heading_path.last(), Some(&format!("{label} Title")));
    }
}

#[test]
fn short_articles_are_one_passage_and_long_lists_keep_their_introduction() {
    let item = "wort ".repeat(60);
    let text = format!(
        "# Reglement\n\n## Art. 1 Zweck\n\n1 Eins.\n\n2 Zwei.\n\n## Art. 2 Liste\n\n1 Es gilt:\n\n\
         - {item}\n- {item}\n- {item}\n- {item}\n- {item}\n- {item}\n\n## Anhang\n\nA.\n"
    );
    let document = read_text("a.md", &text);
    let found = passages(&document);
    assert_eq!((found[0].place.as_str(), found[0].kind), ("Art. 1", PassageKind::Article));
    assert_eq!(document.slice(found[0].range), "1 Eins.\n\n2 Zwei.");
    assert_eq!(found[0].heading_path, ["Reglement", "Art. 1 Zweck"]);
    assert_eq!(found[1].place, "Art. 2 Abs. 1");
    assert_eq!(found[1].introduction, None);
    assert_eq!(found[2].introduction.map(|range| document.slice(range)), Some("1 Es gilt:"));
    assert_eq!(found.last().unwrap().place, "");
}

#[test]
fn what_is_said_goes_before_what_is_found() {
    let html =
        "<html lang=fr><title>Page</title><h1>Tarif</h1><p>Der Hund kostet die Gemeinde viel.</p>";
    let mut source = Source { path: "x/hund.html", bytes: html.as_bytes(), sidecar: None };
    let document = read(&source).unwrap();
    assert_eq!(
        (document.metadata.title.as_str(), document.metadata.language),
        ("Page", Language::Fr)
    );
    source.sidecar = Some("title: Hunde\nlanguage: de\nlabel: confidential\n");
    let said = read(&source).unwrap().metadata;
    assert_eq!((said.title.as_str(), said.language), ("Hunde", Language::De));
    assert_eq!(said.label.as_deref(), Some("confidential"));
    source.sidecar = Some("label: [");
    assert!(matches!(read(&source), Err(Unreadable::Metadata { place: "sidecar", .. })));
    assert_eq!(
        read_text("x/brief.txt", "der Brief ist da, sagt der Bote.").metadata.title,
        "brief"
    );
}

#[test]
fn hostile_sizes_are_answered_quickly() {
    let start = Instant::now();
    let long = vec![b'a'; 100 << 20];
    let source = Source { path: "a.txt", bytes: &long, sidecar: None };
    assert!(matches!(read(&source), Err(Unreadable::TooLarge { .. })));
    assert!(start.elapsed().as_secs() < 1);
    let empty = Source { path: "a.txt", bytes: b"\n \n", sidecar: None };
    assert_eq!(read(&empty), Err(Unreadable::Empty));
    let many = "a\n\n".repeat(1_100_000);
    let source = Source { path: "a.txt", bytes: many.as_bytes(), sidecar: None };
    assert!(matches!(read(&source), Err(Unreadable::TooManyBlocks { .. })));
}

#[test]
fn blocks_survive_json() {
    let document = read_text("a.md", "# T\n\n## Art. 5 Zweck\n\nText.\n");
    let json = serde_json::to_string(&document.blocks).unwrap();
    assert!(
        json.contains(r#"{"kind":"article","number":"5","level":2,"range":{"start":3"#),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<Vec<Block>>(&json).unwrap(), document.blocks);
}

fn shared_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}

/// The article numbers of a document, in order.
fn article_numbers(document: &Document) -> Vec<&str> {
    let number = |block: &'_ Block| match &block.kind {
        BlockKind::Article { number, .. } => Some(number.clone()),
        _ => None,
    };
    let mut found = Vec::new();
    for block in &document.blocks {
        if number(block).is_some()
            && let BlockKind::Article { number, .. } = &block.kind
        {
            found.push(number.as_str());
        }
    }
    found
}

fn read_file(path: &Path) -> Option<Document> {
    let bytes = std::fs::read(path).ok()?;
    let document = read(&Source { path: &path.to_string_lossy(), bytes: &bytes, sidecar: None });
    Some(document.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn every_article_of_real_acts_is_found() {
    let act = |path: &str| read_file(&shared_data().join(path));
    let Some(german) = act("german-law-md/b/bmg/index.md") else {
        return say("skipped: ../shared/data is not there");
    };
    check(&german);
    let numbers = article_numbers(&german);
    let whole: Vec<&str> = numbers.iter().copied().filter(|n| n.parse::<u32>().is_ok()).collect();
    let expected: Vec<String> = (1..=whole.len()).map(|n| n.to_string()).collect();
    assert_eq!(whole, expected);
    assert!(whole.len() > 50, "{numbers:?}");
    let swiss = act("swiss-law-clean-dev/ch/194/de/194.11.md").expect("the acts come together");
    let numbers = article_numbers(&swiss);
    let expected: Vec<String> = (1..=8).map(|n| n.to_string()).collect();
    assert_eq!(numbers[..7], expected[..7], "{numbers:?}");
    for language in ["de", "fr", "it", "rm", "en"] {
        let path = format!("swiss-constitution-5lang/{language}.txt");
        let document = act(&path).expect("the acts come together");
        check(&document);
        assert_eq!(document.metadata.language.code(), language);
        let numbers = article_numbers(&document);
        let missing: Vec<u32> =
            (1..=195).filter(|n| !numbers.contains(&n.to_string().as_str())).collect();
        say(&format!("{language}: {} articles, missing {missing:?}", numbers.len()));
        assert!(missing.len() <= 2, "{language}: {missing:?}");
    }
}

/// The files below a folder with an extension.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, extension, found),
            false if path.extension().is_some_and(|end| end == extension) => found.push(path),
            false => {}
        }
    }
}

#[test]
fn many_real_acts_are_read() {
    let mut paths = Vec::new();
    files(&shared_data().join("swiss-law-clean-dev/ch"), "md", &mut paths);
    files(&shared_data().join("german-law-md"), "md", &mut paths);
    files(&shared_data().join("swiss-constitution-5lang"), "txt", &mut paths);
    if paths.is_empty() {
        return say("skipped: ../shared/data is not there");
    }
    let start = Instant::now();
    let (mut bytes, mut count, mut placed) = (0, 0, 0);
    for path in &paths {
        let document = read_file(path).expect("the file was just listed");
        let found = passages(&document);
        bytes += document.text.len();
        count += found.len();
        placed += found.iter().filter(|passage| !passage.place.is_empty()).count();
    }
    let time = start.elapsed();
    say(&format!(
        "{} files, {bytes} bytes, {count} passages ({placed} with a place) in {time:?}",
        paths.len()
    ));
    assert!(placed * 10 > count * 8, "{placed} of {count} passages have a place");
}
