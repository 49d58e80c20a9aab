//! Forms and letters from templates. A template is the operator's: a JSON file in the folder
//! `templates` of the data folder. What goes into its fields is typed; what is missing is named,
//! and nothing is made up.

use std::path::Path;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::arguments::Fields;

/// The folder of templates in the data folder.
pub(crate) const TEMPLATES_FOLDER: &str = "templates";
/// A larger file is no template.
const BYTES_MAX: u64 = 256 * 1024;
/// A longer value is refused.
const VALUE_CHARS_MAX: usize = 10_000;

/// What a field can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Any text.
    #[default]
    Text,
    /// A day: `2026-01-31` or `31.1.2026`.
    Date,
    /// An amount of money: digits, and two after a point.
    Amount,
    /// A whole number.
    Whole,
    /// One of some words.
    Choice,
    /// An address for mail.
    Email,
}

/// A field of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name: `{name}` in the text.
    pub name: String,
    /// What a person reads.
    pub label: String,
    /// What it can hold.
    #[serde(default)]
    pub kind: FieldKind,
    /// Whether the text is complete without it.
    #[serde(default)]
    pub optional: bool,
    /// The words of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What it is.
    pub title: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// The text; `{name}` stands for a field, `{answer}` for cited sentences, `{date}` for the day.
    pub text: String,
}

/// A template that was filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// The text; a field that is missing stands in it as its label in brackets.
    pub text: String,
    /// The labels of the fields that are missing.
    pub missing: Vec<String>,
    /// What will not do, in words.
    pub wrong: Vec<String>,
}

/// The names of the templates of a data folder, in order.
pub(crate) fn names(data: &Path) -> Vec<String> {
    let folder = std::fs::read_dir(data.join(TEMPLATES_FOLDER));
    let files = folder.into_iter().flatten().flatten();
    let name = |file: std::fs::DirEntry| {
        let name = file.file_name().into_string().ok()?;
        name.strip_suffix(".json").filter(|name| is_name(name)).map(Into::into)
    };
    let mut names: Vec<String> = files.filter_map(name).collect();
    names.sort_unstable();
    names
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    !name.is_empty() && name.len() <= 64 && name.chars().all(good)
}

impl Template {
    /// Reads a template of a data folder.
    ///
    /// # Errors
    /// In words: that there is none of that name, or what is wrong with it.
    pub(crate) fn open(data: &Path, name: &str) -> Result<Template, String> {
        let path = data.join(TEMPLATES_FOLDER).join(format!("{name}.json"));
        // A name never leads out of the folder.
        if !is_name(name) || !path.is_file() {
            let known = names(data);
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("there is no template `{name}`; there are: {known}"));
        }
        let long = std::fs::metadata(&path).map_or(true, |file| file.len() > BYTES_MAX);
        let text = std::fs::read_to_string(&path).ok().filter(|_| !long);
        let text = text.ok_or_else(|| format!("the template `{name}` cannot be read"))?;
        Template::parse(&text).map_err(|why| format!("the template `{name}`: {why}"))
    }

    /// Reads a template: JSON with `title`, `fields` and `text`.
    ///
    /// # Errors
    /// In words: what is wrong.
    pub fn parse(text: &str) -> Result<Template, String> {
        let template: Template = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for field in &template.fields {
            if !is_name(&field.name) {
                return Err(format!(
                    "`{}` is no name of a field: use a-z, 0-9, - and _",
                    field.name
                ));
            }
            if field.kind == FieldKind::Choice && field.choices.is_empty() {
                return Err(format!("the field `{}` has no `choices`", field.name));
            }
        }
        Ok(template)
    }

    /// Fills it in. `given` are the texts that are no fields, such as `answer`.
    #[must_use]
    pub(crate) fn fill(&self, fields: &Fields, given: &[(&str, &str)]) -> Filled {
        let mut filled = Filled::default();
        let mut values: Vec<(&str, String)> =
            given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        for field in &self.fields {
            let said = fields.get(&field.name).map(|value| value.trim());
            let said = said.filter(|value| !value.is_empty());
            let wrong = said.and_then(|value| field.wrong(value));
            let value = said.filter(|_| wrong.is_none());
            filled.wrong.extend(wrong);
            if value.is_none() && !field.optional {
                filled.missing.push(field.label.clone());
            }
            let gap = if field.optional { String::new() } else { format!("[{}]", field.label) };
            values.push((&field.name, value.map_or(gap, Into::into)));
        }
        let unknown = fields.keys().filter(|name| !self.fields.iter().any(|f| f.name == **name));
        filled.wrong.extend(unknown.map(|name| format!("the template has no field `{name}`")));
        let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
        filled.text = crate::wording::fill(&self.text, &values);
        filled
    }
}

impl Field {
    /// Why a value will not do; `None` if it does.
    fn wrong(&self, value: &str) -> Option<String> {
        if value.chars().count() > VALUE_CHARS_MAX {
            return Some(format!("{}: at most {VALUE_CHARS_MAX} characters", self.label));
        }
        let (good, wanted) = match self.kind {
            FieldKind::Text => (true, String::new()),
            FieldKind::Date => (is_date(value), "a day as 31.1.2026".to_owned()),
            FieldKind::Amount => (is_amount(value), "an amount as 1200.50".to_owned()),
            FieldKind::Whole => (value.parse::<i64>().is_ok(), "a whole number".to_owned()),
            FieldKind::Choice => {
                (self.choices.iter().any(|choice| choice == value), self.choices.join(", "))
            }
            FieldKind::Email => (is_email(value), "an address as name@example.org".to_owned()),
        };
        (!good).then(|| format!("{}: `{value}` is not {wanted}", self.label))
    }
}

fn is_date(value: &str) -> bool {
    let swiss = || {
        let parts: Option<Vec<i16>> =
            value.split('.').map(|part| part.trim().parse().ok()).collect();
        match parts?[..] {
            [day, month, year] => {
                Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
            }
            _ => None,
        }
    };
    value.parse::<Date>().is_ok() || swiss().is_some()
}

fn is_amount(value: &str) -> bool {
    let bare: String = value.chars().filter(|c| !matches!(c, '\'' | '’' | ' ')).collect();
    let (whole, part) = bare.split_once('.').unwrap_or((&bare, "00"));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    digits(whole) && digits(part) && part.len() == 2
}

fn is_email(value: &str) -> bool {
    let Some((name, host)) = value.split_once('@') else { return false };
    let good = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace());
    good(name) && good(host) && host.contains('.') && !host.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        Template::parse(
            r#"{"title": "Move", "fields": [
                {"name": "name", "label": "Name"},
                {"name": "day", "label": "Day", "kind": "date"},
                {"name": "dog", "label": "Dog", "kind": "choice", "choices": ["yes", "no"]},
                {"name": "fee", "label": "Fee", "kind": "amount", "optional": true}],
               "text": "{name} moves on {day}. Dog: {dog}. {fee}{answer}"}"#,
        )
        .unwrap()
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_made_up() {
        let filled = template().fill(&fields(&[("name", "Anna {day}")]), &[("answer", "So.")]);
        assert_eq!(filled.text, "Anna {day} moves on [Day]. Dog: [Dog]. So.");
        assert_eq!(filled.missing, ["Day", "Dog"]);
        assert!(filled.wrong.is_empty());
    }

    #[test]
    fn fields_are_typed() {
        let given = [("day", "31.2.2026"), ("dog", "maybe"), ("fee", "12.5"), ("cat", "x")];
        let filled = template().fill(&fields(&given), &[]);
        assert_eq!(filled.wrong.len(), 4, "{:?}", filled.wrong);
        assert_eq!(filled.missing, ["Name", "Day", "Dog"]);
        let given = [("name", "A"), ("day", "1.3.2026"), ("dog", "yes"), ("fee", "1'200.50")];
        let filled = template().fill(&fields(&given), &[]);
        assert!(filled.wrong.is_empty() && filled.missing.is_empty(), "{filled:?}");
        assert!(is_email("a@b.ch") && !is_email("a b@c.ch") && !is_email("a@b") && !is_email("a"));
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join(TEMPLATES_FOLDER)).unwrap();
        std::fs::write(data.path().join("secret.json"), "{}").unwrap();
        std::fs::write(data.path().join("templates/move.json"), "{}").unwrap();
        for name in ["../secret", "/etc/passwd", "", "a.b", "move/../../secret"] {
            let why = Template::open(data.path(), name).unwrap_err();
            assert!(why.contains("there are: move"), "{name}: {why}");
        }
        assert!(Template::open(data.path(), "move").unwrap_err().contains("title"));
    }
}
