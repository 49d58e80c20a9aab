//! Logits have the same bits however they are computed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_kernels::encode_row;
use allod_lm::{Batch, CacheForm, Checkpoint, Format, Isa, PAGE_TOKENS, Role};
use common::{
    Numbers, VOCABULARY, all_logits, infer_with, logits_of, open, relative_error, tiny, tiny_keys,
    tiny_tensors,
};
use std::sync::Arc;

const FORMS: [CacheForm; 2] = [CacheForm::F32, CacheForm::Bf16];
const ROLES: [Role; 2] = [Role::Prompt, Role::Answer];

/// The small Llama with matrices in Q8_0, Q4_0 and, where rows are no whole blocks, BF16: those
/// whose products are rounded.
fn tiny_rounded() -> Arc<Checkpoint> {
    let mut file = tiny_keys();
    for (index, (name, shape, values)) in tiny_tensors().iter().enumerate() {
        let format = match shape[..] {
            [_] => Format::F32,
            [_, columns] if columns % 32 > 0 => Format::BF16,
            _ if index % 2 == 0 => Format::Q8_0,
            _ => Format::Q4_0,
        };
        let mut bytes = vec![0; format.row_bytes(values.len()).unwrap()];
        encode_row(format, values, &mut bytes).unwrap();
        file = file.tensor(name, shape, format, &bytes);
    }
    Arc::new(open(&file.build()).unwrap())
}

fn tokens(seed: u64, count: usize) -> Vec<u32> {
    let mut numbers = Numbers(seed);
    let token = |value: f32| ((value / 0.4 + 0.5) * VOCABULARY as f32) as u32 % VOCABULARY as u32;
    (0..count).map(|_| token(numbers.next())).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn chunks_threads_and_instruction_sets_do_not_matter() {
    let tokens = tokens(1, 130);
    let models = [tiny(), tiny_rounded()];
    let forms = models.iter().flat_map(|model| FORMS.map(|form| (model, form)));
    for ((model, form), role) in forms.flat_map(|one| ROLES.map(|role| (one, role))) {
        let logits = |threads, isa, chunk| {
            logits_of(role, &mut infer_with(model, threads, isa, form), 0, &tokens, chunk)
        };
        let reference = logits(1, Isa::Scalar, 130);
        assert_eq!(reference.len(), 130 * VOCABULARY);
        for isa in Isa::available() {
            for threads in [1, 2, 3] {
                for chunk in [1, 7, 20, 64, 130] {
                    let found = logits(threads, isa, chunk);
                    assert!(bits(&found) == bits(&reference), "{role:?} {isa:?} {threads} {chunk}");
                }
            }
        }
    }
}

/// What is written is multiplied with codes, if there are any: near the same, not the same.
#[test]
fn an_answer_is_computed_in_another_way_where_weights_are_quantised() {
    let tokens = tokens(8, 60);
    for (model, same) in [(tiny(), true), (tiny_rounded(), false)] {
        let [prompt, answer] = ROLES.map(|role| {
            let mut infer = infer_with(&model, 1, Isa::detect(), CacheForm::Bf16);
            logits_of(role, &mut infer, 0, &tokens, 20)
        });
        assert_eq!(bits(&prompt) == bits(&answer), same);
        assert!(relative_error(&answer, &prompt) < 0.03);
    }
}

#[test]
fn company_in_a_batch_does_not_matter() {
    for (form, role) in FORMS.into_iter().flat_map(|form| ROLES.map(|role| (form, role))) {
        [tiny(), tiny_rounded()]
            .iter()
            .for_each(|model| company_does_not_matter(model, form, role));
    }
}

fn company_does_not_matter(model: &Arc<Checkpoint>, form: CacheForm, role: Role) {
    let infer = |threads, isa| infer_with(model, threads, isa, form);
    let sequences = [tokens(2, 40), tokens(3, 40), tokens(4, 40)];
    let mut together = infer(2, Isa::detect());
    let mut found = vec![Vec::new(); 3];
    // Sequences advance at their own pace: 1, 2 and 3 tokens at a time, from different starts.
    for step in 0..40 {
        let mut batch = Batch::of(role);
        let mut order = Vec::new();
        for (slot, sequence) in sequences.iter().enumerate() {
            let start = together.length(slot);
            let end = if step < slot { start } else { sequence.len().min(start + slot + 1) };
            for (position, token) in (start..end).zip(&sequence[start..end]) {
                batch.push(slot, position, *token);
                batch.want_last();
                order.push(slot);
            }
        }
        let logits = together.run(&batch).unwrap();
        order.iter().zip(logits.rows()).for_each(|(slot, row)| found[*slot].extend(bits(row)));
    }
    for (slot, sequence) in sequences.iter().enumerate() {
        let alone = logits_of(role, &mut infer(1, Isa::Scalar), 0, sequence, 40);
        assert!(found[slot] == bits(&alone), "sequence {slot}");
    }
}

#[test]
fn what_a_truncated_sequence_left_does_not_matter() {
    FORMS.into_iter().for_each(what_was_left_does_not_matter);
}

fn what_was_left_does_not_matter(form: CacheForm) {
    let model = tiny();
    let infer = |threads, isa| infer_with(&model, threads, isa, form);
    let (first, second) = (tokens(5, 50), tokens(6, 30));
    let mut used = infer(1, Isa::detect());
    all_logits(&mut used, 0, &first, 50);
    used.truncate(0, 20);
    let found = all_logits(&mut used, 0, &second, 30);
    let whole: Vec<u32> = first[..20].iter().chain(&second).copied().collect();
    let fresh = all_logits(&mut infer(1, Isa::detect()), 0, &whole, 50);
    assert!(bits(&found) == bits(&fresh[20 * VOCABULARY..]));
}

#[test]
fn pages_of_another_sequence_do_not_matter() {
    FORMS.into_iter().for_each(another_sequences_pages_do_not_matter);
}

fn another_sequences_pages_do_not_matter(form: CacheForm) {
    let (model, tokens) = (tiny(), tokens(6, 100));
    let mut infer = infer_with(&model, 1, Isa::detect(), form);
    let whole = all_logits(&mut infer, 0, &tokens, 33);
    for pages in 1..=3 {
        let known = pages * PAGE_TOKENS;
        infer.end(1);
        for start in (0..known).step_by(PAGE_TOKENS) {
            let page = infer.copy(0, start..start + PAGE_TOKENS);
            infer.paste(1, &page).unwrap();
        }
        let mut batch = Batch::new();
        for (position, token) in (known..).zip(&tokens[known..]) {
            batch.push(1, position, *token);
            batch.want_last();
        }
        let rest = infer.run(&batch).unwrap().into_values();
        assert!(bits(&rest) == bits(&whole[known * VOCABULARY..]), "{pages} pages");
    }
    let page = infer.copy(0, 0..PAGE_TOKENS);
    assert!(infer.paste(1, &page).is_err(), "it ends within a page");
}

#[test]
fn impossible_rows_are_refused_and_change_nothing() {
    let mut infer = infer_with(&tiny(), 1, Isa::detect(), CacheForm::Bf16);
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
}

/// Sequences that begin with the same pages are computed together, and a page that is written again
/// is first copied.
#[test]
fn sequences_that_share_pages_have_the_bits_that_they_have_alone() {
    for model in [tiny(), tiny_rounded()] {
        let infer = |threads, isa| infer_with(&model, threads, isa, CacheForm::Bf16);
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

/// The rounded cache changes little.
#[test]
fn both_forms_of_cache_are_near_each_other() {
    let (model, tokens) = (tiny(), tokens(8, 130));
    let [exact, rounded] = FORMS
        .map(|form| all_logits(&mut infer_with(&model, 1, Isa::detect(), form), 0, &tokens, 64));
    let error = common::relative_error(&rounded, &exact);
    assert!(error > 0.0 && error < 0.01, "{error}");
}
