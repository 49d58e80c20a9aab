//! What is found depends on the documents alone, and the list names them all.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use allod_corpus::{Document, Source};
use allod_retrieval::{Clearance, EvidenceSet, Library, Manifest, Query, document_of};
use allod_store::{SqliteStore, Store};

/// Many documents that say nearly the same, one in ten of them only for some.
fn documents() -> Vec<(String, Document)> {
    let document = |number: usize| {
        let label = if number.is_multiple_of(10) { "label: board\n" } else { "" };
        let hall = number % 7;
        let text = format!(
            "---\ntitle: Hall {hall}\nlanguage: en\n{label}---\n# Hall {hall}\n\nThe hall may be \
             hired for a fee of CHF {}.\n",
            100 + number % 3
        );
        let path = format!("halls/{number}.md");
        let source = Source { path: &path, bytes: text.as_bytes(), sidecar: None };
        let document = allod_corpus::read(&source).unwrap();
        (path, document)
    };
    (0..300).map(document).collect()
}

fn library(folder: &Path, parts: Vec<Vec<(String, Document)>>) -> (Library, Arc<SqliteStore>) {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let library = Library::open(folder, store.clone()).unwrap();
    for part in parts {
        library.add(&mut part.into_iter()).unwrap();
    }
    (library, store)
}

fn search(library: &Library, clearance: &Clearance) -> (EvidenceSet, Manifest) {
    let on = jiff::civil::date(2026, 3, 1);
    let text = "What fee is a hall hired for?";
    let query = Query { text, language: None, clearance, on, limit: 20, filter: None };
    let (found, listed) = library.search_listed(&query).unwrap();
    (found, listed.unwrap())
}

#[test]
fn the_order_in_which_documents_came_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, store) = library(&scratch.path().join("one"), vec![documents()]);
    let mut turned = documents();
    turned.reverse();
    let rest = turned.split_off(110);
    let (other, _) = library(&scratch.path().join("other"), vec![turned, rest]);
    for clearance in [Clearance::public(), Clearance::of(["board"])] {
        let (found, listed) = search(&one, &clearance);
        let (again, listed_again) = search(&other, &clearance);
        assert_eq!(found, again);
        assert_eq!(listed, listed_again);
        // And a library that is built from the list is the same one.
        store.put_artifacts(&listed.artifacts().cloned().collect::<Vec<_>>()).unwrap();
        let read = Manifest::read(listed.digest(), store.as_ref()).unwrap();
        let versions = read.documents().unwrap().into_iter().map(|listed| {
            let version = listed.version(store.as_ref()).unwrap();
            (listed.path, document_of(&version).unwrap())
        });
        let name = format!("built-{}", clearance.labels.len());
        let (built, _) = library(&scratch.path().join(name), vec![versions.collect()]);
        assert_eq!(search(&built, &clearance), (found, listed));
    }
}

#[test]
fn a_list_names_what_its_reader_may_know_of_and_changes_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (library, _) = library(scratch.path(), vec![documents()]);
    let (_, public) = search(&library, &Clearance::public());
    let (_, all) = search(&library, &Clearance::of(["board"]));
    assert_eq!((public.documents().unwrap().len(), all.documents().unwrap().len()), (270, 300));
    assert!(public.artifacts().all(|artifact| !artifact.content.contains("board")));
    let source = Source { path: "x.md", bytes: b"# New\n\nA new hall.\n", sidecar: None };
    let document = allod_corpus::read(&source).unwrap();
    library.add(&mut std::iter::once(("x.md".to_owned(), document))).unwrap();
    let (_, later) = search(&library, &Clearance::public());
    let (before, after): (Vec<_>, Vec<_>) =
        (public.artifacts().collect(), later.artifacts().collect());
    let new = after.iter().filter(|one| !before.contains(one)).count();
    assert_eq!(new, 2, "the list and one page of it");
}
