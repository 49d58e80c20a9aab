//! Looking into the documents: a place, a cell of a table. Only what the caller may read.

use allod_corpus::{ByteRange, Language};
use allod_retrieval::analysis::{Word, is_stop_word, words};
use allod_retrieval::{attempts, masked};
use allod_store::{DocumentState, VersionRow};
use serde_json::{Value, json};

use super::origin::Origin;
use super::toolbox::Toolbox;
use crate::error::Error;

/// So many names of columns are said at most.
const HEADERS_MAX: usize = 12;
/// A longer place is cut here.
const BYTES_MAX: usize = 64 * 1024;

/// A document as it may be read: what speaks to a model is blank.
pub(crate) struct Opened {
    pub(crate) version: VersionRow,
    pub(crate) text: String,
    pub(crate) attempts: Vec<allod_retrieval::Attempt>,
}

impl Opened {
    pub(crate) fn language(&self) -> Language {
        let known = [Language::De, Language::Fr, Language::It, Language::Rm, Language::En];
        let language = known.into_iter().find(|language| language.code() == self.version.language);
        language.unwrap_or(Language::Other)
    }

    fn origin(&self, range: ByteRange) -> Origin {
        let digest = self.version.digest.clone();
        Origin::Document { digest, start: range.start, end: range.end }
    }
}

/// Opens a document by its digest or by its path, if the caller may read it.
pub(crate) fn open(toolbox: &Toolbox, named: &str) -> Result<Result<Opened, String>, Error> {
    let desk = toolbox.desk;
    let digest = match named.starts_with("sha256:") {
        true => Some(named.to_owned()),
        false => {
            let row = desk.store.document(named)?;
            let whole = row.filter(|row| row.state == DocumentState::Current);
            match whole.and_then(|row| row.digest) {
                Some(digest) => Some(digest),
                None => match ends_in(toolbox, named)?.as_slice() {
                    [] => None,
                    [digest] => Some(digest.clone()),
                    _ => return Ok(Err(format!("several documents end in `{named}`: say more"))),
                },
            }
        }
    };
    // A document that may not be read is as little there as one that is not.
    let none = || format!("there is no document `{named}` that you may read");
    let Some(digest) = digest else { return Ok(Err(none())) };
    let Some(version) = desk.library.show(&digest, &toolbox.caller.clearance)? else {
        return Ok(Err(none()));
    };
    let language = Language::detect(&version.text);
    let attempts = attempts(&version.text, language);
    let text = masked(&version.text, &attempts);
    Ok(Ok(Opened { version, text, attempts }))
}

/// The documents that the caller may read whose paths end in these folders and this name.
fn ends_in(toolbox: &Toolbox, named: &str) -> Result<Vec<String>, Error> {
    let desk = toolbox.desk;
    let ending = format!("/{}", named.trim_start_matches(['.', '/']));
    let mut found = Vec::new();
    for row in desk.store.documents()? {
        let fits = row.state == DocumentState::Current && row.path.ends_with(&ending);
        let Some(digest) = row.digest.filter(|_| fits && ending.len() > 1) else { continue };
        if desk.library.show(&digest, &toolbox.caller.clearance)?.is_some() {
            found.push(digest);
        }
    }
    Ok(found)
}

/// A place of a document.
pub(crate) fn place(
    opened: &Opened,
    start: Option<u64>,
    end: Option<u64>,
) -> Result<(Value, Origin), String> {
    let at = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX);
    let start = start.map_or(0, at);
    let end = end.map_or(opened.text.len(), at).min(opened.text.len());
    let end = opened.text.floor_char_boundary(end.min(start.saturating_add(BYTES_MAX)));
    let text = opened.text.get(start..end);
    let text = text.ok_or_else(|| format!("the document has no place {start}..{end}"))?;
    let VersionRow { path, title, digest, .. } = &opened.version;
    let value = json!({"path": path, "title": title, "digest": digest, "start": start, "end": end,
                       "text": text});
    Ok((value, opened.origin(ByteRange::new(start, end))))
}

/// The cell of the row that has all words of `row`, in the column whose header has all words of
/// `column`: with one word less, the small hall would be the large one. Rows are lines as
/// "Header: cell; Header: cell".
pub(crate) fn cell(opened: &Opened, row: &str, column: &str) -> Result<(Value, Origin), String> {
    let language = opened.language();
    let lines = lines(&opened.text);
    let rows = lines.into_iter().filter_map(|range| {
        let cells = cells(&opened.text[range.start..range.end])?;
        Some((range, cells))
    });
    let mut found: Vec<(ByteRange, Cells)> = Vec::new();
    let mut headers: Vec<String> = Vec::new();
    for (range, cells) in rows {
        for (name, _) in &cells {
            if headers.len() < HEADERS_MAX && !headers.contains(name) {
                headers.push(name.clone());
            }
        }
        let fits = header(&cells, column, language).is_some()
            && holds(row, &opened.text[range.start..range.end], language);
        if fits {
            found.push((range, cells));
        }
    }
    let several = found.len() > 1;
    let Some((range, cells)) = found.pop() else {
        let headers = headers.join(", ");
        return Err(format!(
            "no row with a column like `{column}` has the words of `{row}`; columns: {headers}"
        ));
    };
    if several {
        return Err(format!("several rows match `{row}`: say more of the row"));
    }
    let (name, inside) = header(&cells, column, language).expect("rows without it were left out");
    let place = ByteRange::new(range.start + inside.start, range.start + inside.end);
    let value = json!({
        "column": name,
        "value": &opened.text[place.start..place.end],
        "row": &opened.text[range.start..range.end],
        "path": opened.version.path, "digest": opened.version.digest,
        "start": place.start, "end": place.end,
    });
    Ok((value, opened.origin(place)))
}

/// The cell whose header has all the words, and fewest others.
fn header<'a>(
    cells: &'a [(String, ByteRange)],
    column: &str,
    language: Language,
) -> Option<(&'a str, ByteRange)> {
    let fits = cells.iter().filter(|(name, _)| holds(column, name, language));
    let best = fits.min_by_key(|(name, _)| words(name, language).len())?;
    Some((best.0.as_str(), best.1))
}

/// Whether all words of `wanted` that tell stand in `text`.
fn holds(wanted: &str, text: &str, language: Language) -> bool {
    let (wanted, found) = (words(wanted, language), words(text, language));
    let tells = |word: &&Word| !is_stop_word(&word.folded, language);
    let any = wanted.iter().any(|word| tells(&word));
    let mut needed = wanted.iter().filter(|word| !any || tells(word));
    !wanted.is_empty() && needed.all(|word| found.iter().any(|other| other.stem == word.stem))
}

fn lines(text: &str) -> Vec<ByteRange> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        lines.push(ByteRange::new(start, start + line.trim_end().len()));
        start += line.len();
    }
    lines
}

/// Header and place of each cell of a row.
type Cells = Vec<(String, ByteRange)>;

/// The cells of a row; `None` if the line is none.
fn cells(line: &str) -> Option<Cells> {
    let mut cells = Vec::new();
    let mut start = 0;
    for part in line.split("; ") {
        let colon = part.find(": ")?;
        let inside = ByteRange::new(start + colon + 2, start + part.len());
        cells.push((part[..colon].to_owned(), inside));
        start += part.len() + 2;
    }
    (cells.len() > 1).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Opened {
        let version = VersionRow {
            digest: "sha256:0".into(),
            path: "fees.md".into(),
            title: "Fees".into(),
            language: "de".into(),
            label: None,
            valid_from: None,
            valid_until: None,
            metadata_json: String::new(),
            blocks_json: String::new(),
            pages_json: None,
            text: text.into(),
            ingested_at: String::new(),
        };
        Opened { version, text: text.into(), attempts: Vec::new() }
    }

    #[test]
    fn a_cell_is_found_by_its_row_and_column() {
        let text = "Gebühren\n\nGrösse: 17 Liter; Gebühr: CHF 1.20\n\nGrösse: 35 Liter; Gebühr: \
                    CHF 2.40\n\nGrösse: 60 Liter; Gebühr: CHF 4.00";
        let opened = opened(text);
        let (value, origin) = cell(&opened, "35 Liter", "Gebühr").unwrap();
        assert_eq!(value["value"], "CHF 2.40");
        let Origin::Document { start, end, .. } = origin else { panic!("{origin:?}") };
        assert_eq!(&text[start..end], "CHF 2.40");
        assert!(cell(&opened, "Liter", "Gebühr").unwrap_err().contains("several rows"));
        assert!(cell(&opened, "35 Liter", "Farbe").unwrap_err().contains("no row"));
        assert!(cell(&opened, "blau", "Gebühr").is_err());
        // A word that the row or the header lacks is another row, another column.
        let named = cell(&opened, "der Sack zu 35 Liter", "Gebühr").unwrap_err();
        assert!(named.contains("columns: Grösse, Gebühr"), "{named}");
        assert!(cell(&opened, "35 Liter", "Gebühr am Sonntag").is_err());
    }

    #[test]
    fn a_place_is_within_the_document() {
        let opened = opened("Zürich");
        let (value, _) = place(&opened, Some(0), Some(3)).unwrap();
        assert_eq!(value["text"], "Zü");
        assert!(place(&opened, Some(2), None).is_err());
        assert!(place(&opened, Some(99), None).is_err());
        assert_eq!(place(&opened, None, Some(9_999)).unwrap().0["text"], "Zürich");
    }
}
