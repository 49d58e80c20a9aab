//! One file for each verb.

pub mod ask;
pub mod bench;
pub mod demo;
pub mod doctor;
pub mod embed;
pub mod eval;
pub mod export;
pub mod export_subject;
pub mod forget;
pub mod generate;
pub mod ingest;
pub mod key;
pub mod ledger;
pub mod model;
mod model_held;
pub mod policy;
pub mod privacy;
pub mod replay;
pub mod review;
pub mod search;
pub mod serve;
pub mod show;
pub mod tokenize;
pub mod tune;
pub mod witness;
pub mod work;

use allod_answer::{Ask, Caller, ModelChoice};
use allod_corpus::Language;
use allod_retrieval::{Clearance, Query};
use anyhow::Context;

use crate::arguments::{CallerArguments, ModelArguments};

impl From<&ModelArguments> for ModelChoice {
    fn from(arguments: &ModelArguments) -> ModelChoice {
        ModelChoice {
            path: arguments.model.clone(),
            threads: arguments.threads,
            ..ModelChoice::default()
        }
    }
}

/// The question as this caller asks it.
fn question(text: &str, caller: &CallerArguments) -> anyhow::Result<Ask> {
    Ok(Ask {
        question: text.into(),
        caller: Caller::operator(clearance(&caller.labels)),
        on: caller.on,
        language: language(caller)?,
    })
}

/// A search for what is asked.
fn query(ask: &Ask, limit: usize) -> Query<'_> {
    Query {
        text: &ask.question,
        language: ask.language,
        clearance: &ask.caller.clearance,
        on: ask.on.unwrap_or_else(|| jiff::Zoned::now().date()),
        limit,
        filter: None,
    }
}

fn clearance(labels: &[String]) -> Clearance {
    Clearance { labels: labels.iter().cloned().collect() }
}

fn language(caller: &CallerArguments) -> anyhow::Result<Option<Language>> {
    let Some(code) = &caller.language else {
        return Ok(None);
    };
    let known = [Language::De, Language::Fr, Language::It, Language::Rm, Language::En];
    let language = known.into_iter().find(|language| language.code() == code);
    language.map(Some).with_context(|| format!("--language {code}: use one of de, fr, it, rm, en"))
}
