//! Mail by SMTP (RFC 5321): one connection, one mail, and errors that say what to do.

mod error;
mod lines;

use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret;

pub use self::error::{EmailError, Step};
use self::lines::Lines;
use crate::config::{Address, EmailConfig, SmtpSecurity};

/// A server may look at a mail for a while before it says that it has it (RFC 5321, 4.5.3.2.6, allows 10 minutes).
const OF_THE_WHOLE: u32 = 10;

/// A mail, ready to be sent.
#[derive(Debug, Clone)]
pub struct Mailing {
    /// Who gets it; at least one.
    pub recipients: Vec<Address>,
    /// As RFC 5322 has it, with CR LF.
    pub message: Vec<u8>,
}

/// Sends a mail; whom the server takes gets it, also where it refuses others.
///
/// # Errors
/// Somebody did not get it.
pub async fn send(config: &EmailConfig, mailing: &Mailing) -> Result<(), EmailError> {
    let mut connection = open(config).await?;
    let sent = deliver(config, &mut connection, mailing).await;
    close(config, connection).await;
    sent
}

/// Does all that comes before a mail: connects, encrypts, logs in.
///
/// # Errors
/// One of them is not possible.
pub async fn probe(config: &EmailConfig) -> Result<(), EmailError> {
    let connection = open(config).await?;
    close(config, connection).await;
    Ok(())
}

/// What the server says at the end changes nothing.
async fn close(config: &EmailConfig, mut connection: AsyncSmtpConnection) {
    let _ = tokio::time::timeout(config.timeout, connection.quit()).await;
}

async fn open(config: &EmailConfig) -> Result<AsyncSmtpConnection, EmailError> {
    let about = |step| move |error: Failed| EmailError::new(config, step, error);
    let tls = || tls_parameters(config).map_err(Failed::Smtp);
    let hello = ClientId::default();
    let server = (config.host.as_str(), config.port);
    let mut connection = if config.security == SmtpSecurity::Tls {
        let tls = tls().map_err(about(Step::Connect))?;
        let connecting = AsyncSmtpConnection::connect_tokio1(server, Some(config.timeout), &hello, Some(tls), None);
        within(config.timeout, connecting).await.map_err(about(Step::Connect))?
    } else {
        let connecting = async {
            let stream = Lines::connect(server).await.map_err(Failed::Unreachable)?;
            let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
            greeted.map_err(Failed::Smtp)
        };
        let late = |_| Err(Failed::Late(config.timeout));
        let connected = tokio::time::timeout(config.timeout, connecting).await.unwrap_or_else(late);
        connected.map_err(about(Step::Connect))?
    };
    if config.security == SmtpSecurity::StartTls {
        if !connection.can_starttls() {
            return Err(EmailError::new(config, Step::StartTls, Failed::NotOffered));
        }
        let encrypting = connection.starttls(tls().map_err(about(Step::StartTls))?, &hello);
        within(config.timeout, encrypting).await.map_err(about(Step::StartTls))?;
    }
    if let Some(login) = &config.login {
        let (username, password) = (login.username.value(), login.password.value());
        let credentials = Credentials::new(username.expose_secret().to_owned(), password.expose_secret().to_owned());
        let entering = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
        within(config.timeout, entering).await.map_err(about(Step::Login))?;
    }
    Ok(connection)
}

async fn deliver(
    config: &EmailConfig,
    connection: &mut AsyncSmtpConnection,
    mailing: &Mailing,
) -> Result<(), EmailError> {
    let about = |step| move |error: Failed| EmailError::new(config, step, error);
    let address = |address: &Address| address.as_str().parse::<lettre::Address>().map_err(|_| Failed::NotAnAddress);
    let from = address(&config.from.address).map_err(about(Step::Sender))?;
    let sender = connection.command(Mail::new(Some(from), Vec::new()));
    within(config.timeout, sender).await.map_err(about(Step::Sender))?;
    let mut refused = Vec::new();
    for recipient in &mailing.recipients {
        let to = address(recipient).map_err(about(Step::Recipient))?;
        match within(config.timeout, connection.command(Rcpt::new(to, Vec::new()))).await {
            Ok(_) => {}
            Err(Failed::Smtp(error)) if error.status().is_some() => {
                refused.push((recipient.clone(), Failed::Smtp(error)));
            }
            Err(error) => return Err(EmailError::new(config, Step::Recipient, error)),
        }
    }
    let taken = mailing.recipients.len() - refused.len();
    if taken > 0 {
        let data = connection.command(lettre::transport::smtp::commands::Data);
        within(config.timeout, data).await.map_err(about(Step::Data))?;
        let message = connection.message(&mailing.message);
        within(config.timeout * OF_THE_WHOLE, message).await.map_err(about(Step::Message))?;
    }
    if refused.is_empty() { Ok(()) } else { Err(EmailError::refused(config, &refused, taken)) }
}

/// Why a step was not taken.
#[derive(Debug)]
pub(crate) enum Failed {
    Smtp(lettre::transport::smtp::Error),
    /// No connection.
    Unreachable(std::io::Error),
    /// No answer in time.
    Late(Duration),
    /// No STARTTLS.
    NotOffered,
    /// The library is stricter than we are.
    NotAnAddress,
}

impl Failed {
    /// What the server answered, where it did.
    fn code(&self) -> Option<u16> {
        match self {
            Self::Smtp(error) => error.status().map(u16::from),
            Self::Unreachable(_) | Self::Late(_) | Self::NotOffered | Self::NotAnAddress => None,
        }
    }
}

async fn within<T>(
    time: Duration,
    doing: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
) -> Result<T, Failed> {
    match tokio::time::timeout(time, doing).await {
        Ok(done) => done.map_err(Failed::Smtp),
        Err(_) => Err(Failed::Late(time)),
    }
}

fn tls_parameters(config: &EmailConfig) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let mut tls = TlsParameters::builder(config.host.clone());
    for der in config.ca.iter().flat_map(|ca| ca.certificates.iter()) {
        tls = tls.add_root_certificate(Certificate::from_der(der.clone())?);
    }
    tls.build_rustls()
}
