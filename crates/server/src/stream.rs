//! Turns as server-sent events.

use std::convert::Infallible;

use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};

use crate::form::{Event, Form, Part};
use crate::problem::Problem;
use crate::turn::Finished;

/// An answer that is there already is sent in pieces of about this many bytes.
const PIECE_BYTES: usize = 48;

/// What the writer of a stream sends.
pub(crate) enum Sent {
    /// One event.
    Event(Event),
    /// No answer; only ever the first thing sent. It becomes an ordinary response with its status.
    Failed(Problem),
}

/// The writing end of a stream. What is sent is bounded by the answer's longest length, so the
/// channel need not be; a slow reader never holds up the model.
pub(crate) struct Writer {
    form: Box<dyn Form>,
    sender: UnboundedSender<Sent>,
    is_open: bool,
}

/// Somebody stopped reading.
pub(crate) struct Gone;

impl Writer {
    /// Sends a part. An empty one opens the stream and tells whether anybody reads.
    pub(crate) fn part(&mut self, part: &Part) -> Result<(), Gone> {
        self.open()?;
        let is_empty = part.text.is_empty() && part.scores.as_ref().is_none_or(Vec::is_empty);
        match is_empty {
            true if self.sender.is_closed() => Err(Gone),
            true => Ok(()),
            false => {
                let events = self.form.part(part);
                self.send(events)
            }
        }
    }

    /// Sends the end.
    pub(crate) fn finish(&mut self, finished: &Finished) -> Result<(), Gone> {
        self.open()?;
        let events = self.form.closing(finished);
        self.send(events)
    }

    /// Sends a failure.
    pub(crate) fn fail(&mut self, problem: Problem) -> Result<(), Gone> {
        if !self.is_open {
            return self.sender.send(Sent::Failed(problem)).map_err(|_| Gone);
        }
        let events = self.form.failure(&problem);
        self.send(events)
    }

    fn open(&mut self) -> Result<(), Gone> {
        if self.is_open {
            return Ok(());
        }
        self.is_open = true;
        let events = self.form.opening();
        self.send(events)
    }

    fn send(&self, events: Vec<Event>) -> Result<(), Gone> {
        let mut sent = events.into_iter().map(|event| self.sender.send(Sent::Event(event)));
        sent.try_for_each(|sent| sent.map_err(|_| Gone))
    }
}

/// Makes a stream's two ends.
pub(crate) fn channel(form: Box<dyn Form>) -> (Writer, UnboundedReceiver<Sent>) {
    let (sender, receiver) = unbounded_channel();
    (Writer { form, sender, is_open: false }, receiver)
}

/// The response that carries what the writer sends. Waits for the first thing sent.
pub(crate) async fn response(mut receiver: UnboundedReceiver<Sent>) -> Result<Response, Problem> {
    let first = match receiver.recv().await {
        None => return Err(Problem::internal(&"the answer ended before it began")),
        Some(Sent::Failed(problem)) => return Err(problem),
        Some(Sent::Event(event)) => event,
    };
    let rest = UnboundedReceiverStream::new(receiver).filter_map(|sent| match sent {
        Sent::Event(event) => Some(event),
        Sent::Failed(_) => None,
    });
    Ok(sse(tokio_stream::once(first).chain(rest)))
}

/// The response that carries an answer that is there already.
pub(crate) fn whole(form: &mut dyn Form, finished: &Finished) -> Response {
    let mut events = form.opening();
    for text in pieces(&finished.first().text) {
        events.extend(form.part(&Part { text, ..Part::default() }));
    }
    events.extend(form.closing(finished));
    sse(tokio_stream::iter(events))
}

fn sse(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.map(|event| {
        let sent = sse::Event::default().data(event.data);
        Ok::<_, Infallible>(match event.name {
            Some(name) => sent.event(name),
            None => sent,
        })
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
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
