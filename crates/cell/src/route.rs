//! Where what a cell says about one request goes, and whether it is what was agreed.

use crate::message::Say;
use allod_engine::{AdapterIdentity, ChosenToken, Error, Event, GenerateRequest, Outlet};
use std::sync::mpsc::Sender;

/// What is not as agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAsAgreed(pub(crate) &'static str);

/// Whether more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Comes,
    /// Completions, of so many rows to begin with.
    Begins(usize),
    /// Nothing.
    None,
}

/// A request that has its place in the line.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) prompt_tokens: usize,
    pub(crate) adapter: Option<AdapterIdentity>,
    /// Whether anything is to be written.
    pub(crate) comes: bool,
}

/// Where what a cell says about one request goes.
#[derive(Debug)]
pub(crate) enum Route {
    /// To whoever waits for one answer.
    Once(Sender<Result<Say, Error>>),
    /// To whoever takes completions.
    Stream(Box<Stream>),
}

/// Completions that are being written.
#[derive(Debug)]
pub(crate) struct Stream {
    begun: Option<Sender<Result<Begun, Error>>>,
    outlet: Outlet,
    /// For each completion, how many pieces may come still; none once it has ended.
    left: Vec<Option<usize>>,
    /// Ids below this are tokens.
    tokens: usize,
    reading: bool,
}

/// A piece of text is shorter: that of a few tokens.
const TEXT_BYTES_MAX: usize = 4 << 20;
/// So many pieces may hold no token.
const BARE_PIECES: usize = 64;

impl Route {
    /// Takes in what was said.
    pub(crate) fn take(&mut self, said: Say) -> Result<More, NotAsAgreed> {
        match (self, said) {
            // Who asked may have gone.
            (Route::Once(asker), Say::Failed(error)) => {
                let _ = asker.send(Err(error));
                Ok(More::None)
            }
            (Route::Once(asker), said) => {
                let _ = asker.send(Ok(said));
                Ok(More::None)
            }
            (Route::Stream(stream), said) => stream.take(said),
        }
    }

    /// Tells whoever waits that nothing comes any more.
    pub(crate) fn fail(self, error: Error) {
        match self {
            Route::Once(asker) => drop(asker.send(Err(error))),
            Route::Stream(mut stream) => stream.fail(error),
        }
    }
}

impl Stream {
    /// Completions of a request, of at most `context_tokens` each, of a model with so many tokens.
    pub(crate) fn new(
        request: &GenerateRequest,
        begun: Sender<Result<Begun, Error>>,
        outlet: Outlet,
        (context_tokens, tokens): (usize, usize),
    ) -> Stream {
        let most = request.max_tokens.min(context_tokens).saturating_add(BARE_PIECES);
        let left = vec![Some(most); request.written()];
        Stream { begun: Some(begun), outlet, left, tokens, reading: false }
    }

    fn take(&mut self, said: Say) -> Result<More, NotAsAgreed> {
        match (said, self.begun.is_some()) {
            (Say::Failed(error), _) => {
                self.fail(error);
                Ok(More::None)
            }
            (Say::Begun { prompt_tokens, adapter, comes }, true) => {
                let rows = prompt_tokens.saturating_add(self.left.len());
                let begun = Begun { prompt_tokens, adapter, comes };
                let _ = self.begun.take().map(|asker| asker.send(Ok(begun)));
                Ok(if comes { More::Begins(rows) } else { More::None })
            }
            (Say::Event(event), false) => self.hear(event),
            _ => Err(NotAsAgreed("an answer to another question")),
        }
    }

    fn hear(&mut self, event: Event) -> Result<More, NotAsAgreed> {
        let over = match &event {
            Event::Reading { .. } if std::mem::replace(&mut self.reading, true) => {
                return Ok(More::Comes);
            }
            Event::Reading { .. } => false,
            Event::Failed(_) => true,
            Event::Text { choice, text, token, finish } => {
                let left = self.left.get_mut(*choice);
                let left = left.ok_or(NotAsAgreed("a completion that nobody asked for"))?;
                let pieces = left.and_then(|left| left.checked_sub(1));
                let pieces = pieces.ok_or(NotAsAgreed("more than was asked for"))?;
                *left = finish.is_none().then_some(pieces);
                let strange = token.as_ref().is_some_and(|token| !self.knows(token));
                if strange || text.len() > TEXT_BYTES_MAX {
                    return Err(NotAsAgreed("a token that the vocabulary does not have"));
                }
                self.left.iter().all(Option::is_none)
            }
        };
        self.outlet.put(event);
        Ok(if over { More::None } else { More::Comes })
    }

    fn knows(&self, token: &ChosenToken) -> bool {
        let top = token.top.iter().map(|(id, _)| *id);
        let most = allod_engine::TOP_LOGPROBS_MAX;
        token.top.len() <= most && top.chain([token.token]).all(|id| (id as usize) < self.tokens)
    }

    fn fail(&mut self, error: Error) {
        match self.begun.take() {
            Some(asker) => drop(asker.send(Err(error))),
            None => self.outlet.put(Event::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_engine::{Finish, connection};
    use std::sync::mpsc::channel;

    fn text(choice: usize, token: u32, finish: Option<Finish>) -> Say {
        let chosen = ChosenToken { token, score: 0.5, logprob: None, top: Vec::new() };
        Say::Event(Event::Text { choice, text: "a".into(), token: Some(chosen), finish })
    }

    fn begun() -> Say {
        Say::Begun { prompt_tokens: 3, adapter: None, comes: true }
    }

    #[test]
    fn a_cell_gives_what_was_asked_for_and_not_more() {
        let request = GenerateRequest { max_tokens: 2, n: 2, ..GenerateRequest::default() };
        let stream = |said: Vec<Say>| {
            let ((asker, _asked), (inlet, outlet)) = (channel(), connection());
            let stream = Stream::new(&request, asker, outlet, (512, 10));
            let mut route = Route::Stream(Box::new(stream));
            let taken: Result<Vec<More>, _> = said.into_iter().map(|say| route.take(say)).collect();
            drop(inlet);
            taken
        };
        let stop = Some(Finish::Stop);
        let good = vec![begun(), text(0, 9, stop), text(1, 0, None), text(1, 0, stop)];
        let taken = [More::Begins(5), More::Comes, More::Comes, More::None];
        assert_eq!(stream(good).unwrap(), taken);
        assert!(stream(vec![text(0, 1, None)]).is_err());
        assert!(stream(vec![begun(), begun()]).is_err());
        assert!(stream(vec![begun(), Say::Done]).is_err());
        assert!(stream(vec![begun(), text(2, 1, None)]).is_err());
        assert!(stream(vec![begun(), text(0, 10, None)]).is_err());
        assert!(stream(vec![begun(), text(0, 1, stop), text(0, 1, None)]).is_err());
        let endless = std::iter::repeat_with(|| text(0, 1, None)).take(80);
        assert!(stream([begun()].into_iter().chain(endless).collect()).is_err());
    }
}
