//! Places for connections whose TLS handshake is not done. They are apart from the places of
//! connections that are served, so that whoever only opens connections holds up nobody.

use std::collections::VecDeque;
use std::convert::Infallible;

use tokio::sync::oneshot;

/// The places, in the order in which they were taken.
pub(crate) struct Handshakes {
    most: usize,
    taken: VecDeque<oneshot::Sender<Infallible>>,
}

/// A place; it is given back when dropped, and ready once it has to be given up.
pub(crate) type Place = oneshot::Receiver<Infallible>;

impl Handshakes {
    /// So many places, at least one.
    pub(crate) fn new(most: usize) -> Handshakes {
        Handshakes { most: most.max(1), taken: VecDeque::new() }
    }

    /// Takes a place. Where there is none, the oldest is given up: who means to come in needs
    /// a moment, and who does not can wait for ever.
    pub(crate) fn enter(&mut self) -> Place {
        self.taken.retain(|place| !place.is_closed());
        if self.taken.len() >= self.most {
            self.taken.pop_front();
        }
        let (place, given_up) = oneshot::channel();
        self.taken.push_back(place);
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    #[test]
    fn the_oldest_gives_way_and_nobody_where_there_is_room() {
        let mut handshakes = Handshakes::new(2);
        let (mut first, second) = (handshakes.enter(), handshakes.enter());
        assert_eq!(first.try_recv().err(), Some(TryRecvError::Empty));
        drop(second);
        let mut third = handshakes.enter();
        assert_eq!(first.try_recv().err(), Some(TryRecvError::Empty), "the second had left");
        let mut fourth = handshakes.enter();
        assert_eq!(first.try_recv().err(), Some(TryRecvError::Closed));
        for place in [&mut third, &mut fourth] {
            assert_eq!(place.try_recv().err(), Some(TryRecvError::Empty));
        }
    }
}
