//! The proxy between here and the orgs, and who is asked without it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use thiserror::Error;
use url::{Host, Url};

use super::origin::Origin;

/// How orgs are reached: the `okta_http` section, and what the environment says besides.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The proxy of `okta_http.proxy_url`, else of the environment.
    pub proxy: Option<Proxy>,
    /// Hosts that are asked without it.
    pub no_proxy: NoProxy,
    /// Certificates that are trusted beside the system's.
    pub ca: Option<CaFile>,
}

impl Network {
    /// The proxy that an org is asked through.
    ///
    /// None for an org on this machine, whatever is configured, and none for one without TLS (which can only be on this
    /// machine): a proxy sees nothing but the name of the org, as all that it carries is within the tunnel's TLS.
    pub fn proxy_for(&self, org: &Origin) -> Option<&Proxy> {
        let is_private = org.url().scheme() == "https" && !org.is_loopback();
        self.proxy.as_ref().filter(|_| is_private && !self.no_proxy.covers(org))
    }
}

/// The certificates of `okta_http.ca_file`, as they were when the configuration was read.
#[derive(Clone)]
pub struct CaFile {
    /// DER, at least one.
    pub certificates: Arc<Vec<Vec<u8>>>,
}

impl fmt::Debug for CaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaFile({} certificates)", self.certificates.len())
    }
}

/// Why a text is no proxy of ours. No message shows the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// Not a URL with a host.
    #[error(
        "this is not the URL of a proxy: write `http://proxy.example.com:3128`, special characters of a login as `%40` for `@`"
    )]
    NotAUrl,
    /// SOCKS, of any version.
    #[error(
        "a SOCKS proxy is not supported: write the URL of a proxy that knows CONNECT, as `http://proxy.example.com:3128`"
    )]
    Socks,
    /// Some other scheme.
    #[error("a proxy's URL begins with `http://` or `https://`: write it as `http://proxy.example.com:3128`")]
    OtherScheme,
    /// A path, a query or a fragment.
    #[error("a proxy's URL has no path: write scheme, host and port alone, as `http://proxy.example.com:3128`")]
    NotAnOrigin,
}

/// An HTTP proxy that is asked for tunnels (CONNECT, RFC 9110, section 9.3.6).
///
/// Neither Debug nor Display shows its login (I9).
#[derive(Clone)]
pub struct Proxy {
    url: SecretString,
    shown: String,
    has_login: bool,
    named_by: &'static str,
}

impl Proxy {
    /// Reads a URL as people write it: without a scheme it is `http`. `named_by` says where it stands, for messages.
    pub fn parse(text: &str, named_by: &'static str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&with_scheme).map_err(|_| ProxyError::NotAUrl)?;
        match url.scheme() {
            "http" | "https" => {}
            scheme if scheme.starts_with("socks") => return Err(ProxyError::Socks),
            _ => return Err(ProxyError::OtherScheme),
        }
        let origin = Origin::of(&url).ok_or(ProxyError::NotAUrl)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::NotAnOrigin);
        }
        Ok(Self {
            shown: origin.to_string(),
            has_login: !url.username().is_empty() || url.password().is_some(),
            url: SecretString::from(String::from(url)),
            named_by,
        })
    }

    /// The whole URL, with its login.
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    /// Whether there is a user name or a password.
    pub fn has_login(&self) -> bool {
        self.has_login
    }

    /// Where it was named: a key of the configuration, or a variable of the environment.
    pub fn named_by(&self) -> &'static str {
        self.named_by
    }
}

/// Scheme, host and port.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}, of {})", self.named_by)
    }
}

/// Who is asked without the proxy, as `NO_PROXY` has it and curl reads it.
///
/// Separated by commas or spaces: `*` for all; a name, for itself and what is below it, with or without a dot in front; an
/// IP address, or a network as `10.0.0.0/8`. A port behind a name must be the org's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoProxy {
    entries: Vec<String>,
}

impl NoProxy {
    /// Reads the list; what is no entry matches nobody.
    pub fn parse(text: &str) -> Self {
        let entries = text.split([',', ' ']).filter(|entry| !entry.is_empty());
        Self { entries: entries.map(str::to_ascii_lowercase).collect() }
    }

    /// Whether the org is in it.
    pub fn covers(&self, org: &Origin) -> bool {
        self.entries.iter().any(|entry| entry == "*" || covers(entry, org))
    }
}

fn covers(entry: &str, org: &Origin) -> bool {
    let (name, ip) = match org.url().host() {
        Some(Host::Domain(name)) => (name, None),
        Some(Host::Ipv4(ip)) => ("", Some(IpAddr::V4(ip))),
        Some(Host::Ipv6(ip)) => ("", Some(IpAddr::V6(ip))),
        None => return false,
    };
    if let Some(ip) = ip {
        let (network, bits) = entry.split_once('/').unwrap_or((entry, "128"));
        let network = network.trim_start_matches('[').trim_end_matches(']').parse();
        return network.is_ok_and(|network| bits.parse().is_ok_and(|bits| is_within(ip, network, bits)));
    }
    let (entry, port) = entry.split_once(':').map_or((entry, None), |(entry, port)| (entry, Some(port)));
    if port.is_some_and(|port| port.parse().ok() != org.url().port_or_known_default()) {
        return false;
    }
    let entry = entry.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
    let name = name.trim_end_matches('.');
    !entry.is_empty() && name.strip_suffix(entry).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether the first `bits` of both addresses are the same.
fn is_within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (a, b, width) = match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(u32::from(a)), u128::from(u32::from(b)), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b), 128),
        _ => return false,
    };
    // A network of no bits holds everybody.
    (a ^ b).checked_shr(width - bits.min(width)).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().expect("an origin")
    }

    #[test]
    fn a_proxy_is_read_as_people_write_it() {
        for (text, shown, url, has_login) in [
            ("http://proxy.example.com:3128", "http://proxy.example.com:3128", "http://proxy.example.com:3128/", false),
            ("proxy.example.com:3128", "http://proxy.example.com:3128", "http://proxy.example.com:3128/", false),
            ("HTTPS://Proxy.example.com/", "https://proxy.example.com", "https://proxy.example.com/", false),
            ("http://me:p%40ss@10.0.0.1:8080", "http://10.0.0.1:8080", "http://me:p%40ss@10.0.0.1:8080/", true),
            ("me:hunter2@[::1]:8080", "http://[::1]:8080", "http://me:hunter2@[::1]:8080/", true),
        ] {
            let proxy = Proxy::parse(text, "HTTPS_PROXY").expect(text);
            assert_eq!((proxy.to_string().as_str(), proxy.url().expose_secret()), (shown, url));
            assert_eq!(proxy.has_login(), has_login);
            assert_eq!(format!("{proxy:?}"), format!("Proxy({shown}, of HTTPS_PROXY)"));
        }
        for (text, error) in [
            ("", ProxyError::NotAUrl),
            ("http://", ProxyError::NotAUrl),
            ("http://a b", ProxyError::NotAUrl),
            ("socks5://proxy:1080", ProxyError::Socks),
            ("socks5h://me:hunter2@proxy:1080", ProxyError::Socks),
            ("ftp://proxy", ProxyError::OtherScheme),
            ("http://proxy/pac", ProxyError::NotAnOrigin),
            ("http://proxy:3128/?hunter2", ProxyError::NotAnOrigin),
        ] {
            assert_eq!(Proxy::parse(text, "x").expect_err(text), error, "{text}");
        }
    }

    #[test]
    fn an_org_on_this_machine_and_one_without_tls_have_no_proxy() {
        let proxy = Proxy::parse("http://proxy:3128", "x").ok();
        let network = Network { proxy, no_proxy: NoProxy::parse("corp.example"), ca: None };
        for (org, expected) in [
            ("https://acme.okta.com", true),
            ("https://okta.corp.example", false),
            ("http://127.0.0.1:8084", false),
            ("https://127.0.0.1:8084", false),
            ("https://[::1]", false),
            ("https://acme.localhost", false),
            ("https://localhost:1", false),
        ] {
            assert_eq!(network.proxy_for(&origin(org)).is_some(), expected, "{org}");
        }
        assert!(Network::default().proxy_for(&origin("https://acme.okta.com")).is_none());
    }

    #[test]
    fn no_proxy_is_read_as_curl_does() {
        for (list, org, expected) in [
            ("", "https://acme.okta.com", false),
            ("*", "https://acme.okta.com", true),
            ("acme.okta.com", "https://acme.okta.com", true),
            ("ACME.Okta.com", "https://acme.okta.com", true),
            ("okta.com", "https://acme.okta.com", true),
            (".okta.com", "https://acme.okta.com", true),
            ("*.okta.com", "https://acme.okta.com", true),
            ("kta.com", "https://acme.okta.com", false),
            ("me.okta.com", "https://acme.okta.com", false),
            ("a, okta.com ,b", "https://acme.okta.com", true),
            ("a okta.com", "https://acme.okta.com", true),
            ("okta.com:443", "https://acme.okta.com", true),
            ("okta.com:8443", "https://acme.okta.com", false),
            ("okta.com:8443", "https://acme.okta.com:8443", true),
            (".", "https://acme.okta.com", false),
            ("10.1.2.3", "https://10.1.2.3", true),
            ("10.1.2.4", "https://10.1.2.3", false),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("11.0.0.0/8", "https://10.1.2.3", false),
            ("0.0.0.0/0", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://[2001:db8::1]", false),
            ("2001:db8::/32", "https://[2001:db8::1]", true),
            ("[2001:db8::1]", "https://[2001:db8::1]", true),
            ("10.0.0.0/x", "https://10.1.2.3", false),
        ] {
            assert_eq!(NoProxy::parse(list).covers(&origin(org)), expected, "{list} {org}");
        }
    }
}
