//! Conversations with the model itself.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use allod_answer::{Chat, ChatReply, Outcome, Tokens};
use axum::response::Response;

use crate::completion::{Finished, Heading};
use crate::metrics::outcome_name;
use crate::problem::Problem;
use crate::state::{Shared, State};
use crate::stream::{self, Writer};

/// Tells the model to stop when the request that holds it is dropped: nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets the model answer and returns when it has.
pub(crate) async fn whole(state: &Shared, chat: Chat) -> Result<Finished, Problem> {
    let gone = Arc::new(AtomicBool::new(false));
    let _waiting = Waiting(Arc::clone(&gone));
    let shared = Arc::clone(state);
    let work = move || {
        let goes_on = || match gone.load(Ordering::Relaxed) {
            false => ControlFlow::Continue(()),
            true => ControlFlow::Break(()),
        };
        counted(&shared, &chat, &mut |_| goes_on())
    };
    state.answering.run(work).await.map(Finished::from)
}

/// Lets the model answer and sends what it writes as it writes it. The end is sent only after the
/// receipt is durable.
pub(crate) async fn streamed(
    state: &Shared,
    chat: Chat,
    heading: Heading,
    usage: bool,
) -> Result<Response, Problem> {
    let place = state.answering.enter().await?;
    let (writer, receiver) = stream::channel(heading.clone());
    let shared = Arc::clone(state);
    tokio::task::spawn_blocking(move || {
        let _place = place;
        // When nobody reads any more there is nobody to tell; the receipt is written all the same.
        let _ = write(&shared, &chat, &writer, usage);
    });
    stream::response(&heading, receiver).await
}

fn write(state: &State, chat: &Chat, writer: &Writer, usage: bool) -> Result<(), stream::Gone> {
    let mut on_text = |text: &str| match writer.piece(text) {
        Ok(()) => ControlFlow::Continue(()),
        Err(stream::Gone) => ControlFlow::Break(()),
    };
    let reply = match counted(state, chat, &mut on_text) {
        Ok(reply) => reply,
        Err(problem) => return writer.fail(problem),
    };
    if reply.outcome != Outcome::Answered {
        // The model did not run; what is said instead is all there is.
        writer.piece(&reply.answer)?;
    }
    writer.finish(&Finished::from(reply), usage)
}

fn counted(
    state: &State,
    chat: &Chat,
    on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<ChatReply, Problem> {
    let begun = Instant::now();
    let reply = state.desk.chat(chat, on_text);
    let (outcome, tokens) = match &reply {
        Ok(reply) => (outcome_name(reply.outcome), reply.tokens),
        Err(_) => ("failed", Tokens::default()),
    };
    state.metrics.answered("chat", outcome, begun.elapsed(), tokens);
    Ok(reply?)
}
