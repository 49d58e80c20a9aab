//! The tools that the policy grants, and the offices that requests go to.

use super::reader::{Field, Reader, Section};
use super::{GRANT, OFFICE, TOOLS};
use crate::classify::phrase;
use crate::node::{Node, Value};
use crate::office::Office;
use crate::tools::{Grant, Tools};

const GRANTS_MAX: usize = 100;
const OFFICES_MAX: usize = 100;
const EXAMPLES_MAX: usize = 500;
/// Work ends: no policy can grant more calls.
const STEPS_MAX: u32 = 64;

pub(super) fn tools(reader: &mut Reader, root: &Section<'_>) -> Tools {
    let section = reader.section(root, "tools", TOOLS);
    let standard = Tools::default();
    let steps_max = reader.whole(&section, "steps_max", 1..=STEPS_MAX);
    let grants = match section.field("grants") {
        Some(field) => {
            let items = items(reader, &field, GRANTS_MAX, GRANT);
            items.iter().filter_map(|item| grant(reader, item)).collect()
        }
        None => standard.grants,
    };
    Tools { steps_max: steps_max.unwrap_or(standard.steps_max), grants }
}

/// The items of a list of groups, each with its path.
pub(super) fn items<'n>(
    reader: &mut Reader,
    field: &Field<'n>,
    most: usize,
    keys: &[&'static str],
) -> Vec<Field<'n>> {
    let Value::List(list) = &field.node.value else {
        let hint = format!("write a list whose items have the keys {}", keys.join(", "));
        reader.reject(field, format!("must be a list, but is {}", field.node.value.kind()), hint);
        return Vec::new();
    };
    if list.len() > most {
        reader.reject(field, format!("has {} items", list.len()), format!("at most {most}"));
        return Vec::new();
    }
    let path = |index: usize| format!("{}[{index}]", field.path);
    let item =
        |(index, node): (usize, &'n Node)| Field { path: path(index), place: node.place, node };
    list.iter().enumerate().map(item).collect()
}

fn grant(reader: &mut Reader, field: &Field<'_>) -> Option<Grant> {
    let section = reader.group(field, GRANT)?;
    let tools = reader.choices(&section, "tools").into_iter().collect();
    if section.field("tools").is_none() {
        let hint = "name at least one tool, like `tools: [search, calculate]`";
        reader.reject(field, "has no `tools`".to_owned(), hint);
    }
    let texts = |reader: &mut Reader, key| -> Vec<String> {
        reader.texts(&section, key).into_iter().map(|(_, text)| text).collect()
    };
    Some(Grant {
        tools,
        tenants: texts(reader, "tenants"),
        untrusted: texts(reader, "untrusted"),
        work: reader.choices(&section, "work").into_iter().collect(),
    })
}

pub(super) fn offices(reader: &mut Reader, root: &Section<'_>) -> Vec<Office> {
    let Some(field) = root.field("offices") else { return Vec::new() };
    let items = items(reader, &field, OFFICES_MAX, OFFICE);
    let mut offices: Vec<Office> = Vec::new();
    for item in &items {
        let Some(office) = office(reader, item) else { continue };
        if offices.iter().any(|other| other.name == office.name) {
            let problem = format!("is named `{}`, as an earlier one is", office.name);
            reader.reject(item, problem, "give each office a name of its own");
            continue;
        }
        offices.push(office);
    }
    offices
}

fn office(reader: &mut Reader, field: &Field<'_>) -> Option<Office> {
    let section = reader.group(field, OFFICE)?;
    if section.field("name").is_none() {
        reader.reject(field, "has no `name`".to_owned(), "every office has a name");
    }
    let contains_any = reader.texts(&section, "contains_any");
    for (place, text) in contains_any.iter().filter(|(_, text)| phrase(text).is_none()) {
        let message = format!("`{}` has `{text}`, which can never be found", field.path);
        reader.note(*place, message, "write words; only the last sign of a word may be `*`");
    }
    let examples = reader.texts(&section, "examples");
    if examples.len() > EXAMPLES_MAX {
        let hint = format!("an office has at most {EXAMPLES_MAX}");
        reader.reject(field, format!("has {} examples", examples.len()), hint);
    }
    let plain = |texts: Vec<(_, String)>| texts.into_iter().map(|(_, text)| text).collect();
    let name = reader.text(&section, "name")?;
    Some(Office {
        name,
        contains_any: plain(contains_any),
        examples: plain(examples),
        decides_on_persons: reader.truth(&section, "decides_on_persons").unwrap_or(false),
    })
}
