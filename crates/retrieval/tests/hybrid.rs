//! Searches by words and by meaning, under compartments.
#![allow(clippy::unwrap_used)]

use allod_retrieval::{
    Clearance, Encoder, EvidenceSet, Filter, IngestOptions, Library, Purpose, Query, Silent,
};
use allod_store::{SqliteStore, Store};
use jiff::civil::{Date, date};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

const TODAY: Date = date(2026, 11, 21);

/// Knows a few words of several languages; each meaning is a direction.
struct Dictionary {
    name: &'static str,
    encoded: AtomicUsize,
}

impl Dictionary {
    fn named(name: &'static str) -> Arc<Dictionary> {
        Arc::new(Dictionary { name, encoded: AtomicUsize::new(0) })
    }
}

const MEANINGS: [&[&str]; 4] = [
    &["hund", "chien", "dog", "vierbeiner"],
    &["kehricht", "dechets", "waste", "abfall"],
    &["schwimmbad", "piscine", "pool"],
    &["steuer", "impot", "tax"],
];

impl Encoder for Dictionary {
    fn identity(&self) -> &str {
        self.name
    }

    fn dimension(&self) -> usize {
        MEANINGS.len() + 1
    }

    fn encode(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        if purpose == Purpose::Passage {
            // Titles have no full stop.
            let passages = texts.iter().filter(|text| text.contains('.')).count();
            self.encoded.fetch_add(passages, Ordering::Relaxed);
        }
        let one = |text: &&str| {
            let text = text.to_lowercase();
            let count = |words: &[&str]| words.iter().filter(|w| text.contains(*w)).count() as f32;
            MEANINGS.iter().map(|words| count(words)).chain([0.1]).collect()
        };
        Ok(texts.iter().map(one).collect())
    }
}

/// Knows no text, but pairs of words.
struct Glossary;

impl Encoder for Glossary {
    fn identity(&self) -> &str {
        "glossary"
    }

    fn dimension(&self) -> usize {
        2
    }

    fn encode(&self, _: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        Ok(vec![vec![1.0, 1.0]; texts.len()])
    }

    fn words(&self, words: &[&str]) -> Option<Vec<Vec<f32>>> {
        let at = |word: &&str| ["waste", "kehricht"].contains(word);
        Some(words.iter().map(|word| vec![f32::from(u8::from(at(word))), 0.0]).collect())
    }
}

struct House {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
}

impl House {
    fn new() -> House {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().unwrap());
        House { folder: tempfile::tempdir().unwrap(), store }
    }

    fn documents(&self) -> PathBuf {
        self.folder.path().join("docs")
    }

    /// Writes a document, later than any before.
    fn write(&self, name: &str, head: &str, text: &str) {
        static TICK: AtomicU64 = AtomicU64::new(1);
        std::fs::create_dir_all(self.documents()).unwrap();
        let place = self.documents().join(name);
        std::fs::write(&place, format!("---\nlanguage: de\n{head}---\n{text}\n")).unwrap();
        let seconds = 1_700_000_000 + TICK.fetch_add(1, Ordering::Relaxed);
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(&place).unwrap().set_modified(time).unwrap();
    }

    fn library(&self, encoder: Option<&Arc<Dictionary>>) -> Library {
        let data = self.folder.path().join("data");
        let library = Library::open(&data, Arc::clone(&self.store)).unwrap();
        match encoder {
            Some(encoder) => library.with_encoder(Arc::clone(encoder) as Arc<dyn Encoder>),
            None => library,
        }
    }

    fn ingest(&self, library: &Library) {
        library.ingest(&[self.documents()], &IngestOptions::default(), &Silent).unwrap();
    }
}

fn find(
    library: &Library,
    text: &str,
    clearance: &Clearance,
    filter: Option<&Filter>,
) -> EvidenceSet {
    let query = Query { text, language: None, clearance, on: TODAY, limit: 20, filter };
    library.search(&query).unwrap()
}

fn names(found: &EvidenceSet) -> Vec<String> {
    found.evidence.iter().map(|e| e.path.rsplit('/').next().unwrap().to_owned()).collect()
}

fn town(house: &House) {
    house.write("hunde.md", "title: Hundereglement\n", "Für jeden Hund ist eine Marke zu lösen.");
    house.write("abfall.md", "title: Abfall\n", "Der Kehricht wird am Dienstag abgeführt.");
    house.write("bad.md", "title: Bad\n", "Das Schwimmbad ist im Sommer offen.");
    for number in 0..12 {
        let text = format!("Die Kommission Nummer {number} tagt in der Regel am Montag.");
        house.write(&format!("k{number}.md"), "title: Kommissionen\n", &text);
    }
}

#[test]
fn a_passage_without_a_word_of_the_question_is_found_by_meaning() {
    let house = House::new();
    town(&house);
    let encoder = Dictionary::named("dictionary 1");
    let library = house.library(Some(&encoder));
    house.ingest(&library);
    let public = Clearance::public();
    for (question, name) in
        [("dog", "hunde.md"), ("piscine", "bad.md"), ("déchets waste", "abfall.md")]
    {
        assert_eq!(names(&find(&library, question, &public, None))[0], name, "{question}");
        let by_words = house.library(None);
        assert!(!names(&find(&by_words, question, &public, None)).contains(&name.to_owned()));
    }
    // Words still count.
    assert_eq!(names(&find(&library, "Marke lösen", &public, None))[0], "hunde.md");
}

#[test]
fn words_of_another_language_are_found_by_meaning_and_by_spelling() {
    let house = House::new();
    town(&house);
    house.write("immun.md", "title: Rat\n", "Die Immunität der Mitglieder ist gewährt.");
    let data = house.folder.path().join("data");
    let library = Library::open(&data, Arc::clone(&house.store)).unwrap();
    let library = library.with_encoder(Arc::new(Glossary));
    house.ingest(&library);
    let public = Clearance::public();
    for (question, name) in [("the waste", "abfall.md"), ("immunity of them", "immun.md")] {
        let query = Query {
            text: question,
            language: Some(allod_corpus::Language::En),
            clearance: &public,
            on: TODAY,
            limit: 20,
            filter: None,
        };
        let found = library.search(&query).unwrap();
        assert_eq!(names(&found)[0], name, "{question}");
        // The word counts as found, so the passage can be quoted.
        assert!(found.evidence[0].coverage > 0.5, "{question}: {:?}", found.evidence[0]);
        assert!(found.evidence[1].coverage < 0.5, "{question}");
    }
}

#[test]
fn vectors_follow_the_documents_and_the_encoder() {
    let house = House::new();
    town(&house);
    let public = Clearance::public();
    // Ingested without an encoder, then with one: every passage is encoded once.
    house.ingest(&house.library(None));
    let first = Dictionary::named("dictionary 1");
    house.ingest(&house.library(Some(&first)));
    let passages = first.encoded.load(Ordering::Relaxed);
    assert_eq!(passages, 15);
    let library = house.library(Some(&first));
    house.ingest(&library);
    assert_eq!(first.encoded.load(Ordering::Relaxed), passages, "nothing changed");
    // Rows that are free are used again, and only what changed is encoded.
    house.write("hunde.md", "title: Hundereglement\n", "Die Steuer wird im März erhoben.");
    std::fs::remove_file(house.documents().join("bad.md")).unwrap();
    house.ingest(&library);
    house.write("neu.md", "title: Neues\n", "Das Schwimmbad bekommt ein Dach.");
    house.ingest(&library);
    assert_eq!(first.encoded.load(Ordering::Relaxed), passages + 2);
    assert_eq!(names(&find(&library, "tax", &public, None))[0], "hunde.md");
    assert_eq!(names(&find(&library, "pool", &public, None))[0], "neu.md");
    // Another encoder finds nothing by meaning until the next ingest, which encodes all.
    let second = Dictionary::named("dictionary 2");
    let library = house.library(Some(&second));
    assert!(!names(&find(&library, "tax", &public, None)).contains(&"hunde.md".to_owned()));
    house.ingest(&library);
    assert_eq!(second.encoded.load(Ordering::Relaxed), passages);
    assert_eq!(names(&find(&library, "tax", &public, None))[0], "hunde.md");
}

#[test]
fn a_forbidden_document_changes_no_score() {
    let house = House::new();
    town(&house);
    let encoder = Dictionary::named("dictionary 1");
    let library = house.library(Some(&encoder));
    house.ingest(&library);
    let public = Clearance::public();
    let questions =
        ["Hund Marke", "dog", "Kehricht am Dienstag", "Kommission 7", "Wann ist offen?"];
    let search = |clearance: &Clearance| -> Vec<EvidenceSet> {
        questions.iter().map(|question| find(&library, question, clearance, None)).collect()
    };
    let before = search(&public);
    // Its words, its meaning, and whole passages of public documents.
    let secret =
        "Für jeden Hund ist eine Marke zu lösen.\n\nDer Kehricht wird am Dienstag abgeführt.";
    house.write("geheim.md", "title: Hundereglement\nlabel: secret\n", secret);
    house.ingest(&library);
    assert_eq!(search(&public), before);
    let cleared = find(&library, "Hund Marke", &Clearance::of(["secret"]), None);
    let shown = |name: &str| {
        let copies = cleared.evidence.iter().flat_map(|e| e.copies.iter().map(|c| &c.path));
        cleared.evidence.iter().map(|e| &e.path).chain(copies).any(|path| path.ends_with(name))
    };
    assert!(shown("geheim.md") && shown("hunde.md"));
}

#[test]
fn copies_are_folded_and_named_unless_a_number_or_a_not_differs() {
    let house = House::new();
    let head = "title: Gebühren\n";
    let text = |amount: u32, not: &str| {
        format!(
            "Die Gebühr für die Benützung der grossen Halle am Wochenende beträgt {amount} Franken \
             und ist bei der Reservation auf der Kanzlei{not} zu bezahlen, spätestens am Vortag."
        )
    };
    house.write("a.md", head, &text(50, ""));
    house.write("b.md", head, &text(50, ""));
    house.write("c.md", head, &text(60, ""));
    house.write("d.md", head, &text(50, " nicht"));
    let library = house.library(None);
    house.ingest(&library);
    let found = find(&library, "Gebühr Halle Wochenende", &Clearance::public(), None);
    assert_eq!(found.evidence.len(), 3, "{:?}", names(&found));
    let copies: Vec<usize> = found.evidence.iter().map(|e| e.copies.len()).collect();
    assert_eq!(copies.iter().sum::<usize>(), 1);
}

#[test]
fn a_search_is_narrowed_to_languages_sources_and_labels() {
    let house = House::new();
    house.write("de.md", "title: A\nsource: Kanzlei\n", "Der Hund ist an der Leine zu führen.");
    std::fs::create_dir_all(house.documents().join("fr")).unwrap();
    std::fs::write(
        house.documents().join("fr/fr.md"),
        "---\nlanguage: fr\ntitle: B\nlabel: staff\n---\nLe chien (Hund) est tenu en laisse.\n",
    )
    .unwrap();
    let library = house.library(Some(&Dictionary::named("dictionary 1")));
    house.ingest(&library);
    let staff = Clearance::of(["staff"]);
    let found = |filter: &Filter| names(&find(&library, "Hund", &staff, Some(filter)));
    let none = Filter::default();
    assert_eq!(found(&none).len(), 2);
    let french = Filter { languages: vec![allod_corpus::Language::Fr], ..Filter::default() };
    assert_eq!(found(&french), ["fr.md"]);
    let office = Filter { sources: vec!["Kanzlei".into()], ..Filter::default() };
    assert_eq!(found(&office), ["de.md"]);
    let folder = house.documents().join("fr").to_str().unwrap().to_owned();
    assert_eq!(found(&Filter { sources: vec![folder], ..Filter::default() }), ["fr.md"]);
    let open = Filter { labels: vec![None], ..Filter::default() };
    assert_eq!(found(&open), ["de.md"]);
    // A filter opens nothing that the caller may not read.
    let labelled = Filter { labels: vec![Some("staff".into())], ..Filter::default() };
    assert!(find(&library, "Hund", &Clearance::public(), Some(&labelled)).evidence.is_empty());
}

/// Two libraries with the same public documents, one of them with a forbidden one besides that
/// matches the question, are asked in turn; which of the two is made first changes, so that where
/// things lie in memory is on no one's side.
fn timing_area() -> f64 {
    const PAIRS: usize = 10;
    const PROBES: usize = 100;
    let encoder = Dictionary::named("dictionary 1");
    let made = |secret: bool| {
        let house = House::new();
        town(&house);
        if secret {
            let text = "Der Hund und die Marke des Hundes.\n\n".repeat(40);
            house.write("geheim.md", "title: Hundemarken\nlabel: secret\n", &text);
        }
        let library = house.library(Some(&encoder));
        house.ingest(&library);
        (house, library)
    };
    let area = |pair: usize| {
        let even = pair.is_multiple_of(2);
        let order = [!even, even];
        let houses = order.map(made);
        let mut times: [Vec<u128>; 2] = [Vec::new(), Vec::new()];
        for probe in 0..2 * PROBES + 2 {
            let begun = Instant::now();
            let question = "Wo löst man die Marke für den Hund?";
            find(&houses[probe % 2].1, question, &Clearance::public(), None);
            // The first two read the index.
            if probe > 1 {
                times[usize::from(order[probe % 2])].push(begun.elapsed().as_nanos());
            }
        }
        area_under_curve(&times[0], &times[1])
    };
    (0..PAIRS).map(area).sum::<f64>() / PAIRS as f64
}

#[test]
fn a_forbidden_document_changes_no_timing() {
    // A thousand probes of each kind. A machine that does other things may spoil a try; a
    // difference that is there spoils all.
    let mut areas = Vec::new();
    while areas.len() < 3 && areas.last().is_none_or(|area: &f64| (area - 0.5).abs() > 0.05) {
        areas.push(timing_area());
    }
    assert!(areas.len() < 3 || (areas[2] - 0.5).abs() <= 0.05, "timing tells apart: {areas:?}");
}

/// How likely it is that a probe of the second kind takes longer than one of the first.
fn area_under_curve(first: &[u128], second: &[u128]) -> f64 {
    let wins = |b: &u128| -> f64 {
        first.iter().map(|a| if b > a { 1.0 } else { 0.5 * f64::from(u8::from(a == b)) }).sum()
    };
    second.iter().map(wins).sum::<f64>() / (first.len() * second.len()) as f64
}
