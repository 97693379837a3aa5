//! `/metrics`, `/livez` and `/readyz`. Nothing that changes state is served here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::IntGauge;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Why there is no server.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The address is taken, or not ours.
    #[error("can't listen on `{address}` for metrics and health: {problem}; set `http.listen` to a free address")]
    Listen {
        /// `http.listen`.
        address: SocketAddr,
        /// The operating system's word.
        problem: std::io::Error,
    },
}

/// What `/readyz` says: Kafka reached and the group joined; never Okta, a connector or a shard.
pub struct Readiness {
    /// Why not, as one line.
    problem: Mutex<Option<String>>,
    /// The same as a metric: 1 or 0.
    shown: IntGauge,
}

impl Readiness {
    /// Not ready yet; `shown` follows from now on.
    pub fn new(shown: IntGauge) -> Self {
        shown.set(0);
        Self { problem: Mutex::new(Some("the group is not joined yet".to_owned())), shown }
    }

    /// The group has answered.
    pub fn ready(&self) {
        self.shown.set(1);
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Not ready, and why.
    pub fn not_ready(&self, why: &str) {
        self.shown.set(0);
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.replace('\n', " "));
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The running server.
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on `address`; port 0 takes a free one.
    pub async fn start(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        readiness: Arc<Readiness>,
    ) -> Result<Self, HttpError> {
        let listener = TcpListener::bind(address).await.map_err(|problem| HttpError::Listen { address, problem })?;
        let address = listener.local_addr().map_err(|problem| HttpError::Listen { address, problem })?;
        let router = Router::new()
            .route("/metrics", get(serve_metrics).with_state(metrics))
            // The runtime turns, or nobody would answer.
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(serve_readiness).with_state(readiness));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            // Accept errors are retried by axum; it ends with the stop only.
            let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
        });
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops; open connections are dropped with the runtime.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.abort();
        // Cancelled is what it is told to be.
        let _ = self.task.await;
    }
}

async fn serve_metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{problem}\n")).into_response(),
    }
}

async fn serve_readiness(State(readiness): State<Arc<Readiness>>) -> Response {
    match readiness.problem() {
        None => "ok\n".into_response(),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
    }
}
