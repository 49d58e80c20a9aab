//! Tests of pages in files: what is found, what never is, and what is left after an erasure.

use super::*;
use crate::{Expiry, SqliteStore, Store};
use tempfile::TempDir;

const WITH: &str = "model\0none";

/// A data folder, its store, and its pages, which may take so many bytes.
fn place(bytes_max: u64) -> (TempDir, SqliteStore, PageFiles) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let files = PageFiles::new(folder.path(), bytes_max);
    (folder, store, files)
}

fn tokens(pages: &[u32]) -> Vec<u32> {
    pages.iter().flat_map(|token| [*token; 4]).collect()
}

fn names(key: &PageKey, pages: &[u32]) -> Vec<PageName> {
    key.names(WITH, &tokens(pages), 4)
}

fn name(key: &PageKey, pages: &[u32]) -> PageName {
    names(key, pages).pop().unwrap()
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files = files_of(&root_of(folder));
    assert_eq!(files.len(), 1);
    files.remove(0).path
}

fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let within = |path: PathBuf| match path.is_dir() {
        true => holds(&path, bytes),
        false => fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes),
    };
    entries.into_iter().any(within)
}

#[test]
fn a_page_is_found_by_its_tenant_what_it_was_computed_with_and_all_tokens() {
    let (folder, store, files) = place(1 << 20);
    let key = store.page_key("t").unwrap();
    let all = names(&key, &[1, 2, 3]);
    for (number, name) in all.iter().enumerate() {
        assert!(!files.touch(&key, name, number) && files.read(&key, name).is_none());
        assert!(files.write(&key, name, (number, &[number as u8; 100])));
        assert!(files.touch(&key, name, number));
    }
    assert_eq!(files.read(&key, &all[2]), Some(vec![2; 100]));
    // Another process finds it too.
    let again = SqliteStore::open(folder.path()).unwrap().page_key("t").unwrap();
    let other = PageFiles::new(folder.path(), 1 << 20);
    assert_eq!(other.read(&again, &name(&again, &[1, 2])), Some(vec![1; 100]));
    assert!(other.read(&again, &name(&again, &[2])).is_none(), "another beginning");
    assert!(other.read(&again, &name(&again, &[1, 3])).is_none(), "another page");
    for with in ["model\0adapter", "another\0none", ""] {
        let strange = key.names(with, &tokens(&[1]), 4).pop().unwrap();
        assert!(other.read(&key, &strange).is_none(), "{with}");
    }
    let stranger = store.page_key("u").unwrap();
    assert!(other.read(&stranger, &name(&stranger, &[1])).is_none(), "another tenant");
    assert_eq!(other.counts().refused, 0, "nothing else was even looked at");
    assert_eq!((files.counts().written, files.counts().bytes), (3, 3 * 4096));
}

/// Whoever can write to the folder can take pages away, and nothing else.
#[test]
fn files_that_were_changed_cut_or_put_elsewhere_are_deleted_and_never_given() {
    let (folder, store, files) = place(1 << 20);
    let (key, stranger) = (store.page_key("t").unwrap(), store.page_key("u").unwrap());
    let (one, other) = (name(&key, &[1]), name(&key, &[1, 2]));
    let write = || assert!(files.write(&key, &one, (0, &[7; 100])));
    write();
    let whole = fs::read(key.path(&one)).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(key.path(&one), changed).unwrap();
        assert!(files.read(&key, &one).is_none() && !key.path(&one).exists(), "byte {at}");
        fs::write(key.path(&one), &whole[..at]).unwrap();
        assert!(files.read(&key, &one).is_none() && !key.path(&one).exists(), "cut at {at}");
    }
    assert_eq!(files.counts().refused, 2 * whole.len() as u64);
    // The same bytes elsewhere: another page, another tenant.
    fs::write(key.path(&other), &whole).unwrap();
    assert!(files.read(&key, &other).is_none() && !key.path(&other).exists());
    let foreign = name(&stranger, &[1]);
    fs::write(stranger.path(&foreign), &whole).unwrap();
    assert!(files.read(&stranger, &foreign).is_none());
    // An older key of the same tenant.
    store.forget_pages("t", None).unwrap();
    let young = store.page_key("t").unwrap();
    fs::write(young.path(&name(&young, &[1])), &whole).unwrap();
    assert!(files.read(&young, &name(&young, &[1])).is_none());
    // Longer than any page: it is not even read.
    let file = File::create(young.path(&one)).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(files.read(&young, &one).is_none() && !young.path(&one).exists());
    assert!(bytes_of(folder.path()).unwrap().is_none(), "a folder is no page");
}

#[test]
fn nothing_in_the_folder_tells_tokens_tenant_or_values() {
    let (folder, store, files) = place(1 << 20);
    let key = store.page_key("Pradaval").unwrap();
    let values = b"values that nobody may see";
    let one = name(&key, &[0x4142_4344]);
    assert!(files.write(&key, &one, (0, values)));
    let root = root_of(folder.path());
    for plain in [&values[..], b"Pradaval", b"DCBADCBA", b"model"] {
        assert!(!holds(&root, plain));
    }
    // The name is not a digest that others could work out.
    let path = only_file(folder.path());
    let told = store.page_key("u").unwrap();
    let same = told.names(WITH, &tokens(&[0x4142_4344]), 4).pop().unwrap();
    assert_ne!(path.file_name().unwrap().to_str(), Some(same.file.as_str()));
    assert_eq!(format!("{key:?}").matches("sealing").count(), 0);
    #[cfg(unix)]
    for (path, mode) in [(root.clone(), 0o700), (key.folder.clone(), 0o700), (path, 0o600)] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn what_was_not_used_for_longest_goes_and_never_more_lies_there_than_may() {
    let (folder, store, files) = place(10 * 4096);
    let key = store.page_key("t").unwrap();
    let all = names(&key, &(0..30).collect::<Vec<u32>>());
    let age = |name: &PageName, seconds: u64| {
        let file = OpenOptions::new().write(true).open(key.path(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    };
    for (number, name) in all.iter().take(10).enumerate() {
        assert!(files.write(&key, name, (number, &[1; 100])));
        age(name, 10_000 - number as u64);
    }
    assert!(files.touch(&key, &all[0], 0));
    for (number, name) in all.iter().enumerate().skip(10) {
        assert!(files.write(&key, name, (number, &[1; 100])));
        let there: u64 = files_of(&files.root).iter().map(|file| on_disk(file.length)).sum();
        assert!(there <= 10 * 4096 && files.counts().bytes == there);
    }
    assert!(!files.touch(&key, &all[1], 1) && files.counts().evicted >= 20);
    // Too large for all of it.
    assert!(!files.write(&key, &all[1], (1, &vec![0; 10 * 4096])));
    assert_eq!((files.counts().passed_over, files.counts().failed), (1, 0));
    // Another process that may keep less.
    let smaller = PageFiles::new(folder.path(), 3 * 4096);
    smaller.tidy();
    assert!(smaller.counts().bytes <= 3 * 4096 && files_of(&files.root).len() <= 3);
}

#[test]
fn pages_that_stand_first_in_a_prompt_stay_longer_than_those_that_follow() {
    let (_folder, store, files) = place(4 * 4096);
    let key = store.page_key("t").unwrap();
    let all = names(&key, &[1, 2, 3, 4, 5]);
    for (number, name) in all.iter().enumerate() {
        assert!(files.write(&key, name, (number, &[1; 10])));
    }
    assert!(files.touch(&key, &all[0], 0) && !files.touch(&key, &all[3], 3));
}

/// What a process that was killed leaves: drafts, a file of any length, folders without a key.
#[test]
fn a_death_at_any_instant_harms_nothing() {
    let (folder, store, files) = place(1 << 20);
    let key = store.page_key("t").unwrap();
    let one = name(&key, &[1]);
    let draft = key.path(&one).with_extension(format!("123.{DRAFT}"));
    fs::write(&draft, [0; 50]).unwrap();
    fs::write(key.path(&one), []).unwrap();
    files.tidy();
    assert!(draft.exists(), "its writer may live");
    let old = SystemTime::now() - 2 * DRAFT_LIFE;
    OpenOptions::new().write(true).open(&draft).unwrap().set_modified(old).unwrap();
    files.tidy();
    assert!(!draft.exists());
    assert!(files.read(&key, &one).is_none());
    assert!(files.write(&key, &one, (0, &[1])) && files.read(&key, &one).is_some());
    // A folder whose key was never written down, and a key whose folder somebody took away.
    fs::create_dir(root_of(folder.path()).join("abc")).unwrap();
    let lost = store.page_key("u").unwrap();
    fs::remove_dir_all(&lost.folder).unwrap();
    assert!(!files.write(&lost, &name(&lost, &[1]), (0, &[1])));
    store.sweep_pages().unwrap();
    assert!(!root_of(folder.path()).join("abc").exists() && files.read(&key, &one).is_some());
    let made = store.page_key("u").unwrap();
    assert!(files.write(&made, &name(&made, &[1]), (0, &[1])));
}

#[test]
fn a_disk_that_takes_nothing_is_counted_and_no_more() {
    let (folder, store, files) = place(1 << 20);
    let key = store.page_key("t").unwrap();
    // A file in the place of the folder: whoever runs the tests may write anywhere.
    fs::remove_dir(&key.folder).unwrap();
    fs::write(&key.folder, "").unwrap();
    assert!(!files.write(&key, &name(&key, &[1]), (0, &[1])));
    assert!(files.read(&key, &name(&key, &[1])).is_none());
    assert!(files.counts().failed >= 1);
    files.tidy();
    drop(folder);
}

#[test]
fn pages_that_were_kept_long_enough_are_deleted_however_often_they_are_used() {
    let (folder, store, files) = place(1 << 20);
    let key = store.page_key("t").unwrap();
    let one = name(&key, &[1]);
    assert!(files.write(&key, &one, (0, &[1])));
    let expire = |before: &str| {
        let expiry = Expiry { payloads_before: Some(before.into()), reviews_before: None };
        store.expire(&expiry).unwrap();
    };
    expire("2021-01-01T00:00:00Z");
    assert!(files.read(&key, &one).is_some());
    let sealed = fs::read(only_file(folder.path())).unwrap();
    expire("2999-01-01T00:00:00Z");
    assert!(!key.path(&one).exists() && !holds(folder.path(), &sealed[16..40]));
}

#[test]
fn an_erasure_leaves_neither_pages_nor_their_key_and_stops_what_is_under_way() {
    let (folder, store, files) = place(1 << 20);
    let (key, other) = (store.page_key("t").unwrap(), store.page_key("u").unwrap());
    for key in [&key, &other] {
        assert!(files.write(key, &name(key, &[1]), (0, &[9; 64])));
    }
    let sealed = fs::read(key.path(&name(&key, &[1]))).unwrap();
    let id = key.folder.file_name().unwrap().to_str().unwrap().as_bytes().to_vec();
    assert!(holds(folder.path(), &sealed) && holds(folder.path(), &id));
    store.forget_pages("t", Some("2000-01-01T00:00:00Z")).unwrap();
    assert!(key.folder.exists(), "it is younger");
    store.forget_pages("t", Some("2999-01-01T00:00:00Z")).unwrap();
    assert!(!key.folder.exists() && !holds(folder.path(), &sealed));
    assert!(!holds(folder.path(), &id), "the database has no trace of the key");
    // What was computed for a prompt from before is not written any more.
    assert!(!files.write(&key, &name(&key, &[1, 2]), (1, &[9; 64])) && !key.folder.exists());
    assert_eq!(files.counts().failed, 0);
    assert!(files.read(&other, &name(&other, &[1])).is_some(), "other tenants keep theirs");
    let young = store.page_key("t").unwrap();
    assert_ne!(young.folder, key.folder);
    assert!(files.read(&young, &name(&young, &[1])).is_none());
    store.forget_pages("nobody", None).unwrap();
}

#[test]
fn a_store_without_files_has_no_pages() {
    let store = SqliteStore::in_memory().unwrap();
    assert!(store.page_key("t").is_err());
    store.forget_pages("t", None).unwrap();
    store.sweep_pages().unwrap();
}
