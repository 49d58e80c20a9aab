//! Repealed, future and successive states of real acts are found on the days on which they are in
//! force, and on no others.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_retrieval::{Clearance, IngestOptions, Library, Query, Silent};
use allod_store::SqliteStore;
use jiff::civil::{Date, date};

fn shared(path: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if !folder.exists() {
        println!("skipped: {} is not here", folder.display());
        return None;
    }
    Some(folder)
}

/// A library of these folders, in a scratch folder.
fn library(folder: &Path, roots: &[PathBuf]) -> Library {
    let library = Library::open(folder, Arc::new(SqliteStore::in_memory().unwrap())).unwrap();
    let report = library.ingest(roots, &IngestOptions::default(), &Silent).unwrap();
    assert!(report.added > 0, "{report:?}");
    library
}

/// The paths of what is found on a day.
fn found(library: &Library, text: &str, on: Date) -> Vec<String> {
    let clearance = Clearance::public();
    let query = Query { text, language: None, clearance: &clearance, on, limit: 20, filter: None };
    let set = library.search(&query).unwrap();
    set.evidence.into_iter().map(|evidence| evidence.path).collect()
}

fn finds(library: &Library, text: &str, on: Date, part: &str) -> bool {
    found(library, text, on).iter().any(|path| path.contains(part))
}

#[test]
fn a_repealed_and_a_future_act_are_found_only_while_in_force() {
    let Some(acts) = shared("swiss-law-messy/ch") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let documents = scratch.path().join("docs");
    std::fs::create_dir_all(&documents).unwrap();
    for language in ["de", "fr", "it"] {
        let repealed = acts.join(format!("235/{language}/235.1.md"));
        let copy = documents.join(format!("235.1.{language}.md"));
        std::fs::copy(repealed, &copy).unwrap();
        // The file has the first day of its state; that the act was repealed stands beside it.
        std::fs::write(format!("{}.meta.yaml", copy.display()), "valid_until: 2023-08-31\n")
            .unwrap();
    }
    let library = library(&scratch.path().join("data"), &[documents, acts.join("151")]);
    let old = |on| {
        let questions = [
            "Auskunftsrecht über Datensammlung",
            "droit d'accès fichier",
            "diritto d'accesso",
            "Art. 8 DSG",
        ];
        questions.map(|text| finds(&library, text, on, "235.1"))
    };
    for day in [date(1993, 7, 1), date(2019, 2, 28), date(2023, 9, 1), date(2026, 11, 22)] {
        assert_eq!(old(day), [false; 4], "{day}");
    }
    for day in [date(2019, 3, 1), date(2023, 8, 31)] {
        assert!(old(day).contains(&true), "{day}");
    }
    let future = |on| {
        let questions =
            ["sexuelle Belästigung am Arbeitsplatz", "harcèlement sexuel", "Art. 4 GlG"];
        questions.map(|text| finds(&library, text, on, "151.1"))
    };
    for day in [date(2023, 9, 1), date(2026, 11, 22), date(2032, 6, 30)] {
        assert_eq!(future(day), [false; 3], "{day}");
    }
    assert!(future(date(2032, 7, 1)).contains(&true));
}

#[test]
fn of_two_states_of_an_act_of_the_union_one_is_in_force() {
    let Some(act) = shared("eu-law-en-fr/works/32024r1689") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let library = library(&scratch.path().join("data"), &[act]);
    let states = |on| {
        let questions = [
            "systèmes d'IA à haut risque",
            "high-risk AI systems obligations of providers",
            "Article 6",
            "pratiques interdites en matière d'IA",
        ];
        let paths: Vec<String> =
            questions.iter().flat_map(|text| found(&library, text, on)).collect();
        let any = |part: &str| paths.iter().any(|path| path.contains(part));
        (any("/2024-07-12--"), any("/2026-07-27--"))
    };
    assert_eq!(states(date(2024, 7, 11)), (false, false));
    assert_eq!(states(date(2024, 7, 12)), (true, false));
    assert_eq!(states(date(2026, 7, 26)), (true, false));
    assert_eq!(states(date(2026, 7, 27)), (false, true));
    assert_eq!(states(date(2026, 11, 22)), (false, true));
}
