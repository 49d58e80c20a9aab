//! `POST /v1/rerank`: documents in order of how well they answer a query, in the shape that
//! Cohere's and Jina's clients share.

use std::sync::Arc;
use std::time::Instant;

use allod_answer::{Rerank, Reranked, Tokens};
use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::envelope::new_id;
use crate::fields::Fields;
use crate::identity::Identity;
use crate::models;
use crate::problem::Problem;
use crate::state::Shared;

/// As many as Cohere's interface takes.
const DOCUMENTS_MAX: usize = 1_000;

const HONOURED: [&str; 5] = ["model", "query", "documents", "top_n", "return_documents"];

/// What is asked of the ranking model; every other field is refused by its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `Asked` reads it")]
pub(crate) struct RerankRequest {
    /// The name of the model given with `--reranker`.
    model: String,
    /// The query.
    query: String,
    /// Up to 1000 texts, or objects `{"text": …}`.
    documents: Vec<Value>,
    /// At most so many results; all when absent.
    top_n: Option<u64>,
    /// Whether results repeat their document; false when absent.
    return_documents: Option<bool>,
}

/// What a request asks for.
#[derive(Debug)]
struct Asked {
    model: String,
    query: String,
    documents: Vec<String>,
    top_n: usize,
    repeats: bool,
}

/// `POST /v1/rerank`
#[utoipa::path(post, path = "/v1/rerank", tag = "rerank", request_body = RerankRequest,
    responses(
        (status = 200, description = "Results with `index` and `relevance_score`, best first; \
            `allod` holds the receipt", body = serde_json::Value),
        (status = 400, description = "A field is wrong or not supported; the message names it"),
        (status = 404, description = "No such model"),
        (status = 503, description = "No model for it is loaded, or too many requests wait"),
    ))]
pub(crate) async fn create(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Json<Value>, Problem> {
    let asked = Asked::read(&fields)?;
    models::check_ranks(&state, &asked.model)?;
    let rerank = Rerank {
        query: asked.query.clone(),
        documents: asked.documents.clone(),
        caller: identity.caller,
    };
    let (shared, tenant) = (Arc::clone(&state), rerank.caller.tenant.clone());
    let work = move || {
        let begun = Instant::now();
        let reranked = shared.desk.rerank(&rerank);
        let tokens = reranked.as_ref().map_or(Tokens::default(), |reranked| reranked.tokens);
        let outcome = if reranked.is_ok() { "answered" } else { "failed" };
        shared.answered(&rerank.caller.tenant, ("rerank", outcome), begun.elapsed(), tokens);
        Ok(reranked?)
    };
    let reranked = state.answer(&tenant, work).await?;
    Ok(Json(response(&asked, &reranked)))
}

impl Asked {
    fn read(fields: &Map<String, Value>) -> Result<Asked, Problem> {
        let fields = Fields(fields);
        fields.only(&HONOURED, |_, _| false)?;
        let documents = documents(fields.get("documents"))?;
        let query = fields.required_text("query")?;
        if query.trim().is_empty() {
            return Err(Problem::field("query", "`query` is empty"));
        }
        let top_n = fields.tokens("top_n", 1)?.unwrap_or(usize::MAX).min(documents.len());
        let repeats = fields.boolean("return_documents")?;
        Ok(Asked { model: fields.required_text("model")?, query, documents, top_n, repeats })
    }
}

fn documents(value: Option<&Value>) -> Result<Vec<String>, Problem> {
    let wrong = |message: String| Problem::field("documents", message);
    let text = |document: &Value| match document {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) if fields.len() == 1 => {
            fields.get("text").and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    };
    let texts: Option<Vec<String>> =
        value.and_then(Value::as_array).and_then(|list| list.iter().map(text).collect());
    match texts {
        Some(texts) if texts.len() > DOCUMENTS_MAX => {
            Err(wrong(format!("there are {} documents, at most {DOCUMENTS_MAX} go", texts.len())))
        }
        Some(texts) if !texts.is_empty() => Ok(texts),
        _ => Err(wrong("`documents` must be a list of texts or of {\"text\": …}".into())),
    }
}

fn response(asked: &Asked, reranked: &Reranked) -> Value {
    let mut order: Vec<usize> = (0..reranked.scores.len()).collect();
    // Equal scores stay in the order of the documents.
    order.sort_by(|a, b| reranked.scores[*b].total_cmp(&reranked.scores[*a]));
    let result = |index: &usize| {
        let mut result = json!({"index": index, "relevance_score": reranked.scores[*index]});
        if asked.repeats {
            result["document"] = json!({"text": asked.documents[*index]});
        }
        result
    };
    let tokens = reranked.tokens.prompt;
    json!({
        "id": format!("rerank-{}", new_id()),
        "model": asked.model,
        "results": order[..asked.top_n].iter().map(result).collect::<Vec<Value>>(),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "meta": {"api_version": {"version": "1"}},
        "allod": {"receipt": reranked.receipt},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_answer::ReceiptRef;

    fn read(extra: Value) -> Result<Asked, Problem> {
        let mut fields =
            json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}, "c"]});
        let fields = fields.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        Asked::read(fields)
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (name, value) in [
            ("documents", json!([])),
            ("documents", json!([{"text": "a", "title": "b"}])),
            ("query", json!(" ")),
            ("top_n", json!(0)),
            ("max_tokens_per_doc", json!(10)),
            ("rank_fields", json!(["text"])),
        ] {
            let body = read(json!({name: value})).expect_err(name).body();
            assert_eq!(body["error"]["param"], name);
        }
    }

    #[test]
    fn the_best_come_first_and_equals_in_their_order() {
        let asked = read(json!({"top_n": 2, "return_documents": true})).unwrap();
        let receipt = ReceiptRef { index: 0, leaf: String::new() };
        let scores = vec![0.25, 0.5, 0.5];
        let value = response(&asked, &Reranked { scores, tokens: Tokens::default(), receipt });
        let results = value["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        assert_eq!(
            results[0],
            json!({
                "index": 1, "relevance_score": 0.5, "document": {"text": "b"},
            })
        );
        assert_eq!(results[1]["index"], 2);
    }
}
