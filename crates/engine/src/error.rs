//! What can go wrong when text is generated.

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a model could not be loaded or a request not be met.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model is at fault.
    #[error(transparent)]
    Model(#[from] allod_lm::Error),
    /// The prompt leaves no room for a token.
    #[error(
        "the prompt has {prompt_tokens} tokens, but prompt and answer together can have \
         {context_tokens}; shorten the prompt or use a model with a longer context"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens that a sequence can have.
        context_tokens: usize,
    },
    /// Nothing to go on from: the prompt gave no token at all.
    #[error("the prompt is empty and this model has no token that begins a text; give a prompt")]
    EmptyPrompt,
    /// A request for an adapter that the engine does not have.
    #[error("there is no adapter `{name}`; there are: {known}")]
    UnknownAdapter {
        /// What was asked for.
        name: String,
        /// The names that can be asked for.
        known: String,
    },
    /// Two adapters under one name.
    #[error("there are two adapters `{name}`; give each a name of its own")]
    AdapterTwice {
        /// The name.
        name: String,
    },
    /// No room for one more adapter.
    #[error("{most} adapters are loaded, and there is room for no more; unload one first")]
    TooManyAdapters {
        /// How many there can be.
        most: usize,
    },
    /// A sampling parameter outside its range.
    #[error("sampling: {name} is {value}, but must be {range}")]
    Sampling {
        /// The parameter.
        name: &'static str,
        /// What it is.
        value: f32,
        /// What it may be.
        range: &'static str,
    },
    /// A number of completions, or of log probabilities, that is not given.
    #[error("{name} is {value}, but must be {range}")]
    Count {
        /// The parameter.
        name: &'static str,
        /// What it is.
        value: usize,
        /// What it may be.
        range: &'static str,
    },
    /// Too many requests wait already.
    #[error("too many requests wait for the model; try again in {retry_after_seconds} s")]
    Busy {
        /// When there is likely to be room.
        retry_after_seconds: u64,
    },
    /// Too many requests of one tenant wait already.
    #[error("too many of your requests wait for the model; try again in {retry_after_seconds} s")]
    TenantBusy {
        /// When there is likely to be room.
        retry_after_seconds: u64,
    },
    /// The engine failed while it worked on this request and others.
    #[error("the engine failed while it ran the model: {what}; ask again")]
    Run {
        /// What happened.
        what: String,
    },
    /// What another process says of a model or an adapter that it cannot use.
    #[error("{what}")]
    Unfit {
        /// Its words.
        what: String,
    },
    /// The process that runs the model has ended, and another is being started.
    #[error(
        "the process that runs the model ended ({what}) and is started again; try again in \
         {retry_after_seconds} s"
    )]
    Down {
        /// How it ended.
        what: String,
        /// When there is likely to be another.
        retry_after_seconds: u64,
    },
    /// The engine is shutting down.
    #[error("the engine is shutting down; ask another one")]
    Stopped,
    /// The thread that runs the model could not be started.
    #[error("the thread that runs the model could not be started: {0}")]
    Thread(std::io::Error),
    /// A bias for a token that the model does not have.
    #[error("logit_bias: there is no token {token}; the model has {vocabulary}, counted from 0")]
    BiasToken {
        /// The token.
        token: u32,
        /// How many tokens the model has.
        vocabulary: usize,
    },
    /// A grammar that cannot be followed.
    #[error("the constraint cannot be kept to: {what}")]
    Constraint {
        /// Why.
        what: String,
    },
    /// The tokenizer can give tokens that the model does not have.
    #[error(
        "the tokenizer gives token {token}, but the model has {vocabulary}; \
         tokenizer and weights do not belong together"
    )]
    Vocabulary {
        /// The token.
        token: u32,
        /// How many tokens the model has.
        vocabulary: usize,
    },
    /// The model computed no number.
    #[error("after {tokens} tokens the model's scores are no numbers; the weights are damaged")]
    NotANumber {
        /// Tokens of the sequence so far.
        tokens: usize,
    },
}
