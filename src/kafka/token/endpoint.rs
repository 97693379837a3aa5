//! The token endpoint: one request of RFC 6749, 4.4 (client credentials), one token.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use url::{Host, form_urlencoded};

use crate::config::Oidc;

/// Longest time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Longest time for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What the HTTP library says of a proxy's 407. Its type is not public, so this goes by its words; tests/it/oauth.rs fails where they
/// change.
const PROXY_LOGIN: &str = "proxy authorization required";
/// Longest answer: tokens have a few KiB.
const MAX_BYTES: usize = 256 * 1024;
/// What a token without `expires_in` is taken for (RFC 6749, 5.1, leaves it open).
const DEFAULT_LIFE: f64 = 300.0;
/// Shortest and longest life that is believed, in seconds: the one would ask for tokens without a rest, the other be beyond all
/// clocks.
const LIVES: (f64, f64) = (1.0, 7.0 * 24.0 * 3600.0);

/// Why there is no token; each message ends in the next thing to do, and none has a secret.
#[derive(Debug, Error)]
pub enum TokenError {
    /// No client for the endpoint.
    #[error("no client for the token endpoint ({0}): check `https.ca.location` or `https.ca.pem`")]
    Client(String),
    /// Nobody answers.
    #[error(
        "the token endpoint `{endpoint}` can't be reached ({causes}): check {key}, the network and `https.ca.location`"
    )]
    Unreachable {
        /// The URL without its query.
        endpoint: String,
        /// What went wrong.
        causes: String,
        /// What to check.
        key: String,
    },
    /// The proxy before it wants a login. A wrong password that is sent often locks accounts, so it is asked again only later.
    #[error(
        "the proxy `{proxy}` wants a login, or refuses ours (407), on the way to the token endpoint `{endpoint}`: check user and password in {named_by}"
    )]
    ProxyLogin {
        /// The URL without its query.
        endpoint: String,
        /// The proxy without its login.
        proxy: String,
        /// Where it was named.
        named_by: &'static str,
    },
    /// It does not know the client.
    #[error(
        "the token endpoint `{endpoint}` refuses the client ({answer}): check `sasl.oauthbearer.client.id` and `sasl.oauthbearer.client.secret`"
    )]
    Client401 {
        /// The URL without its query.
        endpoint: String,
        /// Status and error code.
        answer: String,
    },
    /// It does not like the request.
    #[error(
        "the token endpoint `{endpoint}` refuses the request ({answer}): check `sasl.oauthbearer.scope`, and that the client may use client credentials"
    )]
    Refused {
        /// The URL without its query.
        endpoint: String,
        /// Status and error code.
        answer: String,
    },
    /// It is not one.
    #[error(
        "what answers at `{endpoint}` is no token endpoint ({answer}): check `sasl.oauthbearer.token.endpoint.url`"
    )]
    NotAToken {
        /// The URL without its query.
        endpoint: String,
        /// What is wrong.
        answer: String,
    },
}

/// A token as it was given.
pub struct Token {
    /// Its text.
    pub text: SecretString,
    /// How long it holds from now on.
    pub life: Duration,
}

/// Asks for tokens.
pub struct TokenEndpoint {
    http: Client,
    oidc: std::sync::Arc<Oidc>,
    shown: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<Value>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl TokenEndpoint {
    /// A client that follows no redirect, since the client's secret goes with the request.
    pub fn new(oidc: std::sync::Arc<Oidc>) -> Result<Self, TokenError> {
        let failed = |error: &dyn std::fmt::Display| TokenError::Client(error.to_string());
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("okta-kafka-source/", env!("CARGO_PKG_VERSION")))
            .http1_only();
        // The environment was read with the configuration.
        builder = builder.no_proxy().https_only(oidc.token_endpoint.scheme() == "https");
        if let Some(proxy) = &oidc.proxy {
            builder = builder.proxy(reqwest::Proxy::https(&proxy.url).map_err(|error| failed(&error.without_url()))?);
        }
        if oidc.is_loopback()
            && let Some(Host::Domain(name)) = oidc.token_endpoint.host()
        {
            // The secret stays here, whatever name servers say.
            let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
            builder = builder.resolve_to_addrs(name, &addresses);
        }
        let file = oidc.ca_location.as_deref().map(std::fs::read).transpose().map_err(|error| failed(&error))?;
        if let Some(pem) = file.as_deref().or(oidc.ca_pem.as_deref().map(str::as_bytes)) {
            let certificates = Certificate::from_pem_bundle(pem).map_err(|error| failed(&error))?;
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(|error| failed(&error))?;
        // A query may have something in it that nobody should read.
        let mut shown = oidc.token_endpoint.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        Ok(Self { http, shown: shown.to_string(), oidc })
    }

    /// Asks once.
    pub async fn ask(&self) -> Result<Token, TokenError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let _ = form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.oidc.scope {
            let _ = form.append_pair("scope", scope);
        }
        let sent = self
            .http
            .post(self.oidc.token_endpoint.clone())
            .basic_auth(self.in_header(&self.oidc.client_id), Some(self.in_header(&self.oidc.client_secret)))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish());
        let response = sent.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let body = self.body(response).await?;
        if !status.is_success() {
            return Err(self.refused(status, &body));
        }
        let not_a_token =
            |answer: &str| TokenError::NotAToken { endpoint: self.shown.clone(), answer: answer.to_owned() };
        // serde's words could hold a part of the token.
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| not_a_token("the answer is no JSON of a token"))?;
        let text = answer.access_token.ok_or_else(|| not_a_token("the answer has no `access_token`"))?;
        let life = life(answer.expires_in.as_ref()).ok_or_else(|| not_a_token("its `expires_in` is no time"))?;
        Ok(Token { text: SecretString::from(text), life })
    }

    /// The client's id or its secret, as it stands in the header.
    fn in_header<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match self.oidc.urlencode {
            true => form_urlencoded::byte_serialize(value.as_bytes()).collect(),
            false => Cow::Borrowed(value),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, TokenError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                let answer = "the answer is longer than any token".to_owned();
                return Err(TokenError::NotAToken { endpoint: self.shown.clone(), answer });
            }
        }
        Ok(body)
    }

    /// The endpoint's own words may repeat what they were sent, so only its error code is shown.
    fn refused(&self, status: StatusCode, body: &[u8]) -> TokenError {
        let code = serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.error);
        let is_code = |code: &String| {
            code.len() <= 40
                && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                && *code != self.oidc.client_secret
        };
        let code = code.filter(is_code);
        let answer =
            code.as_ref().map_or_else(|| status.as_str().to_owned(), |code| format!("{} {code}", status.as_str()));
        let endpoint = self.shown.clone();
        match (status, code.as_deref()) {
            (StatusCode::UNAUTHORIZED, _) | (_, Some("invalid_client" | "unauthorized_client")) => {
                TokenError::Client401 { endpoint, answer }
            }
            (StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN, Some(_)) => TokenError::Refused { endpoint, answer },
            (status, _) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                let causes = format!("it answers {answer}");
                TokenError::Unreachable { endpoint, causes, key: "how the identity provider is".to_owned() }
            }
            _ => TokenError::NotAToken { endpoint, answer: format!("it answers {answer}") },
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> TokenError {
        // The URL is named already, and might have a secret in its query.
        let error = error.without_url();
        let mut causes = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let text = cause.to_string();
            if !causes.contains(&text) {
                causes = format!("{causes}: {text}");
            }
            source = cause.source();
        }
        let endpoint = self.shown.clone();
        let key = match &self.oidc.proxy {
            Some(proxy) if causes.contains(PROXY_LOGIN) => {
                return TokenError::ProxyLogin { endpoint, proxy: proxy.shown.clone(), named_by: proxy.named_by };
            }
            Some(proxy) => format!(
                "that the proxy `{}` (of {}) runs and allows CONNECT to this host, or name the host in `NO_PROXY`; check `sasl.oauthbearer.token.endpoint.url`",
                proxy.shown, proxy.named_by
            ),
            None => "`sasl.oauthbearer.token.endpoint.url`".to_owned(),
        };
        TokenError::Unreachable { endpoint, causes, key }
    }
}

/// How long a token with this `expires_in` holds, within bounds; `None` where it is no time.
fn life(expires_in: Option<&Value>) -> Option<Duration> {
    let seconds = match expires_in {
        None | Some(Value::Null) => Some(DEFAULT_LIFE),
        Some(Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_f64(),
    };
    let seconds = seconds.filter(|seconds| *seconds > 0.0)?;
    Some(Duration::from_secs_f64(seconds.clamp(LIVES.0, LIVES.1)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_life_is_from_a_second_to_a_week() {
        for (expires_in, seconds) in [
            (json!(null), Some(300.0)),
            (json!(3600), Some(3600.0)),
            (json!("3600"), Some(3600.0)),
            (json!(90.5), Some(90.5)),
            (json!(1e-9), Some(1.0)),
            (json!(u64::MAX), Some(604_800.0)),
            (json!(1e300), Some(604_800.0)),
            (json!("inf"), Some(604_800.0)),
            (json!(0), None),
            (json!(-1), None),
            (json!("NaN"), None),
            (json!("soon"), None),
            (json!([60]), None),
        ] {
            let found = life(Some(&expires_in)).map(|life| life.as_secs_f64());
            assert_eq!(found, seconds, "{expires_in}");
        }
        assert_eq!(life(None), Some(Duration::from_secs(300)));
    }
}
