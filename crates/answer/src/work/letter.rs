//! Drafting a letter: a template of the operator, the asker's fields, and cited sentences that
//! answer the request. It always ends with a person.

use allod_policy::ToolName;

use super::Work;
use super::origin::{Origin, Told};
use super::template::Filled;
use super::toolbox::Toolbox;
use crate::case::Case;
use crate::error::Error;

pub(super) fn run(case: &mut Case, toolbox: &mut Toolbox, work: &Work) -> Result<Filled, Error> {
    if !case.look_up(toolbox, work)? {
        return Ok(Filled::default());
    }
    case.draft()?;
    let evidence = case.found.iter().flat_map(|found| &found.evidence);
    let seen: Vec<Origin> = evidence.map(Origin::of).collect();
    let answer = case.draft.as_ref().map(|draft| draft.text.clone()).unwrap_or_default();
    toolbox.inserts.push(("answer", answer, seen));
    let Some(filled) = fill(case, toolbox, work, Told::fields(work))? else {
        case.draft = None;
        return Ok(Filled::default());
    };
    if let Some(draft) = &mut case.draft {
        draft.text = filled.text.clone();
    }
    Ok(filled)
}

/// Fills the work's template.
pub(super) fn fill(
    case: &mut Case,
    toolbox: &mut Toolbox,
    work: &Work,
    fields: Told,
) -> Result<Option<Filled>, Error> {
    let template = work.template.as_deref().and_then(|name| Told::by_asker(work, name));
    let template = template.expect("the work was checked to name a template");
    let given = [("template".to_owned(), template), ("fields".to_owned(), fields)];
    let called = toolbox.call(ToolName::Form, given.into())?;
    let told = case.needs(ToolName::Form, called);
    Ok(told.and_then(|told| serde_json::from_value(told.value().clone()).ok()))
}
