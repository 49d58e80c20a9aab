//! A recorded answer, made again and compared with its receipt.
//!
//! Nothing is recorded by it. Who asked, when, and how long it took are not made again; all else of
//! the receipt is, and the words and tokens that it commits to.

mod compare;
mod difference;
mod files;
mod indexes;
mod means;

use std::ops::ControlFlow;

use allod_ledger::commit;
use allod_ledger::receipt::{Mode, Receipt, RequestKind};
use allod_retrieval::Clearance;
use serde_json::Value;

use crate::ask::{Ask, Caller};
use crate::case::Case;
use crate::chat::Turn;
use crate::error::Error;
use crate::kept;
use crate::output::Output;
use crate::record::{Record, Words};
use compare::{Again, compare};
pub use difference::Difference;
pub use means::{ReplayOptions, Replayer};

/// What came of a replay.
#[derive(Clone, Debug, PartialEq)]
pub enum Replayed {
    /// Everything is as it was recorded.
    Identical,
    /// Something is not; the first that is not, in the order in which an answer is made.
    Differs(Difference),
    /// It cannot be made again, and why.
    Impossible(String),
}

/// Why a replay ends before everything was compared.
pub(crate) enum Stop {
    Differs(Box<Difference>),
    Impossible(String),
    Failed(Error),
}

impl Stop {
    pub(crate) fn differs(difference: Difference) -> Stop {
        Stop::Differs(Box::new(difference))
    }
}

/// What was kept of a request.
struct Kept {
    prompt: Value,
    answer: Option<String>,
    output: Option<Output>,
}

impl Replayer {
    /// Makes the answer of a receipt again.
    ///
    /// # Errors
    /// When the store or a folder fails. What stands in the way of this one answer is no error.
    pub fn replay(&mut self, receipt: &Receipt) -> Result<Replayed, Error> {
        self.unchecked = unchecked(receipt);
        match self.again(receipt) {
            Ok(()) => Ok(Replayed::Identical),
            Err(Stop::Differs(difference)) => Ok(Replayed::Differs(*difference)),
            Err(Stop::Impossible(reason)) => Ok(Replayed::Impossible(reason)),
            Err(Stop::Failed(error @ (Error::Store(_) | Error::Folder { .. }))) => Err(error),
            Err(Stop::Failed(error)) => Ok(Replayed::Impossible(error.to_string())),
        }
    }

    /// What could not be compared at the last replay since its receipt does not name it.
    #[must_use]
    pub fn unchecked(&self) -> Option<&str> {
        let folder = self.generator().is_some_and(|generator| generator.files().is_some());
        self.unchecked.filter(|_| folder)
    }

    fn again(&mut self, receipt: &Receipt) -> Result<(), Stop> {
        if receipt.mode == Mode::Upstream {
            let name = receipt.model.as_ref().map_or("a model", |model| &model.name);
            let reason = format!("{name} wrote the answer on another server");
            return Err(Stop::Impossible(reason));
        }
        if crate::elsewhere::route_of(receipt).is_some() {
            let reason = "another server was asked, or was not free to be asked";
            return Err(Stop::Impossible(reason.into()));
        }
        match receipt.request.kind {
            RequestKind::Ask => self.ask(receipt),
            RequestKind::Chat | RequestKind::Generate => self.chat(receipt),
            RequestKind::Work => Err(Stop::Impossible(
                "it was work with tools, which is recorded call by call and not made again".into(),
            )),
            RequestKind::Embed | RequestKind::Rerank => Err(Stop::Impossible(
                "texts were turned into vectors or scores; that is no answer".into(),
            )),
            RequestKind::Erase | RequestKind::Expire => {
                Err(Stop::Impossible("words were deleted; that is no answer".into()))
            }
            RequestKind::Review | RequestKind::Feedback => {
                Err(Stop::Impossible("a person said it".into()))
            }
        }
    }

    fn ask(&mut self, receipt: &Receipt) -> Result<(), Stop> {
        let policy = self.named.policy(&receipt.policy.digest)?;
        let kept = self.kept(receipt)?;
        let ask = asked(&kept.prompt, receipt).ok_or_else(unknown_form)?;
        let calibrated = self.named.calibrated(receipt)?;
        self.take_library(receipt, &ask.caller.clearance)?;
        self.check_evidence(receipt)?;
        self.take_generator(receipt, &policy)?;
        let means = self.means(&policy, &calibrated);
        let mut case = Case::open(means, &ask)?;
        case.search()?;
        case.draft()?;
        let record = Record::new(&case, case.outcome());
        let again = Again {
            prompt: record.prompt(),
            answer: record.answer().map(str::to_owned),
            output: record.output(),
            receipt: record.receipt(words(receipt)),
        };
        compare(receipt, &kept.prompt, kept.answer.as_deref(), kept.output.as_ref(), &again)
    }

    fn chat(&mut self, receipt: &Receipt) -> Result<(), Stop> {
        let policy = self.named.policy(&receipt.policy.digest)?;
        let kept = self.kept(receipt)?;
        self.take_generator(receipt, &policy)?;
        let generator = self.generator().ok_or_else(|| {
            Stop::Impossible("no model ran, so which one would have is not recorded".into())
        })?;
        let adapter = receipt.model.as_ref().and_then(|model| model.adapter.as_ref());
        let adapter = adapter.map(|adapter| adapter.name.clone());
        let chat =
            kept::chat_of(&kept.prompt, caller(receipt, Clearance::public()), adapter, generator)?;
        let mut chat = chat.ok_or_else(unknown_form)?;
        let prompt = kept::chat(&chat);
        if let Some(output) = kept.output.as_ref().filter(|output| output.is_cancelled()) {
            chat.max_tokens = ended_after(output)?;
        }
        let turn = Turn::take(&policy, generator, &chat, &mut |_| ControlFlow::Continue(()))?;
        let again = Again {
            prompt,
            answer: turn.answer(),
            output: turn.output(),
            receipt: turn.receipt(words(receipt)),
        };
        compare(receipt, &kept.prompt, kept.answer.as_deref(), kept.output.as_ref(), &again)
    }

    /// The words of a request, each held against its commitment.
    fn kept(&self, receipt: &Receipt) -> Result<Kept, Stop> {
        let prompt = self.opened("prompt", &receipt.prompt_commitment)?;
        let answer = receipt.answer_commitment.as_deref();
        let answer = answer.map(|commitment| self.opened("answer", commitment)).transpose()?;
        let output = receipt.output_commitment.as_deref();
        let output = output.map(|commitment| self.opened("output", commitment)).transpose()?;
        let read = |text: String| serde_json::from_str(&text).map_err(|_| unknown_form());
        Ok(Kept {
            prompt: serde_json::from_str(&prompt).map_err(|_| unknown_form())?,
            answer,
            output: output.map(read).transpose()?,
        })
    }

    fn opened(&self, kind: &str, commitment: &str) -> Result<String, Stop> {
        let changed = |now: &str| {
            let what = format!("the payload of the {kind}, which was changed");
            Stop::differs(Difference::of_digests(what, commitment, now))
        };
        let row = match self.store().payload(commitment) {
            // Its seal is broken: it was written by someone without the key.
            Err(allod_store::Error::Sealed { .. }) => return Err(changed("")),
            row => row.map_err(Error::from)?,
        };
        let Some(row) = row else {
            return Err(Stop::Impossible(format!(
                "the {kind} is not kept: the policy does not let it be (`logging.prompts`), or it \
                 was erased"
            )));
        };
        let salt = salt(&row.salt_hex);
        let now = salt.map(|salt| commit(&salt, &row.content)).unwrap_or_default();
        if now == commitment {
            return Ok(row.content);
        }
        Err(changed(&now))
    }
}

/// What a receipt of an older version does not name of a model in a folder.
fn unchecked(receipt: &Receipt) -> Option<&'static str> {
    let model = receipt.model.as_ref()?;
    (model.digest.is_some() && model.files.is_none()).then_some(
        "config.json and other settings of the model's folder: the receipt is of an older version, \
         which named the weights, the tokenizer and the template alone",
    )
}

fn unknown_form() -> Stop {
    Stop::Impossible("it was recorded by a version that did not keep all that is needed".into())
}

/// How many tokens came before the caller ended it.
fn ended_after(output: &Output) -> Result<usize, Stop> {
    match output.choices.as_slice() {
        [only] if !only.tokens.is_empty() => Ok(only.tokens.len()),
        [_] => Err(Stop::Impossible("its caller ended it before the first token".into())),
        _ => Err(Stop::Impossible("its caller ended it while several answers were written".into())),
    }
}

fn words(receipt: &Receipt) -> Words {
    Words {
        prompt: receipt.prompt_commitment.clone(),
        answer: receipt.answer_commitment.clone(),
        output: receipt.output_commitment.clone(),
    }
}

fn caller(receipt: &Receipt, clearance: Clearance) -> Caller {
    let request = &receipt.request;
    Caller { tenant: request.tenant.clone(), subject: request.subject.clone(), clearance }
}

/// The question that was kept; `None` if what was kept does not say how it was asked.
fn asked(kept: &Value, receipt: &Receipt) -> Option<Ask> {
    let labels: Option<Vec<&str>> =
        kept["clearance"].as_array()?.iter().map(Value::as_str).collect();
    let language = match kept.get("given_language")? {
        Value::Null => None,
        code => Some(serde_json::from_value(code.clone()).ok()?),
    };
    Some(Ask {
        question: kept["question"].as_str()?.to_owned(),
        caller: caller(receipt, Clearance::of(labels?)),
        on: Some(kept["on"].as_str()?.parse().ok()?),
        language,
    })
}

fn salt(hex: &str) -> Option<[u8; 32]> {
    let mut salt = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in salt.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(salt)
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Stop {
        match error.into() {
            Error::Library(allod_retrieval::Error::Gone { digest }) => Stop::Impossible(format!(
                "the documents of that day are not all kept here: {digest} is missing"
            )),
            Error::Library(error @ allod_retrieval::Error::Manifest { .. }) => {
                Stop::differs(Difference::named(format!("the list of documents: {error}")))
            }
            error => Stop::Failed(error),
        }
    }
}
