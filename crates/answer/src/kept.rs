//! A turn of the model as it is kept, and read back to be taken again.

use std::collections::BTreeMap;

use allod_engine::{Constraint, Dry, Message, Prompt, Sampling, SpeechOptions, TemplateInput};
use serde_json::{Map, Value, json};

use crate::ask::{Caller, Chat, Choices};
use crate::error::Error;
use crate::generator::Generator;

/// All that a replay needs and that does not stand in the receipt itself.
pub(crate) fn chat(chat: &Chat) -> Value {
    let mut kept = match &chat.prompt {
        Prompt::Chat(messages) => json!({"messages": shown(messages)}),
        Prompt::Conversation(input) => conversation(input),
        Prompt::Text(text) => json!({"prompt": text}),
        Prompt::Tokens(tokens) => json!({"prompt_tokens": tokens}),
    };
    let drawn = sampling(&chat.sampling);
    if !drawn.is_empty() {
        kept["sampling"] = Value::Object(drawn);
    }
    if !chat.sampling.logit_bias.is_empty() {
        kept["logit_bias"] = json!(chat.sampling.logit_bias);
    }
    if let Some(dry) = &chat.sampling.dry {
        kept["dry"] = json!({
            "multiplier": dry.multiplier,
            "base": dry.base,
            "allowed_length": dry.allowed_length,
            "window": dry.window,
            "breakers": dry.breakers,
        });
    }
    if !chat.stop.is_empty() {
        kept["stop"] = json!(chat.stop);
    }
    if let Some(constraint) = &chat.constraint {
        kept["constraint"] = kept_constraint(constraint);
    }
    if !chat.spelled.is_empty() {
        kept["spelled"] = json!(chat.spelled);
    }
    if let Some(thought) = &chat.thought {
        kept["thought_tokens"] = json!(thought.most());
    }
    kept["max_tokens"] = json!(chat.max_tokens);
    if chat.choices.written() > 1 {
        kept["n"] = json!(chat.choices.n);
        kept["best_of"] = json!(chat.choices.written());
    }
    kept
}

/// How tokens were drawn, to the last bit; what is as it is by default is not written.
fn sampling(sampling: &Sampling) -> Map<String, Value> {
    let usual = Sampling::default();
    let numbers = [
        ("temperature", sampling.temperature, usual.temperature),
        ("top_p", sampling.top_p, usual.top_p),
        ("min_p", sampling.min_p, usual.min_p),
        ("typical_p", sampling.typical_p, usual.typical_p),
        ("repetition_penalty", sampling.repetition_penalty, usual.repetition_penalty),
        ("frequency_penalty", sampling.frequency_penalty, usual.frequency_penalty),
        ("presence_penalty", sampling.presence_penalty, usual.presence_penalty),
    ];
    let counts = [
        ("top_k", sampling.top_k as u64, usual.top_k as u64),
        ("repetition_window", sampling.repetition_window as u64, usual.repetition_window as u64),
        ("seed", sampling.seed, usual.seed),
    ];
    let numbers = numbers.into_iter().filter(|(_, own, usual)| own.to_bits() != usual.to_bits());
    let numbers = numbers.map(|(name, own, _)| (name.to_owned(), json!(own)));
    let counts = counts.into_iter().filter(|(_, own, usual)| own != usual);
    numbers.chain(counts.map(|(name, own, _)| (name.to_owned(), json!(own)))).collect()
}

/// A conversation with what it holds beside messages.
fn conversation(input: &TemplateInput) -> Value {
    let mut kept = json!({"messages": input.messages});
    if let Some(tools) = &input.tools {
        kept["tools"] = json!(tools);
    }
    if !input.variables.is_empty() {
        kept["template_variables"] = json!(input.variables);
    }
    if !input.add_generation_prompt {
        kept["add_generation_prompt"] = json!(false);
    }
    kept
}

/// What the answer had to keep to, in full.
fn kept_constraint(constraint: &Constraint) -> Value {
    match constraint {
        Constraint::JsonSchema(schema) => json!({"json_schema": schema}),
        Constraint::Regex(expression) => json!({"regex": expression}),
        Constraint::Lark(grammar) => json!({"lark": grammar}),
        Constraint::Parts { whole, parts } => {
            let parts = parts.iter().map(|(name, part)| (name.clone(), kept_constraint(part)));
            json!({"lark": whole, "parts": parts.collect::<Map<_, _>>()})
        }
    }
}

/// Messages as they are recorded.
pub(crate) fn shown(messages: &[Message]) -> Value {
    let message = |m: &Message| json!({"role": m.role, "content": m.content});
    messages.iter().map(message).collect()
}

/// The turn that was kept; `None` where what was kept is none.
///
/// # Errors
/// When the model cannot think as it was asked to.
pub(crate) fn chat_of(
    kept: &Value,
    caller: Caller,
    adapter: Option<String>,
    generator: &Generator,
) -> Result<Option<Chat>, Error> {
    let Some(chat) = plain_chat(kept, caller, adapter) else { return Ok(None) };
    let thought_tokens = kept["thought_tokens"].as_u64().map(|most| most as usize);
    let options = SpeechOptions { thought_tokens, ..SpeechOptions::default() };
    let thought = match thought_tokens {
        Some(_) => generator.speech(&chat.prompt, &options)?.and_then(|speech| speech.thought),
        None => None,
    };
    Ok(Some(Chat { thought, ..chat }))
}

fn plain_chat(kept: &Value, caller: Caller, adapter: Option<String>) -> Option<Chat> {
    let strings = |value: &Value| -> Option<Vec<String>> {
        value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let n = kept["n"].as_u64().map_or(1, |n| n as usize);
    Some(Chat {
        prompt: prompt_of(kept)?,
        caller,
        sampling: sampling_of(kept)?,
        max_tokens: kept["max_tokens"].as_u64()? as usize,
        stop: if kept["stop"].is_null() { Vec::new() } else { strings(&kept["stop"])? },
        constraint: match &kept["constraint"] {
            Value::Null => None,
            constraint => Some(constraint_of(constraint)?),
        },
        spelled: if kept["spelled"].is_null() { Vec::new() } else { tokens(&kept["spelled"])? },
        thought: None,
        choices: Choices {
            n,
            best_of: kept["best_of"].as_u64().map_or(n, |written| written as usize),
            top_logprobs: None,
        },
        adapter,
    })
}

fn tokens(value: &Value) -> Option<Vec<u32>> {
    let token = |value: &Value| value.as_u64().and_then(|token| u32::try_from(token).ok());
    value.as_array()?.iter().map(token).collect()
}

pub(crate) fn prompt_of(kept: &Value) -> Option<Prompt> {
    if let Some(text) = kept["prompt"].as_str() {
        return Some(Prompt::Text(text.to_owned()));
    }
    if !kept["prompt_tokens"].is_null() {
        return Some(Prompt::Tokens(tokens(&kept["prompt_tokens"])?));
    }
    let variables = kept["template_variables"].as_object();
    Some(Prompt::Conversation(TemplateInput {
        messages: kept["messages"].as_array()?.clone(),
        tools: kept["tools"].as_array().cloned(),
        add_generation_prompt: kept["add_generation_prompt"].as_bool().unwrap_or(true),
        variables: variables.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        date: None,
    }))
}

fn sampling_of(kept: &Value) -> Option<Sampling> {
    let (own, usual) = (&kept["sampling"], Sampling::default());
    let number = |name: &str, usual: f32| own[name].as_f64().map_or(usual, |own| own as f32);
    let count = |name: &str, usual: u64| own[name].as_u64().unwrap_or(usual);
    let mut logit_bias = BTreeMap::new();
    for (token, bias) in kept["logit_bias"].as_object().into_iter().flatten() {
        logit_bias.insert(token.parse().ok()?, bias.as_f64()? as f32);
    }
    Some(Sampling {
        logit_bias,
        repetition_penalty: number("repetition_penalty", usual.repetition_penalty),
        repetition_window: count("repetition_window", usual.repetition_window as u64) as usize,
        frequency_penalty: number("frequency_penalty", usual.frequency_penalty),
        presence_penalty: number("presence_penalty", usual.presence_penalty),
        dry: if kept["dry"].is_null() { None } else { Some(dry_of(&kept["dry"])?) },
        temperature: number("temperature", usual.temperature),
        top_k: count("top_k", usual.top_k as u64) as usize,
        typical_p: number("typical_p", usual.typical_p),
        top_p: number("top_p", usual.top_p),
        min_p: number("min_p", usual.min_p),
        seed: count("seed", usual.seed),
    })
}

fn dry_of(kept: &Value) -> Option<Dry> {
    let breaker = |value: &Value| value.as_str().map(str::to_owned);
    Some(Dry {
        multiplier: kept["multiplier"].as_f64()? as f32,
        base: kept["base"].as_f64()? as f32,
        allowed_length: kept["allowed_length"].as_u64()? as usize,
        window: kept["window"].as_u64()? as usize,
        breakers: kept["breakers"].as_array()?.iter().map(breaker).collect::<Option<_>>()?,
    })
}

fn constraint_of(kept: &Value) -> Option<Constraint> {
    if !kept["json_schema"].is_null() {
        return Some(Constraint::JsonSchema(kept["json_schema"].clone()));
    }
    if let Some(expression) = kept["regex"].as_str() {
        return Some(Constraint::Regex(expression.to_owned()));
    }
    let whole = kept["lark"].as_str()?.to_owned();
    let Some(parts) = kept["parts"].as_object() else { return Some(Constraint::Lark(whole)) };
    let part = |(name, part): (&String, &Value)| Some((name.clone(), constraint_of(part)?));
    Some(Constraint::Parts { whole, parts: parts.iter().map(part).collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Chat {
        let message = Message { role: "user".into(), content: "Guten Tag".into() };
        let mut input = TemplateInput::new(&[message]);
        input.tools = Some(vec![json!({"type": "function", "function": {"name": "f"}})]);
        input.variables.insert("enable_thinking".into(), json!(false));
        let mut sampling = Sampling { temperature: 0.7, top_p: 0.1234567, ..Sampling::default() };
        sampling.seed = u64::MAX;
        sampling.logit_bias.insert(7, -1.5);
        sampling.dry = Some(Dry::default());
        let part = ("p".to_owned(), Constraint::JsonSchema(json!({"type": "object", "b": 1})));
        Chat {
            prompt: Prompt::Conversation(input),
            caller: Caller::default(),
            sampling,
            max_tokens: 9,
            stop: vec!["\n".into()],
            constraint: Some(Constraint::Parts { whole: "start: @p".into(), parts: vec![part] }),
            spelled: vec![3, 4],
            thought: None,
            choices: Choices { n: 2, best_of: 3, top_logprobs: None },
            adapter: None,
        }
    }

    #[test]
    fn what_is_kept_reads_back_as_itself() {
        let full = full();
        for prompt in
            [full.prompt.clone(), Prompt::Text("Es war".into()), Prompt::Tokens(vec![1, 2])]
        {
            let asked = Chat { prompt, ..full.clone() };
            let text = chat(&asked).to_string();
            let kept: Value = serde_json::from_str(&text).unwrap();
            let again = plain_chat(&kept, Caller::default(), None).unwrap();
            assert_eq!(again.prompt, asked.prompt);
            assert_eq!(again.sampling, asked.sampling);
            assert_eq!(again.constraint, asked.constraint);
            assert_eq!((&again.stop, &again.spelled), (&asked.stop, &asked.spelled));
            assert_eq!(again.choices, asked.choices);
            assert_eq!(chat(&again).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_turn_is_none() {
        for kept in [json!({}), json!({"prompt": "x"}), json!({"prompt_tokens": ["a"]})] {
            assert!(plain_chat(&kept, Caller::default(), None).is_none(), "{kept}");
        }
    }
}
