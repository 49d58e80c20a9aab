//! A turn of the model itself, in a conversation or after a plain text, without the documents:
//! recorded and decided like any other request, but nothing in it is checked against evidence.

use std::ops::ControlFlow;
use std::time::Instant;

use allod_corpus::Language;
use allod_engine::{
    ChosenToken, Completion, Finish, GenerateRequest, Generated, Piece, Prompt, Usage,
};
use allod_ledger::Receipt;
use allod_ledger::receipt::{Model, RequestKind, Timings};
use allod_policy::{Decision, Facts, Fired, Outcome, Policy};
use allod_policy::{decide, destination, observe, plain_chat_permitted};
use allod_store::{NewReview, ReviewKind};
use serde_json::{Value, json};

use crate::ask::Chat;
use crate::case::millis;
use crate::desk::Desk;
use crate::elsewhere::Elsewhere;
use crate::error::Error;
use crate::generator::{Finished, Generator};
use crate::kept::{self, shown};
use crate::output::Output;
use crate::reason;
use crate::record::{self, Keeper, Words, append, blank, new_id};
use crate::reply::{Mode, ReceiptRef, Tokens};
use crate::wording::{fill, wording};

/// The end of a chat turn.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatReply {
    /// What the model wrote, in as many choices as were asked for; or, in one, what happened
    /// instead.
    pub choices: Vec<Choice>,
    /// What the policy decided.
    pub outcome: Outcome,
    /// Tokens read and written, those of answers that are not given back too.
    pub tokens: Tokens,
    /// Tokens of the prompt that had been computed for an earlier request of the same tenant.
    pub cached: u64,
    /// The receipt; durable before this exists.
    pub receipt: ReceiptRef,
    /// The entry in the review queue, when a person is to decide.
    pub review: Option<String>,
}

/// One of the answers of a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// The text.
    pub text: String,
    /// Why the model stopped; absent when it did not run.
    pub finish: Option<Finish>,
    /// The stop text that ended the answer, where one of the request's did and it is known.
    pub stopped_by: Option<String>,
    /// What is known of each token, where that was asked for.
    pub logprobs: Vec<ChosenToken>,
}

impl Desk {
    /// Lets the model go on from a conversation or a text, if the policy does. `on_piece` sees the
    /// text as it is written, and an empty one now and then while a long prompt is read; the turn
    /// counts as answered only when this returns, with its receipt durable.
    ///
    /// # Errors
    /// When there is no model, it fails, or no receipt could be written.
    pub fn chat(
        &self,
        chat: &Chat,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<ChatReply, Error> {
        let generator = self.generator.as_ref().ok_or_else(|| {
            Error::NoModel(
                "no model is loaded: start with --model PATH or name one in the \
                            policy; questions to the documents need none"
                    .into(),
            )
        })?;
        if generator.vocabulary().is_none() && chat.prompt.messages().is_none() {
            return Err(elsewhere());
        }
        check_choices(&self.policy, chat)?;
        let mut turn = Turn::take(&self.policy, generator, chat, on_piece)?;
        turn.escalate(&self.elsewhere, on_piece)?;
        turn.close(self)
    }
}

/// Every choice takes a place of its own.
fn check_choices(policy: &Policy, chat: &Chat) -> Result<(), Error> {
    let (written, most) = (chat.choices.written(), policy.limits.answer_choices_max as usize);
    match written <= most {
        true => Ok(()),
        false => Err(Error::Limit(format!(
            "{written} answers are asked for, and the policy allows {most} \
             (limits.answer_choices_max)"
        ))),
    }
}

/// What the policy looks at: the last message of the user, or the whole of a plain text.
fn question(chat: &Chat, generator: &Generator) -> Result<String, Error> {
    match &chat.prompt {
        Prompt::Text(text) => return Ok(text.clone()),
        Prompt::Tokens(_) if generator.vocabulary().is_none() => return Err(elsewhere()),
        Prompt::Tokens(tokens) => return generator.decode(tokens),
        Prompt::Chat(_) | Prompt::Conversation(_) => {}
    }
    let asked = chat.prompt.asked().map(|question| question.trim().to_owned());
    asked.filter(|question| !question.is_empty()).ok_or_else(|| {
        let why = "the policy decides by what the user asks, and the last message of the role \
                       `user` is missing or empty";
        Error::Limit(why.into())
    })
}

/// The chat interface of a server elsewhere takes conversations only.
fn elsewhere() -> Error {
    Error::Limit(
        "the model runs on another server, which takes conversations only; send messages".into(),
    )
}

/// What a plain chat may not do, known before a model runs: answer a question about rules when the
/// policy wants documents for it, or answer without citations when the policy requires them.
pub(crate) fn allowed(policy: &Policy, decision: Decision, facts: &Facts) -> Decision {
    let needs_documents =
        policy.retrieval.required_for_policy_answers && facts.request.policy_question;
    let because = match plain_chat_permitted(policy) {
        Err(why) => why.to_string(),
        Ok(()) if needs_documents => "a question about rules is answered from the documents only; \
                                      ask the model `allod/documents`"
            .into(),
        Ok(()) => return decision,
    };
    if decision.outcome != Outcome::Answered {
        return decision;
    }
    let fired = Fired { id: "retrieval.required".into(), because };
    Decision { outcome: Outcome::Refused, rules: vec![fired], ..decision }
}

/// What a policy makes of a question of a plain chat, before a model runs.
pub(crate) fn decided(policy: &Policy, question: &str) -> (Language, Facts, Decision) {
    let language = Language::detect(question);
    let request = observe(policy, question, language.code());
    let facts = Facts { request, ..Facts::default() };
    let decision = allowed(policy, decide(policy, &facts), &facts);
    (language, facts, decision)
}

/// What a model is asked for in a turn.
pub(crate) fn request(policy: &Policy, chat: &Chat) -> GenerateRequest {
    GenerateRequest {
        prompt: chat.prompt.clone(),
        sampling: chat.sampling.clone(),
        max_tokens: chat.max_tokens.min(policy.limits.answer_tokens_max as usize),
        stop: chat.stop.clone(),
        constraint: chat.constraint.clone(),
        spelled: chat.spelled.clone(),
        thought: chat.thought.clone(),
        tenant: chat.caller.tenant.clone(),
        n: chat.choices.n,
        best_of: chat.choices.best_of,
        top_logprobs: chat.choices.top_logprobs,
        adapter: chat.adapter.clone(),
        ..GenerateRequest::default()
    }
}

/// A chat turn that is over and not yet recorded.
pub(crate) struct Turn<'a> {
    policy: &'a Policy,
    chat: &'a Chat,
    generator: &'a Generator,
    language: Language,
    facts: Facts,
    decision: Decision,
    request: GenerateRequest,
    written: Option<Completion>,
    /// The model of the approved server that wrote it.
    elsewhere: Option<Model>,
    opened: Instant,
}

impl<'a> Turn<'a> {
    /// Decides, and lets the model write if it may.
    ///
    /// # Errors
    /// When there is no question, or the model fails.
    pub(crate) fn take(
        policy: &'a Policy,
        generator: &'a Generator,
        chat: &'a Chat,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Turn<'a>, Error> {
        let opened = Instant::now();
        let question = question(chat, generator)?;
        let (language, mut facts, decision) = decided(policy, &question);
        let request = request(policy, chat);
        let written = match decision.outcome {
            Outcome::Answered => {
                let Finished { completion, server } = generator.generate(&request, on_piece)?;
                facts.server = server;
                Some(completion)
            }
            _ => None,
        };
        let elsewhere = None;
        Ok(Turn {
            policy,
            chat,
            generator,
            language,
            facts,
            decision,
            request,
            written,
            elsewhere,
            opened,
        })
    }

    /// Sends an escalated turn to the approved server that the policy names for it, if nothing
    /// stands against it; whatever comes of it is in the facts.
    fn escalate(
        &mut self,
        elsewhere: &Elsewhere,
        on_piece: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let escalated = self.decision.outcome == Outcome::Escalated;
        let to = destination(self.policy, &self.facts).filter(|_| escalated);
        let Some(to) = to else { return Ok(()) };
        let plan = elsewhere.plan(&to.name, &self.request)?;
        let model = plan.model();
        let planned = Facts { route: Some(plan.facts.clone()), ..self.facts.clone() };
        let decision = decide(self.policy, &planned);
        let free = allowed(self.policy, decision.clone(), &planned).outcome == Outcome::Answered;
        if decision.outcome == Outcome::Answered && !free {
            // What the policy does not let a model answer stays with the person.
            return Ok(());
        }
        (self.facts, self.decision) = (planned, decision);
        if free {
            let sent = plan.send();
            self.facts.route = Some(sent.facts);
            self.decision = decide(self.policy, &self.facts);
            if let Ok(written) = sent.written {
                let (text, finish) = (written.text.as_str(), Some(written.finish));
                // The whole text is here already: whether the caller wants more changes nothing.
                let _ = on_piece(Piece { choice: 0, text, token: None, finish });
                self.written = Some(whole(written));
                self.elsewhere = Some(model);
            }
        }
        Ok(())
    }

    fn close(self, desk: &Desk) -> Result<ChatReply, Error> {
        let id = new_id();
        let review = self.queue(desk, &id)?;
        let receipt = self.record(desk, &id, review.clone())?;
        if let Some(review) = &review {
            desk.store.link_review(review, receipt.index)?;
        }
        let (tokens, outcome) = (self.tokens(), self.decision.outcome);
        let cached = self.written.as_ref().map_or(0, |written| written.usage.cached_tokens as u64);
        let choices = match &self.written {
            Some(written) => written.choices.iter().map(|choice| self.choice(choice)).collect(),
            None => {
                let text = instead(self.language, &self.decision, review.as_deref());
                vec![Choice { text, ..Choice::default() }]
            }
        };
        Ok(ChatReply { choices, outcome, tokens, cached, receipt, review })
    }

    fn choice(&self, generated: &Generated) -> Choice {
        Choice {
            text: generated.text.clone(),
            finish: Some(generated.finish),
            stopped_by: self.stopped_by(generated),
            logprobs: generated.logprobs.clone(),
        }
    }

    /// The text of all tokens written still holds the stop text that the answer was cut at.
    fn stopped_by(&self, generated: &Generated) -> Option<String> {
        let mut stops = self.chat.stop.iter().filter(|stop| !stop.is_empty()).peekable();
        if generated.finish != Finish::Stop || stops.peek().is_none() {
            return None;
        }
        let written = self.generator.decode(&generated.tokens).ok()?;
        let found = stops.filter_map(|stop| Some((written.find(stop.as_str())?, stop)));
        found.min_by_key(|(at, _)| *at).map(|(_, stop)| stop.clone())
    }

    fn tokens(&self) -> Tokens {
        self.written.as_ref().map_or(Tokens::default(), |written| Tokens {
            prompt: written.usage.prompt_tokens as u64,
            completion: written.usage.completion_tokens as u64,
        })
    }

    fn queue(&self, desk: &Desk, id: &str) -> Result<Option<String>, Error> {
        let kind = match self.decision.outcome {
            Outcome::Escalated => ReviewKind::Escalated,
            Outcome::HumanReview => ReviewKind::HumanReview,
            Outcome::Answered | Outcome::Refused => return Ok(None),
        };
        let caller = &self.chat.caller;
        let review = NewReview {
            kind,
            tenant: caller.tenant.clone(),
            subject: caller.subject.clone(),
            reasons: self.decision.rules.iter().map(|rule| rule.because.clone()).collect(),
            receipt_index: None,
            request_json: self.review(id).to_string(),
            draft_json: None,
        };
        Ok(Some(desk.store.enqueue_review(&review)?.id))
    }

    /// What the queue shows to the person who decides.
    fn review(&self, id: &str) -> Value {
        let caller = &self.chat.caller;
        let mut review =
            json!({"id": id, "subject": caller.subject, "labels": caller.clearance.labels});
        match &self.chat.prompt {
            Prompt::Chat(messages) => review["messages"] = shown(messages),
            Prompt::Conversation(input) => review["messages"] = json!(input.messages),
            Prompt::Text(text) => review["question"] = json!(text),
            Prompt::Tokens(tokens) => {
                let text = self.generator.decode(tokens).ok();
                review["question"] = json!(text);
            }
        }
        review
    }

    fn record(&self, desk: &Desk, id: &str, review: Option<String>) -> Result<ReceiptRef, Error> {
        let keeper = Keeper { desk, caller: &self.chat.caller };
        let output = self.output().map(|output| output.text());
        let prompt = kept::chat(self.chat).to_string();
        let (words, rows) = keeper.words(&prompt, self.answer().as_deref(), output.as_deref())?;
        let total = millis(self.opened);
        let receipt = Receipt {
            request: record::request(id, kind(self.chat), &self.chat.caller),
            timings_ms: Timings { retrieval: 0, generation: total, total },
            review,
            ..self.receipt(words)
        };
        append(desk, rows, receipt)
    }

    /// What the model wrote, as text.
    pub(crate) fn answer(&self) -> Option<String> {
        self.written.as_ref().map(|written| recorded(&written.choices))
    }

    /// What the model wrote, token by token.
    pub(crate) fn output(&self) -> Option<Output> {
        self.written.as_ref().and_then(|written| Output::of(&written.choices))
    }

    /// The receipt, but for who asked and how long it took.
    pub(crate) fn receipt(&self, words: Words) -> Receipt {
        let written = self.written.as_ref();
        let blank = blank(self.policy, words);
        let ours = written.filter(|_| self.elsewhere.is_none());
        let ran = ours.map(|_| self.generator);
        let model = ours.map(|written| self.generator.record(written.adapter.as_ref()));
        let mode = match self.elsewhere {
            Some(_) => Mode::Upstream,
            None => ran.map_or(Mode::None, Generator::mode),
        };
        Receipt {
            model: self.elsewhere.clone().or(model),
            sampling: written.map(|_| record::sampling(&self.request.sampling)),
            numerics: ran.map_or(record::NUMERICS, Generator::numerics).into(),
            facts: record::facts(&self.facts),
            rules: record::rules(&self.decision.rules),
            outcome: record::outcome(self.decision.outcome),
            mode: record::mode(mode),
            tokens: record::tokens(self.tokens()),
            limits: record::with_context(blank.limits.clone(), ran),
            ..blank
        }
    }
}

/// What a server elsewhere wrote, as a completion.
pub(crate) fn whole(generated: Generated) -> Completion {
    let usage = Usage {
        prompt_tokens: generated.prompt_tokens,
        completion_tokens: generated.completion_tokens,
        ..Usage::default()
    };
    Completion { choices: vec![generated], usage, adapter: None }
}

/// What is kept of the answers: the one as it is, several as a list.
fn recorded(choices: &[Generated]) -> String {
    match choices {
        [only] => only.text.clone(),
        several => several.iter().map(|choice| choice.text.as_str()).collect::<Value>().to_string(),
    }
}

fn kind(chat: &Chat) -> RequestKind {
    match chat.prompt {
        Prompt::Chat(_) | Prompt::Conversation(_) => RequestKind::Chat,
        Prompt::Text(_) | Prompt::Tokens(_) => RequestKind::Generate,
    }
}

fn instead(language: Language, decision: &Decision, review: Option<&str>) -> String {
    let words = wording(language);
    let text = match decision.outcome {
        Outcome::Escalated => words.escalated,
        Outcome::HumanReview => words.human_review,
        Outcome::Answered | Outcome::Refused => words.refused,
    };
    let because = reason::deciding(decision, language);
    fill(text, &[("because", &because), ("review", review.unwrap_or_default())])
}
