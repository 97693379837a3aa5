//! Why no answer came: a name, a connection, the proxy, a certificate; and what an operator does about it.

use std::error::Error;
use std::io;

use rustls::CertificateError;
use rustls::Error as TlsError;

use crate::okta::error::RequestError;
use crate::okta::origin::Origin;
use crate::okta::proxy::Proxy;

/// What hyper-util says of a proxy that does not open the tunnel. Its type is not public, so this goes by its words;
/// tests/it/proxy.rs fails where they change.
const TUNNEL: &str = "tunnel error: ";
const LOGIN_REQUIRED: &str = "proxy authorization required";
const REFUSED: &str = "tunnel error: unsuccessful";
const PROXY_NOT_REACHED: &str = "tunnel error: failed to create underlying connection";
/// What hyper-util says where a name has no address.
const NO_ADDRESS: &str = "dns error";

/// Whether the proxy answered something else than "go on", so that it is worth asking for its status.
pub(super) fn is_refused_tunnel(error: &reqwest::Error) -> bool {
    any_cause(error, |cause| cause.to_string() == REFUSED)
}

/// What a request that got no answer is for its caller. `status` is what the proxy said where it refused the tunnel.
pub(super) fn connection(
    error: reqwest::Error,
    org: &Origin,
    proxy: Option<&Proxy>,
    status: Option<reqwest::StatusCode>,
) -> RequestError {
    if let Some(proxy) = proxy
        && any_cause(&error, |cause| cause.to_string().ends_with(LOGIN_REQUIRED))
    {
        return RequestError::ProxyLogin { proxy: proxy.to_string(), has_login: proxy.has_login() };
    }
    let advice = advice(&error, org, proxy);
    let problem = match (proxy, status) {
        (Some(proxy), Some(status)) => format!("the proxy `{proxy}` refused the tunnel with {status}"),
        (Some(proxy), None) if any_cause(&error, |cause| cause.to_string().starts_with(TUNNEL)) => {
            format!("through the proxy `{proxy}`: {}", causes(error))
        }
        _ => causes(error),
    };
    RequestError::Connection { problem, advice }
}

/// What to do where no connection was made in time.
pub(super) fn connect_timeout_advice(org: &Origin, proxy: Option<&Proxy>) -> String {
    match proxy {
        Some(proxy) => {
            format!("check that the proxy `{proxy}` (of {}) runs and reaches {}", proxy.named_by(), host_and_port(org))
        }
        None => direct_advice(org),
    }
}

fn advice(error: &reqwest::Error, org: &Origin, proxy: Option<&Proxy>) -> Option<String> {
    let says = |text: &str| any_cause(error, |cause| cause.to_string() == text);
    let target = host_and_port(org);
    if let Some(tls) = tls_error(error) {
        let of_proxy = proxy.filter(|_| says(PROXY_NOT_REACHED));
        return Some(tls_advice(tls, org, of_proxy));
    }
    if let Some(proxy) = proxy {
        let named_by = proxy.named_by();
        return match () {
            () if says(PROXY_NOT_REACHED) => Some(format!(
                "check the proxy's name and port (`{proxy}`, of {named_by}), and that it runs; where {target} is reached \
                 without it, name that in `NO_PROXY`"
            )),
            () if any_cause(error, |cause| cause.to_string().starts_with(TUNNEL)) => Some(format!(
                "allow CONNECT to {target} in the proxy (`{proxy}`, of {named_by}), and look into its log for why it \
                 refuses; where {target} is reached without it, name that in `NO_PROXY`"
            )),
            () => None,
        };
    }
    if says(NO_ADDRESS) {
        return Some(
            "check the host name in `org` and this machine's name servers; where only a proxy knows such names, set \
             `okta_http.proxy_url` or `HTTPS_PROXY`"
                .to_owned(),
        );
    }
    error.is_connect().then(|| direct_advice(org))
}

fn direct_advice(org: &Origin) -> String {
    if org.is_loopback() {
        return format!("check `org`, and that something listens on {}", host_and_port(org));
    }
    format!(
        "allow connections from here to {}; where they go through a proxy, set `okta_http.proxy_url` or `HTTPS_PROXY`",
        host_and_port(org)
    )
}

/// `of_proxy`: the certificate is that of a proxy that is itself reached by TLS.
fn tls_advice(error: &TlsError, org: &Origin, of_proxy: Option<&Proxy>) -> String {
    let (who, where_set) = match of_proxy {
        Some(proxy) => (format!("the proxy `{proxy}`"), proxy.named_by()),
        None => (format!("`{}`", org.url().host_str().unwrap_or_default()), "`org`"),
    };
    match error {
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => format!(
            "the certificate of {who} comes from an authority that this machine does not know: set `okta_http.ca_file` to \
             that authority's certificate (PEM), or add it to the system's; a proxy that looks into TLS has one of its own"
        ),
        TlsError::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => format!(
            "the certificate of {who} has expired: it must be renewed there; if it has not, check this machine's clock"
        ),
        TlsError::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            format!("the certificate of {who} is not valid yet: check this machine's clock")
        }
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the certificate of {who} is for another name: check the host name in {where_set}"),
        TlsError::InvalidCertificate(_) => {
            format!("the certificate of {who} is not acceptable: it must be replaced there")
        }
        _ => format!("check that {who} speaks TLS (1.2 or newer) there, and that nothing else answers in its place"),
    }
}

/// `acme.okta.com:443`: what a proxy or a firewall has to allow.
fn host_and_port(org: &Origin) -> String {
    let url = org.url();
    format!("`{}:{}`", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

fn any_cause(error: &reqwest::Error, holds: impl Fn(&(dyn Error + 'static)) -> bool) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if holds(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The TLS library's own error, where it is the cause.
pub(crate) fn tls_error(error: &reqwest::Error) -> Option<&TlsError> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<TlsError>() {
            return Some(tls);
        }
        // What an io::Error holds is not its source, but itself in another coat.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The error with all its causes, each said once, without the URL: it is long and known.
pub(crate) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut problem = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !problem.contains(&text) {
            problem.push_str(": ");
            problem.push_str(&text);
        }
        cause = error.source();
    }
    // Words of the HTTP library that say nothing besides.
    let said = problem.strip_prefix("error sending request: ").unwrap_or(&problem);
    said.strip_prefix("client error (Connect): ").unwrap_or(said).to_owned()
}
