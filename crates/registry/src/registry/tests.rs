use super::*;
use std::cell::Cell;
use tempfile::TempDir;

#[derive(Default)]
struct Heard {
    begun: Cell<u64>,
    read: Cell<u64>,
}

impl Progress for Heard {
    fn begin(&self, bytes: u64) {
        self.begun.set(bytes);
    }

    fn advance(&self, _: &str, bytes: u64) {
        self.read.set(self.read.get() + bytes);
    }
}

struct House {
    folder: TempDir,
    registry: Registry,
}

/// A registry, and a folder `source` with two files beside it.
fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::at(folder.path().join("models"));
    std::fs::create_dir_all(folder.path().join("source/inner")).unwrap();
    std::fs::write(folder.path().join("source/a"), "first").unwrap();
    std::fs::write(folder.path().join("source/inner/b"), "second").unwrap();
    House { folder, registry }
}

impl House {
    fn source(&self) -> Source {
        Source {
            folder: self.folder.path().join("source"),
            files: vec!["inner/b".into(), "a".into()],
            opens: None,
            kind: "test".into(),
            imported_at: "today".into(),
        }
    }

    fn put(&self, name: &str, placing: Placing) -> Result<Artifact> {
        let heard = Heard::default();
        let check = |path: &Path| match path.join("a").is_file() {
            true => Ok(()),
            false => Err("not there".to_string()),
        };
        self.registry.put(&self.source(), &name.parse()?, placing, &heard, &check)
    }

    /// Names of everything below the folder of objects that is not the lock.
    fn objects(&self) -> Vec<String> {
        let names = entries(&self.registry.objects()).unwrap();
        names.into_iter().filter(|name| name != LOCK).collect()
    }
}

#[test]
fn what_was_put_in_is_found_and_is_called_by_its_content() {
    for placing in [Placing::Copy, Placing::Link] {
        let house = house();
        let artifact = house.put("x", placing).unwrap();
        assert_eq!(house.registry.list().unwrap(), std::slice::from_ref(&artifact));
        assert_eq!(artifact.bytes(), 11);
        assert_eq!(std::fs::read_to_string(artifact.path.join("inner/b")).unwrap(), "second");
        let sums = std::fs::read(artifact.folder.parent().unwrap().join(SUMS)).unwrap();
        assert_eq!(Digest::of(&sums), artifact.digest);
        let line = format!("{}  a\n", Digest::of(b"first"));
        assert!(String::from_utf8(sums).unwrap().starts_with(&line));
        house.registry.verify(&artifact, &Heard::default()).unwrap();
        let located = house.registry.locate(Path::new("x")).unwrap();
        assert_eq!(located, Some(artifact.path));
        assert_eq!(house.registry.locate(Path::new("y")).unwrap(), None);
        assert_eq!(house.registry.locate(Path::new("../source")).unwrap(), None);
    }
}

#[test]
fn one_of_the_files_can_be_what_is_opened() {
    let house = house();
    let source = Source { opens: Some("a".into()), ..house.source() };
    let check = |path: &Path| match std::fs::read_to_string(path).as_deref() {
        Ok("first") => Ok(()),
        other => Err(format!("{other:?}")),
    };
    let name = "x".parse().unwrap();
    let heard = Heard::default();
    let artifact = house.registry.put(&source, &name, Placing::Copy, &heard, &check).unwrap();
    assert_eq!(artifact.path, artifact.folder.join("a"));
    assert_eq!((heard.begun.get(), heard.read.get()), (11, 11));
    house.registry.verify(&artifact, &heard).unwrap();
    assert_eq!(heard.read.get(), 22);
}

#[test]
fn a_name_stands_for_one_content() {
    let house = house();
    let first = house.put("x", Placing::Copy).unwrap();
    assert_eq!(house.put("x", Placing::Copy).unwrap(), first, "once more changes nothing");
    std::fs::write(house.folder.path().join("source/a"), "other").unwrap();
    let message = house.put("x", Placing::Copy).unwrap_err().to_string();
    assert!(message.contains(&first.digest.to_string()), "{message}");
    assert_eq!(house.registry.list().unwrap(), [first]);
    assert_eq!(house.objects().len(), 1);
}

#[test]
fn a_copy_is_its_own_file_and_a_link_is_not() {
    let house = house();
    let (copy, original) =
        (house.put("copy", Placing::Copy).unwrap(), house.folder.path().join("source/a"));
    std::fs::write(&original, "other").unwrap();
    house.registry.verify(&copy, &Heard::default()).unwrap();
    let link = house.put("link", Placing::Link).unwrap();
    std::fs::write(&original, "third").unwrap();
    let message = house.registry.verify(&link, &Heard::default()).unwrap_err().to_string();
    assert!(message.contains("another than when it was imported"), "{message}");
}

#[test]
fn nothing_stays_of_what_was_refused_or_could_not_be_read() {
    let house = house();
    let name: Name = "x".parse().unwrap();
    let put = |source: &Source, check: &dyn Fn(&Path) -> std::result::Result<(), String>| {
        let heard = Heard::default();
        let put = house.registry.put(source, &name, Placing::Copy, &heard, check);
        put.unwrap_err().to_string()
    };
    assert_eq!(put(&house.source(), &|_| Err("it is no good".into())), "it is no good");
    let missing = Source { files: vec!["a".into(), "none".into()], ..house.source() };
    assert!(put(&missing, &|_| Ok(())).contains("none: cannot be found"));
    let outside = Source { files: vec!["../a".into()], ..house.source() };
    assert!(put(&outside, &|_| Ok(())).contains("no plain file name"));
    assert_eq!(house.registry.list().unwrap(), []);
    assert_eq!(house.objects(), [""; 0]);
}

#[test]
fn what_an_end_in_the_middle_left_is_swept_away() {
    let house = house();
    let kept = house.put("kept", Placing::Copy).unwrap();
    let objects = house.registry.objects();
    let half = objects.join(format!("{UNFINISHED}object"));
    std::fs::create_dir_all(half.join("deep")).unwrap();
    std::fs::write(half.join("deep/half"), "ha").unwrap();
    // A whole object whose name was never written.
    let nameless = objects.join(format!("sha256-{}", Digest::of(b"nameless")));
    std::fs::create_dir(&nameless).unwrap();
    assert_eq!(house.registry.list().unwrap(), std::slice::from_ref(&kept));
    std::fs::write(house.folder.path().join("source/a"), "other").unwrap();
    house.put("new", Placing::Copy).unwrap();
    assert!(!half.exists() && !nameless.exists() && kept.path.exists());
}

#[test]
fn one_process_at_a_time_changes_it() {
    let house = house();
    let lock = house.registry.lock().unwrap();
    assert!(matches!(house.put("x", Placing::Copy), Err(Error::Busy { .. })));
    drop(lock);
    house.put("x", Placing::Copy).unwrap();
}

#[test]
fn files_go_with_their_last_name() {
    let house = house();
    let x = house.put("x", Placing::Copy).unwrap();
    let y = house.put("y", Placing::Copy).unwrap();
    assert_eq!((x.digest, &x.path), (y.digest, &y.path), "the same content is kept once");
    assert_eq!(house.objects().len(), 1);
    let missing = house.registry.remove(&"z".parse().unwrap()).unwrap_err().to_string();
    assert!(missing.contains("there are x, y"), "{missing}");
    house.registry.remove(&x.name).unwrap();
    assert!(y.path.join("a").is_file());
    house.registry.remove(&y.name).unwrap();
    assert!(!y.path.exists());
    assert_eq!((house.registry.list().unwrap(), house.objects()), (vec![], vec![]));
}

#[test]
fn a_damaged_name_is_said() {
    let house = house();
    let x = house.put("x", Placing::Copy).unwrap();
    let pointer = house.registry.pointer(&x.name);
    let text = std::fs::read_to_string(&pointer).unwrap();
    let wrong = [
        "{".to_string(),
        text.replace("\"x\"", "\"/etc\""),
        text.replace("\"a\"", "\"../a\""),
        text.replacen(&x.digest.to_string(), "12", 1),
    ];
    for wrong in wrong {
        std::fs::write(&pointer, wrong).unwrap();
        assert!(matches!(house.registry.find(&x.name), Err(Error::Damaged { .. })));
        assert!(house.put("y", Placing::Copy).is_err(), "nothing is swept while it is unclear");
        assert!(x.path.exists());
    }
}
