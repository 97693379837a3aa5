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
///
/// Listens from the call on and not only when it is awaited: whoever was told that we are ready may stop us at once.
pub fn first() -> impl Future<Output = Signal> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        }
    }
}

/// Either of them, for commands that both end in the same way.
pub fn any() -> impl Future<Output = ()> {
    let first = first();
    async move {
        let _ = first.await;
    }
}
