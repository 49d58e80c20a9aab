//! `POST /v1/embeddings`: vectors of texts.

use std::sync::Arc;
use std::time::Instant;

use allod_answer::{Embed, Embedded, Tokens};
use allod_lm::Purpose;
use axum::extract::State;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::fields::{Fields, texts};
use crate::identity::Identity;
use crate::models;
use crate::problem::Problem;
use crate::state::Shared;

/// As many as OpenAI's interface takes.
const TEXTS_MAX: usize = 2_048;

const HONOURED: [&str; 6] =
    ["model", "input", "encoding_format", "dimensions", "input_type", "user"];

/// What is asked of the embedding model; every other field is refused by its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the request; `Asked` reads it")]
pub(crate) struct EmbeddingRequest {
    /// The name of the model given with `--embedder`.
    model: String,
    /// A text, or a list of up to 2048. Token ids are refused: they would be another model's.
    input: Value,
    /// `float` (when absent) or `base64`: little-endian 32-bit numbers.
    encoding_format: Option<String>,
    /// Must be the model's own number.
    dimensions: Option<u64>,
    /// `query` or `document` puts before each text what the model wants there.
    input_type: Option<String>,
    /// Accepted and without effect: who asks is decided by the key.
    user: Option<String>,
}

/// How vectors are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Float,
    Base64,
}

/// What a request asks for.
#[derive(Debug)]
struct Asked {
    model: String,
    texts: Vec<String>,
    purpose: Purpose,
    encoding: Encoding,
    dimensions: Option<u64>,
}

/// `POST /v1/embeddings`
#[utoipa::path(post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingRequest,
    responses(
        (status = 200, description = "A vector for each text; `allod` holds the receipt",
         body = serde_json::Value),
        (status = 400, description = "A field is wrong or not supported; `param` names it"),
        (status = 404, description = "No such model"),
        (status = 503, description = "No model for it is loaded, or too many requests wait"),
    ))]
pub(crate) async fn create(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Json<Value>, Problem> {
    let asked = Asked::read(&fields)?;
    models::check_embeds(&state, &asked.model)?;
    let embed = Embed { texts: asked.texts, purpose: asked.purpose, caller: identity.caller };
    let (shared, wanted) = (Arc::clone(&state), asked.dimensions);
    let tenant = embed.caller.tenant.clone();
    let work = move || {
        let dimensions = shared.desk.embedder().map_or(0, |reader| reader.dimensions());
        if wanted.is_some_and(|wanted| wanted != dimensions as u64) {
            let message = format!("this model's vectors have {dimensions} elements; leave it out");
            return Err(Problem::field("dimensions", message));
        }
        let begun = Instant::now();
        let embedded = shared.desk.embed(&embed);
        let tokens = embedded.as_ref().map_or(Tokens::default(), |embedded| embedded.tokens);
        let outcome = if embedded.is_ok() { "answered" } else { "failed" };
        shared.answered(&embed.caller.tenant, ("embed", outcome), begun.elapsed(), tokens);
        Ok(embedded?)
    };
    let embedded = state.answer(&tenant, work).await?;
    Ok(Json(response(&asked.model, &embedded, asked.encoding)))
}

impl Asked {
    fn read(fields: &Map<String, Value>) -> Result<Asked, Problem> {
        let fields = Fields(fields);
        fields.only(&HONOURED, |_, _| false)?;
        fields.text("user")?;
        Ok(Asked {
            model: fields.required_text("model")?,
            texts: input(fields.get("input"))?,
            purpose: purpose(fields.get("input_type"))?,
            encoding: encoding(fields.get("encoding_format"))?,
            dimensions: fields.whole("dimensions", 1, u64::MAX)?,
        })
    }
}

fn input(value: Option<&Value>) -> Result<Vec<String>, Problem> {
    let wrong = |message: &str| Problem::field("input", message);
    let texts = match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(value) => texts(value).ok_or_else(|| {
            wrong("`input` must be a text or a list of texts; token ids are not taken")
        })?,
        None => return Err(wrong("`input` is missing")),
    };
    match texts.len() {
        0 => Err(wrong("`input` holds no text")),
        count if count > TEXTS_MAX => {
            Err(wrong(&format!("`input` holds {count} texts, at most {TEXTS_MAX} go")))
        }
        _ if texts.iter().any(String::is_empty) => Err(wrong("`input` holds an empty text")),
        _ => Ok(texts),
    }
}

fn purpose(value: Option<&Value>) -> Result<Purpose, Problem> {
    match value.map(Value::as_str) {
        None => Ok(Purpose::Any),
        Some(Some("query" | "search_query")) => Ok(Purpose::Query),
        Some(Some("document" | "passage" | "search_document")) => Ok(Purpose::Document),
        Some(_) => Err(Problem::field("input_type", "`input_type` must be query or document")),
    }
}

fn encoding(value: Option<&Value>) -> Result<Encoding, Problem> {
    match value.map(Value::as_str) {
        None | Some(Some("float")) => Ok(Encoding::Float),
        Some(Some("base64")) => Ok(Encoding::Base64),
        Some(_) => {
            Err(Problem::field("encoding_format", "`encoding_format` must be float or base64"))
        }
    }
}

fn response(model: &str, embedded: &Embedded, encoding: Encoding) -> Value {
    let entry = |(index, vector): (usize, &Vec<f32>)| {
        let embedding = written(vector, encoding);
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let tokens = embedded.tokens.prompt;
    json!({
        "object": "list",
        "data": embedded.vectors.iter().enumerate().map(entry).collect::<Vec<Value>>(),
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "allod": {"receipt": embedded.receipt},
    })
}

fn written(vector: &[f32], encoding: Encoding) -> Value {
    match encoding {
        Encoding::Float => json!(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            STANDARD.encode(bytes).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (name, value) in [
            ("input", json!([[1, 2]])),
            ("input", json!([1, 2])),
            ("input", json!([])),
            ("input", json!(["a", ""])),
            ("input", json!(vec!["a"; TEXTS_MAX + 1])),
            ("encoding_format", json!("int8")),
            ("dimensions", json!(0)),
            ("input_type", json!("poem")),
            ("user", json!(5)),
            ("truncate_prompt_tokens", json!(5)),
        ] {
            let mut fields = json!({"model": "m", "input": "a"});
            fields[name] = value;
            let body = Asked::read(fields.as_object().unwrap()).expect_err(name).body();
            assert_eq!(body["error"]["param"], name);
        }
    }

    #[test]
    fn base64_holds_the_numbers_in_little_endian_order() {
        assert_eq!(written(&[1.0, -2.0], Encoding::Base64), json!("AACAPwAAAMA="));
        assert_eq!(written(&[1.0, -2.0], Encoding::Float), json!([1.0, -2.0]));
    }
}
