//! What an engine promises, on a model made in code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_engine::{
    Engine, Error, Finish, GenerateRequest, Generated, Isa, Message, Options, Prompt, Sampling,
};
use allod_weights::make::GgufBuilder;
use std::ops::ControlFlow;
use std::sync::Arc;

const WIDTH: usize = 32;
const PIECES: [&str; 6] = ["▁", "a", "b", "c", "▁a", "ab"];
const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";

fn texts() -> Vec<String> {
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let first = ["<unk>", "<s>", "</s>"].into_iter().map(String::from);
    first.chain(bytes).chain(PIECES.into_iter().map(String::from)).collect()
}

/// A small Llama with random weights, whose scores are sharp enough to be worth testing.
fn model() -> GgufBuilder {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let kinds: Vec<i32> = (0..texts.len())
        .map(|id| [2, 3, 3].get(id).copied().unwrap_or(if id < 259 { 6 } else { 1 }))
        .collect();
    let mut state = 3_u64;
    let mut numbers = move |count: usize| -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count).map(|_| next()).collect()
    };
    let mut file = GgufBuilder::new()
        .text("general.architecture", "llama")
        .text("general.name", "tiny")
        .u32("llama.context_length", 600)
        .u32("llama.embedding_length", WIDTH as u32)
        .u32("llama.block_count", 1)
        .u32("llama.feed_forward_length", 64)
        .u32("llama.attention.head_count", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &texts)
        .f32s("tokenizer.ggml.scores", &vec![0.0; texts.len()])
        .i32s("tokenizer.ggml.token_type", &kinds)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .text("tokenizer.chat_template", TEMPLATE);
    let matrices = [
        ("token_embd", texts.len(), WIDTH),
        ("blk.0.attn_q", WIDTH, WIDTH),
        ("blk.0.attn_k", WIDTH, WIDTH),
        ("blk.0.attn_v", WIDTH, WIDTH),
        ("blk.0.attn_output", WIDTH, WIDTH),
        ("blk.0.ffn_gate", 64, WIDTH),
        ("blk.0.ffn_up", 64, WIDTH),
        ("blk.0.ffn_down", WIDTH, 64),
    ];
    for (name, rows, columns) in matrices {
        let values = numbers(rows * columns);
        file = file.f32_tensor(&format!("{name}.weight"), &[rows, columns], &values);
    }
    for name in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"] {
        file = file.f32_tensor(&format!("{name}.weight"), &[WIDTH], &[1.0; WIDTH]);
    }
    file
}

fn engine_of(file: GgufBuilder, options: Options) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.gguf");
    std::fs::write(&path, file.build()).unwrap();
    Engine::load(&path, options).unwrap()
}

fn engine() -> Engine {
    engine_of(model(), Options { threads: Some(1), ..Options::default() })
}

fn request(prompt: &str) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Text(prompt.to_string()),
        sampling: Sampling::default(),
        max_tokens: 30,
        stop: Vec::new(),
        adapter: None,
    }
}

fn warm(seed: u64) -> GenerateRequest {
    let sampling = Sampling { temperature: 1.5, seed, ..Sampling::default() };
    GenerateRequest { sampling, ..request("abc") }
}

fn run(engine: &Engine, request: &GenerateRequest) -> Generated {
    engine.generate(request, &mut |_| ControlFlow::Continue(())).unwrap()
}

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
    assert_eq!((identity.name.as_str(), identity.numerics), ("tiny", "allod-1"));
    assert_eq!(identity.digest, allod_weights::digest_bytes(&model().build()));
    let template = allod_weights::digest_bytes(TEMPLATE.as_bytes());
    assert_eq!(identity.template_digest.as_deref(), Some(template.as_str()));
    assert!(identity.tokenizer_digest.starts_with("sha256:"));
    assert_eq!(engine.context_length(), 600);
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
    let known: Vec<_> = engine.adapters().map(|adapter| (adapter.name, adapter.digest)).collect();
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
