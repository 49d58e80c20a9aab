//! What is written down of a request: its payloads, its place in the review queue, its receipt.
//!
//! The order makes each crash harmless. Payloads and queue entry are there before the receipt
//! counts: without one they are only words that nobody was answered. Then the receipt, durable;
//! only then the reply.

use std::collections::BTreeMap;

use allod_corpus::Language;
use allod_ledger::receipt::{self, Receipt};
use allod_ledger::{Prepared, commit, new_salt};
use allod_policy::{Fired, Outcome, Policy, Prompts};
use allod_retrieval::Evidence;
use allod_store::{ArtifactRow, NewReview, PayloadRow, ReviewKind};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ask::Caller;
use crate::case::{Case, millis};
use crate::desk::Desk;
use crate::error::Error;
use crate::generator::Generator;
use crate::output::Output;
use crate::reader::Reader;
use crate::reply::{Citation, Mode, ReceiptRef};
use crate::rounds::{self, Left};
use crate::work;

/// The name of the arithmetic rules that answers are computed under.
pub(crate) const NUMERICS: &str = allod_engine::NUMERICS;

/// A record about to be written.
pub(crate) struct Record<'a> {
    case: &'a Case<'a>,
    outcome: Outcome,
    id: String,
}

impl<'a> Record<'a> {
    pub(crate) fn new(case: &'a Case<'a>, outcome: Outcome) -> Record<'a> {
        Record { case, outcome, id: new_id() }
    }

    /// Writes everything; durable when it returns. Gives the queue entry's id, if any, and the
    /// receipt's place.
    pub(crate) fn write(&self, desk: &Desk) -> Result<(Option<String>, ReceiptRef), Error> {
        let keeper = Keeper { desk, caller: &self.case.ask.caller };
        let output = self.output().map(|output| output.text());
        let prompt = self.prompt().to_string();
        let (words, rows) = keeper.words(&prompt, self.answer(), output.as_deref())?;
        let review = self.queue(desk)?;
        let work = self.work(&keeper)?;
        let receipt = Receipt { review: review.clone(), work, ..self.receipt(words) };
        self.keep_named(desk)?;
        let placed = append(desk, rows, receipt)?;
        if let Some(id) = &review {
            desk.store.link_review(id, placed.index)?;
        }
        Ok((review, placed))
    }

    /// The calls of tools, with their words kept.
    fn work(&self, keeper: &Keeper) -> Result<Option<receipt::Work>, Error> {
        let Some(done) = &self.case.work else { return Ok(None) };
        let name = self.case.facts.request.work.as_ref().map_or("", |work| work.name.word());
        work::record::work(keeper, name, done).map(Some)
    }

    /// The text of the draft, if it has any.
    pub(crate) fn answer(&self) -> Option<&str> {
        let text = self.case.draft.as_ref().map(|draft| draft.text.as_str());
        text.filter(|text| !text.is_empty())
    }

    /// What the model wrote, token by token.
    pub(crate) fn output(&self) -> Option<Output> {
        self.case.written.as_ref().and_then(|written| Output::of(std::slice::from_ref(written)))
    }

    /// Keeps the documents' list and the calibration, which the receipt names.
    fn keep_named(&self, desk: &Desk) -> Result<(), Error> {
        let store = desk.store.as_ref();
        if let Some(listed) = &self.case.listed {
            desk.shelf.keep(store, listed.digest(), || listed.artifacts().cloned().collect())?;
        }
        let facts = self.case.facts.evidence.as_ref();
        if facts.is_some_and(|facts| facts.calibrated.is_some()) {
            let calibrated = self.case.means.calibrated;
            let row = || vec![ArtifactRow::new("calibration", calibrated.text().to_owned())];
            desk.shelf.keep(store, calibrated.digest(), row)?;
        }
        Ok(())
    }

    /// All that a replay needs to ask the same again.
    pub(crate) fn prompt(&self) -> Value {
        let case = self.case;
        let messages = case.prompt.as_ref().map(|request| match &request.prompt {
            allod_engine::Prompt::Chat(messages) => crate::kept::shown(messages),
            // The documents are put before the model as a conversation, always.
            _ => Value::Null,
        });
        json!({
            "question": case.ask.question.trim(),
            "language": case.language.code(),
            "given_language": case.ask.language.map(Language::code),
            "on": case.on.to_string(),
            "clearance": case.ask.caller.clearance.labels,
            "messages": messages,
        })
    }

    /// Puts the request into the queue when a person is to decide it.
    fn queue(&self, desk: &Desk) -> Result<Option<String>, Error> {
        let case = self.case;
        let kind = match self.outcome {
            Outcome::Escalated => ReviewKind::Escalated,
            Outcome::HumanReview => ReviewKind::HumanReview,
            Outcome::Answered | Outcome::Refused => return Ok(None),
        };
        let draft = case.draft.as_ref().map(
            |draft| json!({"answer": draft.text, "mode": draft.mode, "citations": draft.citations}),
        );
        let review = NewReview {
            kind,
            tenant: case.ask.caller.tenant.clone(),
            subject: case.ask.caller.subject.clone(),
            reasons: case.decision.rules.iter().map(|rule| rule.because.clone()).collect(),
            receipt_index: None,
            request_json: json!({
                "id": self.id,
                "question": case.ask.question.trim(),
                "language": case.language.code(),
                "subject": case.ask.caller.subject,
                "labels": case.ask.caller.clearance.labels,
                "work": case.facts.request.work,
                "calls": case.work.as_ref().map(work::record::shown),
            })
            .to_string(),
            draft_json: draft.map(|draft| draft.to_string()),
        };
        Ok(Some(desk.store.enqueue_review(&review)?.id))
    }

    /// The receipt, before anyone is to decide.
    pub(crate) fn receipt(&self, words: Words) -> Receipt {
        let case = self.case;
        let draft = case.draft.as_ref();
        let ours = case.prompt.is_some() && case.elsewhere.is_none();
        let generator = case.means.generator.filter(|_| ours);
        let evidence = case.evidence();
        let answered = draft.filter(|_| self.outcome == Outcome::Answered);
        let blank = blank(case.means.policy, words);
        let limits = with_context(blank.limits.clone(), generator);
        let kind = match case.work {
            Some(_) => receipt::RequestKind::Work,
            None => receipt::RequestKind::Ask,
        };
        Receipt {
            request: request(&self.id, kind, &case.ask.caller),
            attempts: work::record::attempts(evidence),
            model: case
                .elsewhere
                .clone()
                .or_else(|| generator.map(|generator| generator.record(None))),
            sampling: case.prompt.as_ref().map(|request| sampling(&request.sampling)),
            numerics: generator.map_or(NUMERICS, Generator::numerics).into(),
            index: case.listed.as_ref().map(|listed| listed.digest().to_owned()),
            evidence: evidence.iter().map(evidence_record).collect(),
            citations: draft.map_or(&[][..], |d| &d.citations).iter().map(cited).collect(),
            facts: facts(&case.facts),
            rules: rules(&case.decision.rules),
            outcome: outcome(self.outcome),
            mode: mode(answered.map_or(Mode::None, |draft| draft.mode)),
            confidence: case.confidence(),
            checks: draft.map(|draft| checks(&draft.checks)).unwrap_or_default(),
            tokens: draft.map(|draft| tokens(draft.tokens)).unwrap_or_default(),
            timings_ms: receipt::Timings {
                retrieval: case.retrieval_ms,
                generation: case.generation_ms,
                total: millis(case.opened),
            },
            limits,
            ..blank
        }
    }
}

/// The commitments to what was asked and answered.
pub(crate) struct Words {
    pub(crate) prompt: String,
    pub(crate) answer: Option<String>,
    pub(crate) output: Option<String>,
}

/// Keeps the words of a request, if the policy lets them be kept, and commits to them.
pub(crate) struct Keeper<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) caller: &'a Caller,
}

impl Keeper<'_> {
    /// Commits to all; gives what is to be stored with the receipt, which is nothing where the
    /// policy forbids it.
    pub(crate) fn words(
        &self,
        prompt: &str,
        answer: Option<&str>,
        output: Option<&str>,
    ) -> Result<(Words, Vec<PayloadRow>), Error> {
        let mut rows = vec![self.row("prompt", prompt)?];
        let mut words = Words { prompt: rows[0].commitment.clone(), answer: None, output: None };
        let others = [("answer", answer, &mut words.answer), ("output", output, &mut words.output)];
        for (kind, content, commitment) in others {
            if let Some(content) = content {
                let row = self.row(kind, content)?;
                *commitment = Some(row.commitment.clone());
                rows.push(row);
            }
        }
        if self.desk.policy.logging.prompts == Prompts::NotRetained {
            rows.clear();
        }
        Ok((words, rows))
    }

    /// Commits to two texts of other kinds and stores them, unless the policy forbids it.
    pub(crate) fn keep_both(&self, words: &[(&str, String); 2]) -> Result<[String; 2], Error> {
        let rows = [self.row(words[0].0, &words[0].1)?, self.row(words[1].0, &words[1].1)?];
        if self.desk.policy.logging.prompts != Prompts::NotRetained {
            self.desk.store.put_payloads(&rows)?;
        }
        Ok(rows.map(|row| row.commitment))
    }

    fn row(&self, kind: &str, content: &str) -> Result<PayloadRow, Error> {
        let salt = new_salt()?;
        Ok(PayloadRow {
            commitment: commit(&salt, content),
            salt_hex: salt.iter().map(|byte| format!("{byte:02x}")).collect(),
            kind: kind.into(),
            content: content.into(),
            tenant: self.caller.tenant.clone(),
            subject: self.caller.subject.clone(),
            created_at: Timestamp::now().to_string(),
        })
    }
}

/// Appends a receipt, once the words that it commits to are stored, and keeps the policy that it
/// names; durable when it returns.
pub(crate) fn append(
    desk: &Desk,
    rows: Vec<PayloadRow>,
    mut receipt: Receipt,
) -> Result<ReceiptRef, Error> {
    receipt.software.confinement = desk.confinement.clone();
    let policy = || vec![ArtifactRow::new("policy", desk.policy.text().to_owned())];
    desk.shelf.keep(desk.store.as_ref(), desk.policy.digest(), policy)?;
    keep_files(desk, &receipt)?;
    let leaf = rounds::write(desk, Left { rows, receipt: Prepared::new(&receipt)? })?;
    Ok(ReceiptRef { index: leaf.index, leaf: leaf.leaf_hash.to_string() })
}

/// Keeps the list of the model's files, which the receipt names.
fn keep_files(desk: &Desk, receipt: &Receipt) -> Result<(), Error> {
    let Some(digest) = receipt.model.as_ref().and_then(|model| model.files.as_deref()) else {
        return Ok(());
    };
    let ours = [
        desk.generator.as_ref().and_then(Generator::files),
        desk.embedder.as_ref().and_then(Reader::files),
        desk.reranker.as_ref().and_then(Reader::files),
    ];
    let Some(list) = ours.into_iter().flatten().find(|list| list.digest() == digest) else {
        return Ok(());
    };
    let row = || vec![ArtifactRow::new(MODEL_FILES, list.text().to_owned())];
    desk.shelf.keep(desk.store.as_ref(), digest, row)
}

/// What a list of a model's files is kept as.
pub(crate) const MODEL_FILES: &str = "model-files";

/// A receipt of nothing yet, for the parts that a kind of request does not have.
pub(crate) fn blank(policy: &Policy, words: Words) -> Receipt {
    let limits = [
        ("answer_choices_max", policy.limits.answer_choices_max),
        ("question_chars_max", policy.limits.question_chars_max),
        ("answer_tokens_max", policy.limits.answer_tokens_max),
    ];
    Receipt {
        version: allod_ledger::RECEIPT_VERSION.into(),
        time: Timestamp::now(),
        request: receipt::Request {
            id: String::new(),
            kind: receipt::RequestKind::Ask,
            tenant: String::new(),
            subject: String::new(),
        },
        model: None,
        policy: receipt::PolicyUsed { digest: policy.digest().into(), name: policy.name.clone() },
        numerics: NUMERICS.into(),
        sampling: None,
        index: None,
        evidence: Vec::new(),
        citations: Vec::new(),
        facts: Value::Null,
        rules: Vec::new(),
        outcome: receipt::Outcome::Refused,
        mode: receipt::Mode::None,
        confidence: 0.0,
        checks: Vec::new(),
        prompt_commitment: words.prompt,
        answer_commitment: words.answer,
        output_commitment: words.output,
        tokens: receipt::Tokens::default(),
        timings_ms: receipt::Timings::default(),
        limits: limits.map(|(name, value)| (name.to_owned(), u64::from(value))).into(),
        review: None,
        work: None,
        attempts: Vec::new(),
        software: receipt::Software {
            version: env!("CARGO_PKG_VERSION").into(),
            confinement: receipt::Confinement::default(),
        },
    }
}

/// The limits with that of the model, where one of ours ran.
pub(crate) fn with_context(
    mut limits: BTreeMap<String, u64>,
    generator: Option<&Generator>,
) -> BTreeMap<String, u64> {
    let context = generator.and_then(Generator::context_length);
    limits.extend(context.map(|tokens| (CONTEXT_TOKENS.to_owned(), tokens as u64)));
    limits
}

/// The name of the limit of prompt and answer together.
pub(crate) const CONTEXT_TOKENS: &str = "context_tokens";

/// A request's own identifier: 128 random bits.
pub(crate) fn new_id() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn request(id: &str, kind: receipt::RequestKind, caller: &Caller) -> receipt::Request {
    receipt::Request {
        id: id.into(),
        kind,
        tenant: caller.tenant.clone(),
        subject: caller.subject.clone(),
    }
}

pub(crate) fn facts(facts: &allod_policy::Facts) -> Value {
    serde_json::to_value(facts).expect("facts are plain data")
}

pub(crate) fn rules(fired: &[Fired]) -> Vec<receipt::Rule> {
    let rule =
        |fired: &Fired| receipt::Rule { id: fired.id.clone(), because: fired.because.clone() };
    fired.iter().map(rule).collect()
}

pub(crate) fn outcome(outcome: Outcome) -> receipt::Outcome {
    match outcome {
        Outcome::Answered => receipt::Outcome::Answered,
        Outcome::Refused => receipt::Outcome::Refused,
        Outcome::Escalated => receipt::Outcome::Escalated,
        Outcome::HumanReview => receipt::Outcome::HumanReview,
    }
}

pub(crate) fn mode(mode: Mode) -> receipt::Mode {
    match mode {
        Mode::Quote => receipt::Mode::Quote,
        Mode::Generate => receipt::Mode::Generate,
        Mode::Upstream => receipt::Mode::Upstream,
        Mode::None => receipt::Mode::None,
    }
}

pub(crate) fn sampling(sampling: &allod_engine::Sampling) -> receipt::Sampling {
    receipt::Sampling {
        temperature: sampling.temperature.into(),
        top_k: sampling.top_k as u64,
        top_p: sampling.top_p.into(),
        min_p: sampling.min_p.into(),
        repetition_penalty: sampling.repetition_penalty.into(),
        repetition_window: sampling.repetition_window as u64,
        frequency_penalty: sampling.frequency_penalty.into(),
        presence_penalty: sampling.presence_penalty.into(),
        typical_p: sampling.typical_p.into(),
        seed: sampling.seed,
    }
}

pub(crate) fn tokens(tokens: crate::reply::Tokens) -> receipt::Tokens {
    receipt::Tokens { prompt: tokens.prompt, completion: tokens.completion }
}

fn evidence_record(evidence: &Evidence) -> receipt::Evidence {
    receipt::Evidence {
        path: evidence.path.clone(),
        digest: evidence.digest.to_string(),
        start: evidence.range.start as u64,
        end: evidence.range.end as u64,
        score: evidence.score,
    }
}

fn cited(citation: &Citation) -> receipt::Evidence {
    receipt::Evidence {
        path: citation.path.clone(),
        digest: citation.digest.clone(),
        start: citation.start as u64,
        end: citation.end as u64,
        score: citation.score,
    }
}

fn checks(checks: &[crate::grounded::Checked]) -> Vec<receipt::Check> {
    let numbered = checks.iter().enumerate();
    numbered
        .map(|(sentence, check)| receipt::Check {
            sentence: sentence as u64,
            verdict: match check.verdict {
                crate::support::Verdict::Supported => receipt::Verdict::Supported,
                crate::support::Verdict::Unsupported => receipt::Verdict::Unsupported,
                crate::support::Verdict::Contradicted => receipt::Verdict::Contradicted,
            },
            score: check.score,
        })
        .collect()
}
