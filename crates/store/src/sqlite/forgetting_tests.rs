//! Tests of sealing and forgetting: what stands on the disk, and what is gone.

use super::tests::{new_review, payload, resolution};
use super::*;
use crate::ReviewKind;
use std::fs;

const SECRET: &str = "Blumenkohl-Geheimnis-4711";

/// Every file under a folder, with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found
}

fn holds(folder: &Path, text: &[u8]) -> Vec<PathBuf> {
    let within = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    files(folder).into_iter().filter(|(_, bytes)| within(bytes)).map(|(path, _)| path).collect()
}

fn words(store: &SqliteStore) {
    store.put_payloads(&[payload("sha256:1", SECRET)]).unwrap();
    let review = NewReview {
        request_json: format!("{{\"question\":\"{SECRET}\"}}"),
        draft_json: Some(format!("{{\"answer\":\"{SECRET}\"}}")),
        ..new_review(ReviewKind::HumanReview)
    };
    let row = store.enqueue_review(&review).unwrap();
    let end = Resolution { note: SECRET.into(), ..resolution("eva") };
    assert_eq!(store.resolve_review(&row.id, &end, 1).unwrap().resolution.unwrap().note, SECRET);
    assert_eq!(store.review(&row.id).unwrap().unwrap().request_json, review.request_json);
}

#[test]
fn words_stand_in_no_file_even_before_they_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    words(&store);
    assert_eq!(holds(folder.path(), SECRET.as_bytes()), Vec::<PathBuf>::new());
    let row = store.payload("sha256:1").unwrap().unwrap();
    assert_eq!((row.content.as_str(), row.subject.as_str()), (SECRET, "anna"));
    drop(store);
    assert_eq!(holds(folder.path(), SECRET.as_bytes()), Vec::<PathBuf>::new());
}

#[test]
fn an_erased_subject_leaves_neither_words_nor_key_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    words(&store);
    store
        .put_payloads(&[PayloadRow { subject: "bea".into(), ..payload("sha256:2", "x") }])
        .unwrap();
    let wrapped: Vec<u8> = store
        .with(|c| {
            c.query_row("SELECT wrapped FROM subjects WHERE subject = 'anna'", [], |r| r.get(0))
        })
        .unwrap();
    let sealed: Vec<u8> = store
        .with(|c| c.query_row("SELECT sealed FROM payloads WHERE subject = 1", [], |r| r.get(0)))
        .unwrap();
    let (pages, key) = (crate::PageFiles::new(folder.path(), 1 << 20), store.page_key("pradaval"));
    let key = key.unwrap();
    let page = key.names("model", &[1, 2], 2).pop().unwrap();
    assert!(pages.write(&key, &page, (0, SECRET.as_bytes())));
    let lies = files(&folder.path().join("prefixes")).pop().unwrap().1;
    assert_eq!(holds(folder.path(), SECRET.as_bytes()), Vec::<PathBuf>::new());
    assert!(
        !holds(folder.path(), &wrapped).is_empty() && !holds(folder.path(), &sealed).is_empty()
    );
    let erasure = store.begin_erasure("pradaval", "anna", 7).unwrap().unwrap();
    assert_eq!((erasure.payloads, erasure.reviews, erasure.log_size), (1, 1, 7));
    assert_eq!(store.begin_erasure("pradaval", "anna", 9).unwrap().unwrap(), erasure);
    store.carry_out_erasure(&erasure.id).unwrap();
    store.carry_out_erasure(&erasure.id).unwrap();
    for gone in [wrapped.as_slice(), &sealed, &lies, SECRET.as_bytes()] {
        assert_eq!(holds(folder.path(), gone), Vec::<PathBuf>::new());
    }
    assert!(
        store.payload("sha256:1").unwrap().is_none() && store.reviews(None).unwrap().is_empty()
    );
    assert_eq!(store.payload("sha256:2").unwrap().unwrap().content, "x", "others are kept");
    assert!(store.erasures().unwrap().is_empty());
    assert!(store.begin_erasure("pradaval", "anna", 9).unwrap().is_none(), "nothing is left");
    assert!(store.begin_erasure("another", "bea", 9).unwrap().is_none(), "tenants are apart");
}

#[test]
fn an_erasure_that_was_begun_is_known_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    words(&store);
    let begun = store.begin_erasure("pradaval", "anna", 7).unwrap().unwrap();
    drop(store);
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(store.erasures().unwrap(), vec![begun.clone()]);
    store.carry_out_erasure(&begun.id).unwrap();
    assert!(store.erasures().unwrap().is_empty() && store.subjects(None).unwrap().is_empty());
}

#[test]
fn without_the_right_operator_key_nothing_opens_and_no_new_key_is_made() {
    let folder = tempfile::tempdir().unwrap();
    words(&SqliteStore::open(folder.path()).unwrap());
    let file = usual_file(folder.path());
    let key = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let error = SqliteStore::open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::OperatorKey { .. }), "{error}");
    assert!(!file.exists());
    let wrong = OperatorKey::Given("11".repeat(32));
    assert!(SqliteStore::open_with(folder.path(), &wrong).is_err());
    assert!(SqliteStore::open_with(folder.path(), &OperatorKey::Given("1".into())).is_err());
    let store = SqliteStore::open_with(folder.path(), &OperatorKey::Given(key)).unwrap();
    assert_eq!(store.payload("sha256:1").unwrap().unwrap().content, SECRET);
}

#[test]
fn what_was_kept_long_enough_is_deleted() {
    let store = SqliteStore::in_memory().unwrap();
    let old = PayloadRow { created_at: "2020-01-01T00:00:00Z".into(), ..payload("sha256:o", "x") };
    store.put_payloads(&[old, payload("sha256:n", "y")]).unwrap();
    let open = store.enqueue_review(&new_review(ReviewKind::Escalated)).unwrap();
    let done = store.enqueue_review(&new_review(ReviewKind::Escalated)).unwrap();
    store.resolve_review(&done.id, &resolution("eva"), 1).unwrap();
    let expiry = Expiry {
        payloads_before: Some("2021-01-01T00:00:00Z".into()),
        reviews_before: Some("2999-01-01T00:00:00Z".into()),
    };
    assert_eq!(store.expire(&expiry).unwrap(), Expired { payloads: 1, reviews: 1 });
    assert!(store.payload("sha256:o").unwrap().is_none());
    assert!(store.payload("sha256:n").unwrap().is_some());
    assert_eq!(store.reviews(None).unwrap()[0].id, open.id, "what is open is not deleted");
    assert_eq!(store.expire(&Expiry::default()).unwrap(), Expired::default());
}

/// A database as the version before this one left it.
#[test]
fn plain_words_of_an_earlier_version_are_sealed_at_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    store
        .with(|c| {
            c.execute(
                "INSERT INTO payloads (commitment, salt_hex, kind, content, tenant, created_at)
                 VALUES ('sha256:p', '00ff', 'prompt', ?1, 't', '2026-01-01T00:00:00Z')",
                [SECRET],
            )?;
            c.execute(
                "INSERT INTO reviews (id, created_at, kind, tenant, reasons, request_json, state)
                 VALUES ('r', 'now', 'escalated', 't', '[]', ?1, 'open')",
                [format!("{{\"subject\":\"bea\",\"question\":\"{SECRET}\"}}")],
            )
        })
        .unwrap();
    drop(store);
    assert!(!holds(folder.path(), SECRET.as_bytes()).is_empty());
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(holds(folder.path(), SECRET.as_bytes()), Vec::<PathBuf>::new());
    let row = store.payload("sha256:p").unwrap().unwrap();
    assert_eq!((row.content.as_str(), row.salt_hex.as_str()), (SECRET, "00ff"));
    let review = store.review("r").unwrap().unwrap();
    assert_eq!(review.subject, "bea");
    assert!(review.request_json.contains(SECRET));
}

#[test]
fn a_pseudonym_is_the_tenants_own_and_the_same_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let name = store.pseudonym("t", "anna@example.ch").unwrap();
    assert_ne!(name, store.pseudonym("u", "anna@example.ch").unwrap());
    drop(store);
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(store.pseudonym("t", "anna@example.ch").unwrap(), name);
    assert!(!name.contains("anna"));
}
