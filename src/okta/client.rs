//! One request, one page. The only file of this folder that talks to the network.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, DATE, HeaderMap, HeaderName, LINK, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::Instant;
use url::Host;

use super::auth::credential::{self, Credential};
use super::auth::refusal::Tried;
use super::auth::session::Presented;
use super::auth::ssws::Ssws;
use super::error::{self, OktaError, RefusedAnswer, RequestError};
use super::link;
use super::origin::Origin;
use super::page::{self, SystemLogPage};
use super::page_url::{PageUrl, PageUrlError};
use super::proxy::{Network, Proxy};
use super::rate_limit::RateLimit;

pub(crate) mod diagnosis;
pub mod gate;
pub(super) mod token_request;

/// The longest body of a refusing answer that is read.
const ERROR_BODY_CAP: usize = 64 * 1024;

/// How a client asks; the default is what the program uses.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// For the connection, TLS included.
    pub connect_timeout: Duration,
    /// For all of a request, from the connection to the last byte of the body. Okta itself gives up after 30 s.
    pub timeout: Duration,
    /// The longest body that is taken, in bytes after decompression. A thousand events are about 2 MB.
    pub body_cap: usize,
    /// The `User-Agent` header, which Okta asks clients to send.
    pub user_agent: String,
    /// Through which proxy, and whose certificates are good; the default is no proxy, and the system's authorities.
    pub network: Network,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(45),
            body_cap: 64 * 1024 * 1024,
            user_agent: concat!("okta-kafka-source/", env!("CARGO_PKG_VERSION")).to_owned(),
            network: Network::default(),
        }
    }
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The TLS library or its root certificates.
    #[error(
        "no HTTPS client: {problem}: install the system's CA certificates (Debian's package is `ca-certificates`), or set \
         `okta_http.ca_file`"
    )]
    Setup {
        /// The causes, outermost first.
        problem: String,
    },
}

/// Asks one org for pages of its System Log. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    org: Origin,
    options: ClientOptions,
    proxy: Option<Proxy>,
    http: reqwest::Client,
    /// Made when a proxy first refuses a tunnel: the system's authorities are not read again for each refusal.
    proxy_probe: Arc<OnceLock<Option<reqwest::Client>>>,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The page, or why there is none.
    pub result: Result<SystemLogPage, RequestError>,
    /// Whether the System Log was asked: not, where there was no access token, or nothing that can be sent.
    pub was_sent: bool,
    /// The status; `None` where there was no answer. Where nothing was sent, the token endpoint's.
    pub status: Option<u16>,
    /// From the call to the last byte.
    pub duration: Duration,
    /// From the call to the headers of the answer, by which its `Date` was written; `None` where there was none.
    pub headers_after: Option<Duration>,
    /// The rate limit that the answer shows, whatever its status.
    pub rate_limit: Option<RateLimit>,
    /// The server's own clock (`Date`); where nothing was sent, as the token endpoint showed it.
    pub server_date: Option<Timestamp>,
    /// `x-okta-request-id` of the answer; where nothing was sent, the token endpoint's.
    pub okta_request_id: Option<String>,
}

impl Outcome {
    /// The status as text, or `error` when there was no answer.
    pub fn code(&self) -> Cow<'static, str> {
        match self.status {
            Some(200) => Cow::Borrowed("200"),
            Some(status) => Cow::Owned(status.to_string()),
            None => Cow::Borrowed("error"),
        }
    }
}

impl Client {
    /// A client for this org.
    ///
    /// Redirects are not followed (I3). For an org on this machine, neither proxies nor name servers are asked, so that
    /// what is called loopback is, and no root certificates are loaded for plain http. For any other, a proxy is asked for
    /// a tunnel, and all that it then carries is TLS between the org and us: it never sees a credential. The trusted
    /// authorities are the system's (OpenSSL's places; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others) and those of
    /// `okta_http.ca_file`.
    pub fn new(org: Origin, options: ClientOptions) -> Result<Self, ClientError> {
        let is_https = org.url().scheme() == "https";
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .referer(false)
            .https_only(is_https)
            .user_agent(&options.user_agent)
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            // Longer than the default interval, so that a quiet connector keeps its connection.
            .pool_idle_timeout(Duration::from_secs(90))
            .pool_max_idle_per_host(2)
            .tcp_keepalive(Duration::from_secs(30))
            // Two links that repeat a long filter do not fit into the default 16 KB.
            .http2_max_header_list_size(256 * 1024)
            // The environment was read with the configuration.
            .no_proxy();
        let setup = |error| ClientError::Setup { problem: diagnosis::causes(error) };
        let proxy = options.network.proxy_for(&org).cloned();
        if let Some(proxy) = &proxy {
            builder = builder.proxy(reqwest::Proxy::https(proxy.url().expose_secret()).map_err(setup)?);
        }
        if org.is_loopback()
            && let Some(Host::Domain(name)) = org.url().host()
        {
            let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
            builder = builder.resolve_to_addrs(name, &addresses);
        }
        builder = if is_https {
            builder.tls_certs_merge(extra_roots(&options.network).map_err(setup)?)
        } else {
            builder.tls_certs_only([])
        };
        let http = builder.build().map_err(setup)?;
        Ok(Self { org, options, proxy, http, proxy_probe: Arc::default() })
    }

    /// The org.
    pub fn org(&self) -> &Origin {
        &self.org
    }

    /// The proxy that this org is asked through.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Asks for the page at `url`, once.
    ///
    /// The credential is on this request alone; a service app's token is asked for first, where it has none. Dropping the
    /// future ends the request.
    pub async fn get(&self, url: &PageUrl, credential: &Credential) -> Outcome {
        let started = Instant::now();
        let mut outcome = Outcome {
            result: Err(RequestError::UnusableCredential),
            was_sent: false,
            status: None,
            duration: Duration::ZERO,
            headers_after: None,
            rate_limit: None,
            server_date: None,
            okta_request_id: None,
        };
        outcome.result = self.page(url, credential, started, &mut outcome).await;
        if let (Err(RequestError::Token(error)), false, Credential::Oauth(session)) =
            (&outcome.result, outcome.was_sent, credential)
        {
            outcome.status = error.status();
            outcome.server_date = session.org_time();
            outcome.okta_request_id = error.okta().and_then(|okta| okta.request_id.clone());
        }
        outcome.duration = started.elapsed();
        outcome
    }

    async fn page(
        &self,
        url: &PageUrl,
        credential: &Credential,
        started: Instant,
        outcome: &mut Outcome,
    ) -> Result<SystemLogPage, RequestError> {
        self.is_of_org(url).map_err(|error| RequestError::NotSent { error })?;
        let mut tried = Tried::default();
        let (response, headers, rate_limit, server_date) = loop {
            let mut headers = HeaderMap::with_capacity(4);
            let sent = self.authorize(credential, url, &mut headers).await?;
            outcome.was_sent = true;
            let response = self.send(self.http.get(url.url().clone()), headers).await?;
            let status = response.status();
            let headers = response.headers().clone();
            let (rate_limit, server_date) = (rate_limit(&headers), server_date(&headers));
            outcome.status = Some(status.as_u16());
            outcome.headers_after = Some(started.elapsed());
            outcome.rate_limit = rate_limit;
            outcome.server_date = server_date;
            outcome.okta_request_id = request_id(&headers, &sent.secrets());
            if let Credential::Oauth(session) = credential {
                session.learn(server_date, nonce(&headers));
            }
            if status == StatusCode::OK {
                break (response, headers, rate_limit, server_date);
            }
            // The status says enough where the text cannot be read.
            let body = self.body(response, ERROR_BODY_CAP, None).await.unwrap_or_default();
            let okta = OktaError::read(status.as_u16(), &body, challenge(&headers).as_deref(), &sent.secrets())
                .with_request_id(outcome.okta_request_id.clone());
            if let (Credential::Oauth(session), Sent::Token(sent)) = (credential, &sent)
                && session.refused(sent, &okta, nonce(&headers).is_some(), &mut tried)
            {
                continue;
            }
            let answer = RefusedAnswer {
                asked: url,
                rate_limit,
                server_date,
                app: credential.client_id(),
                location: text(&headers, &LOCATION),
            };
            return Err(answer.into_error(okta));
        };
        // Before the body: where that is too long, the link says what comes behind it.
        let next = link::next_link(headers.get_all(LINK).iter().map(|line| line.as_bytes()))
            .map(|next| next.map(|next| PageUrl::checked(&next, &self.org)));
        let behind = next.as_ref().ok().and_then(|next| next.as_ref()?.as_ref().ok());
        let body = self.body(response, self.options.body_cap, behind).await?;
        let next = next.map_err(|error| RequestError::BadLink { error })?;
        let elements = page::split(&body).map_err(|error| RequestError::NotAPage { error })?;
        Ok(SystemLogPage { elements, next, body_bytes: body.len(), rate_limit, server_date })
    }

    /// A URL is checked when it is made, but maybe against another org (I3).
    fn is_of_org(&self, url: &PageUrl) -> Result<(), PageUrlError> {
        match Origin::of(url.url()) {
            Some(found) if found == self.org => Ok(()),
            found => {
                let found = found.map_or_else(|| url.to_string(), |found| found.to_string());
                Err(PageUrlError::OtherOrigin { found, org: self.org.to_string() })
            }
        }
    }

    /// Puts the credential on a request, and says what it was.
    async fn authorize(
        &self,
        credential: &Credential,
        url: &PageUrl,
        headers: &mut HeaderMap,
    ) -> Result<Sent, RequestError> {
        match credential {
            Credential::Ssws(ssws) => {
                let token = credential::current(&self.org, ssws).await;
                Ssws::new(&token).authorize(headers).map_err(|_| RequestError::UnusableCredential)?;
                Ok(Sent::Ssws(token))
            }
            Credential::Oauth(session) => {
                session.authorize(self, url.url(), headers).await.map(Sent::Token).map_err(RequestError::Token)
            }
        }
    }

    async fn send(&self, request: RequestBuilder, mut headers: HeaderMap) -> Result<Response, RequestError> {
        headers.insert(ACCEPT, reqwest::header::HeaderValue::from_static("application/json"));
        let request = request.headers(headers);
        let error = match request.send().await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let (org, proxy) = (&self.org, self.proxy.as_ref());
        Err(match error.is_timeout() {
            true if error.is_connect() => {
                let advice = diagnosis::connect_timeout_advice(org, proxy);
                RequestError::ConnectTimeout { limit: self.options.connect_timeout, advice }
            }
            true => RequestError::Timeout { limit: self.options.timeout },
            false => {
                let is_refused = diagnosis::is_refused_tunnel(&error);
                let status = if is_refused { self.status_of_proxy().await } else { None };
                diagnosis::connection(error, org, proxy, status)
            }
        })
    }

    /// What the proxy answers to CONNECT, which the HTTP library does not say of a tunnel that was refused. The request
    /// has no credential of the org's.
    async fn status_of_proxy(&self) -> Option<StatusCode> {
        let http = self.proxy_probe.get_or_init(|| self.make_proxy_probe()).as_ref()?;
        let org = self.org.url();
        let target = format!("http://{}:{}/", org.host_str()?, org.port_or_known_default()?);
        let status = http.request(reqwest::Method::CONNECT, target).send().await.ok()?.status();
        (!status.is_success()).then_some(status)
    }

    fn make_proxy_probe(&self) -> Option<reqwest::Client> {
        let proxy = reqwest::Proxy::http(self.proxy.as_ref()?.url().expose_secret()).ok()?;
        let builder = reqwest::Client::builder().redirect(Policy::none()).timeout(self.options.connect_timeout);
        let roots = extra_roots(&self.options.network).ok()?;
        builder.no_proxy().proxy(proxy).tls_certs_merge(roots).build().ok()
    }

    /// Reads the body, decompressed, and stops as soon as it is longer than `cap`; `next` is the link behind the page.
    async fn body(&self, mut response: Response, cap: usize, next: Option<&PageUrl>) -> Result<Bytes, RequestError> {
        let too_large = || RequestError::TooLarge { cap, next: next.map(|next| next.as_str().to_owned()) };
        // Known only of a body that is not compressed.
        if response.content_length().is_some_and(|length| length > cap as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > cap => return Err(too_large()),
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                // Without the spare capacity: the events of a page keep all of this until they are committed.
                Ok(None) => return Ok(Bytes::from(body.into_boxed_slice())),
                Err(error) if error.is_timeout() => return Err(RequestError::Timeout { limit: self.options.timeout }),
                Err(error) => return Err(RequestError::BrokenBody { problem: diagnosis::causes(error) }),
            }
        }
    }
}

/// What was sent, so that no error repeats it.
enum Sent {
    Ssws(SecretString),
    Token(Presented),
}

impl Sent {
    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Ssws(token) => vec![token.expose_secret()],
            Self::Token(presented) => presented.secrets(),
        }
    }
}

/// The certificates of `okta_http.ca_file`.
fn extra_roots(network: &Network) -> reqwest::Result<Vec<reqwest::Certificate>> {
    let certificates = network.ca.iter().flat_map(|ca| ca.certificates.iter());
    certificates.map(|certificate| reqwest::Certificate::from_der(certificate)).collect()
}

fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    RateLimit::from_headers(|name| headers.get(name)?.to_str().ok())
}

/// The server's clock; `Date` has whole seconds.
fn server_date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text(headers, &DATE)?).ok()?;
    Timestamp::try_from(date).ok()
}

/// A nonce for DPoP proofs (RFC 9449, section 8).
fn nonce(headers: &HeaderMap) -> Option<&str> {
    text(headers, &HeaderName::from_static("dpop-nonce")).filter(|nonce| !nonce.is_empty())
}

/// By which Okta's support finds the request.
fn request_id(headers: &HeaderMap, secrets: &[&str]) -> Option<String> {
    error::request_id(text(headers, &HeaderName::from_static("x-okta-request-id")), secrets)
}

/// All challenges: there may be one for each scheme (RFC 9110, section 11.6.1).
fn challenge(headers: &HeaderMap) -> Option<String> {
    let challenges: Vec<&str> =
        headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|challenge| challenge.to_str().ok()).collect();
    (!challenges.is_empty()).then(|| challenges.join(", "))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
