//! One turn, whatever interface it came through: the documents under one model name, the model
//! itself under its own.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use allod_answer::{Ask, Caller, Chat, ChatReply, Choices, Generator, Outcome, Reply, Tokens};
use allod_engine::{ChosenToken, Finish, Piece, Prompt};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::drawing::Drawing;
use crate::form::{Form, Part};
use crate::identity::Identity;
use crate::metrics::outcome_name;
use crate::pace::Pace;
use crate::problem::Problem;
use crate::scores::Scored;
use crate::state::{Shared, State};
use crate::stream::{self, Writer};
use crate::{DOCUMENTS_MODEL, ask, models};

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) model: String,
    pub(crate) prompt: Prompt,
    pub(crate) drawing: Drawing,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) stop: Vec<String>,
    pub(crate) choices: Choices,
    pub(crate) delivery: Delivery,
    /// What this interface calls `max_tokens`, `stop` and `logprobs`.
    pub(crate) names: [&'static str; 3],
}

/// How the answer is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// In one piece.
    Whole,
    /// As server-sent events.
    Stream,
}

/// A turn that is over; its receipt is durable.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// The answers: one, or as many as were asked for.
    pub(crate) choices: Vec<Choice>,
    pub(crate) outcome: Outcome,
    pub(crate) tokens: Tokens,
    /// Tokens of the prompt that did not have to be read again.
    pub(crate) cached: u64,
    /// The extension field `allod`.
    pub(crate) extension: Value,
}

/// One of the answers of a turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) text: String,
    /// Why the model stopped, where it ran.
    pub(crate) finish: Option<Finish>,
    /// The stop text that ended the text, where one did.
    pub(crate) stopped_by: Option<String>,
    /// How likely each token was, where that was asked for.
    pub(crate) scores: Option<Vec<Scored>>,
}

impl Finished {
    /// The answer, or the first of them.
    pub(crate) fn first(&self) -> &Choice {
        self.choices.first().expect("a turn ends with an answer")
    }
}

impl Choice {
    /// Why the text ends, in the words of OpenAI's completions.
    pub(crate) fn reason(&self) -> &'static str {
        if self.is_cut() { "length" } else { "stop" }
    }

    /// Whether the text could have gone on.
    pub(crate) fn is_cut(&self) -> bool {
        self.finish == Some(Finish::Length)
    }
}

impl From<Reply> for Finished {
    fn from(reply: Reply) -> Finished {
        let extension = json!({
            "outcome": reply.outcome,
            "mode": reply.mode,
            "confidence": reply.confidence,
            "language": reply.language,
            "citations": reply.citations,
            "receipt": reply.receipt,
            "review": reply.review,
            "rules": reply.rules,
        });
        Finished {
            choices: vec![Choice { text: reply.answer, ..Choice::default() }],
            outcome: reply.outcome,
            tokens: reply.tokens,
            cached: 0,
            extension,
        }
    }
}

impl Finished {
    /// What came of a turn of the model.
    fn of(state: &State, chat: &Chat, reply: ChatReply) -> Finished {
        let extension = json!({
            "outcome": reply.outcome,
            "receipt": reply.receipt,
            "review": reply.review,
        });
        let asked = chat.choices.top_logprobs.is_some();
        let choice = |choice: allod_answer::Choice| Choice {
            text: choice.text,
            finish: choice.finish,
            stopped_by: choice.stopped_by,
            scores: asked.then(|| scored(state, &choice.logprobs)),
        };
        Finished {
            choices: reply.choices.into_iter().map(choice).collect(),
            outcome: reply.outcome,
            tokens: reply.tokens,
            cached: reply.cached,
            extension,
        }
    }
}

/// How likely tokens were, in words.
fn scored(state: &State, tokens: &[ChosenToken]) -> Vec<Scored> {
    let tokenizer = state.desk.generator().and_then(Generator::tokenizer);
    let of = |tokenizer| tokens.iter().filter_map(move |token| Scored::of(tokenizer, token));
    tokenizer.into_iter().flat_map(of).collect()
}

/// Takes a turn and responds in the form of its interface.
pub(crate) async fn respond(
    state: &Shared,
    identity: Identity,
    turn: Turn,
    mut form: Box<dyn Form>,
) -> Result<Response, Problem> {
    if turn.model == DOCUMENTS_MODEL {
        turn.check_for_documents(models::answer_tokens_max(state))?;
        let ask =
            Ask { question: turn.question()?, caller: identity.caller, on: None, language: None };
        // The receipt is durable before the first byte of the response is written.
        let finished = Finished::from(ask::reply(state, ask).await?);
        return Ok(match turn.delivery {
            Delivery::Whole => Json(form.whole(&finished)).into_response(),
            Delivery::Stream => stream::whole(form.as_mut(), &finished),
        });
    }
    models::check_writes(state, &turn.model)?;
    turn.check_choices(state.desk.policy().limits.answer_choices_max as usize)?;
    let delivery = turn.delivery;
    let adapter = models::adapter(state, &turn.model);
    let chat = turn.chat(models::answer_tokens_max(state), adapter, identity.caller);
    match delivery {
        Delivery::Whole => {
            let finished = whole(state, chat).await?;
            Ok(Json(form.whole(&finished)).into_response())
        }
        Delivery::Stream => streamed(state, chat, form).await,
    }
}

impl Turn {
    fn chat(self, answer_tokens_max: usize, adapter: Option<String>, caller: Caller) -> Chat {
        Chat {
            sampling: self.drawing.sampling(),
            max_tokens: self.max_tokens.unwrap_or(answer_tokens_max),
            prompt: self.prompt,
            stop: self.stop,
            choices: self.choices,
            adapter,
            caller,
        }
    }

    /// Every answer takes a place of its own.
    fn check_choices(&self, most: usize) -> Result<(), Problem> {
        if self.choices.written() <= most {
            return Ok(());
        }
        let name = if self.choices.n > most { "n" } else { "best_of" };
        let message = format!("the policy allows {most} answers to one request");
        Err(Problem::field(name, message))
    }

    /// The last message of the user: the question, when the documents are asked.
    pub(crate) fn question(&self) -> Result<String, Problem> {
        let Prompt::Chat(messages) = &self.prompt else {
            let message = format!(
                "{DOCUMENTS_MODEL} answers questions and does not go on from a text; ask it \
                 through /v1/chat/completions"
            );
            return Err(Problem::field("model", message));
        };
        let asked = messages.iter().rev().find(|message| message.role == "user");
        asked
            .map(|message| message.content.clone())
            .ok_or_else(|| Problem::field("messages", "there is no message with the role `user`"))
    }

    /// Answers from the documents are quoted or drawn greedily and end where the evidence does, so
    /// only what asks for just that is taken.
    pub(crate) fn check_for_documents(&self, answer_tokens_max: usize) -> Result<(), Problem> {
        let [limit_name, stop_name, scores_name] = self.names;
        let set = [
            (stop_name, !self.stop.is_empty()),
            ("n", self.choices.n > 1),
            ("best_of", self.choices.written() > 1),
            (scores_name, self.choices.top_logprobs.is_some()),
        ];
        let other = set.into_iter().find(|(_, set)| *set).map(|(name, _)| name);
        if let Some(name) = self.drawing.not_greedy().or(other) {
            let message = format!(
                "`{name}` cannot be set for {DOCUMENTS_MODEL}: its answers are never drawn at \
                 random or cut; leave it out"
            );
            return Err(Problem::field(name, message));
        }
        if self.max_tokens.is_some_and(|tokens| tokens < answer_tokens_max) {
            let message = format!(
                "an answer of {DOCUMENTS_MODEL} cannot be cut below the policy's limit of \
                 {answer_tokens_max} tokens; ask for that many or more in `{limit_name}`"
            );
            return Err(Problem::field(limit_name, message));
        }
        Ok(())
    }
}

/// Tells the model to stop when the request that holds it is dropped: nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets the model answer and returns when it has.
async fn whole(state: &Shared, chat: Chat) -> Result<Finished, Problem> {
    let gone = Arc::new(AtomicBool::new(false));
    let _waiting = Waiting(Arc::clone(&gone));
    let (shared, came, tenant) = (Arc::clone(state), Instant::now(), chat.caller.tenant.clone());
    let work = move || {
        let goes_on = || match gone.load(Ordering::Relaxed) {
            false => ControlFlow::Continue(()),
            true => ControlFlow::Break(()),
        };
        let reply = counted(&shared, &chat, came, &mut |_| goes_on())?;
        Ok(Finished::of(&shared, &chat, reply))
    };
    state.answering.run(&tenant, work).await
}

/// Lets the model answer and sends what it writes as it writes it. The end is sent only after the
/// receipt is durable.
async fn streamed(state: &Shared, chat: Chat, form: Box<dyn Form>) -> Result<Response, Problem> {
    let came = Instant::now();
    let place = state.answering.enter(&chat.caller.tenant).await?;
    let (mut writer, receiver) = stream::channel(form);
    let shared = Arc::clone(state);
    tokio::task::spawn_blocking(move || {
        let _place = place;
        // When nobody reads any more there is nobody to tell; the receipt is written all the same.
        let _ = write(&shared, &chat, came, &mut writer);
    });
    stream::response(receiver).await
}

fn write(
    state: &State,
    chat: &Chat,
    came: Instant,
    writer: &mut Writer,
) -> Result<(), stream::Gone> {
    let mut held = Held::new(chat);
    let mut on_piece = |piece: Piece| match writer.part(&held.part(state, &piece)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(stream::Gone) => ControlFlow::Break(()),
    };
    let reply = match counted(state, chat, came, &mut on_piece) {
        Ok(reply) => reply,
        Err(problem) => return writer.fail(problem),
    };
    if reply.outcome != Outcome::Answered {
        // The model did not run; what is said instead is all there is.
        let text = reply.choices.first().map_or("", |choice| choice.text.as_str());
        writer.part(&Part { text, ..Part::default() })?;
    }
    writer.finish(&Finished::of(state, chat, reply))
}

/// Tokens of a stream whose text is not certain yet: they go out with the text.
struct Held {
    /// Of each answer; nothing where nobody asked how likely tokens are.
    scores: Option<Vec<Vec<Scored>>>,
}

impl Held {
    fn new(chat: &Chat) -> Held {
        let asked = chat.choices.top_logprobs.is_some();
        Held { scores: asked.then(|| vec![Vec::new(); chat.choices.n]) }
    }

    /// What can go out.
    fn part<'a>(&mut self, state: &State, piece: &Piece<'a>) -> Part<'a> {
        let Piece { choice, text, token, finish } = *piece;
        let Some(held) = &mut self.scores else { return Part { choice, text, scores: None } };
        if let Some(token) = token {
            held[choice].extend(scored(state, std::slice::from_ref(token)));
        }
        let goes_out = !text.is_empty() || finish.is_some();
        let scores = if goes_out { std::mem::take(&mut held[choice]) } else { Vec::new() };
        Part { choice, text, scores: Some(scores) }
    }
}

fn counted(
    state: &State,
    chat: &Chat,
    came: Instant,
    on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
) -> Result<ChatReply, Problem> {
    let begun = Instant::now();
    let mut pace = Pace::new(came, begun, chat);
    let reply = state.desk.chat(chat, &mut |piece| {
        if !piece.text.is_empty() {
            pace.wrote(piece.choice);
        }
        on_piece(piece)
    });
    let (outcome, tokens) = match &reply {
        Ok(reply) => (outcome_name(reply.outcome), reply.tokens),
        Err(_) => ("failed", Tokens::default()),
    };
    let model = state.desk.generator().map(Generator::name).unwrap_or_default();
    state.traces.turn(&model, chat, &pace, reply.as_ref().ok());
    state.metrics.answered("chat", outcome, begun.elapsed(), tokens);
    if let Ok(reply) = &reply {
        let finishes: Vec<Finish> = reply.choices.iter().filter_map(|one| one.finish).collect();
        if !finishes.is_empty() {
            state.metrics.generated(&pace, &finishes, reply.tokens);
        }
    }
    Ok(reply?)
}
