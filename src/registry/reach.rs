//! Why a registry gave no answer, and what an operator does about it.

use reqwest::StatusCode;

use crate::okta::client::diagnosis;
use crate::okta::origin::Origin;
use crate::okta::proxy::Proxy;

/// What went wrong and what to do, for one URL.
pub(super) fn problem(
    error: reqwest::Error,
    origin: &Origin,
    proxy: Option<&Proxy>,
    limit: std::time::Duration,
) -> String {
    let advice = advice(&error, origin, proxy);
    let problem = match error.is_timeout() {
        true => format!("no answer within {limit:?}"),
        false => diagnosis::causes(error),
    };
    format!("{problem}: {advice}")
}

/// What a busy or a broken one answers.
pub(super) fn busy(status: u16, answer: &str) -> String {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::TOO_MANY_REQUESTS) => format!("it answers {answer}: ask less often with other clients"),
        _ => format!("it answers {answer}: look into its log"),
    }
}

/// What answers, and is no registry.
pub(super) fn foreign(answer: &str) -> String {
    format!(
        "what answers there is no schema registry ({answer}): check `schema_registry.url` and its path, and that the registry runs"
    )
}

fn advice(error: &reqwest::Error, origin: &Origin, proxy: Option<&Proxy>) -> String {
    let host = origin.url().host_str().unwrap_or_default();
    if let Some(tls) = diagnosis::tls_error(error) {
        use rustls::{CertificateError, Error};
        return match tls {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => format!(
                "the certificate of `{host}` comes from an authority that this machine does not know: set \
                 `schema_registry.ca_file` to that authority's certificate (PEM), or add it to the system's"
            ),
            Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                format!(
                    "the certificate of `{host}` has expired: renew it there; if it has not, check this machine's clock"
                )
            }
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => {
                format!("the certificate of `{host}` is for another name: check the host name in `schema_registry.url`")
            }
            Error::InvalidCertificate(_) => format!("the certificate of `{host}` is not acceptable: replace it there"),
            _ => format!(
                "check that `{host}` speaks TLS (1.2 or newer) there: else write `http://` in `schema_registry.url`"
            ),
        };
    }
    match proxy {
        Some(proxy) => format!(
            "check that the proxy `{proxy}` (of {}) runs and allows CONNECT to `{}`; where that is reached without it, name \
             the host in `NO_PROXY`",
            proxy.named_by(),
            origin.authority()
        ),
        None if origin.url().scheme() == "http" && !error.is_connect() && !error.is_timeout() => {
            "check `schema_registry.url`, and that the registry runs; where it speaks TLS there, write `https://`"
                .to_owned()
        }
        None => "check `schema_registry.url`, and that the registry runs and is reached from here".to_owned(),
    }
}
