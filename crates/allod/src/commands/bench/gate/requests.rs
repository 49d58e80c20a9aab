//! Conversations as people have them: short questions, pasted letters, several turns, long papers,
//! in five languages. One in three texts, about, holds personal data; none of it is anybody's.

use allod_answer::{Caller, Chat, Choices};
use allod_engine::{Message, Prompt, Random, Sampling};
use allod_retrieval::Clearance;

const TEXTS: &str = include_str!("texts.txt");

/// Texts of one language.
#[derive(Default)]
struct Language {
    questions: Vec<&'static str>,
    paragraphs: Vec<&'static str>,
}

fn languages() -> Vec<Language> {
    let mut all: Vec<Language> = Vec::new();
    for line in TEXTS.lines() {
        let Some((mark, text)) = line.split_at_checked(1) else { continue };
        if mark == "#" {
            all.push(Language::default());
        }
        let Some(last) = all.last_mut() else { continue };
        match mark {
            "?" => last.questions.push(text),
            "-" => last.paragraphs.push(text),
            _ => {}
        }
    }
    all
}

/// So many requests, always the same: of a hundred 60 are one short question, 24 a question with a
/// letter, 12 a conversation of several turns and 4 a long paper.
pub fn requests(count: usize) -> Vec<Chat> {
    let languages = languages();
    let mut random = Random::new(1);
    let mut below = move |bound: usize| (random.next_u64() % bound as u64) as usize;
    let mut made = Vec::with_capacity(count);
    for number in 0..count {
        let language = &languages[below(languages.len())];
        let mut question = || language.questions[below(language.questions.len())].to_owned();
        let asked = question();
        let messages = match number * 37 % 100 {
            0..60 => vec![user(asked)],
            60..84 => vec![user(paper(language, 1, asked, &mut below))],
            84..96 => {
                let first = user(question());
                let reply = language.paragraphs[below(language.paragraphs.len())];
                let answered = Message { role: "assistant".into(), content: reply.into() };
                vec![first, answered, user(paper(language, 1, asked, &mut below))]
            }
            _ => vec![user(paper(language, 8, asked, &mut below))],
        };
        made.push(chat(messages));
    }
    made
}

/// A question with paragraphs before it.
fn paper(
    language: &Language,
    paragraphs: usize,
    question: String,
    below: &mut impl FnMut(usize) -> usize,
) -> String {
    let mut text = String::new();
    for _ in 0..paragraphs {
        text += language.paragraphs[below(language.paragraphs.len())];
        text += "\n\n";
    }
    text + &question
}

fn user(content: String) -> Message {
    Message { role: "user".into(), content }
}

fn chat(messages: Vec<Message>) -> Chat {
    Chat {
        prompt: Prompt::Chat(messages),
        caller: Caller::operator(Clearance::public()),
        sampling: Sampling::default(),
        max_tokens: 256,
        stop: Vec::new(),
        constraint: None,
        spelled: Vec::new(),
        thought: None,
        choices: Choices::default(),
        adapter: None,
    }
}

/// The bytes of what people and models say in it.
pub fn bytes(chat: &Chat) -> usize {
    match &chat.prompt {
        Prompt::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_of_all_lengths_and_always_the_same() {
        let made = requests(1000);
        let mut lengths: Vec<usize> = made.iter().map(bytes).collect();
        let again: Vec<usize> = requests(1000).iter().map(bytes).collect();
        assert_eq!(lengths, again);
        lengths.sort_unstable();
        assert!(lengths[500] < 200 && lengths[800] > 300 && lengths[999] > 2000, "{lengths:?}");
        assert_eq!(languages().len(), 5);
    }
}
