//! Bounded room for work that blocks: a few at one time, a bounded line before the door, and
//! whoever comes later is turned away at once instead of waiting without end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Room for work.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    /// A place inside or in the line.
    places: Arc<Semaphore>,
    /// A place inside.
    running: Arc<Semaphore>,
    places_max: usize,
    running_max: usize,
}

/// A place inside; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Workers {
    /// Room for `running_max` at one time and a line of `waiting_max`.
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Workers {
        let running_max = running_max.max(1);
        let places_max = running_max + waiting_max;
        Workers {
            places: Arc::new(Semaphore::new(places_max)),
            running: Arc::new(Semaphore::new(running_max)),
            places_max,
            running_max,
        }
    }

    /// Waits for a place inside.
    pub(crate) async fn enter(&self) -> Result<Place, Problem> {
        let place = Arc::clone(&self.places);
        let place = place.try_acquire_owned().map_err(|_| Problem::overloaded())?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.expect("the semaphore is never closed");
        Ok(Place { _place: place, _running: running })
    }

    /// Runs work that blocks. It goes on to its end even when nobody waits for it any more, and
    /// keeps its place until then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.enter().await?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.unwrap_or_else(|panic| Err(Problem::internal(&panic)))
    }

    /// How many run now.
    pub(crate) fn running(&self) -> usize {
        self.running_max.saturating_sub(self.running.available_permits())
    }

    /// How many wait now.
    pub(crate) fn waiting(&self) -> usize {
        let inside_or_waiting = self.places_max.saturating_sub(self.places.available_permits());
        inside_or_waiting.saturating_sub(self.running())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_comes_to_a_full_line_is_turned_away() {
        let workers = Workers::new(1, 1);
        let inside = workers.enter().await.unwrap();
        let waits = tokio::spawn({
            let workers = workers.clone();
            async move { workers.enter().await.map(drop) }
        });
        while workers.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.running(), 1);
        assert_eq!(workers.enter().await.unwrap_err(), Problem::overloaded());
        drop(inside);
        waits.await.unwrap().unwrap();
        assert_eq!((workers.running(), workers.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn work_that_panics_is_a_problem_and_gives_its_place_back() {
        let workers = Workers::new(1, 0);
        let result = workers.run::<()>(|| panic!("on purpose")).await;
        assert!(result.is_err());
        assert_eq!(workers.running(), 0);
        assert_eq!(workers.run(|| Ok(7)).await.unwrap(), 7);
    }
}
