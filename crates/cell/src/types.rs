//! The engine's own types as bytes.

use crate::wire::{Wire, wire_enum, wire_struct};
use allod_engine::{
    ActivationForm, AdapterIdentity, Beginning, CacheForm, ChosenToken, Constraint, Dry,
    EncoderProfile, Event, Finish, Framing, Isa, Message, Opening, Options, Parallel, Prefix,
    Priority, Prompt, STEP_ROWS, Sampling, SpeechOptions, Stats, StepRows, TemplateInput,
    ThoughtBound, Told, Tool, ToolChoice, Vocabulary,
};
use allod_lm::{EmbedOptions, Purpose};

wire_struct!(Message { role, content });
wire_enum!(Prompt {
    0 => Text(text),
    1 => Chat(messages),
    2 => Conversation(input),
    3 => Tokens(tokens),
});
wire_enum!(Priority { 0 => Low, 1 => Normal, 2 => High });
wire_enum!(Finish { 0 => Stop, 1 => Length, 2 => Cancelled });
wire_enum!(Opening { 0 => Free, 1 => Opened, 2 => Closed });
wire_enum!(Framing { 0 => Bare, 1 => Whole });
wire_enum!(Parallel { 0 => Many, 1 => One });
wire_enum!(ToolChoice { 0 => None, 1 => Auto, 2 => Required, 3 => Named(name) });
wire_struct!(Tool { name, description, parameters });
wire_struct!(SpeechOptions { tools, choice, parallel, format, thought_tokens });
wire_struct!(ThoughtBound { most, close, opening });
wire_struct!(Told { constraint, spelled, opening, thought });
wire_struct!(Dry { multiplier, base, allowed_length, window, breakers });
wire_struct!(Sampling {
    logit_bias,
    repetition_penalty,
    repetition_window,
    frequency_penalty,
    presence_penalty,
    dry,
    temperature,
    top_k,
    typical_p,
    top_p,
    min_p,
    seed,
});
wire_struct!(AdapterIdentity { name, digest });
wire_struct!(Beginning { tenant, adapter, tokens });
wire_struct!(Prefix { beginning, known });
wire_struct!(ChosenToken { token, score, logprob, top });
wire_struct!(Stats {
    running,
    waiting,
    cache_tokens,
    cache_bytes,
    prefix_bytes,
    cache_bytes_max,
    prompt_tokens,
    completion_tokens,
    cached_tokens,
    drafts,
    draft_tokens,
    accepted_tokens,
    preemptions,
    steps,
    rows,
    damaged,
    turned_away,
    running_adapters,
    waiting_adapters,
    page_tokens,
    page_bytes,
    tokens_per_second,
});
wire_struct!(Options {
    threads,
    isa,
    context_tokens,
    template_date,
    slots,
    step_tokens,
    cache_bytes,
    prefix_bytes,
    draft_tokens,
    waiting_max,
    waiting_per_tenant_max,
    adapters_max,
    cache,
    activations,
});
wire_struct!(EncoderProfile { tokenizer, pooling, outputs, max_tokens, parameters });
wire_struct!(EmbedOptions { threads, isa });
wire_enum!(Purpose { 0 => Any, 1 => Query, 2 => Document });
wire_struct!(TemplateInput { messages, tools, add_generation_prompt, variables, date });

impl Wire for StepRows {
    fn put(&self, out: &mut Vec<u8>) {
        self.counts.iter().for_each(|count| count.put(out));
        self.sum.put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        let mut counts = [0; STEP_ROWS.len() + 1];
        for count in &mut counts {
            *count = u64::take(input)?;
        }
        Some(StepRows { counts, sum: u64::take(input)? })
    }
}

/// A day, as ISO 8601 has it.
impl Wire for allod_engine::Date {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        String::take(input)?.parse().ok()
    }
}

/// By its name.
impl Wire for Isa {
    fn put(&self, out: &mut Vec<u8>) {
        self.name().to_string().put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        let name = String::take(input)?;
        Isa::available().into_iter().find(|isa| isa.name() == name)
    }
}

/// By its name.
impl Wire for CacheForm {
    fn put(&self, out: &mut Vec<u8>) {
        self.name().to_string().put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        CacheForm::named(&String::take(input)?)
    }
}

/// By its name.
impl Wire for ActivationForm {
    fn put(&self, out: &mut Vec<u8>) {
        self.name().to_string().put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        ActivationForm::named(&String::take(input)?)
    }
}

impl Wire for Vocabulary {
    fn put(&self, out: &mut Vec<u8>) {
        let (bytes, ends, special) = self.parts();
        bytes.to_vec().put(out);
        ends.to_vec().put(out);
        special.put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        let (bytes, ends) = (Vec::take(input)?, Vec::take(input)?);
        Vocabulary::of_parts(bytes, ends, Wire::take(input)?)
    }
}

wire_enum!(Event {
    0 => Reading { cached },
    1 => Text { choice, text, token, finish },
    2 => Failed(error),
});

/// A grammar whose parts hold no parts of their own, as the engine has it: what comes back from a
/// cell cannot be nested deeper than its reader's stack.
impl Wire for Constraint {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Constraint::JsonSchema(schema) => {
                out.push(0);
                schema.put(out);
            }
            Constraint::Regex(expression) => {
                out.push(1);
                expression.put(out);
            }
            Constraint::Lark(grammar) => {
                out.push(2);
                grammar.put(out);
            }
            Constraint::Parts { whole, parts } => {
                out.push(PARTS);
                whole.put(out);
                parts.put(out);
            }
        }
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        if input.first() != Some(&PARTS) {
            return part(input);
        }
        *input = &input[1..];
        let whole = String::take(input)?;
        let count = u32::take(input)?;
        let parts = (0..count).map(|_| Some((String::take(input)?, part(input)?)));
        Some(Constraint::Parts { whole, parts: parts.collect::<Option<_>>()? })
    }
}

const PARTS: u8 = 3;

fn part(input: &mut &[u8]) -> Option<Constraint> {
    Some(match u8::take(input)? {
        0 => Constraint::JsonSchema(Wire::take(input)?),
        1 => Constraint::Regex(Wire::take(input)?),
        2 => Constraint::Lark(Wire::take(input)?),
        _ => return None,
    })
}
