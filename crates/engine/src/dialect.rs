//! How a model writes what is not text: reasoning and calls of tools. Each family of models has a
//! form that it was trained to write, and its chat template shows which.

use crate::request::Prompt;
use serde_json::Value;

/// The form that a model writes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// What stands around reasoning, where the model can think.
    pub thought: Option<Around>,
    /// What stands before the text.
    pub text: &'static str,
    /// What may stand around the text of a model that has thought.
    pub answer: Option<Around>,
    /// How calls are written.
    pub calls: Calls,
}

/// What stands before and after something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// Before it.
    pub open: &'static str,
    /// After it.
    pub close: &'static str,
}

/// How calls are written: `mark open CALL (between CALL)* close`, where a call is
/// `before NAME (id IDENTIFIER)? middle ARGUMENTS after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Sets calls off from text. Where it is empty, a call is the whole message.
    pub mark: &'static str,
    /// After the mark.
    pub open: &'static str,
    /// Before a tool's name.
    pub before: &'static str,
    /// Before an identifier of nine letters that may follow the name; empty where none may.
    pub id: &'static str,
    /// Between name and arguments.
    pub middle: &'static str,
    /// How arguments are written.
    pub arguments: Arguments,
    /// After the arguments.
    pub after: &'static str,
    /// Between calls; it may repeat the mark.
    pub between: &'static str,
    /// After the last call.
    pub close: &'static str,
}

/// How arguments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// As a JSON object.
    Json,
    /// One after the other.
    Fields(Fields),
}

/// How arguments are written that stand one after the other: each is `before NAME middle VALUE
/// after`, where a text is written as it is and all else as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Before an argument's name.
    pub before: &'static str,
    /// Between name and value.
    pub middle: &'static str,
    /// After the value.
    pub after: &'static str,
}

/// `<tool_call>` with name and arguments in one JSON object: most models, and those that tell
/// nothing else.
const TAGGED: Calls = Calls {
    mark: "<tool_call>",
    open: "",
    before: "\n{\"name\": \"",
    id: "",
    middle: "\", \"arguments\": ",
    arguments: Arguments::Json,
    after: "}\n</tool_call>",
    between: "\n<tool_call>",
    close: "",
};

/// A JSON object instead of a text.
const BARE: Calls = Calls {
    mark: "",
    open: "",
    before: "{\"name\": \"",
    id: "",
    middle: "\", \"parameters\": ",
    arguments: Arguments::Json,
    after: "}",
    between: "; ",
    close: "",
};

/// A list of JSON objects after a mark.
const LISTED: Calls = Calls {
    mark: "[TOOL_CALLS]",
    open: "[",
    before: "{\"name\": \"",
    id: "",
    middle: "\", \"arguments\": ",
    arguments: Arguments::Json,
    after: "}",
    between: ", ",
    close: "]",
};

const SPACED_LIST: Calls = Calls { open: " [", ..LISTED };
const PIPED_LIST: Calls = Calls { mark: "<|tool_call|>", ..LISTED };
const PIPED_BLOCK: Calls = Calls { close: "]<|/tool_call|>", ..PIPED_LIST };

/// A mark before each name and one before its arguments.
const MARKED: Calls = Calls {
    mark: "[TOOL_CALLS]",
    open: "",
    before: "",
    id: "",
    middle: "[ARGS]",
    arguments: Arguments::Json,
    after: "",
    between: "[TOOL_CALLS]",
    close: "",
};

/// The same with an identifier after the name.
const IDENTIFIED: Calls = Calls { id: "[CALL_ID]", ..MARKED };

/// A list of JSON objects in a block.
const LISTED_BLOCK: Calls = Calls { mark: "<tool_calls>", close: "]</tool_calls>", ..LISTED };

/// A tag with the name, around the arguments.
const FUNCTION: Calls = Calls {
    mark: "<function=",
    open: "",
    before: "",
    id: "",
    middle: ">",
    arguments: Arguments::Json,
    after: "</function>",
    between: "<function=",
    close: "",
};

/// A list of objects whose only member is the tool.
const KEYED: Calls = Calls {
    mark: "<|tools_prefix|>",
    open: "[",
    before: "{\"",
    id: "",
    middle: "\": ",
    arguments: Arguments::Json,
    after: "}",
    between: ", ",
    close: "]<|tools_suffix|>",
};

/// A section of calls, each with its kind, its name, and its arguments in a code block.
const FENCED: Calls = Calls {
    mark: "<｜tool▁calls▁begin｜>",
    open: "",
    before: "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    id: "",
    middle: "\n```json\n",
    arguments: Arguments::Json,
    after: "\n```<｜tool▁call▁end｜>",
    between: "\n",
    close: "<｜tool▁calls▁end｜>",
};

const SECTION: Calls = Calls {
    before: "<｜tool▁call▁begin｜>",
    middle: "<｜tool▁sep｜>",
    after: "<｜tool▁call▁end｜>",
    between: "",
    ..FENCED
};

/// A message to a channel of its own.
const CHANNEL: Calls = Calls {
    mark: "<|channel|>commentary to=functions.",
    open: "",
    before: "",
    id: "",
    middle: " <|constrain|>json<|message|>",
    arguments: Arguments::Json,
    after: "<|call|>",
    between: "<|start|>assistant<|channel|>commentary to=functions.",
    close: "",
};

/// A block of tags for each call, a line for each tag and the value on lines of its own
/// (Qwen3-Coder).
const TAGGED_FIELDS: Calls = Calls {
    mark: "<tool_call>",
    open: "",
    before: "\n<function=",
    id: "",
    middle: ">\n",
    arguments: Arguments::Fields(Fields {
        before: "<parameter=",
        middle: ">\n",
        after: "\n</parameter>\n",
    }),
    after: "</function>\n</tool_call>",
    between: "\n<tool_call>",
    close: "",
};

/// Name, then keys and values (GLM-4.5).
const PAIRED_FIELDS: Calls = Calls {
    before: "",
    middle: "\n",
    arguments: Arguments::Fields(Fields {
        before: "<arg_key>",
        middle: "</arg_key>\n<arg_value>",
        after: "</arg_value>\n",
    }),
    after: "</tool_call>",
    ..TAGGED_FIELDS
};

/// The same without lines (GLM-4.7).
const TIGHT_FIELDS: Calls = Calls {
    middle: "",
    arguments: Arguments::Fields(Fields {
        before: "<arg_key>",
        middle: "</arg_key><arg_value>",
        after: "</arg_value>",
    }),
    between: "<tool_call>",
    ..PAIRED_FIELDS
};

/// A section of calls with named parameters (MiniMax-M2).
const INVOKED_FIELDS: Calls = Calls {
    mark: "<minimax:tool_call>",
    open: "\n",
    before: "<invoke name=\"",
    id: "",
    middle: "\">\n",
    arguments: Arguments::Fields(Fields {
        before: "<parameter name=\"",
        middle: "\">",
        after: "</parameter>\n",
    }),
    after: "</invoke>\n",
    between: "",
    close: "</minimax:tool_call>",
};

/// What a template holds, and what it says of calls; the first that is there counts.
const CALLS: [(&[&str], Calls); 18] = [
    (&["<function=", "<parameter="], TAGGED_FIELDS),
    (&["<function=", "</function>"], FUNCTION),
    (&["</arg_key><arg_value>"], TIGHT_FIELDS),
    (&["<arg_key>", "<arg_value>"], PAIRED_FIELDS),
    (&["<minimax:tool_call>", "<invoke name="], INVOKED_FIELDS),
    (&["<|tools_prefix|>"], KEYED),
    (&["<｜tool▁calls▁begin｜>", "```json"], FENCED),
    (&["<｜tool▁calls▁begin｜>"], SECTION),
    (&["[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"], IDENTIFIED),
    (&["[TOOL_CALLS]", "[ARGS]"], MARKED),
    (&["[TOOL_CALLS] ["], SPACED_LIST),
    (&["[TOOL_CALLS]"], LISTED),
    (&["<|channel|>", "to=functions."], CHANNEL),
    // Where the template puts the receiver elsewhere and joins it from parts.
    (&["<|channel|>commentary", "functions."], CHANNEL),
    (&["<tool_calls>", "</tool_calls>"], LISTED_BLOCK),
    (&["<|tool_call|>", "<|/tool_call|>"], PIPED_BLOCK),
    (&["<|tool_call|>"], PIPED_LIST),
    (&["\"parameters\"", "ipython"], BARE),
];

/// What a template holds, and what stands around reasoning then.
const THOUGHTS: [(&str, Around); 4] = [
    ("</think>", Around { open: "<think>", close: "</think>" }),
    ("<|inner_suffix|>", Around { open: "<|inner_prefix|>", close: "<|inner_suffix|>" }),
    ("[/THINK]", Around { open: "[THINK]", close: "[/THINK]" }),
    (
        "<|channel|>analysis",
        Around { open: "<|channel|>analysis<|message|>", close: "<|end|><|start|>assistant" },
    ),
];

impl Dialect {
    /// A model that writes nothing but text.
    pub const PLAIN: Dialect = Dialect { thought: None, text: "", answer: None, calls: TAGGED };

    /// The form that the model of this chat template writes in.
    pub fn of(template: Option<&str>) -> Dialect {
        let Some(source) = template else { return Dialect::PLAIN };
        let holds = |texts: &[&str]| texts.iter().all(|text| source.contains(text));
        let calls = CALLS.iter().find(|(texts, _)| holds(texts)).map_or(TAGGED, |found| found.1);
        let thought = THOUGHTS.iter().find(|(text, _)| source.contains(text));
        let text = match calls == CHANNEL {
            true => "<|channel|>final<|message|>",
            false => "",
        };
        // Granite says so where it asks for thoughts.
        let answer = holds(&["</think>", "<response>", "</response>"])
            .then_some(Around { open: "<response>", close: "</response>" });
        Dialect { thought: thought.map(|found| found.1), text, answer, calls }
    }

    /// The form that a completion of this prompt is in: what follows a text is text.
    pub fn after(self, prompt: &Prompt) -> Dialect {
        match prompt {
            Prompt::Chat(_) | Prompt::Conversation(_) => self,
            Prompt::Text(_) | Prompt::Tokens(_) => Dialect::PLAIN,
        }
    }

    /// All that this form writes beside text.
    pub(crate) fn marks(&self) -> impl Iterator<Item = &'static str> {
        let Calls { mark, open, before, id, middle, arguments, after, between, close } = self.calls;
        let thought = self.thought.map(|thought| [thought.open, thought.close]);
        let fields = match arguments {
            Arguments::Json => None,
            Arguments::Fields(fields) => Some([fields.before, fields.middle, fields.after]),
        };
        let calls = [self.text, mark, open, before, id, middle, after, between, close];
        let calls = calls.into_iter().chain(fields.into_iter().flatten());
        calls.chain(thought.into_iter().flatten())
    }
}

impl Calls {
    /// A call as the model would write it.
    pub(crate) fn written(&self, name: &str, arguments: &str) -> String {
        let arguments = match self.arguments {
            Arguments::Json => arguments.to_string(),
            Arguments::Fields(fields) => fields.written(arguments),
        };
        [self.before, name, self.middle, &arguments, self.after].concat()
    }

    /// Calls as the model would write them.
    pub(crate) fn all_written(&self, calls: &[(String, String)]) -> String {
        let calls = calls.iter().map(|(name, arguments)| self.written(name, arguments));
        let calls: Vec<String> = calls.collect();
        [self.mark, self.open, &calls.join(self.between), self.close].concat()
    }
}

impl Fields {
    /// The members of a JSON object as the model would write them; what is none stands for a value.
    fn written(&self, arguments: &str) -> String {
        let of = |name: &str, value: &Value| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            [self.before, name, self.middle, &value, self.after].concat()
        };
        match serde_json::from_str(arguments) {
            Ok(Value::Object(members)) => {
                members.iter().map(|(name, value)| of(name, value)).collect()
            }
            _ => of("ARGUMENT", &"VALUE".into()),
        }
    }
}
