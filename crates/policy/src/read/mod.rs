//! From the tree of the file to settings, with every mistake on the way.

mod contradictions;
mod identity;
mod near;
mod privacy;
mod reader;
mod rules;
mod tools;
mod upstreams;
mod witnesses;

use crate::mistake::Mistakes;
use crate::node::{self, Node};
use crate::permit::Address;
use crate::policy::{
    Answers, Citations, HumanReview, Limits, Logging, Prompts, Retrieval, Routing, Runtime,
    Settings, Telemetry,
};
use reader::{Reader, Section};

/// Where vLLM listens unless it is told otherwise.
const VLLM_URL: &str = "http://127.0.0.1:8000/v1";
const TIMEOUT_MS: u64 = 60_000;
const MINIMUM_COMPLEXITY: f64 = 0.9;

const ROOT: &[&str] = &[
    "name",
    "model",
    "runtime",
    "quantization",
    "region",
    "upstream",
    "upstreams",
    "retrieval",
    "answers",
    "routing",
    "logging",
    "privacy",
    "retention",
    "telemetry",
    "witnesses",
    "identity",
    "limits",
    "quotas",
    "tools",
    "offices",
    "rules",
];
const UPSTREAM: &[&str] =
    &["url", "api_key_env", "region", "budget", "timeout_ms", "retries", "breaker"];
const RETRIEVAL: &[&str] =
    &["required_for_policy_answers", "cite_source_documents", "minimum_confidence", "passages"];
const ANSWERS: &[&str] = &["max_error"];
const LOGGING: &[&str] = &["prompts", "citations", "human_review", "reviewers"];
const ROUTING: &[&str] = &["escalate_on", "refuse_on", "escalate_to", "minimum_complexity"];
const ESCALATE_TO: &[&str] = &[
    "complex_reasoning",
    "low_retrieval_confidence",
    "regulated_decision",
    "user_request",
    "adverse_action",
    "policy",
];
const APPROVED: &[&str] = &[
    "name",
    "url",
    "model",
    "api_key_env",
    "region",
    "data_class_max",
    "privacy",
    "budget",
    "timeout_ms",
    "retries",
    "breaker",
];
const DATA_CLASS: &[&str] = &["labels", "personal"];
const BUDGET: &[&str] = &[
    "tokens_per_day",
    "cost_per_day",
    "cost_per_million_prompt_tokens",
    "cost_per_million_completion_tokens",
    "currency",
];
const BREAKER: &[&str] = &["failures", "pause_ms"];
const PRIVACY: &[&str] = &["upstream", "logs", "training", "kinds"];
const RETENTION: &[&str] = &["payloads_days", "reviews_days"];
const TELEMETRY: &[&str] = &["traces_url"];
const WITNESS: &[&str] = &["url", "vkey"];
const LIMITS: &[&str] = &["question_chars_max", "answer_tokens_max", "answer_choices_max"];
const IDENTITY: &[&str] = &["oidc"];
const OIDC: &[&str] = &[
    "issuer",
    "audience",
    "jwks_url",
    "jwks_file",
    "tenant_claim",
    "role_claim",
    "roles",
    "labels_claim",
    "sign_in",
];
const SIGN_IN: &[&str] = &["client_id", "client_secret_file", "console_url", "scopes", "token_url"];
const QUOTA: &[&str] = &["tenants", "requests_per_minute", "tokens_per_day"];
const TOOLS: &[&str] = &["steps_max", "grants"];
const GRANT: &[&str] = &["tools", "tenants", "work", "untrusted"];
const OFFICE: &[&str] = &["name", "contains_any", "examples", "decides_on_persons"];
const RULE: &[&str] = &["id", "when", "then", "because"];
const CONDITION: &[&str] = &["language", "contains_any", "label", "signal"];

/// The keys of each section, for hints about a key that stands in the wrong one.
const SECTIONS: &[(&str, &[&str])] = &[
    ("", ROOT),
    ("upstream", UPSTREAM),
    ("retrieval", RETRIEVAL),
    ("answers", ANSWERS),
    ("routing", ROUTING),
    ("logging", LOGGING),
    ("privacy", PRIVACY),
    ("retention", RETENTION),
    ("identity", IDENTITY),
    ("identity.oidc", OIDC),
    ("identity.oidc.sign_in", SIGN_IN),
    ("limits", LIMITS),
    ("quotas", QUOTA),
    ("tools", TOOLS),
];

/// Reads a policy file.
pub(crate) fn settings(text: &str) -> Result<Settings, Mistakes> {
    let root = node::parse(text).map_err(|mistake| Mistakes(vec![mistake]))?;
    let mut reader = Reader::default();
    let settings = document(&mut reader, &root);
    contradictions::check(&mut reader, &root, &settings);
    reader.finish(settings)
}

fn document(reader: &mut Reader, node: &Node) -> Settings {
    let root = reader.root(node, ROOT);
    let runtime = reader.choice(&root, "runtime").unwrap_or(Runtime::Allod);
    Settings {
        name: reader.text(&root, "name").unwrap_or_else(|| "allod".to_owned()),
        model: reader.text(&root, "model"),
        runtime,
        quantization: reader.choice(&root, "quantization"),
        region: reader.word(&root, "region").unwrap_or_else(|| "local".to_owned()),
        upstream: upstreams::main(reader, &root, runtime),
        upstreams: upstreams::read(reader, &root),
        retrieval: retrieval(reader, &root),
        answers: answers(reader, &root),
        routing: routing(reader, &root),
        logging: logging(reader, &root),
        privacy: privacy::read(reader, &root),
        retention: privacy::retention(reader, &root),
        telemetry: telemetry(reader, &root),
        witnesses: witnesses::read(reader, &root),
        identity: identity::read(reader, &root),
        limits: limits(reader, &root),
        quotas: identity::quotas(reader, &root),
        tools: tools::tools(reader, &root),
        offices: tools::offices(reader, &root),
        rules: rules::read(reader, &root),
    }
}

fn url(reader: &mut Reader, section: &Section<'_>, key: &'static str) -> Option<String> {
    let url = reader.text(section, key)?;
    let field = section.field(key)?;
    if url.contains('@') {
        // The address is not repeated: what stands before the @ may be a password.
        let hint = "keep the key in an environment variable and name that in `api_key_env`";
        reader.reject(&field, "holds a user name or password".to_owned(), hint);
        return None;
    }
    if Address::parse(&url).is_none() {
        let hint = "write it like `http://127.0.0.1:8000/v1` or `https://models.example/v1`";
        reader.reject(&field, format!("is `{url}`, which is no web address"), hint);
        return None;
    }
    Some(url)
}

/// The name of a variable. What is not one may be the key itself, so it is not repeated.
fn api_key_env(reader: &mut Reader, section: &Section<'_>) -> Option<String> {
    let name = reader.text(section, "api_key_env")?;
    let field = section.field("api_key_env")?;
    let named = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(named) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(name);
    }
    let hint = "write the variable's name in capitals, like `VLLM_API_KEY`; never the key itself";
    reader.reject(&field, "is not the name of an environment variable".to_owned(), hint);
    None
}

fn retrieval(reader: &mut Reader, root: &Section<'_>) -> Retrieval {
    let section = reader.section(root, "retrieval", RETRIEVAL);
    let required = reader.truth(&section, "required_for_policy_answers");
    let cite = reader.truth(&section, "cite_source_documents");
    Retrieval {
        required_for_policy_answers: required.unwrap_or(true),
        cite_source_documents: cite.unwrap_or(true),
        minimum_confidence: reader.fraction(&section, "minimum_confidence").unwrap_or(0.5),
        passages: reader.whole(&section, "passages", 1..=100).unwrap_or(8),
    }
}

fn answers(reader: &mut Reader, root: &Section<'_>) -> Answers {
    let section = reader.section(root, "answers", ANSWERS);
    let max_error = reader.fraction(&section, "max_error");
    if let (Some(field), Some(rate)) = (section.field("max_error"), max_error)
        && (rate <= 0.0 || rate >= 1.0)
    {
        let hint = "write a share above 0 and below 1: `max_error: 0.05` is one in twenty";
        reader.reject(&field, format!("is {rate}, which no calibration can keep to"), hint);
    }
    Answers { max_error }
}

fn routing(reader: &mut Reader, root: &Section<'_>) -> Routing {
    let section = reader.section(root, "routing", ROUTING);
    let escalate = reader.choices(&section, "escalate_on");
    let refuse = reader.choices(&section, "refuse_on");
    Routing {
        escalate_on: escalate.into_iter().collect(),
        refuse_on: refuse.into_iter().collect(),
        escalate_to: upstreams::destinations(reader, &section),
        minimum_complexity: reader
            .fraction(&section, "minimum_complexity")
            .unwrap_or(MINIMUM_COMPLEXITY),
    }
}

fn logging(reader: &mut Reader, root: &Section<'_>) -> Logging {
    let section = reader.section(root, "logging", LOGGING);
    let prompts = reader.choice(&section, "prompts");
    let citations = reader.choice(&section, "citations");
    let review = reader.choice(&section, "human_review");
    let reviewers = reader.whole(&section, "reviewers", 1..=2);
    Logging {
        prompts: prompts.unwrap_or(Prompts::RetainedInRegion),
        citations: citations.unwrap_or(Citations::Required),
        human_review: review.unwrap_or(HumanReview::RequiredForAdverseActions),
        reviewers: reviewers.unwrap_or(1),
    }
}

fn telemetry(reader: &mut Reader, root: &Section<'_>) -> Telemetry {
    let section = reader.section(root, "telemetry", TELEMETRY);
    Telemetry { traces_url: url(reader, &section, "traces_url") }
}

fn limits(reader: &mut Reader, root: &Section<'_>) -> Limits {
    let section = reader.section(root, "limits", LIMITS);
    let question = reader.whole(&section, "question_chars_max", 1..=1_000_000);
    let answer = reader.whole(&section, "answer_tokens_max", 1..=1_000_000);
    let choices = reader.whole(&section, "answer_choices_max", 1..=128);
    Limits {
        question_chars_max: question.unwrap_or(4000),
        answer_tokens_max: answer.unwrap_or(512),
        answer_choices_max: choices.unwrap_or(8),
    }
}

#[cfg(test)]
mod tests;
