//! What is wrong with a broker's certificate, which librdkafka does not tell: it is looked at once more, with the same
//! OpenSSL and the same authorities.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509NameRef, X509Ref, X509StoreContextRef};

use crate::clock::Clock;

/// Longest time for all of a look, but for the broker's name: that has the name servers' own.
const TIMEOUT: Duration = Duration::from_secs(4);
/// Where systems keep their authorities; librdkafka's `probe` has some more.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// OpenSSL's `X509_V_ERR_…` numbers (x509_vfy.h).
mod fault {
    pub const NOT_YET_VALID: i32 = 9;
    pub const EXPIRED: i32 = 10;
    pub const ISSUER: [i32; 5] = [2, 18, 19, 20, 21];
    pub const HOST: [i32; 2] = [62, 64];
}

/// Whom a broker's certificate must be signed by, and whether its name counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    location: Option<String>,
    pem: Option<String>,
    any_host: bool,
}

impl Trust {
    /// As configured; `get` gives a property of the client's role.
    pub fn of<'k>(get: impl Fn(&str) -> Option<&'k str>) -> Self {
        let property = |name: &str| get(name).map(str::to_owned);
        let algorithm = property("ssl.endpoint.identification.algorithm");
        Self {
            location: property("ssl.ca.location").filter(|location| location != "probe"),
            pem: property("ssl.ca.pem"),
            any_host: algorithm.is_some_and(|algorithm| algorithm.eq_ignore_ascii_case("none")),
        }
    }

    fn load(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        if let Some(location) = self.location.as_deref().map(Path::new) {
            let folder = Some(location).filter(|location| location.is_dir());
            context.load_verify_locations(Some(location).filter(|_| folder.is_none()), folder)?;
        }
        if let Some(pem) = &self.pem {
            for certificate in X509::stack_from_pem(pem.as_bytes())? {
                context.cert_store_mut().add_cert(certificate)?;
            }
        }
        if self.location.is_none() && self.pem.is_none() {
            context.set_default_verify_paths()?;
            if let Some(system) = SYSTEM.into_iter().find(|path| fs::exists(path).unwrap_or_default()) {
                context.set_ca_file(system)?;
            }
        }
        Ok(())
    }

    fn described(&self) -> &'static str {
        match (&self.location, &self.pem) {
            (Some(_), _) => "no CA in `ssl.ca.location` has signed",
            (None, Some(_)) => "no CA in `ssl.ca.pem` has signed",
            (None, None) => "no CA of this machine has signed",
        }
    }
}

/// Looks at the certificate of the broker at `address`, and says what is wrong, ending in the next thing to do; `None` where
/// nothing is, or where it can't be had. Blocks for some seconds at most.
pub fn diagnose(address: &str, trust: &Trust) -> Option<String> {
    let (host, _) = address.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']);
    let sockets: Vec<_> = address.to_socket_addrs().ok()?.collect();
    let clock = Clock::new();
    let connect = |socket| TcpStream::connect_timeout(socket, remaining(&clock).ok()?).ok();
    let stream = Bounded { stream: sockets.iter().find_map(connect)?, clock };
    let found: Arc<Mutex<Option<String>>> = Arc::default();
    let ssl = prepared(address, host, trust, &found).ok()?;
    // What comes of the handshake does not matter: the certificate was looked at on the way.
    drop(ssl.connect(stream));
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    found.take()
}

/// A connection that ends when the time of the look is over, also where the peer sends a byte now and then.
struct Bounded {
    stream: TcpStream,
    clock: Clock,
}

fn remaining(clock: &Clock) -> io::Result<Duration> {
    let left = TIMEOUT.saturating_sub(clock.elapsed());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(remaining(&self.clock)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(remaining(&self.clock)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn prepared(address: &str, host: &str, trust: &Trust, found: &Arc<Mutex<Option<String>>>) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    trust.load(&mut context)?;
    let (broker, name, described) = (address.to_owned(), host.to_owned(), trust.described());
    let first = Arc::clone(found);
    context.set_verify_callback(SslVerifyMode::PEER, move |good, chain| {
        if !good {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = first.get_or_insert_with(|| message(&broker, &name, described, chain));
        }
        good
    });
    let mut ssl = Ssl::new(&context.build())?;
    let ip = host.parse::<IpAddr>();
    if ip.is_err() {
        ssl.set_hostname(host)?;
    }
    if !trust.any_host {
        match ip {
            Ok(ip) => ssl.param_mut().set_ip(ip)?,
            Err(_) => ssl.param_mut().set_host(host)?,
        }
    }
    Ok(ssl)
}

fn message(broker: &str, host: &str, described: &str, chain: &X509StoreContextRef) -> String {
    let error = chain.error();
    let Some(certificate) = chain.current_cert() else {
        return format!(
            "the certificate of broker `{broker}` is refused ({error}): check `ssl.ca.location` and the broker's key store"
        );
    };
    let what = match chain.error_depth() {
        0 => format!("the certificate of broker `{broker}`"),
        _ => format!("the CA `{}` of broker `{broker}`", name_of(certificate.subject_name())),
    };
    match error.as_raw() {
        fault::EXPIRED => format!("{what} expired on {}: renew it", certificate.not_after()),
        fault::NOT_YET_VALID => {
            format!("{what} is not valid before {}: check both machines' clocks", certificate.not_before())
        }
        number if fault::HOST.contains(&number) => format!(
            "{what} is for {}, not for `{host}`: use a name that it has in `bootstrap.servers` and in the broker's `advertised.listeners`, or make one with that name",
            names(certificate)
        ),
        number if fault::ISSUER.contains(&number) => format!(
            "{described} {what}, but `{}`: set `ssl.ca.location` to the PEM file of the CA that did",
            name_of(certificate.issuer_name())
        ),
        _ => format!("{what} is refused ({error}): mend the certificate, or `ssl.ca.location`"),
    }
}

/// The common name, or whatever the name has.
fn name_of(name: &X509NameRef) -> String {
    let common = name.entries_by_nid(Nid::COMMONNAME).next().or_else(|| name.entries().next());
    common.and_then(|entry| entry.data().to_string().ok()).unwrap_or_else(|| "nobody".to_owned())
}

/// Whom a certificate is for.
fn names(certificate: &X509Ref) -> String {
    let mut text = String::new();
    for name in certificate.subject_alt_names().into_iter().flatten() {
        let comma = if text.is_empty() { "" } else { ", " };
        if let Some(dns) = name.dnsname() {
            let _ = write!(text, "{comma}`{dns}`");
        } else if let Some(ip) = name.ipaddress() {
            let _ = match (<[u8; 4]>::try_from(ip), <[u8; 16]>::try_from(ip)) {
                (Ok(ip), _) => write!(text, "{comma}`{}`", IpAddr::from(ip)),
                (_, Ok(ip)) => write!(text, "{comma}`{}`", IpAddr::from(ip)),
                _ => Ok(()),
            };
        }
    }
    if text.is_empty() { format!("`{}`", name_of(certificate.subject_name())) } else { text }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_peer_that_drips_is_left_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The head of a record of 16 KiB, and then a byte every now and then, until the other side has enough of it.
            let (_never, pause) = mpsc::channel::<()>();
            let mut bytes = vec![0x16, 0x03, 0x03, 0x40, 0x00];
            while stream.write_all(&bytes).is_ok() {
                let _ = pause.recv_timeout(Duration::from_millis(200));
                bytes = vec![0];
            }
        });
        let clock = Clock::new();
        assert_eq!(diagnose(&address, &Trust::default()), None);
        assert!(clock.elapsed() < TIMEOUT * 3, "{:?}", clock.elapsed());
        dripping.join().unwrap();
    }
}
