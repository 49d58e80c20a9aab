//! Bounded room for work that blocks: a few at one time and a bounded line before the door. The
//! next to come in is one of the tenant that has the fewest inside; whoever comes to a full line is
//! turned away at once instead of waiting without end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::problem::Problem;

/// How much room there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Work at one time.
    pub(crate) running_max: usize,
    /// Work in the line.
    pub(crate) waiting_max: usize,
    /// And of one tenant.
    pub(crate) waiting_per_tenant_max: usize,
}

/// Room for work. Clones are the same room.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    room: Room,
    door: Arc<Mutex<Door>>,
}

/// Who is inside and who waits.
#[derive(Debug, Default)]
struct Door {
    running: usize,
    waiting: usize,
    turned_away: u64,
    /// How many came to the line: the next one's number.
    came: u64,
    tenants: BTreeMap<Arc<str>, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    running: usize,
    /// In order of their numbers.
    line: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    call: oneshot::Sender<Place>,
}

/// A place inside; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    workers: Workers,
    tenant: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.workers.leave(&self.tenant);
    }
}

/// A place in the line; whoever gives up waiting leaves it.
struct Ticket<'a> {
    workers: &'a Workers,
    tenant: Arc<str>,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut door = self.workers.door();
        let Some(tenant) = door.tenants.get_mut(&self.tenant) else { return };
        let before = tenant.line.len();
        tenant.line.retain(|waiting| waiting.number != self.number);
        let left = before - tenant.line.len();
        door.waiting -= left;
        door.forget(&self.tenant);
    }
}

impl Door {
    /// Calls in whom there is room for; to be told once the door is let go of.
    fn admit(&mut self, workers: &Workers) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut called = Vec::new();
        while self.running < workers.room.running_max {
            let Some(next) = self.next() else { break };
            let tenant = self.tenants.get_mut(&next).expect("the next is one of them");
            let waiting = tenant.line.pop_front().expect("the next one waits");
            tenant.running += 1;
            self.running += 1;
            self.waiting -= 1;
            called.push((waiting.call, Place { workers: workers.clone(), tenant: next }));
        }
        called
    }

    /// Of the tenants that wait, the one with the fewest inside; of equals, who came first.
    fn next(&self) -> Option<Arc<str>> {
        let waits = self
            .tenants
            .iter()
            .filter_map(|(name, tenant)| Some((tenant.running, tenant.line.front()?.number, name)));
        waits.min().map(|(_, _, name)| Arc::clone(name))
    }

    /// A tenant with nothing here is not remembered.
    fn forget(&mut self, name: &str) {
        let idle = |tenant: &Tenant| tenant.running == 0 && tenant.line.is_empty();
        if self.tenants.get(name).is_some_and(idle) {
            self.tenants.remove(name);
        }
    }
}

impl Workers {
    pub(crate) fn new(room: Room) -> Workers {
        let room = Room { running_max: room.running_max.max(1), ..room };
        Workers { room, door: Arc::default() }
    }

    /// Waits for a place inside.
    pub(crate) async fn enter(&self, tenant: &str) -> Result<Place, Problem> {
        let tenant: Arc<str> = tenant.into();
        let (call, called) = oneshot::channel();
        let number = self.join(&tenant, call)?;
        let _ticket = Ticket { workers: self, tenant, number };
        let admitted = self.door().admit(self);
        self.call(admitted);
        Ok(called.await.expect("whoever waits is called in some time"))
    }

    /// Joins the line.
    fn join(&self, name: &Arc<str>, call: oneshot::Sender<Place>) -> Result<u64, Problem> {
        let mut guard = self.door();
        let door: &mut Door = &mut guard;
        // Who can come in at once does not wait.
        let free = self.room.running_max - door.running;
        let waiting = door.tenants.get(name).map_or(0, |tenant| tenant.line.len());
        if door.waiting >= self.room.waiting_max + free {
            door.turned_away += 1;
            return Err(Problem::overloaded());
        }
        if waiting >= self.room.waiting_per_tenant_max + free {
            door.turned_away += 1;
            return Err(Problem::too_many_requests());
        }
        let number = door.came;
        door.came += 1;
        door.waiting += 1;
        let tenant = door.tenants.entry(Arc::clone(name)).or_default();
        tenant.line.push_back(Waiting { number, call });
        Ok(number)
    }

    fn leave(&self, name: &str) {
        let called = {
            let mut door = self.door();
            door.running -= 1;
            let tenant = door.tenants.get_mut(name).expect("who is inside is known");
            tenant.running -= 1;
            door.forget(name);
            door.admit(self)
        };
        self.call(called);
    }

    /// Tells those who were called in. A place that nobody takes any more is given back: that is
    /// why the door must not be held here.
    fn call(&self, called: Vec<(oneshot::Sender<Place>, Place)>) {
        called.into_iter().for_each(|(call, place)| drop(call.send(place)));
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        // Nobody leaves it half changed, so that one panicked says nothing against it.
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs work that blocks. It goes on to its end even when nobody waits for it any more, and
    /// keeps its place until then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        tenant: &str,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.enter(tenant).await?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.unwrap_or_else(|panic| Err(Problem::internal(&panic)))
    }

    /// How many run now.
    pub(crate) fn running(&self) -> usize {
        self.door().running
    }

    /// How many wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.door().waiting
    }

    /// How many were turned away.
    pub(crate) fn turned_away(&self) -> u64 {
        self.door().turned_away
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinHandle;

    fn room(running_max: usize, waiting_max: usize, waiting_per_tenant_max: usize) -> Workers {
        Workers::new(Room { running_max, waiting_max, waiting_per_tenant_max })
    }

    async fn waits(workers: &Workers, tenant: &'static str) -> JoinHandle<Place> {
        let before = workers.waiting();
        let own = workers.clone();
        let waits = tokio::spawn(async move { own.enter(tenant).await.unwrap() });
        while workers.waiting() == before {
            tokio::task::yield_now().await;
        }
        waits
    }

    #[tokio::test]
    async fn whoever_comes_to_a_full_line_is_turned_away() {
        let workers = room(1, 1, 9);
        let inside = workers.enter("a").await.unwrap();
        let waits = waits(&workers, "a").await;
        assert_eq!(workers.running(), 1);
        assert_eq!(workers.enter("b").await.unwrap_err(), Problem::overloaded());
        drop(inside);
        drop(waits.await.unwrap());
        assert_eq!((workers.running(), workers.waiting(), workers.turned_away()), (0, 0, 1));
        assert!(workers.door().tenants.is_empty());
    }

    #[tokio::test]
    async fn nobody_fills_the_line_alone() {
        let workers = room(1, 9, 1);
        let inside = workers.enter("a").await.unwrap();
        let first = waits(&workers, "a").await;
        assert_eq!(workers.enter("a").await.unwrap_err(), Problem::too_many_requests());
        let other = waits(&workers, "b").await;
        drop(inside);
        drop(first.await.unwrap());
        drop(other.await.unwrap());
    }

    #[tokio::test]
    async fn the_tenant_with_the_fewest_inside_comes_in_first() {
        let workers = room(2, 9, 9);
        let inside = [workers.enter("a").await.unwrap(), workers.enter("a").await.unwrap()];
        let lines = [waits(&workers, "a").await, waits(&workers, "a").await];
        let late = waits(&workers, "b").await;
        let [one, other] = inside;
        drop(one);
        let late = late.await.unwrap();
        assert!(lines.iter().all(|line| !line.is_finished()));
        drop(other);
        let [first, second] = lines;
        let first = first.await.unwrap();
        assert!(!second.is_finished());
        drop((first, late));
        drop(second.await.unwrap());
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_the_line_and_holds_no_place() {
        let workers = room(1, 2, 2);
        let inside = workers.enter("a").await.unwrap();
        let (gone, stays) = (waits(&workers, "a").await, waits(&workers, "b").await);
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(workers.waiting(), 1);
        drop(inside);
        drop(stays.await.unwrap());
        assert_eq!(workers.running(), 0);
        // A place that was given and never taken comes back.
        let (call, called) = oneshot::channel();
        workers.join(&"c".into(), call).unwrap();
        let admitted = workers.door().admit(&workers);
        workers.call(admitted);
        assert_eq!(workers.running(), 1);
        drop(called);
        assert_eq!(workers.running(), 0);
    }

    #[tokio::test]
    async fn work_that_panics_is_a_problem_and_gives_its_place_back() {
        let workers = room(1, 0, 0);
        let result = workers.run::<()>("a", || panic!("on purpose")).await;
        assert!(result.is_err());
        assert_eq!(workers.running(), 0);
        assert_eq!(workers.run("a", || Ok(7)).await.unwrap(), 7);
    }
}
