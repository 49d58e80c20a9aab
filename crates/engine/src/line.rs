//! Who waits, and whose turn is next.
//!
//! The highest priority comes first. Of tenants with the same priority, the one for whom the fewest
//! tokens were computed so far comes first (the counters of "Fairness in Serving Large Language
//! Models", Sheng and others, OSDI 2024): a deficit round robin whose costs are counted when they
//! are known, since nobody knows in advance how long a completion becomes. Within a tenant, it is
//! first come, first served. Who is next may be passed over: places are shared out evenly too.

use crate::request::Priority;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Tenants that have nothing to do and are remembered nevertheless.
const IDLE_TENANTS_MAX: usize = 4096;

/// Who asks.
pub(crate) type Tenant = Arc<str>;

/// What waits, by tenant and priority.
pub(crate) struct Line<T> {
    tenants: BTreeMap<Tenant, Account<T>>,
}

struct Account<T> {
    /// Tokens that were computed for the tenant.
    served: u64,
    /// How much runs for it now.
    running: usize,
    /// None is empty.
    lanes: BTreeMap<Priority, VecDeque<T>>,
}

impl<T> Account<T> {
    fn is_idle(&self) -> bool {
        self.running == 0 && self.lanes.is_empty()
    }
}

/// What becomes of the next in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is taken.
    Take,
    /// It waits for something of its own: another one may go before.
    Pass,
    /// There is no room: those behind it wait too.
    Wait,
}

impl<T> Line<T> {
    pub fn new() -> Line<T> {
        Line { tenants: BTreeMap::new() }
    }

    /// All that wait, by tenant.
    pub fn iter(&self) -> impl Iterator<Item = (&Tenant, &T)> {
        self.tenants.iter().flat_map(|(tenant, account)| {
            account.lanes.values().flatten().map(move |waiting| (tenant, waiting))
        })
    }

    /// How many tenants have something that waits or runs.
    pub fn tenants(&self) -> usize {
        self.tenants.values().filter(|account| !account.is_idle()).count()
    }

    /// The highest priority of what waits.
    pub fn highest(&self) -> Option<Priority> {
        let lanes = self.tenants.values().flat_map(|account| account.lanes.keys());
        lanes.max().copied()
    }

    /// Goes to the end of its tenant's line.
    pub fn push(&mut self, tenant: &Tenant, priority: Priority, waiting: T) {
        self.account(tenant).lanes.entry(priority).or_default().push_back(waiting);
    }

    /// Takes what runs back, to the front of its tenant's line.
    pub fn push_back_to_front(&mut self, tenant: &Tenant, priority: Priority, waiting: T) {
        let account = self.account(tenant);
        account.running -= 1;
        account.lanes.entry(priority).or_default().push_front(waiting);
    }

    /// The first for which `turn` says so, to be run: with it goes its tenant.
    pub fn take(&mut self, mut turn: impl FnMut(&Tenant, Priority, &T) -> Turn) -> Option<T> {
        let found = self.order().into_iter().find_map(|(tenant, priority)| {
            let lane = &self.tenants[&tenant].lanes[&priority];
            for (index, waiting) in lane.iter().enumerate() {
                match turn(&tenant, priority, waiting) {
                    Turn::Take => return Some(Some((tenant, priority, index))),
                    Turn::Pass => {}
                    Turn::Wait => return Some(None),
                }
            }
            None
        });
        let (tenant, priority, index) = found??;
        let account = self.account(&tenant);
        account.running += 1;
        let lane = account.lanes.get_mut(&priority)?;
        let taken = lane.remove(index);
        account.lanes.retain(|_, lane| !lane.is_empty());
        taken
    }

    /// The lanes in order of their turns.
    fn order(&self) -> Vec<(Tenant, Priority)> {
        let lanes = |(tenant, account): (&Tenant, &Account<T>)| {
            let (tenant, served) = (tenant.clone(), account.served);
            let lane = move |priority: &Priority| (Reverse(*priority), served, tenant.clone());
            account.lanes.keys().map(lane).collect::<Vec<_>>()
        };
        let mut order: Vec<_> = self.tenants.iter().flat_map(lanes).collect();
        order.sort();
        order.into_iter().map(|(Reverse(priority), _, tenant)| (tenant, priority)).collect()
    }

    /// Counts tokens that were computed for a tenant.
    pub fn charge(&mut self, tenant: &Tenant, tokens: usize) {
        if let Some(account) = self.tenants.get_mut(tenant) {
            account.served += tokens as u64;
        }
    }

    /// Something that ran is over.
    pub fn leave(&mut self, tenant: &Tenant) {
        if let Some(account) = self.tenants.get_mut(tenant) {
            account.running -= 1;
        }
        if self.tenants.len() > IDLE_TENANTS_MAX {
            self.tenants.retain(|_, account| !account.is_idle());
        }
    }

    /// Drops what is no longer wanted.
    pub fn retain(&mut self, wanted: impl Fn(&T) -> bool) {
        for account in self.tenants.values_mut() {
            account.lanes.values_mut().for_each(|lane| lane.retain(&wanted));
            account.lanes.retain(|_, lane| !lane.is_empty());
        }
    }

    /// Whoever comes after a rest begins with as much as the least served of those who are at it:
    /// nobody saves up turns.
    fn account(&mut self, tenant: &Tenant) -> &mut Account<T> {
        let busy = self.tenants.values().filter(|account| !account.is_idle());
        let least = busy.map(|account| account.served).min().unwrap_or(0);
        let new = || Account { served: 0, running: 0, lanes: BTreeMap::new() };
        let account = self.tenants.entry(tenant.clone()).or_insert_with(new);
        if account.is_idle() {
            account.served = account.served.max(least);
        }
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        Tenant::from(name)
    }

    fn next(line: &mut Line<u32>) -> Option<u32> {
        line.take(|_, _, _| Turn::Take)
    }

    #[test]
    fn priorities_come_first_and_equals_in_order() {
        let (mut line, a) = (Line::new(), tenant("a"));
        for (priority, number) in [
            (Priority::Low, 1),
            (Priority::Normal, 2),
            (Priority::High, 3),
            (Priority::Normal, 4),
            (Priority::High, 5),
        ] {
            line.push(&a, priority, number);
        }
        let found: Vec<u32> = std::iter::from_fn(|| next(&mut line)).collect();
        assert_eq!(found, [3, 5, 2, 4, 1]);
    }

    #[test]
    fn tenants_get_equal_tokens_however_long_their_requests() {
        let (mut line, a, b) = (Line::new(), tenant("a"), tenant("b"));
        for number in 0..1000 {
            line.push(&a, Priority::Normal, 1);
            line.push(&b, Priority::Normal, 10 + number % 3);
        }
        let mut served = BTreeMap::new();
        for _ in 0..800 {
            let tokens = next(&mut line).unwrap();
            let who = if tokens == 1 { &a } else { &b };
            line.charge(who, tokens as usize);
            line.leave(who);
            *served.entry(who.clone()).or_insert(0) += tokens;
        }
        let (a, b) = (f64::from(served[&a]), f64::from(served[&b]));
        assert!((a / b - 1.0).abs() < 0.02, "{a} {b}");
    }

    #[test]
    fn a_newcomer_has_saved_up_nothing() {
        let (mut line, a, b) = (Line::new(), tenant("a"), tenant("b"));
        (0..10).for_each(|_| line.push(&a, Priority::Normal, 1));
        for _ in 0..5 {
            next(&mut line).unwrap();
            line.charge(&a, 1000);
            line.leave(&a);
        }
        (0..10).for_each(|_| line.push(&b, Priority::Normal, 2));
        let mut found = Vec::new();
        for _ in 0..6 {
            let number = next(&mut line).unwrap();
            let who = if number == 1 { &a } else { &b };
            line.charge(who, 100);
            line.leave(who);
            found.push(number);
        }
        assert_eq!(found, [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn what_passes_lets_others_by_and_what_waits_does_not() {
        let (mut line, a) = (Line::new(), tenant("a"));
        (1..=3).for_each(|number| line.push(&a, Priority::Normal, number));
        let pass = |_: &Tenant, _, number: &u32| if *number == 1 { Turn::Pass } else { Turn::Take };
        assert_eq!(line.take(pass), Some(2));
        let wait = |_: &Tenant, _, number: &u32| if *number == 1 { Turn::Wait } else { Turn::Take };
        assert_eq!(line.take(wait), None);
        assert_eq!(line.iter().count(), 2);
        line.push_back_to_front(&a, Priority::Normal, 2);
        assert_eq!(next(&mut line), Some(2));
        line.retain(|number| *number != 1);
        assert_eq!((next(&mut line), next(&mut line)), (Some(3), None));
    }
}
