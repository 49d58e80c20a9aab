//! What an engine promises to many callers at once, on a model made in code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_engine::{
    CacheForm, Dry, Engine, Error, Finish, GenerateRequest, Generated, Options, Piece, Priority,
    Prompt, Random, Sampling, Stats,
};
use common::{engine, engine_of, model, request, run, warm};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

fn below(random: &mut Random, most: u64) -> usize {
    (random.next_u64() % most) as usize
}

/// Requests of several tenants, long and short, greedy and not.
fn requests(seed: u64, count: usize) -> Vec<GenerateRequest> {
    let mut random = Random::new(seed);
    let one = |_| {
        let letters: String = (0..below(&mut random, 200))
            .map(|_| ['a', 'b', 'c', ' '][below(&mut random, 4)])
            .collect();
        let temperature = [0.0, 1.0, 1.5][below(&mut random, 3)];
        let priority = [Priority::Low, Priority::Normal, Priority::High][below(&mut random, 3)];
        GenerateRequest {
            prompt: Prompt::Text(letters),
            sampling: Sampling { temperature, seed: random.next_u64(), ..Sampling::default() },
            max_tokens: 1 + below(&mut random, 40),
            tenant: format!("tenant {}", below(&mut random, 3)),
            priority,
            top_logprobs: Some(2),
            ..GenerateRequest::default()
        }
    };
    (0..count).map(one).collect()
}

/// All at once, each in a thread of its own.
fn together(engine: &Engine, requests: &[GenerateRequest]) -> Vec<Generated> {
    thread::scope(|scope| {
        let ask = |request| scope.spawn(move || run(engine, request));
        let threads: Vec<_> = requests.iter().map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The worker tells how it fares after it has told the callers.
fn becomes(engine: &Engine, state: impl Fn(&Stats) -> bool) -> bool {
    let mut looks = (0..500).inspect(|_| thread::sleep(Duration::from_millis(2)));
    looks.any(|_| state(&engine.stats()))
}

#[test]
fn neighbours_and_pieces_of_prompts_change_no_bit() {
    let alone = Options { slots: Some(1), threads: Some(1), ..Options::default() };
    let alone = engine_of(model(), alone);
    for case in 0..6 {
        let mut random = Random::new(case);
        let requests = requests(case + 100, 12);
        let expected: Vec<Generated> = requests.iter().map(|one| run(&alone, one)).collect();
        let options = Options {
            threads: Some(1 + below(&mut random, 2)),
            slots: Some(1 + below(&mut random, 8)),
            step_tokens: Some([1, 5, 33, 512][below(&mut random, 4)]),
            draft_tokens: Some(below(&mut random, 8)),
            ..Options::default()
        };
        let engine = engine_of(model(), options);
        assert_eq!(together(&engine, &requests), expected, "{options:?}");
        assert!(becomes(&engine, |stats| (stats.running, stats.cache_bytes) == (0, 0)));
    }
}

#[test]
fn what_is_known_of_a_prompt_is_not_read_again_and_changes_no_bit() {
    let none = Options { prefix_bytes: Some(0), threads: Some(1), ..Options::default() };
    let (without, with) = (engine_of(model(), none), engine());
    let complete = |engine: &Engine, request: &GenerateRequest| {
        engine.complete(request, &mut |_| ControlFlow::Continue(())).unwrap()
    };
    let prompt = "abc ".repeat(40);
    for (number, cached) in [(0, 0), (1, 96), (2, 96), (3, 0), (4, 96)] {
        let tenant = if number < 3 { "one" } else { "two" };
        let prompt = Prompt::Text(format!("{prompt}{number}"));
        let request = GenerateRequest { prompt, tenant: tenant.into(), ..warm(number) };
        let expected = complete(&without, &request);
        let found = complete(&with, &request);
        assert_eq!(found.choices, expected.choices);
        assert_eq!([expected.usage.cached_tokens, found.usage.cached_tokens], [0, cached]);
    }
    let before = with.stats().cached_tokens;
    let many = GenerateRequest { n: 10, prompt: Prompt::Text("cba".repeat(50)), ..warm(1) };
    assert_eq!(complete(&with, &many).choices, complete(&without, &many).choices);
    let shared = (with.tokens(&many.prompt).unwrap().len() as u64 - 1) / 32 * 32;
    assert!(becomes(&with, |stats| stats.cached_tokens == before + 9 * shared));
}

#[test]
fn guessing_changes_no_bit_and_is_sometimes_right() {
    let plain = engine();
    let options = Options { draft_tokens: Some(7), threads: Some(1), ..Options::default() };
    let guessing = engine_of(model(), options);
    for seed in 0..20 {
        let dry = (seed % 2 == 1).then(Dry::default);
        let temperature = [0.0, 0.3, 1.5][seed as usize % 3];
        let sampling = Sampling { temperature, seed, dry, ..Sampling::default() };
        let prompt = Prompt::Text("abc ab ".repeat(1 + seed as usize));
        let stop = vec!["ca".to_string()];
        let request = GenerateRequest {
            prompt,
            sampling,
            stop,
            max_tokens: 1 + seed as usize * 5,
            top_logprobs: Some(1),
            ..GenerateRequest::default()
        };
        assert_eq!(run(&guessing, &request), run(&plain, &request), "{seed}");
    }
    let repeating = Sampling { logit_bias: [(262, 100.0)].into(), ..Sampling::default() };
    run(&guessing, &GenerateRequest { sampling: repeating, ..request("abc") });
    assert!(becomes(&guessing, |stats| stats.accepted_tokens > 10), "{:?}", guessing.stats());
    let stats = guessing.stats();
    assert!(stats.accepted_tokens <= stats.draft_tokens && plain.stats().draft_tokens == 0);
}

#[test]
fn who_loses_its_place_goes_on_with_the_same_bits() {
    // Room for four sequences of 256 positions, which they outgrow: buffers of two heads of 16, or
    // pages, of which nothing is kept for later that would not count.
    places_are_lost(CacheForm::F32, None, 4 * 256 * 2 * 32 * 4);
    places_are_lost(CacheForm::Bf16, Some(0), 4 * 8 * 2 * 3 * 1024);
    places_are_lost(CacheForm::Mxint8, Some(0), 4 * 8 * 2 * (2 * 1024 + 64));
}

fn places_are_lost(cache: CacheForm, prefix_bytes: Option<usize>, cache_bytes: usize) {
    let options =
        Options { threads: Some(1), cache: Some(cache), prefix_bytes, ..Options::default() };
    let alone = engine_of(model(), options);
    let long = |seed: u64| GenerateRequest {
        max_tokens: 160,
        tenant: format!("tenant {}", seed % 2),
        priority: if seed > 5 { Priority::High } else { Priority::Normal },
        prompt: Prompt::Text("abc ".repeat(80)),
        ..warm(seed)
    };
    let requests: Vec<GenerateRequest> = (0..8).map(long).collect();
    let expected: Vec<Generated> = requests.iter().map(|one| run(&alone, one)).collect();
    let options = Options { slots: Some(4), cache_bytes: Some(cache_bytes), ..options };
    let engine = engine_of(model(), options);
    assert_eq!(together(&engine, &requests), expected);
    assert!(becomes(&engine, |stats| stats.preemptions > 0), "{:?}", engine.stats());
}

#[test]
fn who_goes_away_leaves_its_place_to_the_next() {
    let options = Options { slots: Some(1), threads: Some(1), ..Options::default() };
    let engine = engine_of(model(), options);
    let endless = GenerateRequest { max_tokens: 500, ..warm(2) };
    let expected = run(&engine, &warm(3));
    thread::scope(|scope| {
        let (begun, wait) = channel();
        scope.spawn(|| {
            let begun = begun;
            let mut pieces = 0;
            let generated = engine.generate(&endless, &mut |_| {
                begun.send(()).unwrap();
                pieces += 1;
                if pieces > 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!(generated.unwrap().finish, Finish::Cancelled);
        });
        wait.recv().unwrap();
        let gone = engine.generate(&warm(4), &mut |_| ControlFlow::Break(())).unwrap();
        assert_eq!((gone.finish, gone.completion_tokens), (Finish::Cancelled, 0));
        assert_eq!(run(&engine, &warm(3)), expected);
    });
}

#[test]
fn who_was_served_much_keeps_its_even_share_of_places() {
    let options = Options { slots: Some(4), threads: Some(1), ..Options::default() };
    let engine = engine_of(model(), options);
    let of = |tenant: &str, max_tokens, seed| GenerateRequest {
        tenant: tenant.to_owned(),
        max_tokens,
        ..warm(seed)
    };
    (0..4).for_each(|seed| drop(run(&engine, &of("much", 500, seed))));
    let ended = AtomicUsize::new(0);
    thread::scope(|scope| {
        for seed in 0..40 {
            let (engine, of, ended) = (&engine, &of, &ended);
            scope.spawn(move || {
                run(engine, &of("many", 60, seed));
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert!(becomes(&engine, |stats| stats.waiting >= 20), "{:?}", engine.stats());
        let before = ended.load(Ordering::Relaxed);
        run(&engine, &of("much", 2, 1));
        let meanwhile = ended.load(Ordering::Relaxed) - before;
        // Those that had a place already, and few more.
        assert!(meanwhile < 12, "{meanwhile} were put before it");
    });
}

#[test]
fn a_caller_that_panics_harms_nobody() {
    let engine = engine();
    let expected = run(&engine, &warm(1));
    let panicking = || engine.generate(&warm(2), &mut |_| panic!("a caller's own fault"));
    thread::scope(|scope| assert!(scope.spawn(panicking).join().is_err()));
    assert_eq!(run(&engine, &warm(1)), expected);
}

#[test]
fn several_completions_of_one_prompt() {
    let engine = engine();
    let request = GenerateRequest { n: 5, ..warm(7) };
    let mut texts = vec![String::new(); 5];
    let completion = engine.complete(&request, &mut |piece: Piece| {
        texts[piece.choice] += piece.text;
        ControlFlow::Continue(())
    });
    let completion = completion.unwrap();
    assert_eq!(completion.choices[0], run(&engine, &warm(7)));
    let found: Vec<&String> = completion.choices.iter().map(|choice| &choice.text).collect();
    assert_eq!(found, texts.iter().collect::<Vec<_>>());
    assert!(found[1..].iter().all(|text| *text != found[0]), "{found:?}");
    let written: usize = completion.choices.iter().map(|one| one.completion_tokens).sum();
    assert_eq!(completion.usage.completion_tokens, written);
    assert_eq!(
        engine.complete(&request, &mut |_| ControlFlow::Continue(())).unwrap().choices,
        completion.choices
    );
}

#[test]
fn the_best_are_those_with_the_highest_mean_log_probability() {
    let engine = engine();
    let request = GenerateRequest { n: 8, top_logprobs: Some(1), ..warm(7) };
    let all = engine.complete(&request, &mut |_| ControlFlow::Continue(())).unwrap();
    let mean = |one: &Generated| {
        one.logprobs.iter().map(|token| token.logprob.unwrap()).sum::<f32>()
            / one.logprobs.len() as f32
    };
    let mut ranked = all.choices;
    ranked.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    let request = GenerateRequest { n: 2, best_of: 8, ..request };
    let best = engine.complete(&request, &mut |piece: Piece| {
        assert!(piece.text.is_empty() && piece.token.is_none());
        ControlFlow::Continue(())
    });
    assert_eq!(best.unwrap().choices, ranked[..2]);
}

#[test]
fn log_probabilities_stand_beside_the_tokens() {
    let engine = engine();
    let plain = run(&engine, &request("abc"));
    let asked = GenerateRequest { top_logprobs: Some(3), ..request("abc") };
    let generated = run(&engine, &asked);
    assert_eq!((&generated.tokens, &generated.text), (&plain.tokens, &plain.text));
    assert_eq!((plain.logprobs.len(), generated.logprobs.len()), (0, generated.tokens.len()));
    for (token, chosen) in generated.tokens.iter().zip(&generated.logprobs) {
        assert_eq!((chosen.token, chosen.top.len()), (*token, 3));
        // Greedy: the likeliest is the chosen one.
        assert_eq!(chosen.top[0], (*token, chosen.logprob.unwrap()));
        assert!(chosen.logprob.unwrap() <= 0.0 && chosen.top[0].1 >= chosen.top[1].1);
    }
}

#[test]
fn counts_out_of_range_are_refused_by_name() {
    let engine = engine();
    for (request, name) in [
        (GenerateRequest { n: 0, ..request("a") }, "n is 0"),
        (GenerateRequest { n: 129, ..request("a") }, "n is 129"),
        (GenerateRequest { n: 3, best_of: 2, ..request("a") }, "best_of is 2"),
        (GenerateRequest { top_logprobs: Some(21), ..request("a") }, "top_logprobs is 21"),
    ] {
        let error = engine.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(matches!(error, Error::Count { .. }));
    }
}

#[test]
fn biases_and_penalties_are_heard() {
    let engine = engine();
    let plain = run(&engine, &request("abc"));
    let with = |sampling: Sampling| run(&engine, &GenerateRequest { sampling, ..request("abc") });
    let banned = Sampling { logit_bias: [(plain.tokens[0], -100.0)].into(), ..Sampling::default() };
    assert!(!with(banned).tokens.contains(&plain.tokens[0]));
    let forced = Sampling { logit_bias: [(262, 100.0)].into(), ..Sampling::default() };
    assert_eq!(with(forced.clone()).tokens, [262; 30]);
    let penalised = Sampling { presence_penalty: 2.0, frequency_penalty: 2.0, ..forced.clone() };
    assert_eq!(with(penalised).tokens[..30], [262; 30]);
    let dry = Some(Dry { multiplier: 1000.0, ..Dry::default() });
    let tokens = with(Sampling { dry, ..forced }).tokens;
    assert!(tokens.windows(5).all(|five| five != [262; 5]), "{tokens:?}");
    let strange = Sampling { logit_bias: [(99_999, 1.0)].into(), ..Sampling::default() };
    let asked = GenerateRequest { sampling: strange, ..request("a") };
    let error = engine.generate(&asked, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, Error::BiasToken { token: 99_999, .. }), "{error}");
}

#[test]
fn tokens_can_be_a_prompt() {
    let engine = engine();
    let tokens = engine.tokens(&Prompt::Text("abc".into())).unwrap();
    let asked = GenerateRequest { prompt: Prompt::Tokens(tokens), ..warm(1) };
    assert_eq!(run(&engine, &asked), run(&engine, &warm(1)));
    let strange = GenerateRequest { prompt: Prompt::Tokens(vec![1, 99_999]), ..warm(1) };
    let error = engine.generate(&strange, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, Error::Vocabulary { token: 99_999, .. }), "{error}");
}
