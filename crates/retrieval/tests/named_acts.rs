//! A question that names an article of one act is not answered from the same article of another.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use allod_corpus::{Document, Source};
use allod_retrieval::{Clearance, Evidence, Library, Query};
use allod_store::SqliteStore;

fn document(path: &str, text: &str) -> (String, Document) {
    let source = Source { path, bytes: text.as_bytes(), sidecar: None };
    (path.to_owned(), allod_corpus::read(&source).unwrap())
}

/// Two acts, each in two languages; all of them have an article 10.
fn acts() -> Vec<(String, Document)> {
    let act = |path: &str, language: &str, title: &str, article: &str| {
        let text = format!(
            "---\nlanguage: {language}\n---\n# {title}\n\n## Art. 9 Zweck\n\n1 Art. 10 bleibt \
             vorbehalten.\n\n## Art. 10 {article}\n"
        );
        document(path, &text)
    };
    vec![
        act(
            "a.md",
            "de",
            "Bundesgesetz über den Datenschutz",
            "Beratung\n\n1 Wer Daten bearbeitet, kann eine beratende Person ernennen.",
        ),
        act(
            "b.md",
            "fr",
            "Loi fédérale sur la protection des données (LPD)",
            "Conseil\n\n1 Le responsable du traitement peut nommer un conseiller.",
        ),
        act(
            "c.md",
            "de",
            "Bundesgesetz über die Arbeit in Industrie, Gewerbe und Handel",
            "Tagesarbeit\n\n1 Die Arbeit von 6 Uhr bis 20 Uhr gilt als Tagesarbeit.",
        ),
        act(
            "d.md",
            "it",
            "Legge federale sul lavoro nell'industria, nell'artigianato e nel commercio (LL)",
            "Lavoro diurno\n\n1 È considerato lavoro diurno quello svolto tra le 6 e le 20.",
        ),
    ]
}

fn search(library: &Library, text: &str) -> Vec<Evidence> {
    let clearance = Clearance::public();
    let on = jiff::civil::date(2026, 11, 23);
    let query = Query { text, language: None, clearance: &clearance, on, limit: 10, filter: None };
    library.search(&query).unwrap().evidence
}

#[test]
fn another_act_is_not_taken_for_the_named_one() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let library = Library::open(scratch.path(), store).unwrap();
    library.add(&mut acts().into_iter()).unwrap();
    for (question, own) in [
        ("Was sagt Art. 10 DSG?", ["a.md", "b.md"]),
        ("Was steht in Art. 10 des Datenschutzgesetzes?", ["a.md", "b.md"]),
        ("Que dit l'art. 10 LPD ?", ["a.md", "b.md"]),
        ("What does Article 10 FADP say?", ["a.md", "b.md"]),
        ("Was sagt Art. 10 ArG?", ["c.md", "d.md"]),
        ("Que dit l'article 10 de la loi sur le travail ?", ["c.md", "d.md"]),
        ("Cosa dice l'articolo 10 della legge sul lavoro?", ["c.md", "d.md"]),
        ("What is in Article 10 of the Labour Act?", ["c.md", "d.md"]),
    ] {
        let found = search(&library, question);
        let named: Vec<&Evidence> = found.iter().filter(|evidence| evidence.named).collect();
        assert!(!named.is_empty(), "{question}: none of {} is named", found.len());
        assert!(found[0].named, "{question}: first is {}", found[0].path);
        for evidence in named {
            assert!(own.contains(&evidence.path.as_str()), "{question}: {}", evidence.path);
            assert_eq!(evidence.place, "Art. 10", "{question}");
        }
    }
}

#[test]
fn an_act_that_is_not_there_is_not_taken_from_its_sisters() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let library = Library::open(scratch.path(), store).unwrap();
    library.add(&mut acts().into_iter()).unwrap();
    for question in
        ["Was sagt Art. 10 OR?", "Que dit l'art. 10 LTF ?", "What does Article 10 GDPR say?"]
    {
        let found = search(&library, question);
        let named: Vec<&str> = found.iter().filter(|e| e.named).map(|e| e.path.as_str()).collect();
        assert!(named.is_empty(), "{question}: {named:?}");
    }
}
