//! One turn, whatever interface it came through: the documents under one model name, the model
//! itself under its own.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use allod_answer::{Ask, Chat, ChatReply, Choices, Generator, Outcome, Reply, Tokens};
use allod_engine::Prompt;
use allod_engine::Reader;
use allod_engine::{ChosenToken, Error as EngineError, Finish, Framing, Part as SaidPart, Piece};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::drawing::Drawing;
use crate::form::{Form, Kind, Part};
use crate::identity::Identity;
use crate::metrics::outcome_name;
use crate::pace::Pace;
use crate::problem::Problem;
use crate::scores::Scored;
use crate::speaking::{self, Call, Said, Speaking};
use crate::state::{Shared, State};
use crate::stream::{self, Gone, Writer};
use crate::trace_parent::TraceParent;
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
    /// What the model may say beside plain text.
    pub(crate) speaking: Speaking,
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
    /// Tokens of the answers that are reasoning, as the model would write it in one go.
    pub(crate) reasoning_tokens: u64,
    /// Tokens of the prompt that did not have to be read again.
    pub(crate) cached: u64,
    /// The extension field `allod`.
    pub(crate) extension: Value,
}

/// One of the answers of a turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) text: String,
    /// What the model thought before.
    pub(crate) reasoning: String,
    /// The tools that are to be called.
    pub(crate) calls: Vec<Call>,
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
        match self.is_cut() {
            true => "length",
            false if !self.calls.is_empty() => "tool_calls",
            false => "stop",
        }
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
            "disputes": reply.disputes,
            "beside": reply.beside,
            "checks": reply.checks,
            "receipt": reply.receipt,
            "review": reply.review,
            "rules": reply.rules,
        });
        Finished {
            choices: vec![Choice { text: reply.answer, ..Choice::default() }],
            outcome: reply.outcome,
            tokens: reply.tokens,
            reasoning_tokens: 0,
            cached: 0,
            extension,
        }
    }
}

impl Finished {
    /// What came of a turn of the model.
    fn of(state: &State, asked: &Asked, reply: ChatReply) -> Finished {
        let extension = json!({
            "outcome": reply.outcome,
            "receipt": reply.receipt,
            "review": reply.review,
        });
        let scores = asked.chat.choices.top_logprobs.is_some();
        let choice = |choice: allod_answer::Choice| {
            let said = Said::of(asked.reader.as_ref(), reply.outcome, choice.text);
            Choice {
                text: said.text,
                reasoning: said.reasoning,
                calls: said.calls,
                finish: choice.finish,
                stopped_by: choice.stopped_by,
                scores: scores.then(|| scored(state, &choice.logprobs)),
            }
        };
        let choices: Vec<Choice> = reply.choices.into_iter().map(choice).collect();
        Finished {
            reasoning_tokens: choices.iter().map(|one| tokens_of(state, &one.reasoning)).sum(),
            choices,
            outcome: reply.outcome,
            tokens: reply.tokens,
            cached: reply.cached,
            extension,
        }
    }
}

/// How many tokens a text is, where that is known.
fn tokens_of(state: &State, text: &str) -> u64 {
    let generator = state.desk.generator().filter(|_| !text.is_empty());
    let tokens = generator.and_then(|generator| generator.encode(text, Framing::Bare).ok());
    tokens.map_or(0, |tokens| tokens.len() as u64)
}

/// How likely tokens were, in words.
fn scored(state: &State, tokens: &[ChosenToken]) -> Vec<Scored> {
    let vocabulary = state.desk.generator().and_then(Generator::vocabulary);
    let of = |vocabulary| tokens.iter().filter_map(move |token| Scored::of(vocabulary, token));
    vocabulary.into_iter().flat_map(of).collect()
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
    let asked = turn.asked(state, adapter, identity).await?;
    match delivery {
        Delivery::Whole => {
            let finished = whole(state, asked).await?;
            Ok(Json(form.whole(&finished)).into_response())
        }
        Delivery::Stream => streamed(state, asked, form).await,
    }
}

/// A turn of the model, ready to be asked.
struct Asked {
    chat: Chat,
    /// Takes answers apart; a model that runs elsewhere has done so itself.
    reader: Option<Reader>,
    /// The field of the request that the constraint comes from.
    field: Option<&'static str>,
    /// The trace that the turn is a part of.
    trace: Option<TraceParent>,
}

impl Turn {
    async fn asked(
        self,
        state: &Shared,
        adapter: Option<String>,
        identity: Identity,
    ) -> Result<Asked, Problem> {
        let (mut prompt, speaking) = (self.prompt, self.speaking);
        let field = speaking.names.format.or(speaking.names.tools);
        let prepare = move |state: &State| {
            let prepared = speaking::prepare(state, &mut prompt, &speaking)?;
            Ok((prompt, prepared))
        };
        let (prompt, prepared) = state.read_with(prepare).await?;
        let answer_tokens_max = models::answer_tokens_max(state);
        let chat = Chat {
            sampling: self.drawing.sampling(),
            max_tokens: self.max_tokens.unwrap_or(answer_tokens_max),
            prompt,
            stop: self.stop,
            constraint: prepared.constraint,
            spelled: prepared.spelled,
            thought: prepared.thought,
            choices: self.choices,
            adapter,
            caller: identity.caller,
        };
        Ok(Asked { chat, reader: prepared.reader, field, trace: identity.trace })
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

    /// The last message of the user: the question, when the documents are asked; with what it
    /// leaves out because an earlier one said it.
    pub(crate) fn question(&self) -> Result<String, Problem> {
        if self.prompt.messages().is_none() {
            let message = format!(
                "{DOCUMENTS_MODEL} answers questions and does not go on from a text; ask it \
                 through /v1/chat/completions"
            );
            return Err(Problem::field("model", message));
        }
        let messages = self.prompt.messages().unwrap_or_default();
        let asked = messages.iter().filter(|message| message["role"] == "user");
        let questions: Vec<&str> =
            asked.filter_map(|message| message["content"].as_str()).collect();
        if questions.is_empty() {
            return Err(Problem::field("messages", "there is no message with the role `user`"));
        }
        Ok(allod_retrieval::resolve(&questions))
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
        let more = self.speaking.names.first();
        if let Some(name) = self.drawing.not_greedy().or(other).or(more) {
            let message = format!(
                "`{name}` cannot be set for {DOCUMENTS_MODEL}: its answers are quoted or written \
                 from the documents, never drawn at random or cut; leave it out"
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
async fn whole(state: &Shared, asked: Asked) -> Result<Finished, Problem> {
    let gone = Arc::new(AtomicBool::new(false));
    let _waiting = Waiting(Arc::clone(&gone));
    let (shared, came, tenant) =
        (Arc::clone(state), Instant::now(), asked.chat.caller.tenant.clone());
    let work = move || {
        let goes_on = || match gone.load(Ordering::Relaxed) {
            false => ControlFlow::Continue(()),
            true => ControlFlow::Break(()),
        };
        let reply = counted(&shared, &asked, came, &mut |_| goes_on())?;
        Ok(Finished::of(&shared, &asked, reply))
    };
    state.answer(&tenant, work).await
}

/// Lets the model answer and sends what it writes as it writes it. The end is sent only after the
/// receipt is durable.
async fn streamed(state: &Shared, asked: Asked, form: Box<dyn Form>) -> Result<Response, Problem> {
    let came = Instant::now();
    let place = state.enter(&asked.chat.caller.tenant).await?;
    let (mut writer, receiver) = stream::channel(form);
    let shared = Arc::clone(state);
    tokio::task::spawn_blocking(move || {
        let _place = place;
        // When nobody reads any more there is nobody to tell; the receipt is written all the same.
        let _ = write(&shared, &asked, came, &mut writer);
    });
    stream::response(receiver).await
}

fn write(state: &State, asked: &Asked, came: Instant, writer: &mut Writer) -> Result<(), Gone> {
    let mut held = Held::new(asked);
    let mut on_piece = |piece: Piece| match held.write(state, &piece, writer) {
        Ok(()) => ControlFlow::Continue(()),
        Err(Gone) => ControlFlow::Break(()),
    };
    let reply = match counted(state, asked, came, &mut on_piece) {
        Ok(reply) => reply,
        Err(problem) => return writer.fail(problem),
    };
    if reply.outcome != Outcome::Answered {
        // The model did not run; what is said instead is all there is.
        let text = reply.choices.first().map_or("", |choice| choice.text.as_str());
        writer.part(&Part { text, ..Part::default() })?;
    }
    writer.finish(&Finished::of(state, asked, reply))
}

/// The answers of a stream: taken apart, and the tokens whose text is not certain yet.
struct Held {
    readers: Vec<Option<Reader>>,
    /// Of each answer; nothing where nobody asked how likely tokens are.
    scores: Option<Vec<Vec<Scored>>>,
}

impl Held {
    fn new(asked: &Asked) -> Held {
        let choices = asked.chat.choices;
        let scored = choices.top_logprobs.is_some();
        Held {
            readers: vec![asked.reader.clone(); choices.n],
            scores: scored.then(|| vec![Vec::new(); choices.n]),
        }
    }

    /// Sends what can go out. Tokens go with the first text after them.
    fn write(&mut self, state: &State, piece: &Piece, writer: &mut Writer) -> Result<(), Gone> {
        let Piece { choice, text, token, finish } = *piece;
        if let (Some(held), Some(token)) = (&mut self.scores, token) {
            held[choice].extend(scored(state, std::slice::from_ref(token)));
        }
        let mut said = match &mut self.readers[choice] {
            Some(reader) => reader.push(text),
            None if text.is_empty() => Vec::new(),
            None => vec![SaidPart::Text(text.to_owned())],
        };
        if let (Some(_), Some(reader)) = (finish, &mut self.readers[choice]) {
            said.extend(reader.finish());
        }
        if said.is_empty() {
            let last = if finish.is_some() { self.told(choice) } else { None };
            return writer.part(&Part { choice, scores: last, ..Part::default() });
        }
        for part in said {
            let (kind, text) = match &part {
                SaidPart::Text(text) => (Kind::Text, text),
                SaidPart::Reasoning(text) => (Kind::Reasoning, text),
                SaidPart::Call(name) => (Kind::Call, name),
                SaidPart::Arguments(text) => (Kind::Arguments, text),
            };
            writer.part(&Part { choice, kind, text, scores: self.told(choice) })?;
        }
        Ok(())
    }

    fn told(&mut self, choice: usize) -> Option<Vec<Scored>> {
        self.scores.as_mut().map(|held| std::mem::take(&mut held[choice]))
    }
}

fn counted(
    state: &State,
    asked: &Asked,
    came: Instant,
    on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
) -> Result<ChatReply, Problem> {
    let (begun, chat) = (Instant::now(), &asked.chat);
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
    state.traces.turn(&model, asked.trace.as_ref(), (chat, &pace), reply.as_ref().ok());
    state.answered(&chat.caller.tenant, ("chat", outcome), begun.elapsed(), tokens);
    if let Ok(reply) = &reply {
        let finishes: Vec<Finish> = reply.choices.iter().filter_map(|one| one.finish).collect();
        if !finishes.is_empty() {
            state.metrics.generated(&pace, &finishes, reply.tokens);
        }
    }
    reply.map_err(|error| match (&error, asked.field) {
        (allod_answer::Error::Engine(EngineError::Constraint { .. }), Some(field)) => {
            Problem::field(field, error.to_string())
        }
        _ => Problem::from(error),
    })
}
