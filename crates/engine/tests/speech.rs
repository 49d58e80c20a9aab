//! Calls of tools and reasoning, in the forms of several families, on a model made in code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_engine::{
    Constraint, Engine, Finish, GenerateRequest, Options, Parallel, Part, Prompt, Sampling,
    SpeechOptions, TemplateInput, Tool, ToolChoice,
};
use common::{engine_of, model_with};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What is at least in a family's template, and what the prompt ends with.
const FAMILIES: [(&str, &str); 17] = [
    ("<function=<parameter=</think>", "<think>\n"),
    ("<arg_key><arg_value></think>", ""),
    ("</arg_key><arg_value>", ""),
    ("<minimax:tool_call><invoke name=", ""),
    ("<tool_call>", ""),
    ("<tool_call></think>", ""),
    ("<tool_call></think>", "<think>\n"),
    ("<|tools_prefix|><|inner_suffix|>", ""),
    ("<｜tool▁calls▁begin｜>```json</think>", "<think>\n"),
    ("[TOOL_CALLS][ARGS][/THINK]", ""),
    ("[TOOL_CALLS] [", ""),
    ("<|channel|>analysis to=functions.", ""),
    ("\"parameters\" ipython", ""),
    ("[TOOL_CALLS][CALL_ID][ARGS]", ""),
    ("<function=</function>", ""),
    ("<tool_calls></tool_calls>", ""),
    CHANNELS,
];

/// The receiver's name is joined from parts, and what ends the question ends reasoning, too.
const CHANNELS: (&str, &str) = (
    "<|channel|>analysis <|channel|>commentary functions.",
    "<|end|>{% if add_generation_prompt %}<|start|>assistant{% endif %}",
);

/// These are tokens of their own in the model's vocabulary.
const SPECIALS: [&str; 10] = [
    "<|tools_prefix|>",
    "<|tools_suffix|>",
    "<|inner_prefix|>",
    "<|inner_suffix|>",
    "[TOOL_CALLS]",
    "[ARGS]",
    "<|channel|>",
    "<|message|>",
    "<|end|>",
    "[CALL_ID]",
];

/// The first of them.
const FIRST: u32 = 265;

/// And these, but they stand in the text.
const ADDED: [&str; 5] = ["<think>", "</think>", "<tool_call>", "[THINK]", "[/THINK]"];

fn engine(family: (&str, &str)) -> Engine {
    let (marks, tail) = family;
    let marks = marks.replace('"', "\\\"");
    let template = format!(
        "{{% set known = \"{marks} tools 'tool'\" %}}\
         {{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}{tail}"
    );
    let options = Options { threads: Some(1), context_tokens: Some(4000), ..Options::default() };
    engine_of(model_with(&template, &SPECIALS, &ADDED), options)
}

fn tools() -> Vec<Tool> {
    let tool =
        |name: &str, parameters: Value| Tool { name: name.into(), description: None, parameters };
    vec![
        tool(
            "weather",
            json!({
                "type": "object", "required": ["place", "days"], "additionalProperties": false,
                "properties": {
                    "place": {"type": "string", "maxLength": 6},
                    "days": {"type": "integer", "minimum": 1, "maximum": 9},
                },
            }),
        ),
        tool(
            "close-case",
            json!({
                "type": "object", "required": ["because"], "additionalProperties": false,
                "properties": {"because": {"enum": ["done", "a \"{quote}\"", "[x"]}},
            }),
        ),
    ]
}

fn prompt() -> Prompt {
    Prompt::Conversation(TemplateInput {
        messages: vec![json!({"role": "user", "content": "abc"})],
        ..TemplateInput::new(&[])
    })
}

struct Said {
    parts: Vec<Part>,
    finish: Finish,
    text: String,
}

impl Said {
    fn calls(&self) -> Vec<(String, String)> {
        let mut calls: Vec<(String, String)> = Vec::new();
        for part in &self.parts {
            match part {
                Part::Call(name) => calls.push((name.clone(), String::new())),
                Part::Arguments(more) => calls.last_mut().unwrap().1.push_str(more),
                _ => {}
            }
        }
        calls
    }

    fn has_text(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Text(_)))
    }
}

fn say(engine: &Engine, options: &SpeechOptions, seed: u64) -> Said {
    say_with(engine, options, seed, BTreeMap::new())
}

fn say_with(
    engine: &Engine,
    options: &SpeechOptions,
    seed: u64,
    logit_bias: BTreeMap<u32, f32>,
) -> Said {
    let prompt = prompt();
    let speech = engine.speech(&prompt, options).unwrap();
    let mut reader = speech.reader;
    let request = GenerateRequest {
        prompt,
        sampling: Sampling { temperature: 1.5, seed, logit_bias, ..Sampling::default() },
        max_tokens: 700,
        constraint: speech.constraint,
        spelled: speech.spelled,
        thought: speech.thought,
        ..GenerateRequest::default()
    };
    let mut parts = Vec::new();
    let generated = engine
        .generate(&request, &mut |text| {
            parts.extend(reader.push(text));
            ControlFlow::Continue(())
        })
        .unwrap();
    parts.extend(reader.finish());
    Said { parts, finish: generated.finish, text: generated.text }
}

fn check_calls(said: &Said, least: usize) {
    let calls = said.calls();
    assert!(calls.len() >= least, "{}", said.text);
    for (name, arguments) in &calls {
        let value: Value = serde_json::from_str(arguments)
            .unwrap_or_else(|error| panic!("{error} in {arguments} of {}", said.text));
        match name.as_str() {
            "weather" => {
                assert!((1..=9).contains(&value["days"].as_i64().unwrap()), "{value}");
                assert!(value["place"].as_str().unwrap().chars().count() <= 6, "{value}");
            }
            "close-case" => {
                let because = value["because"].as_str().unwrap();
                assert!(["done", "a \"{quote}\"", "[x"].contains(&because), "{value}");
            }
            other => panic!("there is no tool {other}"),
        }
    }
}

#[test]
fn calls_that_are_asked_for_are_made_and_valid_in_every_form() {
    for family in FAMILIES {
        let engine = engine(family);
        for (choice, parallel) in [
            (ToolChoice::Required, Parallel::One),
            (ToolChoice::Required, Parallel::Many),
            (ToolChoice::Named("close-case".into()), Parallel::Many),
        ] {
            let options = SpeechOptions {
                tools: tools(),
                choice,
                parallel,
                thought_tokens: Some(40),
                ..SpeechOptions::default()
            };
            for seed in 0..3 {
                let said = say(&engine, &options, seed);
                // A model that is not trained may call for ever.
                if said.finish == Finish::Length && parallel == Parallel::Many {
                    continue;
                }
                assert_eq!(said.finish, Finish::Stop, "{family:?} {}", said.text);
                assert!(!said.has_text(), "{family:?} {}", said.text);
                check_calls(&said, 1);
                if parallel == Parallel::One {
                    assert_eq!(said.calls().len(), 1, "{}", said.text);
                }
                if let ToolChoice::Named(name) = &options.choice {
                    assert_eq!(said.calls().len(), 1, "{}", said.text);
                    assert_eq!(&said.calls()[0].0, name);
                }
            }
        }
    }
}

#[test]
fn what_is_free_is_text_or_valid_calls() {
    for family in FAMILIES {
        let engine = engine(family);
        let mark = engine.dialect().calls.mark;
        let tokens = SPECIALS.iter().chain(&ADDED).zip(FIRST..);
        // What sets calls off is written now and then, and so is what ends reasoning.
        let likely = ["</think>", "<|inner_suffix|>", "[/THINK]", "<|end|>", mark];
        let bias = tokens.filter(|(text, _)| likely.contains(text)).map(|(_, id)| (id, 4.0));
        let options = SpeechOptions { tools: tools(), ..SpeechOptions::default() };
        let mut calls = 0;
        for seed in 0..6 {
            let said = say_with(&engine, &options, seed, bias.clone().collect());
            let text = said.parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            });
            let text: String = text.collect();
            assert!(mark.is_empty() || !text.contains(mark), "{text}");
            calls += said.calls().len();
            if said.finish == Finish::Stop {
                check_calls(&said, 0);
            }
        }
        let is_token = SPECIALS.iter().chain(&ADDED).any(|text| *text == mark);
        assert!(calls > 0 || !is_token, "{family:?}");
    }
}

#[test]
fn a_format_is_kept_after_reasoning() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "boolean"}},
                        "required": ["a"], "additionalProperties": false});
    for family in FAMILIES {
        let engine = engine(family);
        let format = Some(Constraint::JsonSchema(schema.clone()));
        let options = SpeechOptions { format, ..SpeechOptions::default() };
        let mut whole = 0;
        for seed in 0..6 {
            let said = say(&engine, &options, seed);
            if said.finish == Finish::Length {
                continue;
            }
            whole += 1;
            let texts = said.parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            });
            let value: Value = serde_json::from_str(&texts.collect::<String>()).unwrap();
            assert!(value["a"].is_boolean(), "{}", said.text);
        }
        assert!(whole > 0, "{family:?}");
    }
}

#[test]
fn reasoning_is_closed_when_its_tokens_are_used_up() {
    let opened = ("<tool_call></think>", "<think>\n");
    let close = FIRST
        + (SPECIALS.len() + ADDED.iter().position(|mark| *mark == "</think>").unwrap()) as u32;
    let engine = engine(opened);
    let ask = |thought_tokens: Option<usize>, draft: &Engine| {
        let options = SpeechOptions { thought_tokens, ..SpeechOptions::default() };
        let speech = draft.speech(&prompt(), &options).unwrap();
        let request = GenerateRequest {
            prompt: prompt(),
            sampling: Sampling {
                temperature: 1.5,
                logit_bias: [(close, -100.0)].into(),
                ..Sampling::default()
            },
            max_tokens: 200,
            constraint: speech.constraint,
            spelled: speech.spelled,
            thought: speech.thought,
            ..GenerateRequest::default()
        };
        draft.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap().tokens
    };
    let place = |tokens: &[u32]| tokens.iter().position(|token| *token == close);
    assert_eq!(place(&ask(None, &engine)), None);
    for most in [0, 1, 40] {
        let tokens = ask(Some(most), &engine);
        let found = place(&tokens).unwrap();
        assert!((most..most + 4).contains(&found), "{found} {most}");
        // What comes before is what would have come anyway, and nothing is closed twice.
        assert_eq!(tokens[..most], ask(None, &engine)[..most]);
        assert_eq!(tokens.iter().filter(|token| **token == close).count(), 1);
    }
}

#[test]
fn only_what_asks_for_the_answer_says_how_reasoning_stands() {
    let asking = "{% if add_generation_prompt %}<think>\n\n</think>\n{% endif %}";
    for (family, may_think) in [
        (CHANNELS, true),
        (("<tool_call></think>", asking), false),
        (("<tool_call></think>", "<think>\n\n</think>\n"), false),
        (("<tool_call></think>", "<think>\n"), true),
    ] {
        let options = SpeechOptions { thought_tokens: Some(5), ..SpeechOptions::default() };
        let speech = engine(family).speech(&prompt(), &options).unwrap();
        assert_eq!(speech.thought.is_some(), may_think, "{family:?}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let engine = engine(FAMILIES[0]);
    let refused = |options: SpeechOptions| engine.speech(&prompt(), &options).unwrap_err();
    let named = ToolChoice::Named("other".into());
    refused(SpeechOptions { tools: tools(), choice: named, ..SpeechOptions::default() });
    refused(SpeechOptions { choice: ToolChoice::Required, ..SpeechOptions::default() });
    let mut strange = tools();
    strange[0].name = "a b".into();
    refused(SpeechOptions { tools: strange, ..SpeechOptions::default() });
}
