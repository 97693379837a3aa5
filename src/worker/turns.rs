//! A connector's turns at its org's limit: which kind its next request is, and what is said of a long wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tracing::info;

use super::report::ConnectorStatus;
use super::turn_wait::TurnWait;
use crate::clock::Clock;
use crate::config::ConnectorConfig;
use crate::metrics::ConnectorMetrics;
use crate::okta::client::gate::{Gate, Permit};
use crate::okta::limiter::standing::Standing;
use crate::okta::limiter::{Ask, Kind};
use crate::source::action::PageKind;
use crate::telemetry;

/// What a connector knows of its turns.
#[derive(Debug)]
pub struct Turns {
    gate: Arc<Gate>,
    clock: Clock,
    standing: Arc<Mutex<Standing>>,
    /// How far behind the org's time the last page ends, where that is known.
    lag: Option<Duration>,
    /// A long wait was told since it was last not behind.
    told: Arc<AtomicBool>,
}

impl Turns {
    /// Of a connector that has asked nothing yet.
    pub fn new(gate: Arc<Gate>, clock: Clock) -> Self {
        Self { gate, clock, standing: Arc::default(), lag: None, told: Arc::default() }
    }

    /// Notes where a page ends: `published` of its last event, and the org's time.
    pub fn page_ends(&mut self, published: Option<&str>, date: Option<Timestamp>) {
        let published = published.and_then(|published| published.parse::<Timestamp>().ok());
        // An event that is newer than the second of the org's time is not behind it.
        self.lag =
            published.zip(date).map(|(published, date)| date.duration_since(published).try_into().unwrap_or_default());
    }

    /// Notes the kind of that page.
    pub fn page(&mut self, kind: PageKind, interval: Duration) {
        let mut standing = lock(&self.standing);
        standing.page(kind == PageKind::Full, self.lag.take(), interval);
        if !standing.is_behind() {
            self.told.store(false, Ordering::Relaxed);
        }
    }

    /// Whether the last page said that the connector has to catch up.
    pub fn is_behind(&self) -> bool {
        lock(&self.standing).is_behind()
    }

    /// Waits for the next request's turn.
    pub fn next(
        &mut self,
        connector: &Arc<ConnectorConfig>,
        metrics: &Arc<ConnectorMetrics>,
        status: &Arc<ConnectorStatus>,
    ) -> impl Future<Output = Permit> + Send + use<> {
        let turn = turn(Arc::clone(&self.gate), self.clock, Arc::clone(&self.standing), Arc::clone(connector));
        let (gate, told, connector) = (Arc::clone(&self.gate), Arc::clone(&self.told), Arc::clone(connector));
        let (clock, metrics, status) = (self.clock, Arc::clone(metrics), Arc::clone(status));
        async move {
            let wait = TurnWait::new(clock, metrics.rate_limit_wait.clone(), status);
            let long = || {
                if !told.swap(true, Ordering::Relaxed) {
                    tell(&connector, &gate);
                }
            };
            wait.until(turn, long).await
        }
    }
}

/// Waits as what the connector is, and no longer than an interval as one that is behind.
async fn turn(
    gate: Arc<Gate>,
    clock: Clock,
    standing: Arc<Mutex<Standing>>,
    connector: Arc<ConnectorConfig>,
) -> Permit {
    let ask = |kind| Ask { kind, share: connector.rate_limit_share, bulk_reserve: connector.rate_limit_bulk_reserve };
    let known = *lock(&standing);
    let mut permit = None;
    if known.kind(clock.elapsed(), connector.interval) == Kind::Backlog
        && let Some(until) = known.live_from(connector.interval)
    {
        permit = tokio::time::timeout_at(clock.instant(until).into(), gate.permit(ask(Kind::Backlog))).await.ok();
    }
    let permit = match permit {
        Some(permit) => permit,
        None => gate.permit(ask(Kind::Live)).await,
    };
    lock(&standing).went(clock.elapsed());
    permit
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(connector: &ConnectorConfig, gate: &Gate) {
    let (name, share) = (&connector.name, connector.rate_limit_share);
    match gate.known() {
        Some(known) => info!(
            connector = name,
            org = %connector.org,
            limit = known.limit,
            share,
            remaining = known.remaining,
            resets_in = ?telemetry::shown(known.resets_in),
            "waits for the rate limit: all that use this credential have asked as much as `rate_limit_share` allows by now"
        ),
        None => info!(
            connector = name,
            org = %connector.org,
            share,
            "waits for the rate limit: until the org has answered the request that is under way, or as a 429 said"
        ),
    }
}
