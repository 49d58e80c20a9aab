//! Comparing places: whether "Art. 7" covers "Art. 7 Abs. 2".

/// Whether `place` lies in `wider`, both as in [`crate::Passage::place`]: "Art. 7" covers
/// "Art. 7" and "Art. 7 Abs. 2", but not "Art. 7a" or "Art. 70". Case, blanks and the spelling of
/// the article's label ("Artikel", "Article", "art") make no difference.
pub fn covers(wider: &str, place: &str) -> bool {
    let (wider, place) = (parts(wider), parts(place));
    !wider.is_empty() && place.starts_with(&wider)
}

fn parts(place: &str) -> Vec<String> {
    let mut spaced = place.to_lowercase().replace('§', " § ");
    for addition in [" bis", " ter", " quater", " quinquies", " sexies"] {
        spaced = spaced.replace(addition, addition.trim_start());
    }
    let words = spaced.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ':']));
    words.filter(|word| !word.is_empty()).map(|word| same(word).to_owned()).collect()
}

/// One spelling for words that mean the same.
fn same(word: &str) -> &str {
    match word {
        "artikel" | "article" | "articolo" | "artitgel" => "art",
        "absatz" | "al" | "alinéa" | "cpv" | "capoverso" | "para" | "paragraph" | "alinea" => {
            "abs"
        }
        "sec" => "section",
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_place_covers_what_is_in_it() {
        for (wider, place) in [
            ("Art. 7", "Art. 7"),
            ("art 7", "Art. 7 Abs. 2"),
            ("Artikel 7 Absatz 2", "Art. 7 Abs. 2"),
            ("§5", "§ 5 Abs. 1"),
            ("Art. 5 bis", "Art. 5bis"),
        ] {
            assert!(covers(wider, place), "{wider} {place}");
        }
        for (wider, place) in [
            ("Art. 7", "Art. 70"),
            ("Art. 7", "Art. 7a"),
            ("Art. 7 Abs. 2", "Art. 7"),
            ("", "Art. 1"),
            ("Art. 7", ""),
            ("§ 7", "Art. 7"),
        ] {
            assert!(!covers(wider, place), "{wider} {place}");
        }
    }
}
