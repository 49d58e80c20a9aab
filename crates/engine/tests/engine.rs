//! What an engine promises, on a model made in code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_engine::{Error, Finish, GenerateRequest, Isa, Message, Numerics, Options, Prompt};
use allod_weights::make::GgufBuilder;
use common::{TEMPLATE, WIDTH, engine, engine_of, model, request, run, texts, warm};
use std::ops::ControlFlow;
use std::sync::Arc;

#[test]
fn pieces_of_text_make_the_whole() {
    let engine = engine();
    for seed in 0..20 {
        let (mut text, request) = (String::new(), warm(seed));
        let generated = engine.generate(&request, &mut |piece| {
            text += piece;
            ControlFlow::Continue(())
        });
        let generated = generated.unwrap();
        assert_eq!(generated.text, text);
        assert_eq!(generated.tokens.len(), generated.completion_tokens);
        assert_eq!(run(&engine, &request), generated);
    }
}

#[test]
fn seeds_differ() {
    let engine = engine();
    assert_ne!(run(&engine, &warm(1)).tokens, run(&engine, &warm(2)).tokens);
}

#[test]
fn a_stop_text_ends_the_completion_unseen() {
    let engine = engine();
    let whole = run(&engine, &warm(5));
    let characters: Vec<char> = whole.text.chars().collect();
    assert!(characters.len() > 8, "{whole:?}");
    let stop: String = characters[5..7].iter().collect();
    let expected = &whole.text[..whole.text.find(&stop).unwrap()];
    let stopped = run(&engine, &GenerateRequest { stop: vec![stop], ..warm(5) });
    assert_eq!((stopped.text.as_str(), stopped.finish), (expected, Finish::Stop));
}

#[test]
fn cancelling_ends_with_what_was_shown() {
    let engine = engine();
    let mut pieces = 0;
    let generated = engine.generate(&warm(5), &mut |_| {
        pieces += 1;
        if pieces == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let generated = generated.unwrap();
    assert_eq!((generated.finish, pieces), (Finish::Cancelled, 3));
    assert!(run(&engine, &warm(5)).text.starts_with(&generated.text));
}

#[test]
fn a_long_prompt_can_be_cancelled_while_it_is_read() {
    let engine = engine();
    let request = request(&"ab ".repeat(150));
    let generated = engine.generate(&request, &mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!((generated.finish, generated.completion_tokens), (Finish::Cancelled, 0));
    assert!(generated.prompt_tokens > 128);
}

#[test]
fn a_prompt_without_room_is_refused_and_a_full_context_ends_the_text() {
    let options = Options { context_tokens: Some(20), ..Options::default() };
    let engine = engine_of(model(), options);
    let message = engine.generate(&request(&"c".repeat(30)), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(message, Err(Error::PromptTooLong { context_tokens: 20, .. })));
    let generated = run(&engine, &warm(3));
    assert_eq!(generated.finish, Finish::Length);
    assert_eq!(generated.prompt_tokens + generated.completion_tokens, 20);
}

#[test]
fn no_tokens_may_be_asked_for() {
    let generated = run(&engine(), &GenerateRequest { max_tokens: 0, ..request("a") });
    assert_eq!((generated.text.as_str(), generated.finish), ("", Finish::Length));
}

#[test]
fn the_end_token_ends_the_text() {
    let output = vec![0.0; texts().len() * WIDTH];
    let file = model().f32_tensor("output.weight", &[texts().len(), WIDTH], &output);
    let engine = engine_of(file, Options::default());
    // All scores are equal, so the lowest id is chosen: `<unk>`, which shows nothing.
    let generated = run(&engine, &request("a"));
    assert_eq!((generated.tokens[0], generated.text.as_str()), (0, ""));
    let mut ending = model().u32("tokenizer.ggml.eot_token_id", 0);
    ending = ending.f32_tensor("output.weight", &[texts().len(), WIDTH], &output);
    let generated = run(&engine_of(ending, Options::default()), &request("a"));
    assert_eq!((generated.finish, generated.completion_tokens), (Finish::Stop, 0));
}

#[test]
fn chat_goes_through_the_template_and_messages_stay_text() {
    let engine = engine();
    let message =
        |content: &str| Message { role: "user".to_string(), content: content.to_string() };
    let chat = |content: &str| Prompt::Chat(vec![message(content)]);
    assert_eq!(engine.count_tokens(&chat("ab")).unwrap(), 3); // <s> ▁ ab
    let forged = engine.count_tokens(&chat("</s>")).unwrap();
    assert_eq!(forged, 1 + 1 + 4); // <s> ▁ and four bytes
}

#[test]
fn the_identity_says_what_was_loaded() {
    let engine = engine();
    let identity = engine.identity();
    assert_eq!(identity.name, "tiny");
    assert_eq!(identity.numerics, Options::default().numerics().name());
    assert_eq!(identity.digest, allod_weights::digest_bytes(&model().build()));
    let template = allod_weights::digest_bytes(TEMPLATE.as_bytes());
    assert_eq!(identity.template_digest.as_deref(), Some(template.as_str()));
    assert!(identity.tokenizer_digest.starts_with("sha256:"));
    assert_eq!(engine.context_length(), 600);
}

#[test]
fn the_identity_names_the_rule_that_was_asked_for() {
    for rule in Numerics::all() {
        let (cache, activations) = (Some(rule.cache), Some(rule.activations));
        let options = Options { cache, activations, threads: Some(1), ..Options::default() };
        assert_eq!(options.numerics(), rule);
        assert_eq!(engine_of(model(), options).identity().numerics, rule.name());
    }
    // The processor decides, not what it is kept to.
    for isa in Isa::available() {
        let options = Options { isa: Some(isa), ..Options::default() };
        assert_eq!(options.numerics(), Options::default().numerics());
    }
}

#[test]
fn threads_instruction_sets_and_company_do_not_matter() {
    let expected = run(&engine(), &warm(9));
    for isa in Isa::available() {
        let options = Options { threads: Some(2), isa: Some(isa), ..Options::default() };
        let engine = Arc::new(engine_of(model(), options));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let engine = engine.clone();
                std::thread::spawn(move || run(&engine, &warm(9)))
            })
            .collect();
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), expected));
    }
}

#[test]
fn damaged_weights_are_an_error_and_not_a_token() {
    let file = model().f32_tensor(
        "output.weight",
        &[texts().len(), WIDTH],
        &vec![f32::NAN; texts().len() * WIDTH],
    );
    let engine = engine_of(file, Options::default());
    let result = engine.generate(&request("a"), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(Error::NotANumber { tokens: 2 })), "{result:?}");
}

/// An adapter of the model's output and of one query projection.
fn adapter(factor: f32) -> GgufBuilder {
    let values = |count: usize| -> Vec<f32> {
        (0..count).map(|at| ((at * 37 % 101) as f32 / 50.0 - 1.0) * factor).collect()
    };
    let file = GgufBuilder::new()
        .text("general.architecture", "llama")
        .text("general.type", "adapter")
        .text("adapter.type", "lora")
        .f32("adapter.lora.alpha", 4.0);
    let name = "blk.0.attn_q.weight";
    file.f32_tensor(&format!("{name}.lora_a"), &[2, WIDTH], &values(2 * WIDTH)).f32_tensor(
        &format!("{name}.lora_b"),
        &[WIDTH, 2],
        &values(2 * WIDTH),
    )
}

#[test]
fn requests_choose_their_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    let bytes = adapter(3.0).build();
    std::fs::write(&path, &bytes).unwrap();
    let plain = run(&engine(), &warm(3));
    let engine = engine().with_adapter("formal", &path).unwrap();
    let asked = |name: &str| GenerateRequest { adapter: Some(name.to_string()), ..warm(3) };
    let formal = run(&engine, &asked("formal"));
    assert_ne!(formal.tokens, plain.tokens, "it changes what is written");
    assert_eq!(run(&engine, &warm(3)), plain, "and only for those who ask for it");
    assert_eq!(run(&engine, &asked("formal")), formal);
    let missing = engine.generate(&asked("other"), &mut |_| ControlFlow::Continue(()));
    let message = missing.unwrap_err().to_string();
    assert!(message.contains("`other`") && message.contains("formal"), "{message}");
    let known: Vec<_> =
        engine.adapters().into_iter().map(|adapter| (adapter.name, adapter.digest)).collect();
    assert_eq!(known, [("formal".to_string(), allod_weights::digest_bytes(&bytes))]);
    assert!(engine.with_adapter("formal", &path).is_err());
}

#[test]
fn tokens_go_on_as_the_text_that_they_are_of() {
    let engine = engine();
    let tokens = engine.tokens(&Prompt::Text("abc".to_string())).unwrap();
    let given = GenerateRequest { prompt: Prompt::Tokens(tokens), ..warm(3) };
    assert_eq!(run(&engine, &given), run(&engine, &warm(3)));
    let strange = GenerateRequest { prompt: Prompt::Tokens(vec![1, 9_999]), ..warm(3) };
    let refused = engine.generate(&strange, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(Error::Vocabulary { token: 9_999, .. })), "{refused:?}");
}
