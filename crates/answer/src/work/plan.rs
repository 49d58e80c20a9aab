//! The plan of a model: which tools to call before a question is answered. It is made before any
//! document is seen, from the request and the schemas of the tools that the policy grants, under a
//! grammar; so no document can have a say in it. An argument may be the result of an earlier call;
//! that is untrusted where the call looked into a document, and refused unless granted.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use allod_engine::{Constraint, GenerateRequest, Message, Prompt};
use allod_policy::{Outcome, ToolName};
use serde_json::{Map, Value, json};

use super::arguments::described;
use super::origin::{Origin, Told};
use super::toolbox::{Called, Given, Toolbox};
use super::{Work, WorkOffered};
use crate::case::Case;
use crate::error::Error;

/// A plan is short.
const PLAN_TOKENS_MAX: usize = 400;
/// Most calls of a plan; the policy's `steps_max` counts beside it.
const CALLS_MAX: usize = 4;
/// What a plan is for: the search that answers is made anyway, and a person is asked by the policy.
const PLANNED: [ToolName; 3] = [ToolName::Calculate, ToolName::Dates, ToolName::Cell];

const INSTRUCTION: &str = "You plan calls of tools that help to answer a request. Write a JSON \
    object {\"calls\": [...]}. Each call has \"tool\" and \"arguments\". Plan a call only where \
    the request itself holds all the numbers, dates or names that it needs; often no call is \
    needed, and \"calls\" is empty. An argument may be {\"result\": 1}, the result of the first \
    call.";

/// Lets the model plan and carries the plan out. Gives what was computed: the arguments, as text,
/// and the result. Without a model of our own, or a tool to call, there is no plan.
pub(super) fn carry_out(
    case: &mut Case,
    toolbox: &mut Toolbox,
    work: &Work,
) -> Result<Vec<(String, Value)>, Error> {
    let tools = granted(toolbox, work);
    let written = match case.means.generator {
        // The server elsewhere knows no grammar of ours.
        Some(generator) if generator.vocabulary().is_some() => {
            if case.decision.outcome != Outcome::Answered || tools.is_empty() {
                return Ok(Vec::new());
            }
            let request = request(work, &tools);
            let written = generator.generate(&request, &mut |_| ControlFlow::Continue(()));
            let Some(written) = if_it_fits(written)? else { return Ok(Vec::new()) };
            written.completion.first().text.clone()
        }
        _ => return Ok(Vec::new()),
    };
    follow(toolbox, &written)
}

/// Nothing where the tools do not fit before a small model, which answers without a plan then.
fn if_it_fits<T>(written: Result<T, Error>) -> Result<Option<T>, Error> {
    match written {
        Err(Error::Engine(allod_engine::Error::PromptTooLong { .. })) => Ok(None),
        other => other.map(Some),
    }
}

fn granted(toolbox: &Toolbox, work: &Work) -> Vec<ToolName> {
    let offered = toolbox.desk.work_offered(&work.caller.tenant);
    let own = offered.into_iter().find(|offered: &WorkOffered| offered.name == work.name);
    let tools = own.map(|own| own.tools).unwrap_or_default();
    PLANNED.into_iter().filter(|tool| tools.contains(tool)).collect()
}

fn request(work: &Work, tools: &[ToolName]) -> GenerateRequest {
    let listed = tools.iter().map(|tool| {
        let (about, schema) = described(*tool);
        format!("{}: {about} Arguments: {schema}\n", tool.word())
    });
    let user = format!("Tools:\n{}\nRequest: {}", listed.collect::<String>(), work.request.trim());
    let messages = vec![
        Message { role: "system".into(), content: INSTRUCTION.into() },
        Message { role: "user".into(), content: user },
    ];
    GenerateRequest {
        prompt: Prompt::Chat(messages),
        max_tokens: PLAN_TOKENS_MAX,
        constraint: Some(Constraint::JsonSchema(schema(tools))),
        tenant: work.caller.tenant.clone(),
        ..GenerateRequest::default()
    }
}

/// The form of a plan.
fn schema(tools: &[ToolName]) -> Value {
    let result = json!({"type": "object", "properties": {"result": {"type": "integer",
        "minimum": 1, "maximum": CALLS_MAX}}, "required": ["result"],
        "additionalProperties": false});
    let call = |tool: &ToolName| {
        let (_, mut arguments) = described(*tool);
        if let Some(properties) = arguments["properties"].as_object_mut() {
            for field in properties.values_mut() {
                *field = json!({"anyOf": [field.take(), result]});
            }
        }
        json!({"type": "object", "properties": {"tool": {"const": tool.word()},
            "arguments": arguments}, "required": ["tool", "arguments"],
            "additionalProperties": false})
    };
    let calls: Vec<Value> = tools.iter().map(call).collect();
    json!({"type": "object", "properties": {"calls": {"type": "array", "maxItems": CALLS_MAX,
        "items": {"anyOf": calls}}}, "required": ["calls"], "additionalProperties": false})
}

/// Carries a plan out, call by call. What cannot be read as a plan is none.
fn follow(toolbox: &mut Toolbox, written: &str) -> Result<Vec<(String, Value)>, Error> {
    let plan: Value = serde_json::from_str(written).unwrap_or_default();
    let calls = plan["calls"].as_array().cloned().unwrap_or_default();
    let mut results: Vec<Option<Told>> = Vec::new();
    let mut computed = Vec::new();
    for call in calls.iter().take(CALLS_MAX) {
        let tool = PLANNED.into_iter().find(|tool| call["tool"] == tool.word());
        let given = call["arguments"].as_object().and_then(|given| bound(given, &results));
        let (Some(tool), Some(given)) = (tool, given) else {
            results.push(None);
            continue;
        };
        let shown = shown(&given);
        let called = toolbox.call(tool, given)?;
        let told = if let Called::Done(told) = called { Some(told) } else { None };
        computed.extend(told.iter().map(|told| (shown.clone(), told.value().clone())));
        results.push(told);
    }
    Ok(computed)
}

/// The arguments with the results that they name; `None` if one names a result that is not there.
fn bound(given: &Map<String, Value>, results: &[Option<Told>]) -> Option<Given> {
    // The model has seen the request and the schemas, and nothing else.
    let seen = BTreeSet::from([Origin::Asker, Origin::Operator]);
    let value = |value: &Value| match value.get("result").and_then(Value::as_u64) {
        Some(number) => {
            let told = results.get(usize::try_from(number).ok()?.checked_sub(1)?)?.as_ref()?;
            Some(told.part(|value| {
                let inner = ["value", "date"].iter().find_map(|name| value.get(*name));
                inner.unwrap_or(value).clone()
            }))
        }
        None => Some(Told::written(value.clone(), &seen)),
    };
    given.iter().map(|(name, given)| Some((name.clone(), value(given)?))).collect()
}

/// A call's arguments as a person reads them.
fn shown(given: &Given) -> String {
    let text = |told: &Told| match told.value() {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    given.values().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::tests::{desk_with, path, work};
    use allod_ledger::receipt::CallOutcome;

    #[test]
    fn a_plan_passes_results_on_and_what_rests_on_a_document_is_refused() {
        let (folder, desk) = desk_with("tools: {grants: [{tools: [calculate, cell, dates]}]}");
        let work = work("3 * 12.50");
        let mut toolbox = Toolbox::new(&desk, &work, jiff::civil::date(2026, 11, 21));
        let plan = json!({"calls": [
            {"tool": "calculate", "arguments": {"expression": "3 * 12.50"}},
            {"tool": "calculate", "arguments": {"expression": {"result": 1}}},
            {"tool": "cell", "arguments": {"document": path(&folder, "fees.md"), "row": "35 Liter",
                                           "column": "Preis"}},
            {"tool": "calculate", "arguments": {"expression": {"result": 3}}},
            {"tool": "form", "arguments": {}},
        ]});
        let computed = follow(&mut toolbox, &plan.to_string()).unwrap();
        let outcomes: Vec<CallOutcome> = toolbox.made.iter().map(|made| made.outcome).collect();
        let done = CallOutcome::Done;
        assert_eq!(outcomes, [done, done, done, CallOutcome::Refused], "{:?}", toolbox.made);
        assert_eq!(computed[1].1["value"], "37.5");
        assert_eq!(computed[2].1["value"], "2.40");
        assert_eq!(toolbox.made[3].untrusted, ["expression"]);
    }

    #[test]
    fn a_model_too_small_for_the_tools_makes_no_plan() {
        let too_long = allod_engine::Error::PromptTooLong { prompt_tokens: 9, context_tokens: 5 };
        assert_eq!(if_it_fits::<()>(Err(too_long.into())).unwrap(), None);
        assert_eq!(if_it_fits(Ok(1)).unwrap(), Some(1));
        assert!(if_it_fits::<()>(Err(Error::Limit("no".into()))).is_err());
    }

    #[test]
    fn what_is_no_plan_calls_nothing() {
        let (_folder, desk) = desk_with("tools: {grants: [{tools: calculate}]}");
        let work = work("x");
        let mut toolbox = Toolbox::new(&desk, &work, jiff::civil::date(2026, 11, 21));
        for written in ["", "no", "{}", r#"{"calls": 1}"#, r#"{"calls": [{"tool": "rm"}]}"#] {
            assert!(follow(&mut toolbox, written).unwrap().is_empty());
        }
        assert!(toolbox.made.is_empty());
    }
}
