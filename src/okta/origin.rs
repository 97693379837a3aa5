//! An Okta org's origin: the only place that a credential is ever sent to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

/// Why a text is not an org's origin; each message ends in what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OriginError {
    /// Not a URL at all.
    #[error("`{0}` is not a URL: write the org's origin, as `{1}`")]
    NotAUrl(String, String),
    /// A scheme other than https, or http to a host that is not this machine.
    #[error("`{0}` would send the credential in the clear: write `https://{1}` (http is for loopback addresses only)")]
    NotHttps(String, String),
    /// Has a path, a query, a fragment or a login.
    #[error("`{0}` is more than an origin: write `{1}`")]
    NotAnOrigin(String, String),
    /// The administrator's host answers the console, not the API.
    #[error("`{0}` is the admin console, which does not serve the API: write `{1}`")]
    AdminHost(String, String),
}

/// Scheme, host and port of an Okta org (RFC 6454), as `https://acme.okta.com`.
///
/// Two origins are equal when all three are, with the scheme's default port filled in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Only scheme, host and port are ever set.
    url: Url,
}

impl Origin {
    /// The origin of any http(s) URL, whatever its path.
    pub fn of(url: &Url) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return None;
        }
        let mut origin = url.clone();
        origin.set_path("/");
        origin.set_query(None);
        origin.set_fragment(None);
        // Neither fails for a URL that has a host.
        origin.set_username("").ok()?;
        origin.set_password(None).ok()?;
        Some(Self { url: origin })
    }

    /// Host, and `:port` only where it is not the scheme's default: the `org` of the source partition.
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Whether the host is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }

    /// The origin as a URL whose path is `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let not_a_url = || OriginError::NotAUrl(redact(text), example(text));
        let url = Url::parse(text).map_err(|_| not_a_url())?;
        let origin = Self::of(&url).ok_or_else(not_a_url)?;
        // First, as whoever copied it from the browser has its path too.
        if let Some(host) = without_admin(url.host_str().unwrap_or_default()) {
            return Err(OriginError::AdminHost(redact(text), format!("https://{host}")));
        }
        if url.scheme() != "https" && !origin.is_loopback() {
            return Err(OriginError::NotHttps(redact(text), origin.authority()));
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::NotAnOrigin(redact(text), origin.to_string()));
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.authority())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// `acme-admin.okta.com` is the console of `acme.okta.com`; other hosts may end in `-admin` as they like.
fn without_admin(host: &str) -> Option<String> {
    const OKTA: [&str; 6] =
        ["okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil", "trexcloud.com"];
    let (org, domain) = host.split_once('.')?;
    let org = org.strip_suffix("-admin")?;
    OKTA.contains(&domain).then(|| format!("{org}.{domain}"))
}

/// What to write in the place of a text that is no URL: where it is a host alone, its origin.
fn example(text: &str) -> String {
    let is_host = text.contains('.') && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let text = without_admin(text).unwrap_or_else(|| text.to_owned());
    let url = if is_host { Url::parse(&format!("https://{text}")).ok() } else { None };
    url.and_then(|url| Origin::of(&url)).map_or("https://acme.okta.com".to_owned(), |origin| origin.to_string())
}

/// A login in a URL is a secret: it is shown as `***`, also where the scheme was forgotten.
fn redact(text: &str) -> String {
    let Some(at) = text.rfind('@') else { return text.to_owned() };
    let scheme = text[..at].find("://").map_or("", |end| &text[..end + 3]);
    format!("{scheme}***{}", &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (text, shown, authority) in [
            ("https://acme.okta.com", "https://acme.okta.com", "acme.okta.com"),
            ("https://ACME.okta.com/", "https://acme.okta.com", "acme.okta.com"),
            ("https://acme.okta.com:443", "https://acme.okta.com", "acme.okta.com"),
            ("https://acme.okta.com:8443", "https://acme.okta.com:8443", "acme.okta.com:8443"),
            ("http://127.0.0.1:8084", "http://127.0.0.1:8084", "127.0.0.1:8084"),
            ("http://[::1]:8084", "http://[::1]:8084", "[::1]:8084"),
        ] {
            let origin: Origin = text.parse().expect(text);
            assert_eq!((origin.to_string().as_str(), origin.authority().as_str()), (shown, authority));
        }
    }

    #[test]
    fn what_is_refused_says_what_to_write() {
        for (text, says) in [
            ("acme.okta.com", "write the org's origin"),
            ("http://acme.okta.com", "write `https://acme.okta.com`"),
            ("https://acme.okta.com/api/v1", "write `https://acme.okta.com`"),
            ("https://acme-admin.okta.com", "write `https://acme.okta.com`"),
            ("https://acme-admin.okta.com/admin/dashboard", "write `https://acme.okta.com`"),
            ("http://acme-admin.okta-emea.com", "write `https://acme.okta-emea.com`"),
            ("https://acme-admin.trexcloud.com/", "write `https://acme.trexcloud.com`"),
            ("acme-admin.okta.com", "as `https://acme.okta.com`"),
            ("https://acme-admin.oktapreview.com", "write `https://acme.oktapreview.com`"),
            ("ftp://acme.okta.com", "write the org's origin"),
        ] {
            let error = text.parse::<Origin>().expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn other_hosts_may_end_in_admin() {
        for text in ["https://id-admin.example.com", "https://admin.okta.com", "https://acme-admin.eu.okta.com"] {
            assert_eq!(text.parse::<Origin>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_login_in_the_url_is_not_repeated() {
        for text in
            ["https://me:hunter2@acme.okta.com", "me:hunter2@acme.okta.com", "https:/me:hunter2@/acme", "hunter2@://x"]
        {
            let error = text.parse::<Origin>().expect_err("has a login").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
