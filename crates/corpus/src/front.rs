//! What an author says about a document: front matter in the file, or a sidecar beside it.
//!
//! Nothing is guessed here. A label or date that cannot be understood makes the document
//! unreadable: dropping it would show the document to people, or at times, it is not meant for.

use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::{Amendment, Language, Unreadable};

/// The largest front matter or sidecar.
pub(crate) const MAX_FRONT_BYTES: usize = 64 << 10;

const KEYS: &[&str] =
    &["title", "language", "valid_from", "valid_until", "label", "source", "amends"];

/// What was said; `None` where nothing was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Front {
    pub title: Option<String>,
    pub language: Option<Language>,
    pub valid_from: Option<Date>,
    pub valid_until: Option<Date>,
    pub label: Option<String>,
    pub source: Option<String>,
    pub amends: Option<Vec<Amendment>>,
    /// The work that the document is a state of.
    pub work: Option<String>,
}

impl Front {
    /// This, and what only `other` says.
    pub(crate) fn or(self, other: Front) -> Front {
        Front {
            title: self.title.or(other.title),
            language: self.language.or(other.language),
            valid_from: self.valid_from.or(other.valid_from),
            valid_until: self.valid_until.or(other.valid_until),
            label: self.label.or(other.label),
            source: self.source.or(other.source),
            amends: self.amends.or(other.amends),
            work: self.work.or(other.work),
        }
    }

    /// This, and what the text states: but no dates that contradict those said here.
    pub(crate) fn or_if_consistent(self, text: Front) -> Front {
        let both = self.clone().or(text.clone());
        match both.check_dates() {
            Ok(()) => both,
            Err(_) => self.or(Front { valid_from: None, valid_until: None, ..text }),
        }
    }

    /// What of this holds for the documents in a file, when it is said about the file.
    pub(crate) fn for_members(self) -> Front {
        Front { title: None, amends: None, work: None, ..self }
    }

    /// Refuses a last day before the first.
    pub(crate) fn check_dates(&self) -> Result<(), Unreadable> {
        match (self.valid_from, self.valid_until) {
            (Some(from), Some(until)) if until < from => Err(Unreadable::Metadata {
                place: "front matter or sidecar",
                line: 1,
                message: format!("valid_until ({until}) lies before valid_from ({from})"),
            }),
            _ => Ok(()),
        }
    }
}

/// Splits a file's text into front matter and body; the body starts where the front matter ends.
pub(crate) fn split(text: &str) -> Result<(Front, &str), Unreadable> {
    let start = text.trim_start();
    let line = 1 + text[..text.len() - start.len()].matches('\n').count();
    let mut lines = start.split_inclusive('\n');
    let first = lines.next().unwrap_or_default().trim_end();
    if first == "+++" {
        let message =
            "front matter between +++ lines (TOML) is not read: write it as YAML between --- lines";
        return Err(Unreadable::Metadata { place: "front matter", line, message: message.into() });
    }
    if first != "---" {
        return Ok((Front::default(), text));
    }
    let Some((yaml, body)) = enclosed(start) else { return unclosed(text, start, line) };
    if !looks_like_keys(yaml) {
        return Ok((Front::default(), text));
    }
    let form = Form { place: "front matter", first_line: line + 1, text: yaml, strict: false };
    Ok((form.read()?, body))
}

/// A sidecar's content. It is written for this program alone, so unknown keys are mistakes.
pub(crate) fn sidecar(text: &str) -> Result<Front, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    let form = Form { place: "sidecar", first_line: 1, text, strict: true };
    form.read()
}

/// What stands between the first line and the closing one, and what follows.
fn enclosed(start: &str) -> Option<(&str, &str)> {
    let from = start.find('\n')? + 1;
    let mut at = from;
    for line in start[from..].split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return Some((&start[from..at], &start[at + line.len()..]));
        }
        at += line.len();
        if at > from + MAX_FRONT_BYTES + 8 {
            return None;
        }
    }
    None
}

/// A first line `---` without a closing one: a rule drawn in the text, or front matter that was
/// forgotten to close. The second must not pass as a document without a label.
fn unclosed<'a>(text: &'a str, start: &str, line: usize) -> Result<(Front, &'a str), Unreadable> {
    let after = start.split_once('\n').map_or("", |(_, after)| after);
    if !looks_like_keys(after) {
        return Ok((Front::default(), text));
    }
    let message = format!(
        "opened by --- but not closed by a second --- line within {} KiB",
        MAX_FRONT_BYTES >> 10
    );
    Err(Unreadable::Metadata { place: "front matter", line, message })
}

/// Whether the first line that says something is "key: value".
fn looks_like_keys(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        line.starts_with('{')
            || line.split_once(':').is_some_and(|(key, _)| {
                let key = key.trim_matches(['"', '\'', ' ', '?']);
                !key.is_empty() && key.len() <= 64 && key.split_whitespace().count() <= 3
            })
    })
}

/// What keys of other programs say about validity and the work, where they can be understood.
fn by_custom(key: &str, value: &Value) -> Front {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Front::default(),
    };
    let date = || text.get(..10)?.parse::<Date>().ok();
    let before = || date()?.yesterday().ok();
    let work = |scheme: &str| (!text.is_empty()).then(|| format!("{scheme}:{text}"));
    let nothing = Front::default();
    match key {
        "version_date" | "consolidation_date" | "in_force_from" | "in_force_since"
        | "entry_into_force" | "effective_date" | "effective_from" | "date_in_force" => {
            Front { valid_from: date(), ..nothing }
        }
        "valid_to" | "in_force_until" | "in_force_to" | "end_of_validity" => {
            Front { valid_until: date(), ..nothing }
        }
        "repealed" | "repealed_on" | "repeal_date" | "no_longer_in_force" | "superseded_on" => {
            Front { valid_until: before(), ..nothing }
        }
        "work" => Front { work: Some(text).filter(|text| !text.is_empty()), ..nothing },
        "sr_number" => Front { work: work("sr"), ..nothing },
        "celex" => Front { work: work("celex"), ..nothing },
        "eli" => Front { work: work("eli"), ..nothing },
        _ => nothing,
    }
}

/// YAML to be read, and where it stands.
struct Form<'a> {
    place: &'static str,
    first_line: usize,
    text: &'a str,
    strict: bool,
}

impl Form<'_> {
    fn read(&self) -> Result<Front, Unreadable> {
        let map = self.parse()?;
        let mut front = Front::default();
        let mut foreign = Front::default();
        let mut seen = Vec::new();
        for (name, value) in &map {
            let key = name.trim().to_lowercase().replace(['-', ' '], "_");
            if !KEYS.contains(&key.as_str()) {
                if self.strict {
                    return Err(self.fault(name, "unknown key; known are ", &KEYS.join(", ")));
                }
                foreign = foreign.or(by_custom(&key, value));
                continue;
            }
            if seen.contains(&key) {
                return Err(self.fault(name, "the key stands twice", ""));
            }
            self.take(&mut front, &key, name, value)?;
            seen.push(key);
        }
        Ok(front.or(foreign))
    }

    fn parse(&self) -> Result<Map<String, Value>, Unreadable> {
        if self.text.len() > MAX_FRONT_BYTES {
            let message = format!("longer than {} KiB", MAX_FRONT_BYTES >> 10);
            return Err(self.fault_at(0, message));
        }
        if self.text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
            return Ok(Map::new());
        }
        // The budget bounds aliases that expand: no front matter needs more than a few.
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_events: 20_000, max_nodes: 10_000, max_aliases: 16, max_anchors: 16,
                max_depth: 16, max_documents: 1, max_total_scalar_bytes: 256 << 10,
            },
        };
        let value: Value =
            serde_saphyr::from_str_with_options(self.text, options).map_err(|error| {
                let line = error.location().map_or(0, |at| at.line().saturating_sub(1) as usize);
                let text = error.without_snippet().to_string();
                let first: String =
                    text.lines().next().unwrap_or_default().chars().take(200).collect();
                self.fault_at(line, format!("not valid YAML: {first}"))
            })?;
        match value {
            Value::Object(map) => Ok(map),
            _ => Err(self.fault_at(0, "expected lines of the form \"key: value\"".to_owned())),
        }
    }

    fn take(
        &self,
        front: &mut Front,
        key: &str,
        name: &str,
        value: &Value,
    ) -> Result<(), Unreadable> {
        match key {
            "label" => front.label = Some(self.label(name, value)?),
            _ if value.is_null() => {}
            "title" => front.title = Some(self.line_of_text(name, value)?),
            "source" => front.source = Some(self.line_of_text(name, value)?),
            "language" => front.language = Some(self.language(name, value)?),
            "valid_from" => front.valid_from = Some(self.date(name, value)?),
            "valid_until" => front.valid_until = Some(self.date(name, value)?),
            _ => front.amends = Some(self.amendments(name, value)?),
        }
        Ok(())
    }

    fn label(&self, name: &str, value: &Value) -> Result<String, Unreadable> {
        let expected =
            "expected one word such as \"confidential\"; a public document has no label line";
        match value.as_str().map(str::trim) {
            Some(label)
                if !label.is_empty() && label.len() <= 100 && !label.contains(char::is_control) =>
            {
                Ok(crate::clean::tidy(label))
            }
            _ => Err(self.fault(name, expected, "")),
        }
    }

    fn line_of_text(&self, name: &str, value: &Value) -> Result<String, Unreadable> {
        let text = match value {
            Value::String(text) => crate::clean::tidy(&text.replace('\n', " ")),
            Value::Number(number) => number.to_string(),
            _ => return Err(self.fault(name, "expected text", "")),
        };
        match text.is_empty() {
            true => Err(self.fault(name, "is empty: write the text or remove the line", "")),
            false => Ok(text),
        }
    }

    fn language(&self, name: &str, value: &Value) -> Result<Language, Unreadable> {
        let code = value.as_str().unwrap_or_default().trim();
        let primary = code.split(['-', '_']).next().unwrap_or_default();
        let is_code =
            matches!(primary.len(), 2 | 3) && primary.bytes().all(|b| b.is_ascii_alphabetic());
        match Language::from_code(code) {
            Some(language) => Ok(language),
            None if is_code => Ok(Language::Other),
            None => Err(self.fault(name, "expected a language code: de, fr, it, rm or en", "")),
        }
    }

    fn date(&self, name: &str, value: &Value) -> Result<Date, Unreadable> {
        let text = value.as_str().map(str::trim).unwrap_or_default();
        let refuse = || {
            let given = value.to_string().chars().take(60).collect::<String>();
            self.fault(name, "expected a date such as 2026-01-31, found ", &given)
        };
        let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if !shape {
            return Err(refuse());
        }
        text.parse().map_err(|_| refuse())
    }

    fn amendments(&self, name: &str, value: &Value) -> Result<Vec<Amendment>, Unreadable> {
        match value {
            Value::Array(entries) => {
                entries.iter().map(|entry| self.amendment(name, entry)).collect()
            }
            entry => Ok(vec![self.amendment(name, entry)?]),
        }
    }

    fn amendment(&self, name: &str, value: &Value) -> Result<Amendment, Unreadable> {
        let expected = "expected entries with document (a path), from (a date) and, if not the \
                        whole document changes, place (such as \"Art. 7\")";
        let refuse = || self.fault(name, expected, "");
        let entry = value.as_object().ok_or_else(refuse)?;
        let (mut document, mut place, mut from) = (None, None, None);
        for (key, value) in entry {
            match key.trim().to_lowercase().as_str() {
                "document" => document = Some(self.line_of_text(key, value)?),
                "place" if value.is_null() => {}
                "place" => place = Some(self.line_of_text(key, value)?),
                "from" => from = Some(self.date(key, value)?),
                _ => return Err(refuse()),
            }
        }
        let (document, from) = document.zip(from).ok_or_else(refuse)?;
        Ok(Amendment { document, place, from })
    }

    /// A fault at the line where `name` stands as a key.
    fn fault(&self, name: &str, message: &str, more: &str) -> Unreadable {
        let is_key = |line: &str| {
            let line = line.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
            line.strip_prefix(name.trim())
                .is_some_and(|after| after.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
        };
        let line = self.text.lines().position(is_key).unwrap_or(0);
        let name: String = name.chars().take(60).collect();
        self.fault_at(line, format!("{name}: {message}{more}"))
    }

    fn fault_at(&self, line: usize, message: String) -> Unreadable {
        Unreadable::Metadata { place: self.place, line: self.first_line + line, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn front(yaml: &str) -> Result<Front, Unreadable> {
        let text = format!("---\n{yaml}\n---\nBody");
        split(&text).map(|(front, body)| {
            assert_eq!(body, "Body");
            front
        })
    }

    fn fault(yaml: &str) -> (usize, String) {
        match front(yaml) {
            Err(Unreadable::Metadata { line, message, .. }) => (line, message),
            other => panic!("{yaml}: {other:?}"),
        }
    }

    #[test]
    fn keys_of_other_programs_are_understood() {
        let foreign =
            front("sr_number: '235.1'\nversion_date: '2019-03-01'\nrepealed: 2023-09-01").unwrap();
        assert_eq!(foreign.work.as_deref(), Some("sr:235.1"));
        assert_eq!(foreign.valid_from, Some(date(2019, 3, 1)));
        assert_eq!(foreign.valid_until, Some(date(2023, 8, 31)));
        let own = front("valid_from: 2020-01-01\nversion_date: never").unwrap();
        assert_eq!(own.valid_from, Some(date(2020, 1, 1)));
    }

    #[test]
    fn all_keys() {
        let yaml = "Title: 'Der Tarif'\nLANGUAGE: de-CH\nvalid_from: 2026-01-01\nvalid-until: \
            \"2026-12-31\"\n\
                    label: confidential\nsource: Nr. 5\nversion_date: '2009-01-01'\nsr_number: \
                    [1]\n\
                    amends:\n  - {document: a.md, place: Art. 7, from: 2026-01-01}\n  - document: \
                    b.md\n    from: 2026-02-01";
        let read = front(yaml).unwrap();
        assert_eq!(read.title.as_deref(), Some("Der Tarif"));
        assert_eq!(read.language, Some(Language::De));
        assert_eq!(read.valid_from, Some(date(2026, 1, 1)));
        assert_eq!(read.valid_until, Some(date(2026, 12, 31)));
        assert_eq!(read.label.as_deref(), Some("confidential"));
        let amends = read.amends.unwrap();
        assert_eq!(amends[0].place.as_deref(), Some("Art. 7"));
        assert_eq!((amends[1].document.as_str(), amends[1].from), ("b.md", date(2026, 2, 1)));
    }

    #[test]
    fn mistakes_close_the_document() {
        for label in ["", "[a, b]", "5", "true", "{a: b}", "''", "~"] {
            let (line, message) = fault(&format!("title: x\nlabel: {label}"));
            assert_eq!(line, 3, "{label}");
            assert!(message.contains("label"), "{message}");
        }
        for day in ["2026-13-01", "1.1.2026", "2026", "tomorrow", "2026-01-01T00:00"] {
            let (line, message) = fault(&format!("valid_from: {day}"));
            assert_eq!(line, 2);
            assert!(message.contains("2026-01-31"), "{message}");
        }
        fault("language: german");
        fault("label: a\nLabel: b");
        fault("title: [");
        fault("amends: a.md");
        fault("amends: [{document: a.md}]");
        fault("amends: [{document: a.md, from: 2026-01-01, paragraph: 3}]");
    }

    #[test]
    fn a_rule_is_no_front_matter() {
        for text in ["---\n\nText\n\n---\n", "---\nText", "Text\n---\nlabel: a\n---\n", ""] {
            assert_eq!(split(text).unwrap(), (Front::default(), text));
        }
    }

    #[test]
    fn front_matter_that_could_be_missed_is_refused() {
        for text in ["---\nlabel: secret\nText", "+++\nlabel = 'a'\n+++\n"] {
            assert!(matches!(split(text), Err(Unreadable::Metadata { .. })), "{text}");
        }
        let (read, _) = split("\n\n---\nlabel: secret\n...\nText").unwrap();
        assert_eq!(read.label.as_deref(), Some("secret"));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, last) in ('b'..='n').zip('a'..) {
            let many = format!("*{last},").repeat(9);
            bomb.push_str(&format!("{name}: &{name} [{many}]\n"));
        }
        fault(&bomb);
        fault(&format!("a: {}", "[".repeat(10_000)));
        let long = format!("---\na: {}\n---\n", "x".repeat(MAX_FRONT_BYTES));
        assert!(split(&long).is_err());
    }

    #[test]
    fn a_sidecar_is_strict() {
        assert_eq!(sidecar("# nothing\n").unwrap(), Front::default());
        assert_eq!(sidecar("label: a").unwrap().label.as_deref(), Some("a"));
        assert!(sidecar("lable: a").unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn the_last_day_follows_the_first() {
        let read = front("valid_from: 2026-02-01\nvalid_until: 2026-01-01").unwrap();
        assert!(read.check_dates().is_err());
    }
}
