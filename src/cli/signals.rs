//! SIGTERM and SIGINT.

use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// What ends a process from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Signal {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupt,
    /// What a service manager sends.
    #[error("terminated")]
    Terminate,
}

impl Signal {
    /// As the error that a one-shot command ends with.
    pub fn into_error(self) -> anyhow::Error {
        anyhow::Error::new(self)
    }
}

/// The first of the two. Where the system takes no handler, the signal itself ends the process, as is its default.
pub async fn first() -> Signal {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Signal::Interrupt,
        _ = terminate.recv() => Signal::Terminate,
    }
}

/// Either of them, for commands that both end in the same way.
pub async fn any() {
    let _ = first().await;
}
