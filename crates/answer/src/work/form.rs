//! Preparing a form: the asker's fields, and, where the policy grants it, those that a document
//! states under the labels of the form. It always ends with a person.

use std::collections::BTreeMap;

use allod_policy::ToolName;
use serde_json::{Map, Value};

use super::Work;
use super::letter::fill;
use super::origin::Told;
use super::template::{Filled, Template};
use super::toolbox::{Called, Toolbox};
use crate::case::Case;
use crate::draft::Draft;
use crate::error::Error;
use crate::reply::{Mode, Tokens};

/// A longer line states no field.
const VALUE_BYTES_MAX: usize = 300;

pub(super) fn run(case: &mut Case, toolbox: &mut Toolbox, work: &Work) -> Result<Filled, Error> {
    let own = Told::fields(work);
    let stated = stated(toolbox, work)?;
    let filled = match stated {
        Some(stated) => with_stated(case, toolbox, work, &own, &stated)?,
        None => fill(case, toolbox, work, own)?,
    };
    let filled = filled.unwrap_or_default();
    if !filled.text.is_empty() {
        case.draft = Some(Draft {
            text: filled.text.clone(),
            citations: Vec::new(),
            checks: Vec::new(),
            mode: Mode::None,
            tokens: Tokens::default(),
            disputes: Vec::new(),
        });
    }
    Ok(filled)
}

/// Fills with what the document states too; without that where the policy does not grant it.
fn with_stated(
    case: &mut Case,
    toolbox: &mut Toolbox,
    work: &Work,
    own: &Told,
    stated: &Told,
) -> Result<Option<Filled>, Error> {
    let template = work.template.as_deref().and_then(|name| Told::by_asker(work, name));
    let template = template.expect("the work was checked to name a template");
    let fields = own.merged(stated);
    let given = [("template".to_owned(), template), ("fields".to_owned(), fields)];
    match toolbox.call(ToolName::Form, given.into())? {
        Called::Refused => fill(case, toolbox, work, own.clone()),
        called => {
            let told = case.needs(ToolName::Form, called);
            Ok(told.and_then(|told| serde_json::from_value(told.value().clone()).ok()))
        }
    }
}

/// What the document states in lines as "Label: value", for the template's labels.
fn stated(toolbox: &mut Toolbox, work: &Work) -> Result<Option<Told>, Error> {
    let Some(document) = &work.document else { return Ok(None) };
    let document = Told::by_asker(work, document).expect("the asker named the document");
    let given = BTreeMap::from([("document".to_owned(), document)]);
    let Called::Done(read) = toolbox.call(ToolName::Read, given)? else { return Ok(None) };
    let name = work.template.as_deref().unwrap_or_default();
    let Ok(template) = Template::open(&toolbox.desk.data, name) else { return Ok(None) };
    let told = read.part(|value| {
        let text = value["text"].as_str().unwrap_or_default();
        Value::Object(labelled(text, &template))
    });
    Ok(Some(told).filter(|told| told.value().as_object().is_some_and(|found| !found.is_empty())))
}

fn labelled(text: &str, template: &Template) -> Map<String, Value> {
    let mut found = Map::new();
    for line in text.lines().filter(|line| line.len() <= VALUE_BYTES_MAX) {
        let Some((label, value)) = line.split_once(':') else { continue };
        let label = label.trim().to_lowercase();
        let field = template.fields.iter().find(|field| field.label.to_lowercase() == label);
        if let Some(field) = field.filter(|_| !value.trim().is_empty()) {
            found.entry(field.name.clone()).or_insert_with(|| value.trim().into());
        }
    }
    found
}
