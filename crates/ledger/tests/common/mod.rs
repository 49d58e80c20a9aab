//! Receipts to test with.

use allod_ledger::receipt::{
    Check, Evidence, Mode, Model, Outcome, PolicyUsed, RECEIPT_VERSION, Receipt, Request,
    RequestKind, Rule, Sampling, Software, Timings, Tokens, Verdict,
};

/// The origin of the ledgers in the tests.
pub const ORIGIN: &str = "gemeinde.example/allod";

/// A receipt with everything in it; `id` tells one from another.
pub fn receipt(id: &str) -> Receipt {
    Receipt {
        version: RECEIPT_VERSION.to_owned(),
        time: "2026-03-02T09:30:00Z".parse().expect("a time"),
        request: Request {
            id: id.to_owned(),
            kind: RequestKind::Ask,
            tenant: "bauamt".to_owned(),
            subject: "p-7f3a".to_owned(),
        },
        model: Some(model()),
        policy: PolicyUsed { digest: digest('b'), name: "built-in".to_owned() },
        numerics: "allod-1".to_owned(),
        sampling: Some(sampling()),
        index: Some(digest('d')),
        evidence: vec![passage(120, 344)],
        citations: vec![passage(130, 290)],
        facts: serde_json::json!({"request": {"language": "de", "question_chars": 42}}),
        rules: vec![Rule { id: "cite".to_owned(), because: "Quellen sind Pflicht".to_owned() }],
        outcome: Outcome::Answered,
        mode: Mode::Quote,
        confidence: 0.1 + 0.2,
        checks: vec![Check { sentence: 0, verdict: Verdict::Supported, score: 1.0 }],
        prompt_commitment: allod_ledger::commit(&[1; 32], "Wie hoch darf die Hecke sein?"),
        answer_commitment: Some(allod_ledger::commit(&[2; 32], "Höchstens 1,5 m [1].")),
        output_commitment: Some(allod_ledger::commit(&[3; 32], "[1]")),
        tokens: Tokens { prompt: 210, completion: 18 },
        timings_ms: Timings { retrieval: 3, generation: 0, total: 4 },
        limits: [("max_tokens".to_owned(), 256)].into(),
        review: None,
        work: None,
        attempts: Vec::new(),
        software: Software { version: "0.1.0".to_owned(), confinement: Default::default() },
    }
}

/// A receipt of a refusal, as short as they come.
pub fn short_receipt(id: &str) -> Receipt {
    Receipt {
        model: None,
        sampling: None,
        index: None,
        evidence: Vec::new(),
        citations: Vec::new(),
        facts: serde_json::Value::Null,
        rules: Vec::new(),
        outcome: Outcome::Refused,
        mode: Mode::None,
        checks: Vec::new(),
        answer_commitment: None,
        output_commitment: None,
        limits: [].into(),
        ..receipt(id)
    }
}

fn model() -> Model {
    Model {
        name: "apertus-8b".to_owned(),
        digest: Some(digest('d')),
        tokenizer: Some(digest('e')),
        files: Some(digest('f')),
        template: Some(digest('f')),
        adapter: None,
        prompt: Some("grounded-1".to_owned()),
    }
}

fn passage(start: u64, end: u64) -> Evidence {
    let (path, digest) = ("reglement/bau.md".to_owned(), digest('c'));
    Evidence { path, digest, start, end, score: 7.123_456_789 }
}

fn sampling() -> Sampling {
    Sampling {
        temperature: f64::from(0.7_f32),
        top_k: 40,
        top_p: 0.9,
        min_p: 0.0,
        repetition_penalty: 1.0,
        repetition_window: 64,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        typical_p: 1.0,
        seed: u64::MAX,
    }
}

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}
