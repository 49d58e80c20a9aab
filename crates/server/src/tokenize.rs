//! `POST /tokenize` and `POST /detokenize`: text to the loaded model's tokens and back, in the
//! shapes of vLLM.

use allod_answer::Generator;
use allod_engine::{Framing, Prompt, Vocabulary};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::problem::Problem;
use crate::state::{Shared, State as ServerState};
use crate::{conversation, models, parameters};

/// A text or a conversation whose tokens are asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenizeRequest {
    /// The loaded model's name; it is meant when absent.
    model: Option<String>,
    /// A text; either this or `messages`.
    prompt: Option<String>,
    /// A conversation, put through the model's chat template.
    #[schema(value_type = Option<Vec<Object>>)]
    messages: Option<Value>,
    /// Whether the vocabulary's own tokens stand before a text; true when absent. The template
    /// decides for a conversation.
    add_special_tokens: Option<bool>,
    /// Must be true: a conversation ends where the model's turn begins.
    add_generation_prompt: Option<bool>,
    /// Whether `token_strs` is to hold what each token spells.
    return_token_strs: Option<bool>,
}

/// Tokens whose text is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetokenizeRequest {
    /// The loaded model's name; it is meant when absent.
    model: Option<String>,
    /// The token ids.
    tokens: Vec<u32>,
}

/// `POST /tokenize`
#[utoipa::path(post, path = "/tokenize", tag = "vllm", request_body = TokenizeRequest,
    responses((status = 200, description = "`count`, `max_model_len`, `tokens`, `token_strs`",
               body = serde_json::Value)))]
pub(crate) async fn tokenize(
    State(state): State<Shared>,
    Body(asked): Body<TokenizeRequest>,
) -> Result<Json<Value>, Problem> {
    state.read_with(move |state| tokens(state, &asked)).await.map(Json)
}

/// `POST /detokenize`
#[utoipa::path(post, path = "/detokenize", tag = "vllm", request_body = DetokenizeRequest,
    responses((status = 200, description = "`prompt`: the text, with what special tokens spell",
               body = serde_json::Value)))]
pub(crate) async fn detokenize(
    State(state): State<Shared>,
    Body(asked): Body<DetokenizeRequest>,
) -> Result<Json<Value>, Problem> {
    let work = move |state: &ServerState| {
        let (generator, vocabulary) = local(state, asked.model.as_deref())?;
        check(vocabulary, "tokens", &asked.tokens)?;
        Ok(json!({"prompt": generator.spelled(&asked.tokens)?}))
    };
    state.read_with(work).await.map(Json)
}

fn tokens(state: &ServerState, asked: &TokenizeRequest) -> Result<Value, Problem> {
    let (generator, vocabulary) = local(state, asked.model.as_deref())?;
    let tokens = match (&asked.prompt, &asked.messages) {
        (Some(text), None) => {
            if asked.add_generation_prompt.is_some() {
                let message = "`add_generation_prompt` is for `messages` only";
                return Err(Problem::field("add_generation_prompt", message));
            }
            let framing = match asked.add_special_tokens {
                Some(false) => Framing::Bare,
                _ => Framing::Whole,
            };
            generator.encode(text, framing).map_err(unreadable)?
        }
        (None, Some(messages)) => {
            generator.tokens(&parameters::conversation(conversation(asked, messages)?))?
        }
        _ => {
            return Err(Problem::field("prompt", "give either `prompt` or `messages`"));
        }
    };
    let spelled = || tokens.iter().map(|id| vocabulary.text(*id)).collect::<Vec<String>>();
    Ok(json!({
        "count": tokens.len(),
        "max_model_len": generator.context_length(),
        "tokens": tokens,
        "token_strs": asked.return_token_strs.unwrap_or(false).then(spelled),
    }))
}

/// Text that cannot be turned into tokens is the caller's; all else is not.
fn unreadable(error: allod_answer::Error) -> Problem {
    match error {
        allod_answer::Error::Engine(allod_engine::Error::Model(error)) => {
            Problem::field("prompt", error.to_string())
        }
        other => other.into(),
    }
}

fn conversation(asked: &TokenizeRequest, messages: &Value) -> Result<Vec<Value>, Problem> {
    if asked.add_generation_prompt == Some(false) {
        let message = "a conversation always ends where the model's turn begins; leave it out";
        return Err(Problem::field("add_generation_prompt", message));
    }
    if asked.add_special_tokens.is_some() {
        let message = "the template decides what stands before a conversation; leave it out";
        return Err(Problem::field("add_special_tokens", message));
    }
    conversation::read(parameters::MESSAGES, Some(messages))
}

/// The loaded model, if it runs here and is the one that is meant.
fn local<'a>(
    state: &'a ServerState,
    model: Option<&str>,
) -> Result<(&'a Generator, &'a Vocabulary), Problem> {
    let generator = state.desk.generator();
    let found = generator.and_then(|generator| Some((generator, generator.vocabulary()?)));
    let asked = model.map_or_else(|| found.map(|(g, _)| g.name()), |name| Some(name.to_owned()));
    match (found, asked) {
        (Some(found), Some(asked)) if models::is_writer(state, &asked) => Ok(found),
        (Some((generator, _)), Some(asked)) => {
            Err(Problem::unknown_model(&asked, &[generator.name()]))
        }
        _ => Err(models::no_model("no model is loaded here: start with --model MODEL")),
    }
}

/// The text of a prompt, with what special tokens spell.
pub(crate) fn prompt_text(state: &ServerState, prompt: &Prompt) -> Result<String, Problem> {
    match prompt {
        Prompt::Text(text) => Ok(text.clone()),
        Prompt::Tokens(tokens) => {
            let (generator, vocabulary) = local(state, None)?;
            check(vocabulary, "prompt", tokens)?;
            Ok(generator.spelled(tokens)?)
        }
        Prompt::Chat(_) | Prompt::Conversation(_) => {
            Err(Problem::field("echo", "a conversation is not repeated"))
        }
    }
}

/// Token ids: a list of whole numbers, none negative.
pub(crate) fn token_ids(value: &Value) -> Option<Vec<u32>> {
    let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
    value.as_array()?.iter().map(id).collect()
}

fn check(vocabulary: &Vocabulary, name: &'static str, tokens: &[u32]) -> Result<(), Problem> {
    let count = vocabulary.tokens();
    match tokens.iter().find(|id| **id as usize >= count) {
        None => Ok(()),
        Some(id) => {
            let message = format!("{id} is no token: the vocabulary has {count}");
            Err(Problem::field(name, message))
        }
    }
}
