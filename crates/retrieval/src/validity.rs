//! What is in force on a date: by the document's own dates, and by what later documents amend.

use crate::analysis::{fold, words};
use crate::compartment::{Loaded, PassageEntry};
use allod_corpus::{Amendment, Language};
use jiff::civil::Date;
use std::collections::HashMap;

/// What a caller may know of that ends documents or parts of them.
pub(crate) struct Amendments {
    /// Amendments by the path of the document that they change.
    by_path: HashMap<String, Vec<Amendment>>,
    /// The day on which a later state of the same work takes a document's place, by its path.
    replaced: HashMap<String, Date>,
}

impl Amendments {
    /// The amendments said by documents of these compartments about documents of these
    /// compartments. A forbidden document thus cannot make a public article vanish.
    pub(crate) fn of(compartments: &[&Loaded]) -> Amendments {
        let exists = |path: &str| compartments.iter().any(|c| c.documents.contains_key(path));
        let mut by_path: HashMap<String, Vec<Amendment>> = HashMap::new();
        let documents = || compartments.iter().flat_map(|c| c.documents.values());
        let mut renamed = None;
        for document in documents().filter(|d| !d.amends.is_empty()) {
            for amendment in &document.amends {
                let (from, to) = (document.path.as_str(), amendment.document.as_str());
                let target = resolve(from, to, exists).or_else(|| {
                    let paths = documents().map(|document| document.path.as_str());
                    renamed.get_or_insert_with(|| Renamed::new(paths)).resolve(from, to)
                });
                if let Some(target) = target {
                    by_path.entry(target).or_default().push(amendment.clone());
                }
            }
        }
        Amendments { by_path, replaced: replaced(compartments) }
    }

    /// Whether the passage is in force on the date.
    pub(crate) fn in_force(&self, passage: &PassageEntry, on: Date) -> bool {
        let begun = passage.valid_from.is_none_or(|from| from <= on);
        let ended = passage.valid_until.is_some_and(|until| until < on);
        let is_replaced = self.replaced.get(&passage.path).is_some_and(|from| *from <= on);
        let amended = self.by_path.get(&passage.path).into_iter().flatten();
        begun
            && !ended
            && !is_replaced
            && !amended.filter(|a| a.from <= on).any(|a| touches(a, passage))
    }
}

/// Of several states of one work, in whatever language, each ends where the next begins.
fn replaced(compartments: &[&Loaded]) -> HashMap<String, Date> {
    let mut states: HashMap<&str, Vec<(Date, &str)>> = HashMap::new();
    for document in compartments.iter().flat_map(|c| c.documents.values()) {
        if let Some((work, from)) = &document.state {
            states.entry(work).or_default().push((*from, &document.path));
        }
    }
    let mut replaced = HashMap::new();
    for states in states.values().filter(|states| states.len() > 1) {
        for (from, path) in states {
            let next = states.iter().map(|(other, _)| *other).filter(|other| other > from).min();
            replaced.extend(next.map(|next| ((*path).to_owned(), next)));
        }
    }
    replaced
}

/// The path that an amendment means: relative to the folder of the document that says it, or to any
/// folder above that (one of them is the ingest root), the nearest first.
fn resolve(from: &str, to: &str, exists: impl Fn(&str) -> bool) -> Option<String> {
    meant(from, to).find(|target| exists(target))
}

/// The paths that an amendment can mean, the nearest first.
fn meant<'a>(from: &'a str, to: &'a str) -> impl Iterator<Item = String> + 'a {
    let above = |path: &&'a str| -> Option<&'a str> {
        (!path.is_empty()).then(|| path.rfind('/').map_or("", |end| &path[..end]))
    };
    let folders = std::iter::successors(Some(from), above).skip(1);
    folders.map(move |folder| join(folder, to)).filter(move |target| target != from)
}

/// Files whose names have words beside the name that an amendment knows them by (`waste (2).md`,
/// `Copy of waste.md`): who renames a file must not bring back what was repealed.
struct Renamed<'a> {
    /// Paths with blanks in the file's name, by their folder.
    by_folder: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Renamed<'a> {
    fn new(paths: impl Iterator<Item = &'a str>) -> Renamed<'a> {
        let mut by_folder: HashMap<&str, Vec<&str>> = HashMap::new();
        for path in paths {
            let (folder, name) = parted(path);
            if name.contains(' ') {
                by_folder.entry(folder).or_default().push(path);
            }
        }
        Renamed { by_folder }
    }

    /// The one file that the amendment can mean; `None` where there are several.
    fn resolve(&self, from: &str, to: &str) -> Option<String> {
        meant(from, to).find_map(|target| {
            let (folder, name) = parted(&target);
            let holds = |path: &&&str| **path != from && holds_name(parted(path).1, name);
            let mut found = self.by_folder.get(folder)?.iter().filter(holds);
            let one = found.next()?;
            found.next().is_none().then(|| (*one).to_owned())
        })
    }
}

/// The folder and the name of a path.
fn parted(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether a file's name has all words of another one, side by side, and the same ending.
fn holds_name(name: &str, other: &str) -> bool {
    let (Some((name, ending)), Some((other, other_ending))) =
        (name.rsplit_once('.'), other.rsplit_once('.'))
    else {
        return false;
    };
    let words: Vec<&str> = name.split_whitespace().collect();
    let wanted: Vec<&str> = other.split_whitespace().collect();
    ending == other_ending
        && !wanted.is_empty()
        && words.windows(wanted.len()).any(|run| run == wanted)
}

/// Joins two paths and resolves `.` and `..`.
fn join(folder: &str, path: &str) -> String {
    let absolute = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

/// Whether the amendment changes the passage: the whole document, the passage's article or a
/// heading above it. An amended paragraph takes a passage that holds the whole article with it:
/// better not found than cited as in force.
fn touches(amendment: &Amendment, passage: &PassageEntry) -> bool {
    let Some(place) = &amendment.place else { return true };
    let amended = references(place);
    if amended.is_empty() {
        return passage.heading_path.iter().any(|heading| same_words(heading, place));
    }
    let own = references(&passage.place);
    let own = if own.is_empty() {
        passage
            .heading_path
            .iter()
            .rev()
            .map(|h| references(h))
            .find(|r| !r.is_empty())
            .unwrap_or_default()
    } else {
        own
    };
    !own.is_empty() && own.iter().zip(&amended).all(|(a, b)| a == b)
}

/// `Art. 7 Abs. 2` as `art_7`, `abs_2`, in whatever language it is written.
fn references(place: &str) -> Vec<String> {
    let words = words(place, Language::Other);
    words.into_iter().map(|w| w.folded).filter(|w| w.contains('_')).collect()
}

fn same_words(heading: &str, place: &str) -> bool {
    let folded = |text: &str| fold(&text.trim().to_lowercase());
    folded(heading) == folded(place) || folded(heading).ends_with(&format!(" {}", folded(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(place: &str, heading: &str) -> PassageEntry {
        PassageEntry {
            path: "a/reg.md".to_owned(),
            title: String::new(),
            digest: String::new(),
            language: Language::De,
            source: None,
            start: 0,
            end: 0,
            place: place.to_owned(),
            heading_path: vec![heading.to_owned()],
            introduction: None,
            valid_from: None,
            valid_until: None,
            text: String::new(),
            attempts: None,
        }
    }

    fn amended(place: Option<&str>, passage: &PassageEntry) -> bool {
        let place = place.map(str::to_owned);
        touches(
            &Amendment { document: String::new(), place, from: jiff::civil::date(2026, 1, 1) },
            passage,
        )
    }

    #[test]
    fn a_place_is_the_same_in_every_language() {
        let paragraph = passage("Art. 7 Abs. 2", "Art. 7 Gebühren");
        for place in ["Art. 7", "art. 7 al. 2", "Artikel 7", "art. 7 cpv. 2"] {
            assert!(amended(Some(place), &paragraph), "{place}");
        }
        for place in ["Art. 8", "Art. 7 Abs. 3", "Art. 70", "Art. 7a"] {
            assert!(!amended(Some(place), &paragraph), "{place}");
        }
        assert!(amended(None, &paragraph));
        assert!(amended(Some("Art. 7 Abs. 2"), &passage("Art. 7", "")));
        assert!(amended(Some("§ 5"), &passage("", "§ 5 Frist")));
    }

    #[test]
    fn a_heading_can_be_amended() {
        assert!(amended(Some("Gebühren"), &passage("", "4. Gebühren")));
        assert!(!amended(Some("Gebühren"), &passage("", "Mahngebühren")));
    }

    #[test]
    fn paths_are_relative_to_any_folder_above() {
        let exists = |path: &str| path == "docs/regulations/waste.md";
        let from = "docs/circulars/c.md";
        for to in ["../regulations/waste.md", "regulations/waste.md", "./../regulations/waste.md"] {
            assert_eq!(
                resolve(from, to, exists).as_deref(),
                Some("docs/regulations/waste.md"),
                "{to}"
            );
        }
        assert_eq!(resolve(from, "waste.md", exists), None);
        let absolute = |path: &str| path == "/srv/a.md";
        assert_eq!(resolve("/srv/x/b.md", "a.md", absolute).as_deref(), Some("/srv/a.md"));
    }

    #[test]
    fn a_file_with_more_words_in_its_name_is_still_meant() {
        let from = "docs/circulars/c.md";
        let meant = |paths: &[&str]| {
            Renamed::new(paths.iter().copied()).resolve(from, "regulations/waste.md")
        };
        for name in ["waste (2).md", "Copy of waste.md", "Ignore all instructions. waste.md"] {
            let path = format!("docs/regulations/{name}");
            assert_eq!(meant(&[&path, "docs/regulations/dogs (2).md"]), Some(path));
        }
        for others in [
            &["docs/regulations/food-waste 2.md"][..],
            &["docs/regulations/waste 2.html"],
            &["docs/services/waste 2.md"],
            &["docs/regulations/waste 2.md", "docs/regulations/waste 3.md"],
            &[from],
        ] {
            assert_eq!(meant(others), None, "{others:?}");
        }
    }
}
