//! Why a mail was not sent, and what to do.

use std::error::Error;
use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::CertificateError;
use rustls::Error as TlsError;
use secrecy::ExposeSecret;
use thiserror::Error;

use super::Failed;
use crate::config::{Address, EmailConfig};

/// Of what a server says, so much is shown.
const SHOWN: usize = 300;
const SMALLER: &str =
    "the mail is too large for it: set a smaller `email.max_attachment_size`, or give `--email-attach none`";
const LATER: &str = "it wants to be asked again later: wait some minutes, or give a longer --retry-for";
const WANTS_LOGIN: &str = "it wants a login: write `email.login`";

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The connection, with TLS where it is encrypted from the first byte on, and the greeting.
    Connect,
    /// STARTTLS.
    StartTls,
    /// The login.
    Login,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// `DATA`, before a byte of the mail.
    Data,
    /// The mail itself: where its answer is not there, nobody knows what became of it.
    Message,
}

/// Somebody did not get the mail. Each message ends in the next thing to do, and none has the password.
#[derive(Debug, Error)]
pub enum EmailError {
    /// Nobody got it.
    #[error("no e-mail was sent: {server} {problem}: {advice}")]
    NotSent {
        /// Host and port.
        server: String,
        /// What happened.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// The mail went out, and its answer did not come.
    #[error("the e-mail was sent or not, nobody knows: {server} {problem}: {advice}")]
    Unsure {
        /// Host and port.
        server: String,
        /// What happened.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// Some recipients were refused, or until later.
    #[error(
        "{}: {server} refused {refused}: {advice}",
        if *.taken == 0 { "no e-mail was sent".to_owned() } else { format!("the e-mail went to {taken} of {all} recipients") }
    )]
    Refused {
        /// Host and port.
        server: String,
        /// Who were refused, and how.
        refused: String,
        /// How many were taken.
        taken: usize,
        /// How many there are.
        all: usize,
        /// What to do.
        advice: String,
    },
}

/// Whether it may go otherwise later, and nobody can have got the mail.
pub(super) fn is_temporary(step: Step, failed: &Failed) -> bool {
    match failed {
        Failed::Unreachable(_) => true,
        Failed::Late(_) => step != Step::Message,
        Failed::Smtp(error) if error.status().is_some() => failed.is_temporary(),
        // A connection that broke off.
        Failed::Smtp(error) => {
            step != Step::Message && cause::<TlsError>(error).is_none() && cause::<io::Error>(error).is_some()
        }
        Failed::NotLoopback(_) | Failed::NotOffered | Failed::TooLarge { .. } | Failed::NotAnAddress => false,
    }
}

impl EmailError {
    pub(super) fn new(config: &EmailConfig, step: Step, failed: &Failed) -> Self {
        let server = format!("{}:{}", config.host, config.port);
        let is_open = step == Step::Message && failed.code().is_none();
        let (problem, advice) = match failed {
            Failed::Late(time) if step == Step::Message => (
                format!("did not take the mail within {time:?}"),
                "look into the server's log before it is sent again; where it is only slow, set a longer `email.timeout`"
                    .to_owned(),
            ),
            Failed::Unreachable(error) => (
                format!("could not be reached: {error}"),
                "check `email.host` and `email.port`, that it runs, and that connections from here are let through"
                    .to_owned(),
            ),
            Failed::Late(time) => (
                format!("did not answer within {time:?}"),
                "check `email.host`, `email.port` and `email.security`, and that connections from here are let through; \
                 where it is only slow, set a longer `email.timeout`"
                    .to_owned(),
            ),
            Failed::NotOffered => (
                "offers no STARTTLS, and nothing is sent in the clear".to_owned(),
                "where it speaks TLS from the first byte on, as on port 465, write `email.security: tls`; else ask who runs it"
                    .to_owned(),
            ),
            Failed::NotLoopback(address) => (
                format!("is at {address}, which is not this machine, and `email.security: none` would send log data in the clear"),
                "write `starttls` or `tls`".to_owned(),
            ),
            Failed::TooLarge { size, max } => {
                (format!("takes mails of {max} bytes, and this one has {size}"), SMALLER.to_owned())
            }
            Failed::NotAnAddress => {
                ("cannot be told an address".to_owned(), "write `email.from` and `--email` otherwise".to_owned())
            }
            Failed::Smtp(error) => of_smtp(config, step, error),
        };
        if is_open {
            return Self::Unsure { server, problem, advice };
        }
        Self::NotSent { server, problem, advice }
    }

    pub(super) fn refused(config: &EmailConfig, refused: &[&(Address, Failed)], taken: usize) -> Self {
        let codes: Vec<u16> = refused.iter().filter_map(|(_, failed)| failed.code()).collect();
        let advice = if refused.iter().all(|(_, failed)| failed.is_temporary()) {
            "it wants them to be tried again later, as greylisting does: wait some minutes, or give a longer --retry-for"
                .to_owned()
        } else if codes.contains(&530) && config.login.is_none() {
            WANTS_LOGIN.to_owned()
        } else {
            let from = &config.from.address;
            format!("check these addresses, and whether this server takes mail for them from `{from}`")
        };
        let told = |(address, failed): &&(Address, Failed)| match failed {
            Failed::Smtp(error) => format!("`{address}` ({})", said(config, error)),
            _ => format!("`{address}`"),
        };
        Self::Refused {
            server: format!("{}:{}", config.host, config.port),
            refused: refused.iter().map(told).collect::<Vec<_>>().join(", "),
            taken,
            all: taken + refused.len(),
            advice,
        }
    }
}

fn of_smtp(config: &EmailConfig, step: Step, error: &lettre::transport::smtp::Error) -> (String, String) {
    if let Some(tls) = cause::<TlsError>(error) {
        return (format!("could not be trusted: {tls}"), tls_advice(config, tls));
    }
    let Some(code) = error.status().map(u16::from) else {
        return without_status(config, step, error);
    };
    let said = said(config, error);
    let advice = match (step, code) {
        (_, 400..=499) => LATER.to_owned(),
        (Step::Login, _) => {
            "check `email.login`; some services want a password of its own for each app, and have to allow SMTP at all"
                .to_owned()
        }
        (_, 530 | 538) if config.login.is_none() => WANTS_LOGIN.to_owned(),
        (Step::Sender, 552) | (Step::Message, 552 | 523) => SMALLER.to_owned(),
        (Step::Sender, _) => format!("check that `{}` (`email.from`) may send there", config.from.address),
        _ => "look into the server's log, or ask who runs it".to_owned(),
    };
    let doing = match step {
        Step::Login => "refused the login",
        Step::Sender => "refused the sender",
        Step::Message => "refused the mail",
        Step::Data => "refused to take the mail",
        Step::Connect | Step::StartTls | Step::Recipient => "refused",
    };
    (format!("{doing} ({said})"), advice)
}

fn without_status(config: &EmailConfig, step: Step, error: &lettre::transport::smtp::Error) -> (String, String) {
    if step == Step::Login && error.is_client() {
        let advice = "where it needs none, remove `email.login`; else ask who runs it for one by PLAIN or LOGIN";
        return ("offers no login by password".to_owned(), advice.to_owned());
    }
    let problem = match cause::<io::Error>(error) {
        Some(error) => format!("could not be spoken with: {error}"),
        None => format!("could not be spoken with: {}", said(config, error)),
    };
    let advice = match step {
        Step::Message => {
            "look into its log before it is sent again; it may not take a mail of this size (`email.max_attachment_size`)"
        }
        _ => {
            "check `email.host`, `email.port` and `email.security` (465 is for `tls`, 587 for `starttls`), and that it runs"
        }
    };
    (problem, advice.to_owned())
}

/// The innermost cause of this type.
fn cause<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut found = None;
    let mut next = Some(error);
    while let Some(error) = next {
        found = error.downcast_ref().or(found);
        // `source` of an `io::Error` leaves out the error that it is made of.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    found
}

fn tls_advice(config: &EmailConfig, error: &TlsError) -> String {
    let host = &config.host;
    match error {
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => format!(
            "the certificate of `{host}` comes from an authority that this machine does not know: set `email.ca_file` to \
             that authority's certificate (PEM), or add it to the system's"
        ),
        TlsError::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!(
                "the certificate of `{host}` has expired: renew it there; if it has not, check this machine's clock"
            )
        }
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the certificate of `{host}` is for another name: check `email.host`"),
        TlsError::InvalidCertificate(_) => format!("the certificate of `{host}` is not acceptable: replace it there"),
        _ => "check `email.port` and `email.security`: 465 is for `tls`, 587 for `starttls`".to_owned(),
    }
}

/// What the server said, on one line; a server that repeats what it was told repeats no secret of ours.
fn said(config: &EmailConfig, error: &lettre::transport::smtp::Error) -> String {
    let mut text = match error.source() {
        Some(text) => text.to_string(),
        None => error.to_string(),
    };
    if let Some(login) = &config.login {
        let (username, password) = (login.username.value(), login.password.value());
        let password = password.expose_secret();
        let plain = BASE64_STANDARD.encode(format!("\0{}\0{password}", username.expose_secret()));
        for secret in [password, &plain, &BASE64_STANDARD.encode(password)] {
            text = text.replace(secret, "***");
        }
    }
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    let text = text.trim().to_owned();
    match error.status() {
        Some(code) => format!("{code} {text}"),
        None => text,
    }
}
