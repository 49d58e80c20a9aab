//! What a request lets the model say beside plain text, whatever the interface calls it.

use std::collections::BTreeMap;

use allod_answer::{Generator, Outcome};
use allod_engine::{Constraint, Part, Prompt, Reader, SpeechOptions, Thought, Tool};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::state::State;

/// What a request lets the model say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speaking {
    pub(crate) options: SpeechOptions,
    pub(crate) thinking: Thinking,
    /// Variables that the request sets for the chat template.
    pub(crate) variables: BTreeMap<String, Value>,
    /// What the interface calls the fields that ask for more than text: the format's and others.
    pub(crate) names: Names,
}

/// The fields of a request that ask for more than text, where it has them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names {
    pub(crate) tools: Option<&'static str>,
    pub(crate) format: Option<&'static str>,
    pub(crate) thinking: Option<&'static str>,
    pub(crate) variables: Option<&'static str>,
}

impl Names {
    /// The first that is there.
    pub(crate) fn first(self) -> Option<&'static str> {
        self.tools.or(self.format).or(self.thinking).or(self.variables)
    }
}

/// What a request wants of reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// As the model does.
    #[default]
    AsIs,
    /// None, where the model can be told.
    OffIfPossible,
    /// Some.
    On,
    /// So much, in the words of OpenAI's interface.
    Effort(String),
}

/// How the model is to be asked, and how it is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) constraint: Option<Constraint>,
    pub(crate) spelled: Vec<u32>,
    /// How long the model may think, where that is bounded.
    pub(crate) thought: Option<Thought>,
    /// Takes answers apart; a model that runs elsewhere has done so itself.
    pub(crate) reader: Option<Reader>,
}

/// Puts tools and variables into the prompt, and finds out how the model is to be asked.
pub(crate) fn prepare(
    state: &State,
    prompt: &mut Prompt,
    speaking: &Speaking,
) -> Result<Prepared, Problem> {
    let Some(generator) = state.desk.generator() else { return Ok(Prepared::default()) };
    if generator.vocabulary().is_none()
        && let Some(name) = speaking.names.first()
    {
        let message = "the model runs on another server, which is asked for plain text only";
        return Err(Problem::field(name, message));
    }
    if let Prompt::Conversation(input) = prompt {
        input.variables = variables(generator, speaking)?;
        let tools = speaking.options.tools.iter().map(described);
        input.tools = Some(tools.collect()).filter(|tools: &Vec<Value>| !tools.is_empty());
    }
    let thought_tokens = speaking.options.thought_tokens.or(match &speaking.thinking {
        // The model was trained to know what the effort means.
        Thinking::Effort(_) if generator.template_reads(EFFORT) => None,
        Thinking::Effort(effort) => thought_tokens(effort),
        Thinking::AsIs | Thinking::OffIfPossible | Thinking::On => None,
    });
    let options = SpeechOptions { thought_tokens, ..speaking.options.clone() };
    let Some(speech) = generator.speech(prompt, &options)? else {
        return Ok(Prepared::default());
    };
    let (constraint, spelled, thought) = (speech.constraint, speech.spelled, speech.thought);
    Ok(Prepared { constraint, spelled, thought, reader: Some(speech.reader) })
}

/// The variable by which a chat template tells the model how much to think.
const EFFORT: &str = "reasoning_effort";

/// Most tokens of reasoning under an effort, for models that know nothing of efforts.
fn thought_tokens(effort: &str) -> Option<usize> {
    match effort {
        "low" => Some(1024),
        "medium" => Some(8192),
        _ => None,
    }
}

/// A tool as chat templates read it.
fn described(tool: &Tool) -> Value {
    let mut function = json!({"name": tool.name});
    if let Some(description) = &tool.description {
        function["description"] = json!(description);
    }
    function["parameters"] = tool.parameters.clone();
    json!({"type": "function", "function": function})
}

/// The chat template's variables: those of the request, and what stands for its wish to think.
fn variables(
    generator: &Generator,
    speaking: &Speaking,
) -> Result<BTreeMap<String, Value>, Problem> {
    let reads = |name: &str| generator.template_reads(name);
    if let Some(name) = speaking.variables.keys().find(|name| !reads(name)) {
        let message = "the model's chat template knows no variable of this name; leave it out";
        return Err(Problem::field(format!("chat_template_kwargs.{name}"), message));
    }
    let mut variables = speaking.variables.clone();
    let switch = ["enable_thinking", "thinking"].into_iter().find(|name| reads(name));
    let on = match &speaking.thinking {
        Thinking::AsIs => return Ok(variables),
        Thinking::Effort(effort) if reads(EFFORT) => {
            variables.insert(EFFORT.into(), json!(effort));
            return Ok(variables);
        }
        Thinking::Effort(effort) => effort != "none" && effort != "minimal",
        Thinking::On => true,
        Thinking::OffIfPossible => false,
    };
    match switch {
        Some(name) => {
            variables.entry(name.into()).or_insert(json!(on));
            Ok(variables)
        }
        None if speaking.thinking == Thinking::OffIfPossible => Ok(variables),
        // A model that never thinks need not be told; nor can it be made to.
        None if !on && !generator.thinks() => Ok(variables),
        None => {
            let name = speaking.names.thinking.unwrap_or("thinking");
            let message = "this model's chat template has no such switch; leave it out";
            Err(Problem::field(name, message))
        }
    }
}

/// A call of a tool that the model asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// JSON, as the model wrote it.
    pub(crate) arguments: String,
}

/// An answer, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) reasoning: String,
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
}

impl Said {
    /// Takes a whole answer apart. What is said instead of an answer is text.
    pub(crate) fn of(reader: Option<&Reader>, outcome: Outcome, text: String) -> Said {
        let Some(reader) = reader.filter(|_| outcome == Outcome::Answered) else {
            return Said { text, ..Said::default() };
        };
        let mut reader = reader.clone();
        let mut said = Said::default();
        let mut parts = reader.push(&text);
        parts.extend(reader.finish());
        for part in parts {
            match part {
                Part::Reasoning(more) => said.reasoning += &more,
                Part::Text(more) => said.text += &more,
                Part::Call(name) => said.calls.push(Call { name, ..Call::default() }),
                Part::Arguments(more) => {
                    if let Some(call) = said.calls.last_mut() {
                        call.arguments += &more;
                    }
                }
            }
        }
        said
    }
}
