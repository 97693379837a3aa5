//! Where requests wait for the limiter: its clock, its lock, and whom to wake.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Outcome;
use crate::clock::Clock;
use crate::okta::limiter::{Answer, Ask, Known, Limiter, Ticket, Turn, Waiter};

/// The gate of one org and credential in this process. All that asks with them passes it, request by request.
#[derive(Debug, Default)]
pub struct Gate {
    clock: Clock,
    limiter: Mutex<Limiter>,
    /// An answer came, or somebody left the queue.
    changed: Notify,
}

impl Gate {
    /// A gate that nobody passed yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits until this request may be sent. Dropping the future gives the place in the queue to the next one.
    pub async fn permit(self: &Arc<Self>, ask: Ask) -> Permit {
        let place = Place { gate: self, waiter: self.limiter().join(ask) };
        loop {
            // Before the look, so that no change between the two is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            let _ = changed.as_mut().enable();
            let now = self.clock.elapsed();
            let turn = self.limiter().turn(place.waiter, now);
            match turn {
                // The place is gone, and whoever is next looks when it is dropped.
                Turn::Go(ticket) => return Permit { gate: Arc::clone(self), ticket: Some(ticket), granted: now },
                Turn::Wait { until: None } => changed.await,
                Turn::Wait { until: Some(until) } => {
                    let until = tokio::time::sleep_until(self.clock.instant(until).into());
                    tokio::select! {
                        () = changed => {}
                        () = until => {}
                    }
                }
            }
        }
    }

    /// What is known of the window.
    pub fn known(&self) -> Option<Known> {
        self.limiter().known(self.clock.elapsed())
    }

    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue.
struct Place<'g> {
    gate: &'g Arc<Gate>,
    waiter: Waiter,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.limiter().leave(self.waiter);
        self.gate.changed.notify_waiters();
    }
}

/// Leave to send one request. To be given back with what came of it; one that is dropped counts as sent.
#[derive(Debug)]
pub struct Permit {
    gate: Arc<Gate>,
    ticket: Option<Ticket>,
    /// Monotonic.
    granted: Duration,
}

impl Permit {
    /// Tells the limiter what came of the request.
    pub fn answered(mut self, outcome: &Outcome) {
        let Some(ticket) = self.ticket.take() else { return };
        let now = self.gate.clock.elapsed();
        // Not when the last byte of a long page came: a window's end is counted from here.
        let received = outcome.headers_after.map_or(now, |after| (self.granted + after).min(now));
        let mut limiter = self.gate.limiter();
        match outcome.status {
            _ if !outcome.was_sent => limiter.unused(ticket),
            None => limiter.unanswered(ticket),
            Some(status) => {
                let Outcome { rate_limit, server_date, .. } = *outcome;
                limiter.answered(
                    ticket,
                    Answer { status, rate_limit, server_date },
                    received,
                    self.gate.clock.now().jitter,
                );
            }
        }
        drop(limiter);
        self.gate.changed.notify_waiters();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.gate.limiter().unanswered(ticket);
            self.gate.changed.notify_waiters();
        }
    }
}
