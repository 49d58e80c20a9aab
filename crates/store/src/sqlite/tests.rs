//! Tests of the SQLite store: what is kept, what is refused, what a damaged file says.

use super::*;
use crate::{DocumentState, LEDGER_HEAD, ReviewKind, Verdict};
use std::fs;
use std::sync::Arc;

fn document(path: &str, digest: Option<&str>) -> DocumentRow {
    DocumentRow {
        path: path.into(),
        source_digest: "sha256:source".into(),
        source_bytes: 12,
        modified_ns: -7,
        state: DocumentState::Current,
        digest: digest.map(Into::into),
        reason: None,
    }
}

fn version(path: &str, digest: &str, text: &str) -> VersionRow {
    VersionRow {
        digest: digest.into(),
        path: path.into(),
        title: "Abfallreglement".into(),
        language: "de".into(),
        label: None,
        valid_from: Some("2026-01-01".into()),
        valid_until: None,
        metadata_json: "{}".into(),
        blocks_json: "[]".into(),
        pages_json: None,
        text: text.into(),
        ingested_at: "2026-11-21T08:00:00Z".into(),
    }
}

pub(super) fn new_review(kind: ReviewKind) -> NewReview {
    NewReview {
        kind,
        tenant: "pradaval".into(),
        subject: "anna".into(),
        reasons: vec!["low confidence".into(), "Ünïcode \"quotes\"".into()],
        receipt_index: None,
        request_json: "{\"question\":\"?\"}".into(),
        draft_json: None,
    }
}

pub(super) fn resolution(by: &str) -> Resolution {
    Resolution {
        verdict: Verdict::Amend,
        by: by.into(),
        note: "checked".into(),
        answer: Some("CHF 2.40".into()),
        at: "2026-11-21T09:00:00Z".into(),
        seconded_by: None,
        receipt_index: None,
        log_size: 0,
    }
}

pub(super) fn payload(commitment: &str, content: &str) -> PayloadRow {
    PayloadRow {
        commitment: commitment.into(),
        salt_hex: "00ff".into(),
        kind: "prompt".into(),
        content: content.into(),
        tenant: "pradaval".into(),
        subject: "anna".into(),
        created_at: "2026-11-21T09:00:00Z".into(),
    }
}

#[test]
fn the_trait_is_object_safe_and_shared_between_threads() {
    fn needs_send_sync<T: Send + Sync>(_: &T) {}
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().unwrap());
    needs_send_sync(&store);
    assert!(store.documents().unwrap().is_empty());
}

#[test]
fn everything_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let row = document("a.md", Some("sha256:1"));
    let text = version("a.md", "sha256:1", "Ein Text.\n");
    let (key, secret, review) = {
        let store = SqliteStore::open(&data).unwrap();
        store.put_document(&row, Some(&text)).unwrap();
        let labels = ["confidential".to_owned()];
        let (key, secret) = store.create_key("n", "t", &labels, "ask").unwrap();
        let review = store.enqueue_review(&new_review(ReviewKind::Escalated)).unwrap();
        store.link_review(&review.id, 41).unwrap();
        store.resolve_review(&review.id, &resolution("Luca"), 1).unwrap();
        store.put_payloads(&[payload("sha256:c", "Wie viel?")]).unwrap();
        store.set_setting("k", "v").unwrap();
        (key, secret, review)
    };
    let store = SqliteStore::open(&data).unwrap();
    assert_eq!(store.documents().unwrap(), std::slice::from_ref(&row));
    assert_eq!(store.document("a.md").unwrap(), Some(row));
    assert_eq!(store.version("sha256:1", Some("a.md")).unwrap(), Some(text));
    assert_eq!(store.list_keys().unwrap(), std::slice::from_ref(&key));
    assert_eq!(store.authenticate(&secret).unwrap(), Some(key));
    let resolved = store.review(&review.id).unwrap().unwrap();
    assert_eq!(resolved.receipt_index, Some(41));
    assert_eq!(resolved.resolution, Some(resolution("Luca")));
    assert_eq!(store.payload("sha256:c").unwrap().unwrap().content, "Wie viel?");
    assert_eq!(store.setting("k").unwrap().as_deref(), Some("v"));
    store.check().unwrap();
}

#[test]
fn writes_are_synchronous_and_logged_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let pragma = |name: &str| {
        store
            .with(|c| c.pragma_query_value(None, name, |row| row.get::<_, String>(0)))
            .or_else(|_| {
                store.with(|c| {
                    c.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                        .map(|number| number.to_string())
                })
            })
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2", "2 is FULL");
    assert_eq!(pragma("foreign_keys"), "1");
}

#[test]
fn old_versions_stay_and_a_text_may_stand_at_two_paths() {
    let store = SqliteStore::in_memory().unwrap();
    let put = |path: &str, digest: &str, at: &str, label: Option<&str>| {
        let mut row = version(path, digest, digest);
        row.ingested_at = at.into();
        row.label = label.map(Into::into);
        store.put_document(&document(path, Some(digest)), Some(&row)).unwrap();
    };
    put("b.md", "sha256:old", "2026-01-01T00:00:00Z", None);
    put("b.md", "sha256:new", "2026-02-01T00:00:00Z", None);
    put("a.md", "sha256:new", "2026-03-01T00:00:00Z", Some("confidential"));
    let texts: Vec<_> = store.versions_of("b.md").unwrap().into_iter().map(|v| v.text).collect();
    assert_eq!(texts, ["sha256:old", "sha256:new"]);
    let found = |digest, path| store.version(digest, path).unwrap().map(|v| v.path);
    assert_eq!(found("sha256:new", Some("a.md")).as_deref(), Some("a.md"));
    assert_eq!(found("sha256:new", None).as_deref(), Some("b.md"), "public comes first");
    assert_eq!(found("sha256:old", None).as_deref(), Some("b.md"));
    assert_eq!(found("sha256:old", Some("a.md")), None);
}

#[test]
fn a_text_that_moved_behind_a_label_is_found_with_its_label() {
    let store = SqliteStore::in_memory().unwrap();
    let public = version("public.md", "sha256:1", "text");
    let mut row = document("public.md", Some("sha256:1"));
    store.put_document(&row, Some(&public)).unwrap();
    row.state = DocumentState::Retired;
    let mut restricted = version("secret.md", "sha256:1", "text");
    restricted.label = Some("confidential".into());
    let batch = [(row, None), (document("secret.md", Some("sha256:1")), Some(restricted))];
    store.put_documents(&batch).unwrap();
    let found = store.version("sha256:1", None).unwrap().unwrap();
    assert_eq!(found.label.as_deref(), Some("confidential"));
}

#[test]
fn the_same_text_again_takes_the_new_label() {
    let store = SqliteStore::in_memory().unwrap();
    let mut row = version("a.md", "sha256:1", "text");
    let head = document("a.md", Some("sha256:1"));
    store.put_document(&head, Some(&row)).unwrap();
    row.label = Some("confidential".into());
    store.put_document(&head, Some(&row)).unwrap();
    assert_eq!(store.versions_of("a.md").unwrap(), [row]);
}

#[test]
fn a_batch_is_written_whole_or_not_at_all() {
    let store = SqliteStore::in_memory().unwrap();
    let good = (document("a.md", Some("sha256:1")), Some(version("a.md", "sha256:1", "x")));
    let dangling = (document("b.md", Some("sha256:nowhere")), None);
    let error = store.put_documents(&[good, dangling]).unwrap_err();
    assert!(matches!(error, Error::UnknownVersion), "{error}");
    assert!(store.documents().unwrap().is_empty());
    assert!(store.versions_of("a.md").unwrap().is_empty());
}

#[test]
fn a_size_beyond_the_database_is_refused() {
    let store = SqliteStore::in_memory().unwrap();
    let mut row = document("a.md", None);
    row.source_bytes = u64::MAX;
    let error = store.put_document(&row, None).unwrap_err();
    assert!(matches!(error, Error::TooLarge { value: u64::MAX, .. }), "{error}");
}

#[test]
fn seven_hundred_documents_are_one_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let text = "Die Gebühr beträgt CHF 2.40 je Sack.\n".repeat(500);
    let rows: Vec<_> = (0..700)
        .map(|number| {
            let path = format!("folder/{number}.md");
            let digest = format!("sha256:{number:064x}");
            let row = version(&path, &digest, &text);
            (document(&path, Some(&digest)), Some(row))
        })
        .collect();
    store.put_documents(&rows).unwrap();
    assert_eq!(store.documents().unwrap().len(), 700);
}

#[test]
fn only_the_right_unrevoked_secret_opens() {
    let store = SqliteStore::in_memory().unwrap();
    let (key, secret) = store.create_key("clerk", "pradaval", &[], "ask").unwrap();
    let (other, other_secret) = store.create_key("clerk", "pradaval", &[], "ask").unwrap();
    assert_eq!(store.authenticate(&secret).unwrap(), Some(key.clone()));
    let crossed = other_secret.replacen(&other.id, &key.id, 1);
    for wrong in [crossed.as_str(), "", "allod_", "Bearer x", &secret[..secret.len() - 1]] {
        assert_eq!(store.authenticate(wrong).unwrap(), None, "{wrong}");
    }
    assert!(store.revoke_key(&key.id).unwrap());
    assert!(!store.revoke_key(&key.id).unwrap(), "revoked only once");
    assert!(!store.revoke_key("nobody").unwrap());
    assert_eq!(store.authenticate(&secret).unwrap(), None);
    assert!(store.authenticate(&other_secret).unwrap().is_some());
    assert!(store.list_keys().unwrap()[0].revoked_at.is_some());
}

#[test]
fn the_secret_is_stored_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let (key, secret) = store.create_key("clerk", "pradaval", &[], "ask").unwrap();
    // `_` is a letter of secrets too.
    let tail = secret.splitn(3, '_').last().unwrap().as_bytes();
    assert_eq!(tail.len(), 43, "32 bytes in base64");
    assert!(!format!("{key:?}").as_bytes().windows(tail.len()).any(|w| w == tail));
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.windows(tail.len()).any(|window| window == tail));
    }
}

#[test]
fn a_review_is_resolved_once_only() {
    let store = SqliteStore::in_memory().unwrap();
    let first = store.enqueue_review(&new_review(ReviewKind::HumanReview)).unwrap();
    let second = store.enqueue_review(&new_review(ReviewKind::Escalated)).unwrap();
    let done = store.resolve_review(&first.id, &resolution("Luca"), 1).unwrap();
    assert_eq!(done.state, ReviewState::Resolved);
    let error = store.resolve_review(&first.id, &resolution("Seraina"), 1).unwrap_err();
    let Error::AlreadyResolved { by, .. } = error else { panic!("{error}") };
    assert_eq!(by, "Luca");
    let unknown = store.resolve_review("nobody", &resolution("Luca"), 1);
    assert!(matches!(unknown, Err(Error::NoSuchReview { .. })));
    assert!(matches!(store.link_review("nobody", 1), Err(Error::NoSuchReview { .. })));
    assert_eq!(store.reviews(Some(ReviewState::Open)).unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.reviews(Some(ReviewState::Resolved)).unwrap(), std::slice::from_ref(&done));
    assert_eq!(store.reviews(None).unwrap(), [done, second]);
}

#[test]
fn of_many_reviewers_at_once_one_succeeds() {
    let store = SqliteStore::in_memory().unwrap();
    let review = store.enqueue_review(&new_review(ReviewKind::Escalated)).unwrap();
    let successes = std::thread::scope(|scope| {
        let reviewers: Vec<_> = (0..8)
            .map(|number| {
                let (store, id) = (&store, &review.id);
                scope.spawn(move || store.resolve_review(id, &resolution(&number.to_string()), 1))
            })
            .collect();
        let results = reviewers.into_iter().map(|thread| thread.join().unwrap());
        results.filter(Result::is_ok).count()
    });
    assert_eq!(successes, 1);
}

#[test]
fn a_payload_is_never_overwritten() {
    let store = SqliteStore::in_memory().unwrap();
    store.put_payloads(&[payload("sha256:1", "first"), payload("sha256:2", "other")]).unwrap();
    store.put_payloads(&[payload("sha256:1", "second")]).unwrap();
    assert_eq!(store.payload("sha256:1").unwrap().unwrap().content, "first");
    assert_eq!(store.payload("sha256:3").unwrap(), None);
}

#[test]
fn the_ledger_head_only_rises() {
    let store = SqliteStore::in_memory().unwrap();
    let head = |size| HeadRow { size, root: format!("root {size}") };
    assert_eq!(store.ledger_head().unwrap(), None);
    for size in [3, 9, 5] {
        store.raise_ledger_head(&head(size)).unwrap();
    }
    assert_eq!(store.ledger_head().unwrap(), Some(head(9)));
    assert!(store.setting(LEDGER_HEAD).unwrap().unwrap().contains("root 9"));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    store.with(|c| c.pragma_update(None, "user_version", 99)).unwrap();
    drop(store);
    let error = SqliteStore::open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::NewerSchema { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("newer version of allod"));
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(other);
    let error = SqliteStore::open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
}

/// A closed store with some content, and its file.
fn filled_database() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for number in 0..50 {
        let path = format!("{number}.md");
        let row = version(&path, "sha256:1", &"text ".repeat(500));
        store.put_document(&document(&path, Some("sha256:1")), Some(&row)).unwrap();
    }
    drop(store);
    let file = folder.path().join(DATABASE_FILE);
    (folder, file)
}

#[test]
fn a_file_that_is_no_database_says_what_to_do() {
    let (folder, file) = filled_database();
    let mut bytes = fs::read(&file).unwrap();
    bytes[..16].copy_from_slice(b"not a database!!");
    fs::write(&file, bytes).unwrap();
    let error = SqliteStore::open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("restore allod.db from a backup"));
}

#[test]
fn damaged_pages_and_cut_files_are_found() {
    for damage in ["overwritten", "cut"] {
        let (folder, file) = filled_database();
        let mut bytes = fs::read(&file).unwrap();
        let half = bytes.len() / 2 / 4096 * 4096;
        match damage {
            "cut" => bytes.truncate(half),
            _ => bytes[half..half + 3 * 4096].fill(0xa5),
        }
        fs::write(&file, bytes).unwrap();
        let result = SqliteStore::open(folder.path()).and_then(|store| store.check());
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{damage}: {error}");
    }
}

#[test]
fn a_row_that_no_version_writes_is_damage_not_a_panic() {
    let store = SqliteStore::in_memory().unwrap();
    store.put_document(&document("a.md", None), None).unwrap();
    for change in ["state = 'lost'", "source_bytes = -1"] {
        store.with(|c| c.execute(&format!("UPDATE documents SET {change}"), [])).unwrap();
        let error = store.documents().unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{change}: {error}");
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let pages: i64 =
        store.with(|c| c.pragma_query_value(None, "page_count", |row| row.get(0))).unwrap();
    // SQLite reports its own page limit exactly as it reports a full disk.
    store
        .with(|c| c.pragma_update_and_check(None, "max_page_count", pages + 4, |_| Ok(())))
        .unwrap();
    let big = version("a.md", "sha256:1", &"x".repeat(1 << 20));
    let row = document("a.md", Some("sha256:1"));
    let error = store.put_document(&row, Some(&big)).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(store.documents().unwrap().is_empty());
    store.set_setting("small", "still fits").unwrap();
}

#[test]
fn a_read_only_database_is_named() {
    let store = SqliteStore::in_memory().unwrap();
    store.with(|c| c.pragma_update(None, "query_only", true)).unwrap();
    let error = store.set_setting("k", "v").unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = SqliteStore::open(&file.join("data")).err().unwrap();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    assert!(error.to_string().contains("--data"));
}

#[test]
fn a_lock_that_is_held_too_long_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let other = SqliteStore::open(folder.path()).unwrap();
    store.with(|c| c.busy_timeout(Duration::from_millis(20))).unwrap();
    let error = other.write(|_| Ok(store.set_setting("k", "v"))).unwrap().unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    store.set_setting("k", "free again").unwrap();
}

#[cfg(unix)]
#[test]
fn folder_and_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let store = SqliteStore::open(&data).unwrap();
    store.set_setting("k", "v").unwrap();
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
    assert_eq!(mode(&usual_file(&data)), 0o600);
    drop(store);
    let file = data.join(DATABASE_FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let _store = SqliteStore::open(&data).unwrap();
    assert_eq!(mode(&file), 0o600, "a wider mode is taken away");
}

#[test]
fn what_was_said_about_a_text_is_kept_when_something_else_is() {
    let store = SqliteStore::in_memory().unwrap();
    let row = document("a.md", Some("sha256:1"));
    let first = version("a.md", "sha256:1", "text");
    store.put_document(&row, Some(&first)).unwrap();
    let before = ArtifactRow::new("about", first.about());
    assert_eq!(store.artifact(&before.digest).unwrap(), None, "it stands in the version");
    let metadata_json = r#"{"title":"another"}"#.to_owned();
    let second = VersionRow { metadata_json, ..first.clone() };
    store.put_document(&row, Some(&second)).unwrap();
    assert_eq!(store.artifact(&before.digest).unwrap(), Some(before));
    let found = store.version("sha256:1", Some("a.md")).unwrap().unwrap();
    assert_eq!(found.about(), second.about());
    assert_eq!(found.with_about(&first.about()).unwrap().about(), first.about());
}

#[test]
fn an_artifact_stays_as_it_was_first() {
    let store = SqliteStore::in_memory().unwrap();
    let row = ArtifactRow::new("policy", "name: x\n".into());
    let other = ArtifactRow { content: "name: y\n".into(), ..row.clone() };
    store.put_artifacts(std::slice::from_ref(&row)).unwrap();
    store.put_artifacts(&[other]).unwrap();
    assert_eq!(store.artifact(&row.digest).unwrap(), Some(row));
}

#[test]
fn tokens_of_a_tenant_add_up_over_a_day_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let store = SqliteStore::open(path).unwrap();
    assert_eq!(store.tokens_used("a", "2026-11-22").unwrap(), 0);
    assert_eq!(store.add_tokens_used("a", "2026-11-22", 5).unwrap(), 5);
    assert_eq!(store.add_tokens_used("a", "2026-11-22", 7).unwrap(), 12);
    assert_eq!(store.add_tokens_used("b", "2026-11-22", 1).unwrap(), 1);
    drop(store);
    let store = SqliteStore::open(path).unwrap();
    assert_eq!(store.tokens_used("a", "2026-11-22").unwrap(), 12);
    // A clock that was set back gives nothing back.
    assert_eq!(store.tokens_used("a", "2026-11-21").unwrap(), 12);
    assert_eq!(store.add_tokens_used("a", "2026-11-21", 1).unwrap(), 13);
    assert_eq!(store.tokens_used("a", "2026-11-23").unwrap(), 0);
    assert_eq!(store.add_tokens_used("a", "2026-11-23", 2).unwrap(), 2);
}
