//! Logits have the same bits however they are computed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_kernels::encode_row;
use allod_lm::{Batch, Checkpoint, Format, Isa, PAGE_TOKENS};
use common::{Numbers, VOCABULARY, all_logits, infer, open, tiny, tiny_keys, tiny_tensors};
use std::sync::Arc;

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
    for model in [tiny(), tiny_rounded()] {
        let reference = all_logits(&mut infer(&model, 1, Isa::Scalar), 0, &tokens, 130);
        assert_eq!(reference.len(), 130 * VOCABULARY);
        for isa in Isa::available() {
            for threads in [1, 2, 3] {
                for chunk in [1, 7, 20, 64, 130] {
                    let found = all_logits(&mut infer(&model, threads, isa), 0, &tokens, chunk);
                    assert!(bits(&found) == bits(&reference), "{isa:?} {threads} {chunk}");
                }
            }
        }
    }
}

#[test]
fn company_in_a_batch_does_not_matter() {
    [tiny(), tiny_rounded()].iter().for_each(company_does_not_matter);
}

fn company_does_not_matter(model: &Arc<Checkpoint>) {
    let sequences = [tokens(2, 40), tokens(3, 40), tokens(4, 40)];
    let mut together = infer(model, 2, Isa::detect());
    let mut found = vec![Vec::new(); 3];
    // Sequences advance at their own pace: 1, 2 and 3 tokens at a time, from different starts.
    for step in 0..40 {
        let mut batch = Batch::new();
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
        let alone = all_logits(&mut infer(model, 1, Isa::Scalar), 0, sequence, 40);
        assert!(found[slot] == bits(&alone), "sequence {slot}");
    }
}

#[test]
fn what_a_truncated_sequence_left_does_not_matter() {
    let model = tiny();
    let (first, second) = (tokens(5, 50), tokens(6, 30));
    let mut used = infer(&model, 1, Isa::detect());
    all_logits(&mut used, 0, &first, 50);
    used.truncate(0, 20);
    let found = all_logits(&mut used, 0, &second, 30);
    let whole: Vec<u32> = first[..20].iter().chain(&second).copied().collect();
    let fresh = all_logits(&mut infer(&model, 1, Isa::detect()), 0, &whole, 50);
    assert!(bits(&found) == bits(&fresh[20 * VOCABULARY..]));
}

#[test]
fn pages_of_another_sequence_do_not_matter() {
    let (model, tokens) = (tiny(), tokens(6, 100));
    let mut infer = infer(&model, 1, Isa::detect());
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
    let mut infer = infer(&tiny(), 1, Isa::detect());
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
