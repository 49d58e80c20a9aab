//! Completions as server-sent events.

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};

use crate::completion::{Finished, Heading};
use crate::problem::Problem;

/// An answer that is there already is sent in pieces of about this many bytes.
const PIECE_BYTES: usize = 48;

/// What the writer of a stream sends.
pub(crate) enum Sent {
    /// One event.
    Event(Value),
    /// The end, after the last event.
    Done,
    /// No answer. As the first thing sent it becomes an ordinary response with its status.
    Failed(Problem),
}

/// The writing end of a stream. What is sent is bounded by the answer's longest length, so the
/// channel need not be; a slow reader never holds up the model.
#[derive(Clone)]
pub(crate) struct Writer {
    heading: Heading,
    sender: UnboundedSender<Sent>,
}

/// Somebody stopped reading.
pub(crate) struct Gone;

impl Writer {
    /// Sends a piece of text.
    pub(crate) fn piece(&self, text: &str) -> Result<(), Gone> {
        self.send(Sent::Event(self.heading.piece(text)))
    }

    /// Sends the end.
    pub(crate) fn finish(&self, finished: &Finished, usage: bool) -> Result<(), Gone> {
        self.send(Sent::Event(self.heading.closing(finished)))?;
        if usage {
            self.send(Sent::Event(self.heading.usage(finished.tokens)))?;
        }
        self.send(Sent::Done)
    }

    /// Sends a failure.
    pub(crate) fn fail(&self, problem: Problem) -> Result<(), Gone> {
        self.send(Sent::Failed(problem))
    }

    fn send(&self, sent: Sent) -> Result<(), Gone> {
        self.sender.send(sent).map_err(|_| Gone)
    }
}

/// Makes a stream's two ends.
pub(crate) fn channel(heading: Heading) -> (Writer, UnboundedReceiver<Sent>) {
    let (sender, receiver) = unbounded_channel();
    (Writer { heading, sender }, receiver)
}

/// The response that carries what the writer sends. Waits for the first thing sent.
pub(crate) async fn response(
    heading: &Heading,
    mut receiver: UnboundedReceiver<Sent>,
) -> Result<Response, Problem> {
    let first = match receiver.recv().await {
        None => return Err(Problem::internal(&"the answer ended before it began")),
        Some(Sent::Failed(problem)) => return Err(problem),
        Some(first) => first,
    };
    let opening = [Sent::Event(heading.opening()), first];
    let rest = tokio_stream::iter(opening).chain(UnboundedReceiverStream::new(receiver));
    Ok(sse(rest.map(event)))
}

/// The response that carries an answer that is there already.
pub(crate) fn whole(heading: &Heading, finished: &Finished, usage: bool) -> Response {
    let mut events = vec![heading.opening()];
    events.extend(pieces(&finished.text).iter().map(|piece| heading.piece(piece)));
    events.push(heading.closing(finished));
    events.extend(usage.then(|| heading.usage(finished.tokens)));
    let sent = events.into_iter().map(Sent::Event).chain([Sent::Done]);
    sse(tokio_stream::iter(sent.map(event).collect::<Vec<_>>()))
}

fn sse(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.map(Ok::<Event, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn event(sent: Sent) -> Event {
    let text = match sent {
        Sent::Event(value) => value.to_string(),
        Sent::Failed(problem) => problem.body().to_string(),
        Sent::Done => "[DONE]".into(),
    };
    Event::default().data(text)
}

/// Cuts a text after blanks into pieces that are whole words where they can be.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(' ') {
        if at + 1 - start >= PIECE_BYTES {
            pieces.push(&text[start..=at]);
            start = at + 1;
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_text() {
        let long = "Die Gebühr beträgt zwei Franken und vierzig Rappen je Sack. ".repeat(9);
        for text in ["", "Ja.", " ", &long, "einsehrlangeswort".repeat(20).as_str()] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert!(pieces(&long).len() > 5);
    }
}
