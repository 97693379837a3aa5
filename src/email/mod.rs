//! Mail by SMTP (RFC 5321): tried until it is sent or refused for good, and errors that say what to do.

mod error;
mod lines;
mod session;

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use self::error::is_temporary;
pub use self::error::{EmailError, Step};
use self::session::Session;
use crate::clock::Clock;
use crate::config::{Address, EmailConfig};

/// First and longest rest between two tries.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// A mail, ready to be sent.
#[derive(Debug, Clone)]
pub struct Mailing {
    /// Who gets it; at least one.
    pub recipients: Vec<Address>,
    /// As RFC 5322 has it, with CR LF.
    pub message: Vec<u8>,
}

/// What is said while it goes on.
#[derive(Debug)]
pub enum News<'a> {
    /// These do not have it now, and all others do.
    Missing(&'a [Address]),
    /// It is tried again for those.
    Retries {
        /// Why.
        error: &'a EmailError,
        /// When.
        after: Duration,
    },
}

/// Sends a mail; whom the server takes gets it, also where it refuses others.
///
/// What certainly was not delivered is tried again for `retry_for`: where the server is away, or wants to be asked later (4xx), as
/// greylisting does. What may have been delivered is not.
///
/// # Errors
/// Somebody did not get it: those of the last [`News::Missing`], or all where there was none.
pub async fn send(
    config: &EmailConfig,
    mailing: &Mailing,
    retry_for: Duration,
    say: &(dyn Fn(News<'_>) + Sync),
) -> Result<(), EmailError> {
    let clock = Clock::new();
    let backoff = ExponentialBuilder::new().with_min_delay(RETRY.0).with_max_delay(RETRY.1).without_max_times();
    let mut delays = backoff.build();
    let all = mailing.recipients.len();
    // Those that are asked for, and those that the server does not take: until later, and at all.
    let mut open = mailing.recipients.clone();
    let (mut later, mut never) = (Vec::new(), Vec::<(Address, Failed)>::new());
    loop {
        let (tried, session) = match Session::open(config).await {
            Ok(mut session) => (session.deliver(config, &open, &mailing.message).await, Some(session)),
            Err(failed) => (Err(failed), None),
        };
        let is_answered = tried.is_ok();
        let (is_over, error) = match tried {
            Ok(refused) => {
                let (now_later, now_never) = refused.into_iter().partition(|(_, failed)| failed.is_temporary());
                later = now_later;
                never.extend::<Vec<_>>(now_never);
                open = later.iter().map(|(address, _)| address.clone()).collect();
                (open.is_empty(), None)
            }
            Err((step, failed)) => (!is_temporary(step, &failed), Some(EmailError::new(config, step, &failed))),
        };
        let missing: Vec<Address> = never.iter().map(|(address, _)| address).chain(&open).cloned().collect();
        say(News::Missing(&missing));
        if let Some(session) = session.filter(|_| is_answered) {
            session.close().await;
        }
        let refused: Vec<&(Address, Failed)> = never.iter().chain(&later).collect();
        let error = match error {
            // Whom it has refused before is told rather than that it is away now.
            Some(EmailError::NotSent { .. }) | None if !refused.is_empty() => {
                EmailError::refused(config, &refused, all - missing.len())
            }
            Some(error) => error,
            None => return Ok(()),
        };
        let left = retry_for.saturating_sub(clock.elapsed());
        if is_over || left.is_zero() {
            return Err(error);
        }
        // The last try is at the end of the time that was given.
        let after = delays.next().unwrap_or(RETRY.1).min(left);
        say(News::Retries { error: &error, after });
        tokio::time::sleep(after).await;
    }
}

/// Does all that comes before a mail: connects, encrypts, logs in.
///
/// # Errors
/// One of them is not possible.
pub async fn probe(config: &EmailConfig) -> Result<(), EmailError> {
    let session = Session::open(config).await.map_err(|(step, failed)| EmailError::new(config, step, &failed))?;
    session.close().await;
    Ok(())
}

/// Why a step was not taken.
#[derive(Debug)]
pub(crate) enum Failed {
    Smtp(lettre::transport::smtp::Error),
    /// No connection.
    Unreachable(std::io::Error),
    /// A connection to another machine, where none is to be encrypted.
    NotLoopback(std::net::IpAddr),
    /// No answer in time.
    Late(Duration),
    /// No STARTTLS.
    NotOffered,
    /// The server says how large a mail may be, and this one is larger.
    TooLarge {
        size: u64,
        max: u64,
    },
    /// The library is stricter than we are.
    NotAnAddress,
}

impl Failed {
    /// What the server answered, where it did.
    fn code(&self) -> Option<u16> {
        match self {
            Self::Smtp(error) => error.status().map(u16::from),
            _ => None,
        }
    }

    /// Whether the server wants to be asked again.
    fn is_temporary(&self) -> bool {
        self.code().is_some_and(|code| (400..=499).contains(&code))
    }
}
