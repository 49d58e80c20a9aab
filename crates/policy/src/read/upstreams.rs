//! The servers that escalated questions may go to, and which go where.

use super::reader::{Field, Reader, Section};
use super::{
    APPROVED, BUDGET, DATA_CLASS, ESCALATE_TO, TIMEOUT_MS, UPSTREAM, VLLM_URL, api_key_env, url,
};
use crate::approved::{
    ApprovedUpstream, Breaker, Budget, DataClass, Destinations, EscalationReason, MAIN_UPSTREAM,
};
use crate::choice::Choice as _;
use crate::node::{Node, Value};
use crate::policy::{Personal, PersonalKind, Runtime};
use std::collections::BTreeSet;

const UPSTREAMS_MAX: usize = 16;
const RETRIES: u32 = 2;
const RETRIES_MAX: u32 = 10;
const STANDARD: Breaker = Breaker { failures: 5, pause_ms: 30_000 };
const DAY_MS: u64 = 86_400_000;

/// The word for the review queue.
const QUEUE: &str = "queue";

/// The server that runs the model: the one that is named, or vLLM's own default on this machine.
pub(super) fn main(
    reader: &mut Reader,
    root: &Section<'_>,
    runtime: Runtime,
) -> Option<ApprovedUpstream> {
    let section = reader.child(root, "upstream", UPSTREAM);
    if section.is_none() && runtime != Runtime::Vllm {
        return None;
    }
    let section = section.unwrap_or(Section::EMPTY);
    let default = if runtime == Runtime::Vllm { VLLM_URL } else { "" };
    Some(ApprovedUpstream {
        name: MAIN_UPSTREAM.to_owned(),
        url: url(reader, &section, "url").unwrap_or_else(|| default.to_owned()),
        model: text(root, "model").unwrap_or_default(),
        // What `privacy.upstream` says holds, and nothing beside it.
        privacy: Personal::Keep,
        data_class_max: DataClass::default(),
        ..asked(reader, &section)
    })
}

/// A text whose mistakes are told elsewhere.
fn text(root: &Section<'_>, key: &str) -> Option<String> {
    match &root.field(key)?.node.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn read(reader: &mut Reader, root: &Section<'_>) -> Vec<ApprovedUpstream> {
    let Some(field) = root.field("upstreams") else { return Vec::new() };
    let Value::List(list) = &field.node.value else {
        let hint = "write a list whose items have the keys name, url and model";
        reader.reject(&field, format!("must be a list, but is {}", field.node.value.kind()), hint);
        return Vec::new();
    };
    if list.len() > UPSTREAMS_MAX {
        let hint = format!("a policy has at most {UPSTREAMS_MAX}");
        reader.reject(&field, format!("has {} upstreams", list.len()), hint);
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let items = list.iter().enumerate();
    items.filter_map(|(index, node)| approved(reader, &mut names, index, node)).collect()
}

fn approved(
    reader: &mut Reader,
    names: &mut BTreeSet<String>,
    index: usize,
    node: &Node,
) -> Option<ApprovedUpstream> {
    let field = Field { path: format!("upstreams[{index}]"), place: node.place, node };
    let section = reader.group(&field, APPROVED)?;
    for key in ["name", "url", "model"].iter().filter(|key| section.field(key).is_none()) {
        let hint = "every upstream has the keys name, url and model";
        reader.reject(&field, format!("has no `{key}`"), hint);
    }
    let name = name(reader, &section, names);
    let upstream = ApprovedUpstream {
        name: name.clone().unwrap_or_default(),
        url: url(reader, &section, "url").unwrap_or_default(),
        model: reader.text(&section, "model").unwrap_or_default(),
        data_class_max: data_class(reader, &section),
        privacy: personal(reader, &section),
        ..asked(reader, &section)
    };
    name.map(|_| upstream)
}

/// How any server is asked; what it is, and what may go there, is said elsewhere.
fn asked(reader: &mut Reader, section: &Section<'_>) -> ApprovedUpstream {
    ApprovedUpstream {
        name: String::new(),
        url: String::new(),
        model: String::new(),
        api_key_env: api_key_env(reader, section),
        region: reader.word(section, "region"),
        data_class_max: DataClass::default(),
        privacy: Personal::Block,
        budget: budget(reader, section),
        timeout_ms: reader.whole(section, "timeout_ms", 1..=3_600_000).unwrap_or(TIMEOUT_MS),
        retries: reader.whole(section, "retries", 0..=RETRIES_MAX).unwrap_or(RETRIES),
        breaker: breaker(reader, section),
    }
}

fn name(
    reader: &mut Reader,
    section: &Section<'_>,
    names: &mut BTreeSet<String>,
) -> Option<String> {
    let name = reader.word(section, "name")?;
    let field = section.field("name")?;
    if name == QUEUE {
        let hint = "`queue` is the word for the review queue; take another name";
        reader.reject(&field, "is `queue`".to_owned(), hint);
        return None;
    }
    if name == MAIN_UPSTREAM {
        let hint = "`upstream` is the one that runs the model; take another name";
        reader.reject(&field, "is `upstream`".to_owned(), hint);
        return None;
    }
    if !names.insert(name.clone()) {
        reader.reject(&field, format!("is `{name}` a second time"), "give each its own name");
        return None;
    }
    Some(name)
}

fn data_class(reader: &mut Reader, section: &Section<'_>) -> DataClass {
    let Some(section) = reader.child(section, "data_class_max", DATA_CLASS) else {
        return DataClass::default();
    };
    let labels = reader.texts(&section, "labels").into_iter().map(|(_, label)| label);
    DataClass {
        labels: labels.collect(),
        personal: reader.choices::<PersonalKind>(&section, "personal").into_iter().collect(),
    }
}

/// What becomes of personal data; it cannot be kept here, since which kinds may go is said by
/// `data_class_max`.
fn personal(reader: &mut Reader, section: &Section<'_>) -> Personal {
    let personal = reader.choice(section, "privacy").unwrap_or(Personal::Redact);
    if let (Personal::Keep, Some(field)) = (personal, section.field("privacy")) {
        let hint = "choose redact, pseudonymise or block, and name the kinds that may go there in \
                    `data_class_max: {personal: […]}`";
        reader.reject(&field, "is `keep`".to_owned(), hint);
    }
    personal
}

fn budget(reader: &mut Reader, section: &Section<'_>) -> Budget {
    let Some(budget) = reader.child(section, "budget", BUDGET) else { return Budget::default() };
    let prompt = money(reader, &budget, "cost_per_million_prompt_tokens");
    let completion = money(reader, &budget, "cost_per_million_completion_tokens");
    let cost_per_day = money(reader, &budget, "cost_per_day");
    let currency = reader.text(&budget, "currency");
    if let (Some(field), Some(_), None) =
        (budget.field("cost_per_day"), cost_per_day, prompt.or(completion))
    {
        let hint = "set `cost_per_million_prompt_tokens` and `cost_per_million_completion_tokens`";
        reader.reject(&field, "is set, but no price".to_owned(), hint);
    }
    Budget {
        tokens_per_day: reader.whole(&budget, "tokens_per_day", 0..=i64::MAX as u64),
        cost_per_day,
        prompt_price: prompt.unwrap_or_default(),
        completion_price: completion.unwrap_or_default(),
        currency,
    }
}

/// An amount, in millionths.
fn money(reader: &mut Reader, section: &Section<'_>, key: &str) -> Option<u64> {
    let field = section.field(key)?;
    let value = match field.node.value {
        Value::Decimal(value) => value,
        Value::Whole(value) => value as f64,
        _ => {
            let kind = field.node.value.kind();
            let hint = "write a number, like 2.50";
            reader.reject(&field, format!("must be a number, but is {kind}"), hint);
            return None;
        }
    };
    if !(0.0..=1e9).contains(&value) {
        reader.reject(&field, format!("is {value}"), "write a number from 0 to 1000000000");
        return None;
    }
    Some((value * 1e6).round() as u64)
}

fn breaker(reader: &mut Reader, section: &Section<'_>) -> Breaker {
    let Some(section) = reader.child(section, "breaker", super::BREAKER) else { return STANDARD };
    Breaker {
        failures: reader.whole(&section, "failures", 1..=1_000).unwrap_or(STANDARD.failures),
        pause_ms: reader.whole(&section, "pause_ms", 1..=DAY_MS).unwrap_or(STANDARD.pause_ms),
    }
}

/// Which reason sends questions where. That a name is one of `upstreams` is looked at later.
pub(super) fn destinations(reader: &mut Reader, routing: &Section<'_>) -> Destinations {
    let Some(section) = reader.child(routing, "escalate_to", ESCALATE_TO) else {
        return Destinations::new();
    };
    let mut destinations = Destinations::new();
    for (word, reason) in EscalationReason::ALL {
        match reader.word(&section, word) {
            Some(name) if name != QUEUE => drop(destinations.insert(*reason, name)),
            _ => {}
        }
    }
    destinations
}
