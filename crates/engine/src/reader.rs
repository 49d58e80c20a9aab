//! Takes what a model writes apart as it comes: reasoning, text, calls of tools.

use crate::dialect::{Arguments, Calls, Dialect};
use crate::fields::{FieldReader, Forms, Step};
use std::sync::Arc;

/// A part of what a model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// More of what it thinks before it answers.
    Reasoning(String),
    /// More of its text.
    Text(String),
    /// It begins to call the tool of this name.
    Call(String),
    /// More of the arguments, JSON, of the call that was begun last.
    Arguments(String),
}

impl Part {
    fn text(&self) -> &str {
        match self {
            Part::Reasoning(text) | Part::Text(text) | Part::Call(text) | Part::Arguments(text) => {
                text
            }
        }
    }
}

/// Takes one completion apart, in pieces that may be cut anywhere.
///
/// What cannot be told apart yet waits inside. Text that is not in the model's form comes out as
/// text; a call that was cut before its arguments began does not come out at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Reader {
    dialect: Dialect,
    calls: bool,
    held: String,
    place: Place,
    /// Whether a call was read already.
    called: bool,
    /// Whether what stands before an answer was read, and not yet what stands after it.
    answering: bool,
    depth: Depth,
    /// How arguments are written that are no JSON.
    forms: Arc<Forms>,
    fields: FieldReader,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The beginning, where reasoning may open.
    Start,
    Reasoning,
    /// Between reasoning and text.
    Body,
    Text,
    /// Before a tool's name.
    Call,
    Name,
    Arguments,
    /// After the arguments of a call.
    After,
    /// Nothing more is shown.
    End,
}

impl Reader {
    /// Reads what a model that speaks `dialect` writes; calls only where `calls` says that there
    /// are tools, and reasoning that the prompt has opened already where `opened` says so.
    pub(crate) fn new(
        dialect: Dialect,
        calls: Calling,
        opened: Opening,
        forms: Arc<Forms>,
    ) -> Reader {
        let place = match opened {
            Opening::Opened => Place::Reasoning,
            Opening::Free => Place::Start,
            Opening::Closed => Place::Body,
        };
        let calls = calls == Calling::Possible;
        Reader {
            dialect,
            calls,
            held: String::new(),
            place,
            called: false,
            answering: false,
            depth: Depth::default(),
            forms,
            fields: FieldReader::default(),
        }
    }

    /// How the prompt leaves reasoning, for a reader that has read nothing.
    pub(crate) fn opening(&self) -> Opening {
        match self.place {
            Place::Start => Opening::Free,
            Place::Reasoning => Opening::Opened,
            _ => Opening::Closed,
        }
    }

    /// Whether what comes next is reasoning, as far as is known.
    pub(crate) fn is_reasoning(&self) -> bool {
        self.place == Place::Reasoning
    }

    /// Reads on. Returns the parts that are certain.
    pub fn push(&mut self, text: &str) -> Vec<Part> {
        self.held += text;
        let mut parts = Vec::new();
        while self.step(&mut parts) {}
        parts
    }

    /// What waits still, once nothing more comes.
    pub fn finish(&mut self) -> Vec<Part> {
        let held = std::mem::take(&mut self.held);
        let place = std::mem::replace(&mut self.place, Place::End);
        let mut parts = match place {
            _ if held.is_empty() => Vec::new(),
            Place::Reasoning => some(Part::Reasoning(held.trim_end().to_string())),
            Place::Start | Place::Body | Place::Text => some(Part::Text(held)),
            Place::Arguments => match self.dialect.calls.arguments {
                Arguments::Json => some(Part::Arguments(held)),
                Arguments::Fields(_) => some(Part::Arguments(self.fields.finish(&held))),
            },
            Place::Call | Place::Name | Place::After | Place::End => Vec::new(),
        };
        parts.retain(|part| !part.text().is_empty());
        parts
    }

    /// Reads one thing; says whether there may be another.
    fn step(&mut self, parts: &mut Vec<Part>) -> bool {
        match self.place {
            Place::Start => self.start(),
            Place::Reasoning => self.reasoning(parts),
            Place::Body => self.body(),
            Place::Text => self.text(parts),
            Place::Call => self.before_name(),
            Place::Name => self.name(parts),
            Place::Arguments => self.arguments(parts),
            Place::After => self.after(),
            Place::End => {
                self.held.clear();
                false
            }
        }
    }

    fn start(&mut self) -> bool {
        let Some(thought) = self.dialect.thought else { return self.go(Place::Body) };
        match begins(self.held.trim_start(), thought.open) {
            Begins::With => {
                let at = self.held.len() - self.held.trim_start().len() + thought.open.len();
                self.held.drain(..at);
                self.go(Place::Reasoning)
            }
            Begins::Maybe => false,
            Begins::Not => self.go(Place::Body),
        }
    }

    fn reasoning(&mut self, parts: &mut Vec<Part>) -> bool {
        let close = self.dialect.thought.map_or("", |thought| thought.close);
        let found = self.held.find(close);
        let sure = found.unwrap_or_else(|| self.held.len() - doubtful(&self.held, close));
        // Blanks around reasoning belong to the form, not to it.
        let sure = self.held[..sure].trim_end().len();
        let begins = sure - self.held[..sure].trim_start().len();
        let skipped = if self.depth.begun { 0 } else { begins };
        self.depth.begun |= sure > skipped;
        emit(parts, Part::Reasoning, &self.held[skipped..sure]);
        self.held.drain(..found.map_or(sure, |at| at + close.len()));
        found.is_some() && self.go(Place::Body)
    }

    /// What follows is text, unless a call does.
    fn body(&mut self) -> bool {
        self.depth = Depth::default();
        if self.dialect.thought.is_some() {
            let blanks = self.held.len() - self.held.trim_start().len();
            self.held.drain(..blanks);
        }
        let Dialect { text, calls, answer, .. } = self.dialect;
        match answer.filter(|_| !self.answering).map(|around| begins(&self.held, around.open)) {
            _ if self.held.is_empty() => {}
            Some(Begins::With) => {
                self.held.drain(..answer.map_or(0, |around| around.open.len()));
                self.answering = true;
                return true;
            }
            Some(Begins::Maybe) => return false,
            Some(Begins::Not) | None => {}
        }
        // Where a call has no mark of its own, it can only stand here.
        let first = if calls.mark.is_empty() { calls.before } else { calls.mark };
        let call = if self.calls { begins(&self.held, first) } else { Begins::Not };
        match (call, begins(&self.held, text)) {
            (Begins::With, _) => self.call(),
            (_, Begins::With) if !text.is_empty() => {
                self.held.drain(..text.len());
                self.go(Place::Text)
            }
            _ if self.held.is_empty() => false,
            (Begins::Maybe, _) => false,
            (_, Begins::Maybe) if !text.is_empty() => false,
            _ => self.go(Place::Text),
        }
    }

    fn text(&mut self, parts: &mut Vec<Part>) -> bool {
        let mark = self.dialect.calls.mark;
        let close =
            self.dialect.answer.filter(|_| self.answering).map_or("", |answer| answer.close);
        if !close.is_empty() {
            if let Some(at) = self.held.find(close) {
                let before = self.held[..at].trim_end().len();
                self.held.replace_range(before..at + close.len(), "");
                self.answering = false;
                return true;
            }
        } else if !self.calls || mark.is_empty() {
            emit(parts, Part::Text, &std::mem::take(&mut self.held));
            return false;
        }
        let calls = self.calls && !mark.is_empty();
        if let Some(at) = self.held.find(mark).filter(|_| calls) {
            emit(parts, Part::Text, self.held[..at].trim_end());
            self.held.drain(..at);
            return self.call();
        }
        // Blanks wait: before a call they are not part of the text.
        let doubt = if calls { doubtful(&self.held, mark) } else { 0 };
        let sure = self.held.len() - doubt.max(doubtful(&self.held, close));
        let sure = self.held[..sure].trim_end().len();
        emit(parts, Part::Text, &self.held[..sure]);
        self.held.drain(..sure);
        false
    }

    fn call(&mut self) -> bool {
        self.held.drain(..self.dialect.calls.mark.len());
        self.go(Place::Call)
    }

    /// What stands before a name is in the form, or it is no call.
    fn before_name(&mut self) -> bool {
        let Calls { open, before, .. } = self.dialect.calls;
        let form = if self.called { before.to_string() } else { [open, before].concat() };
        match begins(self.held.trim_start(), form.trim_start()) {
            // Nothing tells a name yet; blanks may be text's.
            Begins::With if form.is_empty() => self.go(Place::Name),
            Begins::With => {
                self.skip(form.trim_start());
                self.go(Place::Name)
            }
            Begins::Maybe => false,
            // The section of calls ends, or there was none.
            Begins::Not if self.called => self.go(Place::End),
            Begins::Not => {
                self.calls = false;
                self.go(Place::Text)
            }
        }
    }

    fn name(&mut self, parts: &mut Vec<Part>) -> bool {
        if let Arguments::Fields(_) = self.dialect.calls.arguments {
            return self.name_before_fields(parts);
        }
        let Some(at) = self.held.find(self.dialect.calls.middle) else { return false };
        let id = Some(self.dialect.calls.id).filter(|id| !id.is_empty());
        let name = id.and_then(|id| self.held[..at].find(id)).unwrap_or(at);
        parts.push(Part::Call(self.held[..name].to_string()));
        self.held.drain(..at + self.dialect.calls.middle.len());
        self.called = true;
        self.depth = Depth::default();
        self.go(Place::Arguments)
    }

    /// Where arguments are no JSON, little would tell a name from other text: it is a tool's.
    fn name_before_fields(&mut self, parts: &mut Vec<Part>) -> bool {
        let held = self.held.trim_start();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let Some(at) = held.find(|letter| !plain(letter)) else { return false };
        let (name, rest) = (held[..at].to_string(), held[at..].trim_start());
        let middle = self.dialect.calls.middle.trim();
        match begins(rest, middle) {
            Begins::Maybe => return false,
            Begins::With if self.forms.knows(&name) => {
                let read = self.held.len() - rest.len() + middle.len();
                self.held.drain(..read);
            }
            _ if self.called => return self.go(Place::End),
            _ => {
                self.calls = false;
                return self.go(Place::Text);
            }
        }
        parts.push(Part::Call(name.clone()));
        self.called = true;
        self.fields = FieldReader::new(name);
        self.go(Place::Arguments)
    }

    fn arguments(&mut self, parts: &mut Vec<Part>) -> bool {
        if let Arguments::Fields(fields) = self.dialect.calls.arguments {
            let marks = (&self.dialect.calls, &fields);
            return match self.fields.step(&mut self.held, marks, &self.forms, parts) {
                Step::More => true,
                Step::Wait => false,
                Step::Over => self.go(Place::After),
            };
        }
        let end = self.depth.end(&self.held);
        let read = end.unwrap_or(self.held.len());
        emit(parts, Part::Arguments, &self.held[..read]);
        self.held.drain(..read);
        end.is_some() && self.go(Place::After)
    }

    /// Another call, or the end.
    fn after(&mut self) -> bool {
        let Calls { after, between, .. } = self.dialect.calls;
        let next = [after, between].concat();
        let next = next.trim_start();
        match begins(self.held.trim_start(), next) {
            Begins::With => {
                self.skip(next);
                self.go(Place::Call)
            }
            Begins::Maybe => false,
            Begins::Not => self.go(Place::End),
        }
    }

    /// Drops blanks and the text that follows them.
    fn skip(&mut self, text: &str) {
        let blanks = self.held.len() - self.held.trim_start().len();
        self.held.drain(..blanks + text.len());
    }

    fn go(&mut self, place: Place) -> bool {
        self.place = place;
        true
    }
}

/// Whether what is read can hold calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calling {
    Possible,
    Impossible,
}

/// How a prompt leaves reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The model may think.
    Free,
    /// The prompt ends within reasoning.
    Opened,
    /// The prompt ends after reasoning: there is none.
    Closed,
}

/// Where a JSON value stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    open: usize,
    quoted: bool,
    escaped: bool,
    begun: bool,
}

impl Depth {
    /// The byte after the end of the value, if it ends in `text`, which goes on from earlier ones.
    pub fn end(&mut self, text: &str) -> Option<usize> {
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => {}
                b'{' | b'[' => self.open += 1,
                b'}' | b']' => self.open = self.open.saturating_sub(1),
                _ => continue,
            }
            if self.open == 0 && !self.quoted {
                return Some(at + 1);
            }
        }
        None
    }
}

/// Whether a text begins with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    With,
    /// It is too short to say.
    Maybe,
    Not,
}

pub(crate) fn begins(held: &str, text: &str) -> Begins {
    match held.len() < text.len() {
        _ if held.starts_with(text) => Begins::With,
        true if text.starts_with(held) => Begins::Maybe,
        _ => Begins::Not,
    }
}

/// Length of the longest ending of `held` that begins `text`.
pub(crate) fn doubtful(held: &str, text: &str) -> usize {
    let longest = held.len().min(text.len().saturating_sub(1));
    let mut ends = (1..=longest).rev().filter(|length| text.is_char_boundary(*length));
    ends.find(|length| held.ends_with(&text[..*length])).unwrap_or(0)
}

pub(crate) fn emit(parts: &mut Vec<Part>, kind: fn(String) -> Part, text: &str) {
    if !text.is_empty() {
        parts.push(kind(text.to_string()));
    }
}

fn some(part: Part) -> Vec<Part> {
    vec![part]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a text in pieces of so many letters; neighbours of one kind are put together.
    fn read(mut reader: Reader, text: &str, letters: usize) -> Vec<Part> {
        let all: Vec<char> = text.chars().collect();
        let mut parts = Vec::new();
        for piece in all.chunks(letters) {
            parts.extend(reader.push(&piece.iter().collect::<String>()));
        }
        parts.extend(reader.finish());
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Part::Text(text)), Part::Text(more))
                | (Some(Part::Reasoning(text)), Part::Reasoning(more))
                | (Some(Part::Arguments(text)), Part::Arguments(more)) => text.push_str(&more),
                (_, part) => joined.push(part),
            }
        }
        joined
    }

    fn check(template: &str, opening: Opening, text: &str, expected: &[Part]) {
        let dialect = Dialect::of(Some(template));
        for letters in [1, 2, 3, 7, 1000] {
            let reader = Reader::new(dialect, Calling::Possible, opening, Arc::default());
            assert_eq!(read(reader, text, letters), expected, "{text} by {letters}");
        }
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_string())
    }

    fn thought(text: &str) -> Part {
        Part::Reasoning(text.to_string())
    }

    fn call(name: &str, arguments: &str) -> [Part; 2] {
        [Part::Call(name.to_string()), Part::Arguments(arguments.to_string())]
    }

    #[test]
    fn reasoning_stands_apart_from_text() {
        let template = "<tool_call></think>";
        for (opening, said) in [
            (Opening::Free, "<think>\nso\n\nso </think>\n\nAnswer <b>. "),
            (Opening::Free, "\n<think>so\n\nso</think>Answer <b>. "),
            (Opening::Opened, "so\n\nso\n</think>\n\nAnswer <b>. "),
        ] {
            check(template, opening, said, &[thought("so\n\nso"), text("Answer <b>. ")]);
        }
        check(template, Opening::Free, "<think>\n\n</think>\n\nA", &[text("A")]);
        check(template, Opening::Free, "<thin air", &[text("<thin air")]);
        check(template, Opening::Closed, "<think>", &[text("<think>")]);
        check(template, Opening::Opened, "cut off </th", &[thought("cut off </th")]);
        check(
            "<|channel|>analysis to=functions.",
            Opening::Free,
            "<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>A",
            &[thought("so"), text("A")],
        );
    }

    #[test]
    fn calls_are_read_in_every_form() {
        let arguments = r#"{"a": "}]\"{", "b": [1, {}]}"#;
        let two = [call("f", arguments), call("g-2", "{}")].concat();
        for (template, mark) in [
            ("<tool_call></think>", "Text \n"),
            ("<|tools_prefix|>", "Text"),
            ("<｜tool▁calls▁begin｜>```json", "Text"),
            ("<｜tool▁calls▁begin｜>", "Text"),
            ("[TOOL_CALLS][ARGS]", "Text"),
            ("[TOOL_CALLS] [", "Text"),
            ("[TOOL_CALLS]", "Text"),
            ("<|tool_call|>", "Text "),
            ("<|tool_call|><|/tool_call|>", "Text"),
            ("<tool_calls></tool_calls>", "Text\n"),
            ("<function=</function>", "Text "),
            ("[TOOL_CALLS][CALL_ID][ARGS]", "Text"),
            ("<|channel|>commentary functions.", ""),
            ("\"parameters\" ipython", ""),
        ] {
            let calls = Dialect::of(Some(template)).calls;
            let made =
                [("f".to_string(), arguments.to_string()), ("g-2".to_string(), "{}".to_string())];
            let said = [mark, &calls.all_written(&made)].concat();
            let mut expected = two.clone();
            if !mark.is_empty() {
                expected.insert(0, text("Text"));
            }
            check(template, Opening::Free, &said, &expected);
        }
    }

    #[test]
    fn what_stands_around_an_answer_is_no_part_of_it() {
        let template = "<|tool_call|></think><response></response>";
        let said = "<think>so</think><response>\nA </b> <resp>\n</response>\n";
        let expected = [thought("so"), text("A </b> <resp>")];
        check(template, Opening::Free, said.trim_end(), &expected);
        check(template, Opening::Free, "A </response>", &[text("A </response>")]);
        check(template, Opening::Free, "<response>cut </resp", &[text("cut </resp")]);
        let said = "<think>so</think>\n<response>I call.\n</response>\n<|tool_call|>\
                    [{\"name\": \"f\", \"arguments\": {}}]";
        let calls = call("f", "{}").to_vec();
        let expected = [vec![thought("so"), text("I call.")], calls].concat();
        check(template, Opening::Free, said, &expected);
        let plain = Dialect::of(Some(template));
        let reader = Reader::new(plain, Calling::Impossible, Opening::Free, Arc::default());
        assert_eq!(read(reader, "<response>A</response>", 1), [text("A")]);
    }

    #[test]
    fn identifiers_are_no_part_of_names() {
        let said = "So.[TOOL_CALLS]f[CALL_ID]abcdefgh1[ARGS]{\"a\": \"é\\n\\u00fc\"}\
                    [TOOL_CALLS]g[ARGS]{}";
        let calls = [call("f", "{\"a\": \"é\\n\\u00fc\"}"), call("g", "{}")].concat();
        let expected = [vec![text("So.")], calls].concat();
        check("[TOOL_CALLS][CALL_ID][ARGS]", Opening::Free, said, &expected);
    }

    #[test]
    fn marks_within_arguments_end_nothing() {
        for (template, before, middle, after, mark) in [
            (
                "<tool_call>",
                "A\n<tool_call>\n{\"name\": \"",
                "\", \"arguments\": ",
                "}\n</tool_call>",
                "}\\n</tool_call>",
            ),
            (
                "[TOOL_CALLS] [",
                "A[TOOL_CALLS] [{\"name\": \"",
                "\", \"arguments\": ",
                "}]",
                "}]</s>",
            ),
            ("[TOOL_CALLS][ARGS]", "A[TOOL_CALLS]", "[ARGS]", "", "[TOOL_CALLS]g[ARGS]{"),
            ("\"parameters\" ipython", "{\"name\": \"", "\", \"parameters\": ", "}", "}}; {"),
        ] {
            let arguments = format!(r#"{{"x": "a {mark} \" b"}}"#);
            let said = [before, "f", middle, &arguments, after].concat();
            let mut expected = call("f", &arguments).to_vec();
            if said.starts_with('A') {
                expected.insert(0, text("A"));
            }
            check(template, Opening::Free, &said, &expected);
        }
    }

    #[test]
    fn what_is_cut_or_not_in_the_form_is_not_a_call() {
        let template = "<tool_call>";
        check(template, Opening::Free, "A <tool_call>\n{\"name\": \"f\", \"arg", &[text("A")]);
        let begun = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": ";
        check(template, Opening::Free, begun, &call("f", "{\"a\": "));
        check(template, Opening::Free, "A <tool_call> is a tag", &[text("A is a tag")]);
        check("\"parameters\" ipython", Opening::Free, "{\"a\": 1}", &[text("{\"a\": 1}")]);
    }

    #[test]
    fn without_tools_nothing_is_a_call() {
        let said = "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>";
        let reader =
            Reader::new(Dialect::PLAIN, Calling::Impossible, Opening::Free, Arc::default());
        assert_eq!(read(reader, said, 3), [text(said)]);
    }
}
