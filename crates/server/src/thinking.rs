//! What a request wants of reasoning, as each interface writes it.

use serde_json::Value;

use crate::fields::Fields;
use crate::problem::Problem;
use crate::speaking::{Speaking, Thinking};

/// What chat completions take.
pub(crate) const CHAT_FIELDS: [&str; 2] = ["reasoning_effort", "chat_template_kwargs"];

const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// Reads `reasoning_effort` and `chat_template_kwargs`.
pub(crate) fn of_chat(fields: &Fields, speaking: &mut Speaking) -> Result<(), Problem> {
    if let Some(value) = fields.get("reasoning_effort") {
        speaking.thinking = effort("reasoning_effort", value)?;
        speaking.names.thinking = Some("reasoning_effort");
    }
    if let Some(value) = fields.get("chat_template_kwargs") {
        let wrong = || {
            let message = "it must hold variables of the chat template by name";
            Problem::field("chat_template_kwargs", message)
        };
        let given = value.as_object().ok_or_else(wrong)?;
        // These are the conversation's own.
        let own = ["messages", "tools", "documents", "add_generation_prompt"];
        if let Some(name) = own.into_iter().find(|name| given.contains_key(*name)) {
            let message = "it cannot be set here";
            return Err(Problem::field(format!("chat_template_kwargs.{name}"), message));
        }
        let given = given.iter().map(|(name, value)| (name.clone(), value.clone()));
        speaking.variables = given.collect();
        speaking.names.variables =
            (!speaking.variables.is_empty()).then_some("chat_template_kwargs");
    }
    Ok(())
}

/// Reads the field `reasoning` of a response.
pub(crate) fn of_response(fields: &Fields, speaking: &mut Speaking) -> Result<(), Problem> {
    let Some(value) = fields.get("reasoning") else { return Ok(()) };
    let wrong = || Problem::field("reasoning", "`reasoning` may hold `effort` only");
    let members = value.as_object().ok_or_else(wrong)?;
    if members.iter().any(|(name, value)| name != "effort" && !value.is_null()) {
        return Err(wrong());
    }
    if let Some(value) = members.get("effort").filter(|value| !value.is_null()) {
        speaking.thinking = effort("reasoning", value)?;
        speaking.names.thinking = Some("reasoning");
    }
    Ok(())
}

fn effort(name: &str, value: &Value) -> Result<Thinking, Problem> {
    let known = value.as_str().filter(|effort| EFFORTS.contains(effort));
    let wrong = || {
        Problem::field(name, format!("`{name}`: the effort must be one of {}", EFFORTS.join(", ")))
    };
    known.map(|effort| Thinking::Effort(effort.to_owned())).ok_or_else(wrong)
}

/// Reads the field `thinking` of a message. Without it there is none where the model can be told.
pub(crate) fn of_message(fields: &Fields, speaking: &mut Speaking) -> Result<(), Problem> {
    let Some(value) = fields.get("thinking") else {
        speaking.thinking = Thinking::OffIfPossible;
        return Ok(());
    };
    let wrong = |what: &str| Problem::field("thinking", format!("`thinking` {what}"));
    let kind = value.get("type").and_then(Value::as_str);
    let budget = value.get("budget_tokens").filter(|budget| !budget.is_null());
    speaking.thinking = match (kind, budget) {
        (Some("disabled"), None) => Thinking::OffIfPossible,
        (Some("adaptive"), None) => Thinking::On,
        (Some("enabled"), budget) => {
            speaking.options.thought_tokens = thought_tokens(fields, budget).map_err(wrong)?;
            speaking.names.thinking = Some("thinking");
            Thinking::On
        }
        _ => return Err(wrong("must have the type enabled, disabled or adaptive")),
    };
    Ok(())
}

/// Most tokens of reasoning: within `max_tokens`, which bounds reasoning and answer together.
fn thought_tokens(fields: &Fields, budget: Option<&Value>) -> Result<Option<usize>, &'static str> {
    let Some(budget) = budget else { return Ok(None) };
    let most = fields.get("max_tokens").and_then(Value::as_u64).unwrap_or(u64::MAX);
    match budget.as_u64() {
        Some(budget) if budget >= most => Err("has a `budget_tokens` that is not below max_tokens"),
        Some(budget) if budget > 0 => Ok(Some(budget as usize)),
        _ => Err("has a `budget_tokens` that is no number of tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Read = fn(&Fields, &mut Speaking) -> Result<(), Problem>;

    fn read(how: Read, fields: Value) -> Result<Speaking, Problem> {
        let fields = fields.as_object().unwrap().clone();
        let mut speaking = Speaking::default();
        how(&Fields(&fields), &mut speaking).map(|()| speaking)
    }

    #[test]
    fn each_interface_asks_in_its_own_words() {
        let effort = Thinking::Effort("low".into());
        let asked = read(of_chat, json!({"reasoning_effort": "low"})).unwrap();
        assert_eq!(
            (asked.thinking, asked.names.thinking),
            (effort.clone(), Some("reasoning_effort"))
        );
        let asked = read(of_response, json!({"reasoning": {"effort": "low", "summary": null}}));
        assert_eq!(asked.unwrap().thinking, effort);
        let asked = read(
            of_message,
            json!({"max_tokens": 9,
            "thinking": {"type": "enabled", "budget_tokens": 5}}),
        );
        let asked = asked.unwrap();
        assert_eq!((asked.thinking, asked.options.thought_tokens), (Thinking::On, Some(5)));
        assert_eq!(read(of_message, json!({})).unwrap().thinking, Thinking::OffIfPossible);
        let switch = json!({"chat_template_kwargs": {"enable_thinking": false}});
        let asked = read(of_chat, switch).unwrap();
        assert_eq!(asked.variables["enable_thinking"], false);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (how, fields, param) in [
            (of_chat as Read, json!({"reasoning_effort": "endless"}), "reasoning_effort"),
            (of_chat, json!({"chat_template_kwargs": 1}), "chat_template_kwargs"),
            (of_chat, json!({"chat_template_kwargs": {"tools": []}}), "chat_template_kwargs.tools"),
            (of_response, json!({"reasoning": {"summary": "auto"}}), "reasoning"),
            (of_message, json!({"thinking": {"type": "deep"}}), "thinking"),
            (
                of_message,
                json!({"max_tokens": 5, "thinking": {"type": "enabled", "budget_tokens": 5}}),
                "thinking",
            ),
        ] {
            let body = read(how, fields.clone()).unwrap_err().body();
            assert_eq!(body["error"]["param"], param, "{fields}");
        }
    }
}
