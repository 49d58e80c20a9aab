//! What one receipt says: who asked, what was used, what was decided, and commitments to the words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::error::{Error, Result};

/// The value of [`Receipt::version`] that this crate writes.
pub const RECEIPT_VERSION: &str = "allod-receipt-1";

/// The longest canonical receipt, in bytes. An entry's length is a 16-bit number in the log.
pub const RECEIPT_BYTES_MAX: usize = 60 * 1024;

/// The record of one request, from question to outcome.
///
/// It holds no prompt and no answer, only salted commitments to them (see [`crate::commit`]).
/// Numbers with a fraction are rounded to six decimal places when the receipt is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which form this receipt has: [`RECEIPT_VERSION`].
    pub version: String,
    /// When the request was finished.
    pub time: jiff::Timestamp,
    /// Who asked, and how.
    pub request: Request,
    /// The model that wrote the answer; `None` if no model was run.
    pub model: Option<Model>,
    /// The policy that decided.
    pub policy: PolicyUsed,
    /// The name of the rule set for arithmetic, such as `allod-1`.
    pub numerics: String,
    /// How tokens were drawn; `None` if no model was run.
    pub sampling: Option<Sampling>,
    /// The digest of the list of all documents that the search could have found; not written where
    /// nothing was searched, or documents were being taken in just then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The passages that were put before the model or quoted, in the order of their numbers.
    pub evidence: Vec<Evidence>,
    /// The places that the answer or draft cites, in the order of their numbers.
    pub citations: Vec<Evidence>,
    /// The facts that the policy decided on, whole.
    pub facts: Value,
    /// The rules that fired.
    pub rules: Vec<Rule>,
    /// What became of the request.
    pub outcome: Outcome,
    /// How the answer was made.
    pub mode: Mode,
    /// How sure the retrieval was, from 0 to 1.
    pub confidence: f64,
    /// The verdict on each sentence of the answer.
    pub checks: Vec<Check>,
    /// Commitment to the prompt or question.
    pub prompt_commitment: String,
    /// Commitment to the answer; `None` if there was none.
    pub answer_commitment: Option<String>,
    /// Commitment to the tokens that the model wrote and the bits of their scores; not written if
    /// no model of ours ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_commitment: Option<String>,
    /// How many tokens were read and written.
    pub tokens: Tokens,
    /// How long each part took.
    pub timings_ms: Timings,
    /// The limits that were in force, such as `max_tokens`.
    pub limits: BTreeMap<String, u64>,
    /// The entry in the review queue, if a person is to decide.
    pub review: Option<String>,
    /// The work that was done with tools; not written for a plain question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The places of the evidence that speak to a model instead of to a reader; not written where
    /// there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The program that wrote this receipt.
    pub software: Software,
}

/// Work that was done with tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Which, such as `letter`.
    pub name: String,
    /// The calls of tools, those that were refused too, in order.
    pub calls: Vec<Call>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// What became of it.
    pub outcome: CallOutcome,
    /// The arguments that rested on untrusted text; not written if none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untrusted: Vec<String>,
    /// Commitment to the arguments.
    pub arguments_commitment: String,
    /// Commitment to the result, or to the reason why there is none.
    pub result_commitment: String,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It gave a result.
    Done,
    /// The policy does not grant it.
    Refused,
    /// It was granted, but could not be done.
    Failed,
}

/// A place of a document that speaks to a model instead of to a reader: bytes `start..end` of the
/// canonical text whose digest is `digest`. It had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The digest of the document version.
    pub digest: String,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// What it is about, such as `set_aside`.
    pub kind: String,
}

/// Who asked, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The request's own identifier.
    pub id: String,
    /// Which kind of request it was.
    pub kind: RequestKind,
    /// The tenant on whose behalf it was made.
    pub tenant: String,
    /// A pseudonym of the person or program that asked.
    pub subject: String,
}

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// A question to be answered from the documents.
    Ask,
    /// A conversation with the model, without documents.
    Chat,
    /// Plain generation from a prompt.
    Generate,
    /// Texts turned into vectors.
    Embed,
    /// Documents scored beside a query.
    Rerank,
    /// Work done with tools.
    Work,
    /// The words of a data subject destroyed; no request of theirs.
    Erase,
    /// Words deleted because they had been kept long enough.
    Expire,
    /// What a person decided on an entry of the review queue, which `review` names.
    Review,
    /// What a person says of an answer; `facts.feedback.receipt` names that answer's receipt.
    Feedback,
}

/// The identity of a model. Digests are `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The model's name.
    pub name: String,
    /// The digest of its weights; `None` for a model that runs elsewhere.
    pub digest: Option<String>,
    /// The digest of its tokenizer; `None` for a model that runs elsewhere.
    pub tokenizer: Option<String>,
    /// The digest of its chat template; `None` if it has none or runs elsewhere.
    pub template: Option<String>,
    /// The digest of the list of all files of its folder, each with its length and digest; not
    /// written for a model of one file or that runs elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// The name of our own prompt template, if one was used.
    pub prompt: Option<String>,
    /// The adapter that it ran with; not written if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
}

/// The adapter that a model ran with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    /// The name that it was asked for by.
    pub name: String,
    /// The digest of its files.
    pub digest: String,
}

/// The policy that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyUsed {
    /// The digest of the policy's text.
    pub digest: String,
    /// The policy's name.
    pub name: String,
}

/// How tokens were drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 means the most likely token, always.
    pub temperature: f64,
    /// 0 means off.
    pub top_k: u64,
    /// 1 means off.
    pub top_p: f64,
    /// 0 means off.
    pub min_p: f64,
    /// 1 means off.
    pub repetition_penalty: f64,
    /// How many tokens back the penalty looks.
    pub repetition_window: u64,
    /// 0 means off, and is not written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frequency_penalty: f64,
    /// 0 means off, and is not written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub presence_penalty: f64,
    /// 1 means off, and is not written.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub typical_p: f64,
    /// The seed, written as text: a JSON number cannot hold 64 bits.
    #[serde(with = "decimal_text")]
    pub seed: u64,
}

/// One passage: bytes `start..end` of the canonical text whose digest is `digest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The document's path when it was ingested.
    pub path: String,
    /// The digest of the document version.
    pub digest: String,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// The passage's score.
    pub score: f64,
}

/// A rule that fired, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The rule's identifier in the policy.
    pub id: String,
    /// The reason in words.
    pub because: String,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// It was refused.
    Refused,
    /// It was handed to an approved stronger model or office.
    Escalated,
    /// A person has to decide.
    HumanReview,
}

/// How an answer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Passages were quoted word for word.
    Quote,
    /// The local model wrote it.
    Generate,
    /// An approved model elsewhere wrote it.
    Upstream,
    /// There is no answer.
    None,
}

/// The verdict on one sentence of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The sentence's number, from 0.
    pub sentence: u64,
    /// Whether its citation bears it out.
    pub verdict: Verdict,
    /// The check's score.
    pub score: f64,
}

/// Whether a citation bears a sentence out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The cited passage says so.
    Supported,
    /// The cited passage does not say so.
    Unsupported,
    /// The cited passage says the opposite.
    Contradicted,
}

/// How many tokens were read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens that were generated.
    pub completion: u64,
}

/// How long each part took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Finding the passages.
    pub retrieval: u64,
    /// Writing the answer.
    pub generation: u64,
    /// From the request to the receipt.
    pub total: u64,
}

/// The program that wrote a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// Its version, such as `0.1.0`.
    pub version: String,
    /// What it could reach; not written where it was confined as promised and not sealed.
    #[serde(default, skip_serializing_if = "Confinement::is_plain")]
    pub confinement: Confinement,
}

/// What a program could reach beside what it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Where the sandbox for documents, or for the model (`model: …`), was weaker than promised:
    /// missing layers, and acts that it did not deny.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weaknesses: Vec<String>,
    /// Whether it could open no outgoing connection at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
}

impl Confinement {
    fn is_plain(&self) -> bool {
        *self == Confinement::default()
    }
}

impl Receipt {
    /// The receipt as the log stores it: canonical JSON (RFC 8785) in UTF-8.
    ///
    /// # Errors
    /// If a number cannot be written exactly, the version is not [`RECEIPT_VERSION`], or the text
    /// is longer than [`RECEIPT_BYTES_MAX`].
    pub fn to_entry(&self) -> Result<Vec<u8>> {
        let mut value = serde_json::to_value(self).map_err(Error::ReceiptNotJson)?;
        round_fractions(&mut value);
        let bytes = canonical::to_vec(&value)?;
        // What cannot be read back must not go in: a number that is none, another version.
        Receipt::from_entry(&bytes)?;
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(Error::ReceiptTooLong { bytes: bytes.len(), limit: RECEIPT_BYTES_MAX });
        }
        Ok(bytes)
    }

    /// Reads a receipt back from an entry of the log.
    ///
    /// # Errors
    /// If the entry is not a receipt of a version that this crate knows.
    pub fn from_entry(entry: &[u8]) -> Result<Receipt> {
        let receipt: Receipt = serde_json::from_slice(entry).map_err(Error::ReceiptNotJson)?;
        if receipt.version != RECEIPT_VERSION {
            return Err(Error::ReceiptVersion { found: receipt.version });
        }
        Ok(receipt)
    }
}

/// Rounds to six decimal places, so that the written form of a number does not depend on the last
/// bits of its computation.
#[must_use]
pub fn round_to_six_places(number: f64) -> f64 {
    let rounded = (number * 1e6).round() / 1e6;
    if rounded.is_finite() { rounded } else { number }
}

/// Rounds every number with a fraction in `value`, at any depth.
fn round_fractions(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().map(round_to_six_places);
            if let Some(rounded) = rounded.and_then(serde_json::Number::from_f64) {
                *number = rounded;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(round_fractions),
        Value::Object(members) => members.values_mut().for_each(round_fractions),
        _ => {}
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(number: &f64) -> bool {
    *number == 1.0
}

fn one() -> f64 {
    1.0
}

/// A 64-bit number as decimal text.
mod decimal_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{receipt, short_receipt};

    #[test]
    fn the_entry_is_canonical_and_reads_back() {
        for receipt in [receipt("1"), short_receipt("2")] {
            let entry = receipt.to_entry().unwrap();
            assert!(canonical::is_canonical(&entry));
            let again = Receipt::from_entry(&entry).unwrap();
            assert_eq!(again.to_entry().unwrap(), entry);
            assert_eq!(again.request, receipt.request);
        }
    }

    #[test]
    fn numbers_are_rounded_and_the_seed_is_whole() {
        let entry = String::from_utf8(receipt("1").to_entry().unwrap()).unwrap();
        for part in [
            r#""confidence":0.3,"#,
            r#""score":7.123457,"#,
            r#""temperature":0.7,"#,
            r#""seed":"18446744073709551615","#,
            r#""score":1,"#,
        ] {
            assert!(entry.contains(part), "{part} in {entry}");
        }
    }

    #[test]
    fn facts_are_rounded_at_any_depth() {
        let mut receipt = receipt("1");
        receipt.facts = serde_json::json!({"a": [{"b": 0.123_456_789}], "c": -0.000_000_1});
        let entry = String::from_utf8(receipt.to_entry().unwrap()).unwrap();
        assert!(entry.contains(r#""facts":{"a":[{"b":0.123457}],"c":0}"#), "{entry}");
    }

    #[test]
    fn a_long_receipt_is_refused() {
        let mut receipt = receipt("1");
        let length = receipt.to_entry().unwrap().len() - 1;
        receipt.request.id = "x".repeat(RECEIPT_BYTES_MAX - length);
        assert_eq!(receipt.to_entry().unwrap().len(), RECEIPT_BYTES_MAX);
        receipt.request.id.push('x');
        assert!(matches!(receipt.to_entry(), Err(Error::ReceiptTooLong { .. })));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mut receipt = receipt("1");
        receipt.tokens.prompt = 1 << 53;
        assert!(matches!(receipt.to_entry(), Err(Error::Number { .. })));
        receipt.tokens.prompt = 1;
        receipt.confidence = f64::NAN;
        // JSON has no such number; it becomes null, and that is no receipt.
        let entry = receipt.to_entry();
        assert!(entry.is_err(), "{entry:?}");
    }

    #[test]
    fn other_versions_are_refused() {
        let mut receipt = receipt("1");
        receipt.version = "allod-receipt-2".to_owned();
        let entry = receipt.to_entry();
        assert!(matches!(entry, Err(Error::ReceiptVersion { .. })), "{entry:?}");
    }
}
