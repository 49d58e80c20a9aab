//! Logits have the same bits however they are computed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{ActivationForm, Batch, CacheForm, Isa, Numerics, PAGE_TOKENS, Role};
use common::cases::{Case, Manner};
use common::{
    Numbers, VOCABULARY, all_logits, infer_with, models, relative_error, rule, tiny, tiny_rounded,
};

/// Cases that are drawn if nothing else is said.
const CASES: u64 = 24;

const FORMS: [CacheForm; 3] = CacheForm::ALL;

fn tokens(seed: u64, count: usize) -> Vec<u32> {
    let mut numbers = Numbers(seed);
    (0..count).map(|_| numbers.below(VOCABULARY) as u32).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A thousand are drawn with `ALLOD_CASES=1000`; the digest is the same on every machine.
#[test]
fn random_cases_have_the_bits_of_the_plain_run() {
    let count = std::env::var("ALLOD_CASES").map_or(CASES, |count| count.parse().unwrap());
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for number in 0..count {
        let case = Case::draw(number);
        let plain = case.plain();
        let finite = plain.iter().all(|bits| f32::from_bits(*bits).is_finite());
        assert!(finite && plain.len() == case.tokens.len() * models::VOCABULARY, "{}", case.name);
        for (index, isa) in Isa::available().into_iter().enumerate() {
            let mut numbers = Numbers(number << 8 | index as u64);
            let manner = Manner::draw(&mut numbers, isa, case.tokens.len());
            let found = case.logits(&manner, &mut numbers);
            let known = manner.known_pages * PAGE_TOKENS * models::VOCABULARY;
            assert!(found == plain[known..], "{}: {manner:?}", case.name);
        }
        // FNV-1a, word by word.
        for bits in plain {
            digest = (digest ^ u64::from(bits)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    eprintln!("digest of {count} cases: {digest:016x}");
}

/// The experts of a long prompt are computed together, those of a short piece one by one.
#[test]
fn a_long_prompt_through_experts_has_the_bits_of_its_pieces() {
    let is_long = |case: &Case| case.role == Role::Prompt && case.tokens.len() > PAGE_TOKENS * 2;
    let with_experts = |case: &Case| case.name.contains("qwen3moe") && is_long(case);
    for case in (0..).map(Case::draw).filter(with_experts).take(3) {
        let mut infer = infer_with(&case.model, 2, Isa::detect(), case.numerics);
        let pieces = all_logits(&mut infer, 0, &case.tokens, 20);
        infer.end(0);
        let whole = all_logits(&mut infer, 0, &case.tokens, case.tokens.len());
        assert!(bits(&pieces) == bits(&whole) && bits(&whole) == case.plain(), "{}", case.name);
    }
}

#[test]
fn impossible_rows_are_refused_and_change_nothing() {
    let mut infer = infer_with(&tiny(), 1, Isa::detect(), rule(CacheForm::Bf16));
    all_logits(&mut infer, 0, &[1, 2, 3], 3);
    for (slot, position, token, expected) in [
        (0, 3, VOCABULARY as u32, "97 tokens"),
        (0, 4, 1, "goes on at position 3"),
        (7, 0, 1, "3 slots"),
        (0, 256, 1, "holds 256 tokens"),
    ] {
        let mut batch = Batch::new();
        batch.push(slot, position, token);
        let message = infer.run(&batch).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(infer.length(0), 3);
    }
    all_logits(&mut infer, 1, &[1; PAGE_TOKENS], 3);
    let page = infer.copy(1, 0..PAGE_TOKENS);
    assert!(infer.paste(0, &page).is_err(), "it ends within a page");
}

/// Sequences that begin with the same pages are computed together, and a page that is written again
/// is first copied.
#[test]
fn sequences_that_share_pages_have_the_bits_that_they_have_alone() {
    let forms = ActivationForm::ALL.map(|form| (tiny_rounded(), form));
    for (model, activations) in [(tiny(), ActivationForm::Bf16)].into_iter().chain(forms) {
        let numerics = Numerics { activations, cache: CacheForm::Bf16 };
        let infer = |threads, isa| infer_with(&model, threads, isa, numerics);
        let start = tokens(7, 70);
        let mut together = infer(2, Isa::detect());
        all_logits(&mut together, 0, &start, 70);
        for slot in 1..3 {
            for from in [0, PAGE_TOKENS] {
                let page = together.copy(0, from..from + PAGE_TOKENS);
                together.paste(slot, &page).unwrap();
            }
        }
        let page = together.bytes_of(PAGE_TOKENS);
        assert_eq!(together.held_bytes(), 3 * page, "two are shared, one is the first's own");
        // The last one goes back within a page that all have.
        together.truncate(2, 50);
        let sequences: Vec<Vec<u32>> = [70, 64, 50]
            .iter()
            .zip(10..)
            .map(|(kept, seed)| [&start[..*kept], &tokens(seed, 30)].concat())
            .collect();
        let mut found = vec![Vec::new(); 3];
        for step in 0..30 {
            let mut batch = Batch::new();
            for (slot, sequence) in sequences.iter().enumerate() {
                let position = together.length(slot);
                batch.push(slot, position, sequence[position]);
                batch.want_last();
            }
            let logits = together.run(&batch).unwrap();
            logits.rows().zip(&mut found).for_each(|(row, found)| found.extend(bits(row)));
            // The third reaches its next page at its 64th token, the first at its 96th.
            let pages = 5 + usize::from(step >= 14) + usize::from(step >= 26);
            assert_eq!(together.held_bytes(), pages * page, "step {step}");
        }
        for (sequence, found) in sequences.iter().zip(&found) {
            let alone = all_logits(&mut infer(1, Isa::Scalar), 0, sequence, 33);
            assert!(found[..] == bits(&alone)[(sequence.len() - 30) * VOCABULARY..]);
        }
        (0..3).for_each(|slot| together.end(slot));
        assert_eq!(together.held_bytes(), 0);
    }
}

/// A sequence need not stand in a batch as one piece.
#[test]
fn sequences_whose_rows_take_turns_have_the_bits_that_they_have_alone() {
    for rule in Numerics::all() {
        let sequences = [tokens(3, 40), tokens(4, 40)];
        let mut together = infer_with(&tiny_rounded(), 2, Isa::detect(), rule);
        let mut found = [Vec::new(), Vec::new()];
        let mut batch = Batch::new();
        for position in 0..40 {
            for (slot, sequence) in sequences.iter().enumerate() {
                batch.push(slot, position, sequence[position]);
                batch.want_last();
            }
        }
        let logits = together.run(&batch).unwrap();
        logits.rows().enumerate().for_each(|(row, logits)| found[row % 2].extend(bits(logits)));
        for (sequence, found) in sequences.iter().zip(&found) {
            let mut alone = infer_with(&tiny_rounded(), 1, Isa::Scalar, rule);
            assert!(*found == bits(&all_logits(&mut alone, 0, sequence, 40)), "{rule:?}");
        }
    }
}

/// What is kept with less precision changes little.
#[test]
fn all_forms_of_cache_are_near_each_other() {
    let (model, tokens) = (tiny(), tokens(8, 130));
    let [exact, rounded, coded] = FORMS
        .map(rule)
        .map(|rule| all_logits(&mut infer_with(&model, 1, Isa::detect(), rule), 0, &tokens, 64));
    for (found, most) in [(rounded, 0.01), (coded, 0.03)] {
        let error = relative_error(&found, &exact);
        assert!(error > 0.0 && error < most, "{error}");
    }
}

/// Activations of 8 bits are near those of `bf16`, and prompts and answers are then computed alike.
#[test]
fn both_forms_of_activations_are_near_each_other() {
    let (mut different, mut errors) = (0, Vec::new());
    for number in 0..40 {
        let mut case = Case::draw(number);
        let mut logits = |activations, role| {
            (case.numerics.activations, case.role) = (activations, role);
            case.plain().into_iter().map(f32::from_bits).collect::<Vec<f32>>()
        };
        let rounded = logits(ActivationForm::Bf16, Role::Prompt);
        let coded = logits(ActivationForm::Int8, Role::Prompt);
        assert!(coded == logits(ActivationForm::Int8, Role::Answer), "{}", case.name);
        different += usize::from(coded != rounded);
        // Another expert may be chosen, where there are any.
        if !case.name.contains("moe") {
            let error = relative_error(&coded, &rounded);
            assert!(error < 0.1, "{}: {error}", case.name);
            errors.push(error);
        }
    }
    let mean = errors.iter().sum::<f32>() / errors.len() as f32;
    assert!(different > 5 && different < 40 && mean < 0.03, "{different} of 40, {mean}");
}

/// What is written is multiplied with codes, if there are any: near the same, not the same.
#[test]
fn an_answer_is_computed_in_another_way_where_weights_are_quantised() {
    let mut different = 0;
    for number in 0..30 {
        let mut case = Case::draw(number);
        case.numerics.activations = ActivationForm::Bf16;
        let [prompt, answer] = [Role::Prompt, Role::Answer].map(|role| {
            case.role = role;
            case.plain().into_iter().map(f32::from_bits).collect::<Vec<f32>>()
        });
        different += usize::from(prompt != answer);
        // Another expert may be chosen, where there are any.
        let near = relative_error(&answer, &prompt) < 0.1;
        assert!(near || case.name.contains("moe"), "{}", case.name);
    }
    assert!(different > 5 && different < 30, "{different} of 30");
}
