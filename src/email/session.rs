//! One connection, and what is said on it in which order.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout, timeout_at};

use super::Failed;
use super::error::{Step, is_temporary};
use super::lines::Lines;
use crate::config::{Address, EmailConfig, SmtpSecurity};

/// A server may look at a mail for a while before it says that it has it (RFC 5321, 4.5.3.2.6, allows 10 minutes).
const OF_THE_WHOLE: u32 = 10;
/// What is answered to QUIT changes nothing any more.
const GOOD_BYE: Duration = Duration::from_secs(2);

/// A server that lets us in.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    /// Whether it wants to know the size, and where it says so how large a mail may be (RFC 1870).
    sizes: Option<Option<u64>>,
}

impl Session {
    /// Connects, encrypts, logs in.
    pub async fn open(config: &EmailConfig) -> Result<Self, (Step, Failed)> {
        let about = |step| move |failed: Failed| (step, failed);
        let tls = || tls_parameters(config).map_err(Failed::Smtp);
        let hello = ClientId::Domain(config.hello.clone());
        let mut connection = connect(config, &hello).await.map_err(about(Step::Connect))?;
        if config.security == SmtpSecurity::StartTls {
            if !connection.can_starttls() {
                return Err((Step::StartTls, Failed::NotOffered));
            }
            let encrypting = connection.starttls(tls().map_err(about(Step::StartTls))?, &hello);
            within(config.timeout, encrypting).await.map_err(about(Step::StartTls))?;
        }
        // Of its extensions lettre does not keep this one.
        let sizes = match within(config.timeout, connection.command(Ehlo::new(hello))).await {
            Ok(response) => response.message().find_map(size),
            Err(failed) if failed.code().is_some() => None,
            Err(failed) => return Err((Step::Connect, failed)),
        };
        if let Some(login) = &config.login {
            let (username, password) = (login.username.value(), login.password.value());
            let credentials =
                Credentials::new(username.expose_secret().to_owned(), password.expose_secret().to_owned());
            let entering = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            within(config.timeout, entering).await.map_err(about(Step::Login))?;
        }
        Ok(Self { connection, sizes })
    }

    /// Gives the mail to whom the server takes; who they are that it does not, and its answers.
    pub async fn deliver(
        &mut self,
        config: &EmailConfig,
        recipients: &[Address],
        message: &[u8],
    ) -> Result<Vec<(Address, Failed)>, (Step, Failed)> {
        let about = |step| move |failed: Failed| (step, failed);
        let address = |address: &Address| address.as_str().parse::<lettre::Address>().map_err(|_| Failed::NotAnAddress);
        let mut parameters = Vec::new();
        if let Some(max) = self.sizes {
            let size = message.len() as u64;
            if let Some(max) = max.filter(|max| size > *max) {
                return Err((Step::Sender, Failed::TooLarge { size, max }));
            }
            parameters.push(MailParameter::Size(message.len()));
        }
        let connection = &mut self.connection;
        let from = address(&config.from.address).map_err(about(Step::Sender))?;
        let sender = connection.command(Mail::new(Some(from), parameters));
        within(config.timeout, sender).await.map_err(about(Step::Sender))?;
        let mut refused = Vec::new();
        for recipient in recipients {
            let to = address(recipient).map_err(about(Step::Recipient))?;
            match within(config.timeout, connection.command(Rcpt::new(to, Vec::new()))).await {
                Ok(_) => {}
                Err(failed) if failed.code().is_some() => refused.push((recipient.clone(), failed)),
                Err(failed) => return Err((Step::Recipient, failed)),
            }
        }
        if refused.len() < recipients.len() {
            within(config.timeout, connection.command(Data)).await.map_err(about(Step::Data))?;
            let message = connection.message(message);
            within(config.timeout * OF_THE_WHOLE, message).await.map_err(about(Step::Message))?;
        }
        Ok(refused)
    }

    /// Says good-bye, and does not wait long for the answer.
    pub async fn close(mut self) {
        let _ = timeout(GOOD_BYE, self.connection.quit()).await;
    }
}

/// `SIZE 33554432`; 0, or none, is no bound that is known.
fn size(line: &str) -> Option<Option<u64>> {
    let mut words = line.split_whitespace();
    words.next().filter(|word| word.eq_ignore_ascii_case("SIZE"))?;
    Some(words.next().and_then(|max| max.parse().ok()).filter(|max| *max > 0))
}

/// A connection to the first of the host's addresses that takes one, greeted. Each gets its share of the time: one that never answers,
/// as of a network that leads nowhere, does not use up that of the others.
async fn connect(config: &EmailConfig, hello: &ClientId) -> Result<AsyncSmtpConnection, Failed> {
    let deadline = Instant::now() + config.timeout;
    let late = |_| Failed::Late(config.timeout);
    let resolving = tokio::net::lookup_host((config.host.as_str(), config.port));
    let addresses: Vec<SocketAddr> =
        timeout_at(deadline, resolving).await.map_err(late)?.map_err(Failed::Unreachable)?.collect();
    let mut failed = Failed::Unreachable(std::io::Error::other("the name has no address"));
    for (index, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / others;
        let greeting = async {
            if config.security == SmtpSecurity::Tls {
                let tls = tls_parameters(config).map_err(Failed::Smtp)?;
                let connecting = AsyncSmtpConnection::connect_tokio1(*address, Some(share), hello, Some(tls), None);
                return connecting.await.map_err(Failed::Smtp);
            }
            let connecting = timeout(share, Lines::connect(*address)).await.map_err(late)?;
            let stream = connecting.map_err(Failed::Unreachable)?;
            if config.security == SmtpSecurity::None && !is_loopback(address.ip()) {
                return Err(Failed::NotLoopback(address.ip()));
            }
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello).await.map_err(Failed::Smtp)
        };
        failed = match timeout_at(deadline, greeting).await.map_err(late)? {
            Ok(connection) => return Ok(connection),
            // Somebody was there.
            Err(failed) if !(matches!(failed, Failed::Late(_)) || is_temporary(Step::Connect, &failed)) => {
                return Err(failed);
            }
            Err(failed) => failed,
        };
    }
    Err(failed)
}

/// Whether what is said to this address stays on this machine.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

async fn within<T>(
    time: Duration,
    doing: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
) -> Result<T, Failed> {
    match timeout(time, doing).await {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_rfc_1870_has_it() {
        for (line, expected) in [
            ("SIZE 100000", Some(Some(100_000))),
            ("size", Some(None)),
            ("SIZE 0", Some(None)),
            ("SIZE x", Some(None)),
            ("SIZES 5", None),
            ("", None),
        ] {
            assert_eq!(size(line), expected, "{line}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_with_in_the_clear() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_loopback(address.parse().unwrap()), expected, "{address}");
        }
    }
}
