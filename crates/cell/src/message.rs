//! What is said between the process that serves and the cell.

use crate::wire::{Blob, wire_enum, wire_struct};
use allod_engine::{
    AdapterIdentity, Beginning, Constraint, Dialect, EncoderProfile, Error, Event, Framing,
    GenerateRequest, Options, Prefix, Priority, Prompt, Sampling, SpeechOptions, Stats,
    ThoughtBound, Told, Vocabulary,
};
use allod_lm::{EmbedOptions, Purpose};

/// What a cell is asked.
#[derive(Debug)]
pub(crate) enum Ask {
    /// The first: load the model at this path.
    Load {
        path: String,
        options: Box<Options>,
    },
    /// Write completions.
    Generate(Box<Asked>),
    /// Nobody wants any more what was asked under this number.
    Cancel,
    /// The tokens of a prompt.
    Tokens(Prompt),
    /// How to ask for speech.
    Told {
        prompt: Prompt,
        options: Box<SpeechOptions>,
    },
    /// The tokens of a text.
    Encode {
        text: String,
        framing: Framing,
    },
    /// The text of tokens.
    Spelled(Vec<u32>),
    LoadAdapter {
        name: String,
        path: String,
    },
    UnloadAdapter(String),
    /// How it fares.
    Stats,
    /// Whether its packed weights are what packing the weights gives; a text that says what is
    /// wrong, or an empty one.
    StrangePacked,
    /// The first, where the model reads and does not write.
    LoadEncoder {
        path: String,
        task: Task,
        options: EmbedOptions,
    },
    /// How many tokens texts have.
    TextTokens {
        purpose: Purpose,
        texts: Vec<String>,
    },
    /// The vectors of texts.
    Embed {
        purpose: Purpose,
        texts: Vec<String>,
    },
    /// How many tokens a query has with each document.
    PairTokens {
        query: String,
        documents: Vec<String>,
    },
    /// The scores of documents beside a query.
    Score {
        query: String,
        documents: Vec<String>,
    },
    /// The tokens of a prompt, and how much of it is in memory.
    Prefix {
        prompt: Prompt,
        tenant: String,
        adapter: Option<String>,
    },
    /// A page of keys and values.
    Page {
        of: Box<Beginning>,
        number: usize,
    },
    /// Takes pages into memory, from number `first` on.
    PutPages {
        of: Box<Beginning>,
        first: usize,
        pages: Vec<Blob>,
    },
}

/// What a model that reads is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Embed,
    Rank,
}

wire_enum!(Task { 0 => Embed, 1 => Rank });

wire_enum!(Ask {
    0 => Load { path, options },
    1 => Generate(asked),
    2 => Cancel,
    3 => Tokens(prompt),
    4 => Told { prompt, options },
    5 => Encode { text, framing },
    6 => Spelled(tokens),
    7 => LoadAdapter { name, path },
    8 => UnloadAdapter(name),
    9 => Stats,
    10 => LoadEncoder { path, task, options },
    11 => TextTokens { purpose, texts },
    12 => Embed { purpose, texts },
    13 => PairTokens { query, documents },
    14 => Score { query, documents },
    15 => Prefix { prompt, tenant, adapter },
    16 => Page { of, number },
    17 => PutPages { of, first, pages },
    18 => StrangePacked,
});

/// What a cell says.
#[derive(Debug)]
pub(crate) enum Say {
    /// The model is loaded, and this is what it is.
    Ready(Box<Profile>),
    /// A request has its place in the line; nothing comes if nothing is to be written.
    Begun {
        prompt_tokens: usize,
        adapter: Option<AdapterIdentity>,
        comes: bool,
    },
    /// Something of it.
    Event(Event),
    /// It cannot be done.
    Failed(Error),
    Tokens(Vec<u32>),
    Told(Box<Told>),
    Text(String),
    Stats(Box<Stats>),
    /// It is done.
    Done,
    /// A model that reads is loaded, and this is what it is.
    Reads(Box<EncoderProfile>),
    /// Numbers of tokens.
    Counts(Vec<usize>),
    /// Vectors.
    Vectors(Vec<Vec<f32>>),
    /// Scores.
    Scores(Vec<f32>),
    /// The model computes; under no request's number.
    Pulse,
    /// A prompt's tokens.
    Prefix(Box<Prefix>),
    /// A page of keys and values, if it is in memory.
    Page(Option<Blob>),
}

wire_enum!(Say {
    0 => Ready(profile),
    1 => Begun { prompt_tokens, adapter, comes },
    2 => Event(event),
    3 => Failed(error),
    4 => Tokens(tokens),
    5 => Told(told),
    6 => Text(text),
    7 => Stats(stats),
    8 => Done,
    9 => Reads(profile),
    10 => Counts(counts),
    11 => Vectors(vectors),
    12 => Scores(scores),
    13 => Pulse,
    14 => Prefix(prefix),
    15 => Page(page),
});

/// What a model says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: String,
    /// SHA-256 of the vocabulary.
    pub(crate) tokenizer: String,
    /// The chat template's source.
    pub(crate) template: Option<String>,
    pub(crate) parameters: u64,
    pub(crate) format: String,
    pub(crate) context_tokens: usize,
    pub(crate) adapters_max: usize,
    /// How many tokens it gives scores for.
    pub(crate) tokens: usize,
    pub(crate) vocabulary: Vocabulary,
}

wire_struct!(Profile {
    name,
    tokenizer,
    template,
    parameters,
    format,
    context_tokens,
    adapters_max,
    tokens,
    vocabulary,
});

/// A [`GenerateRequest`] on its way.
#[derive(Debug)]
pub(crate) struct Asked {
    prompt: Prompt,
    sampling: Sampling,
    max_tokens: usize,
    stop: Vec<String>,
    adapter: Option<String>,
    tenant: String,
    priority: Priority,
    n: usize,
    best_of: usize,
    constraint: Option<Constraint>,
    spelled: Vec<u32>,
    thought: Option<ThoughtBound>,
    top_logprobs: Option<usize>,
}

wire_struct!(Asked {
    prompt,
    sampling,
    max_tokens,
    stop,
    adapter,
    tenant,
    priority,
    n,
    best_of,
    constraint,
    spelled,
    thought,
    top_logprobs,
});

impl From<&GenerateRequest> for Asked {
    fn from(request: &GenerateRequest) -> Asked {
        let GenerateRequest {
            prompt,
            sampling,
            max_tokens,
            stop,
            adapter,
            tenant,
            priority,
            n,
            best_of,
            constraint,
            spelled,
            thought,
            top_logprobs,
        } = request.clone();
        let thought = thought.map(|thought| thought.bound());
        Asked {
            prompt,
            sampling,
            max_tokens,
            stop,
            adapter,
            tenant,
            priority,
            n,
            best_of,
            constraint,
            spelled,
            thought,
            top_logprobs,
        }
    }
}

impl Asked {
    /// The request, of a model that speaks `dialect`.
    pub(crate) fn request(self, dialect: Dialect) -> GenerateRequest {
        let Asked {
            prompt,
            sampling,
            max_tokens,
            stop,
            adapter,
            tenant,
            priority,
            n,
            best_of,
            constraint,
            spelled,
            thought,
            top_logprobs,
        } = self;
        let thought = thought.map(|bound| bound.thought(dialect));
        GenerateRequest {
            prompt,
            sampling,
            max_tokens,
            stop,
            adapter,
            tenant,
            priority,
            n,
            best_of,
            constraint,
            spelled,
            thought,
            top_logprobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Wire, only};
    use allod_engine::{Dry, TemplateInput};
    use serde_json::json;

    fn survives(request: &GenerateRequest) {
        let mut bytes = Vec::new();
        Ask::Generate(Box::new(Asked::from(request))).put(&mut bytes);
        let Some(Ask::Generate(asked)) = only(&bytes) else { panic!("not read") };
        assert_eq!(asked.request(Dialect::PLAIN), *request);
        // Nothing that is cut is taken for something else.
        assert!((0..bytes.len()).all(|end| only::<Ask>(&bytes[..end]).is_none()));
    }

    #[test]
    fn a_request_survives_the_pipe() {
        survives(&GenerateRequest::default());
        let sampling = Sampling {
            temperature: 0.1 + 0.2,
            logit_bias: [(7, -1.0 / 3.0)].into(),
            dry: Some(Dry::default()),
            seed: u64::MAX,
            ..Sampling::default()
        };
        let parts = vec![("a".to_string(), Constraint::JsonSchema(json!({"type": "object"})))];
        let input = TemplateInput {
            tools: Some(vec![json!({"function": {"name": "f"}})]),
            variables: [("enable_thinking".to_string(), json!(false))].into(),
            ..TemplateInput::new(&[])
        };
        survives(&GenerateRequest {
            prompt: Prompt::Conversation(input),
            sampling,
            max_tokens: usize::MAX,
            stop: vec!["\n\n".into()],
            adapter: Some("a".into()),
            tenant: "city".into(),
            priority: Priority::High,
            n: 2,
            best_of: 4,
            constraint: Some(Constraint::Parts { whole: "start: @a".into(), parts }),
            spelled: vec![1, 2],
            top_logprobs: Some(3),
            ..GenerateRequest::default()
        });
    }

    #[test]
    fn a_grammar_that_is_nested_deeper_than_the_engine_has_it_is_none() {
        let part = |inner| Constraint::Parts { whole: String::new(), parts: vec![inner] };
        let flat = part(("a".to_string(), Constraint::Regex("x".into())));
        let mut bytes = Vec::new();
        flat.put(&mut bytes);
        assert_eq!(only::<Constraint>(&bytes), Some(flat.clone()));
        bytes.clear();
        part(("b".to_string(), flat)).put(&mut bytes);
        assert_eq!(only::<Constraint>(&bytes), None);
    }
}
