//! What is written under a constraint keeps to it, on a model made in code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_engine::{Constraint, Error, Finish, GenerateRequest, Prompt, Sampling};
use common::{engine, run};
use serde_json::{Value, json};
use std::ops::ControlFlow;

fn asked(constraint: Constraint, seed: u64) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Text("abc".into()),
        sampling: Sampling { temperature: 1.5, seed, ..Sampling::default() },
        max_tokens: 400,
        constraint: Some(constraint),
        ..GenerateRequest::default()
    }
}

#[test]
fn json_keeps_to_its_schema() {
    let engine = engine();
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 5},
            "kind": {"enum": ["letter", "form"]},
            "pages": {"type": "integer", "minimum": 1, "maximum": 20},
            "lines": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}
        },
        "required": ["name", "kind", "pages", "lines"],
        "additionalProperties": false
    });
    for seed in 0..40 {
        let generated = run(&engine, &asked(Constraint::JsonSchema(schema.clone()), seed));
        assert_eq!(generated.finish, Finish::Stop, "{}", generated.text);
        let value: Value = serde_json::from_str(&generated.text).unwrap();
        assert!(value["name"].as_str().unwrap().chars().count() <= 5, "{value}");
        assert!(["letter", "form"].contains(&value["kind"].as_str().unwrap()), "{value}");
        assert!((1..=20).contains(&value["pages"].as_i64().unwrap()), "{value}");
        let lines = value["lines"].as_array().unwrap();
        assert!(lines.len() <= 3 && lines.iter().all(Value::is_boolean), "{value}");
        assert_eq!(value.as_object().unwrap().len(), 4);
    }
}

#[test]
fn a_regular_expression_is_matched_to_its_end() {
    let engine = engine();
    for seed in 0..20 {
        let constraint = Constraint::Regex(" ?[0-9]{4}-[ab]{2}".into());
        let generated = run(&engine, &asked(constraint, seed));
        let text = generated.text.strip_prefix(' ').unwrap_or(&generated.text);
        assert_eq!((text.len(), generated.finish), (7, Finish::Stop), "{text}");
        assert!(text[..4].bytes().all(|byte| byte.is_ascii_digit()), "{text}");
        assert!(text[5..].bytes().all(|byte| [b'a', b'b'].contains(&byte)), "{text}");
    }
}

#[test]
fn lark_grammars_are_followed_by_each_of_several_completions() {
    let engine = engine();
    let grammar = "start: item (\",\" item)*\nitem: \"ab\" | \"c\"\n";
    let request = GenerateRequest { n: 4, ..asked(Constraint::Lark(grammar.into()), 3) };
    let completion = engine.complete(&request, &mut |_| ControlFlow::Continue(())).unwrap();
    for choice in completion.choices {
        let whole = choice.finish == Finish::Stop;
        let mut items: Vec<&str> = choice.text.split(',').collect();
        if !whole {
            items.pop();
        }
        assert!(items.iter().all(|item| ["ab", "c"].contains(item)), "{}", choice.text);
    }
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let engine = engine();
    for constraint in [
        Constraint::Regex("a(".into()),
        Constraint::Lark("start: missing".into()),
        Constraint::JsonSchema(json!({"type": "nothing known"})),
        Constraint::JsonSchema(json!({"type": "string", "unevaluatedItems": false, "not": {}})),
    ] {
        let request = asked(constraint, 1);
        let error = engine.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, Error::Constraint { .. }), "{error}");
    }
}
