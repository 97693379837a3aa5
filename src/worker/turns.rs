//! A connector's turns at its org's limit: which kind its next request is, and what is said of a long wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::info;

use crate::clock::Clock;
use crate::config::ConnectorConfig;
use crate::metrics::ConnectorMetrics;
use crate::okta::client::gate::{Gate, Permit};
use crate::okta::limiter::{Ask, Kind};
use crate::source::action::PageKind;
use crate::telemetry;

/// A connector that is behind asks as one that is not at least so rarely, whatever others use up.
const TRICKLE: Duration = Duration::from_secs(30);
/// The last requests of a window and the first of the next one are up to 10 s apart; longer waits are told.
const LONG: Duration = Duration::from_secs(12);

/// What a connector knows of its turns.
#[derive(Debug)]
pub struct Turns {
    gate: Arc<Gate>,
    clock: Clock,
    /// The last page was full: there is more.
    behind: bool,
    /// When it last asked as one that is not behind.
    last_live: Option<Duration>,
    /// A long wait was told since it was last not behind.
    told: Arc<AtomicBool>,
}

impl Turns {
    /// Of a connector that has asked nothing yet.
    pub fn new(gate: Arc<Gate>, clock: Clock) -> Self {
        Self { gate, clock, behind: false, last_live: None, told: Arc::default() }
    }

    /// Notes the kind of a page.
    pub fn page(&mut self, kind: PageKind) {
        self.behind = kind == PageKind::Full;
        if !self.behind {
            self.told.store(false, Ordering::Relaxed);
        }
    }

    /// Waits for the next request's turn.
    pub fn next(
        &mut self,
        connector: &Arc<ConnectorConfig>,
        metrics: &Arc<ConnectorMetrics>,
    ) -> impl Future<Output = Permit> + Send + use<> {
        let ask = Ask {
            kind: self.kind(connector.interval),
            share: connector.rate_limit_share,
            bulk_reserve: connector.rate_limit_bulk_reserve,
        };
        let (gate, clock, told) = (Arc::clone(&self.gate), self.clock, Arc::clone(&self.told));
        let (connector, metrics) = (Arc::clone(connector), Arc::clone(metrics));
        async move {
            let began = clock.elapsed();
            let mut permit = std::pin::pin!(gate.permit(ask));
            let permit = match tokio::time::timeout(LONG, permit.as_mut()).await {
                Ok(permit) => permit,
                Err(_) => {
                    if !told.swap(true, Ordering::Relaxed) {
                        tell(&connector, &gate);
                    }
                    permit.await
                }
            };
            let waited = clock.elapsed().saturating_sub(began);
            // Not the way through an open gate.
            if waited >= Duration::from_millis(1) {
                metrics.rate_limit_wait.inc_by(waited.as_secs_f64());
            }
            permit
        }
    }

    fn kind(&mut self, interval: Duration) -> Kind {
        let now = self.clock.elapsed();
        let trickle = interval.max(TRICKLE);
        if self.behind && self.last_live.is_some_and(|last| now < last + trickle) {
            return Kind::Backlog;
        }
        self.last_live = Some(now);
        Kind::Live
    }
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
