//! Answering a citizen: where there is a model, it plans what to compute or look up; then the
//! question is answered from the documents, as any question is.

use serde_json::Value;

use super::Work;
use super::plan;
use super::toolbox::Toolbox;
use crate::case::Case;
use crate::error::Error;

pub(super) fn run(case: &mut Case, toolbox: &mut Toolbox, work: &Work) -> Result<(), Error> {
    let computed = plan::carry_out(case, toolbox, work)?;
    if !case.look_up(toolbox, work)? {
        return Ok(());
    }
    case.draft()?;
    if let Some(draft) = case.draft.as_mut().filter(|draft| !draft.text.is_empty()) {
        for (what, result) in &computed {
            draft.text.push_str(&format!("\n{what} = {}", shown(result)));
        }
    }
    Ok(())
}

/// What a calculation gave, as text.
fn shown(result: &Value) -> String {
    let value = ["value", "date", "days"].iter().find_map(|name| result.get(*name));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => result.to_string(),
    }
}
