//! One request, one page. The only file of this folder that talks to the network.

use std::borrow::Cow;
use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, DATE, HeaderMap, HeaderName, LINK, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::Instant;
use url::Host;

use super::auth::ssws::Ssws;
use super::error::{OktaError, RefusedAnswer, RequestError};
use super::link;
use super::origin::Origin;
use super::page::{self, SystemLogPage};
use super::page_url::{PageUrl, PageUrlError};
use super::rate_limit::RateLimit;

/// The longest body of a refusing answer that is read.
const ERROR_BODY_CAP: usize = 64 * 1024;

/// How a client asks; the default is what the program uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// For the connection, TLS included.
    pub connect_timeout: Duration,
    /// For all of a request, from the connection to the last byte of the body. Okta itself gives up after 30 s.
    pub timeout: Duration,
    /// The longest body that is taken, in bytes after decompression. A thousand events are about 2 MB.
    pub body_cap: usize,
    /// The `User-Agent` header, which Okta asks clients to send.
    pub user_agent: String,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(45),
            body_cap: 64 * 1024 * 1024,
            user_agent: concat!("okta-kafka-source/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The TLS library or its root certificates.
    #[error("no HTTPS client: {problem}: install the system's CA certificates (Debian's package is `ca-certificates`)")]
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
    http: reqwest::Client,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The page, or why there is none.
    pub result: Result<SystemLogPage, RequestError>,
    /// The status; `None` where there was no answer.
    pub status: Option<u16>,
    /// From the call to the last byte.
    pub duration: Duration,
    /// The rate limit that the answer shows, whatever its status.
    pub rate_limit: Option<RateLimit>,
    /// The server's own clock (`Date`).
    pub server_date: Option<Timestamp>,
}

impl Outcome {
    /// The value of the label `code` of `okta_requests_total`: the status, or `error` when there was no answer.
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
    /// Redirects are not followed (I3). For an org on this machine, neither proxies of the environment nor name servers
    /// are asked, so that what is called loopback is, and no root certificates are loaded for plain http.
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
            .http2_max_header_list_size(256 * 1024);
        if org.is_loopback() {
            builder = builder.no_proxy();
            if let Some(Host::Domain(name)) = org.url().host() {
                let addresses =
                    [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
                builder = builder.resolve_to_addrs(name, &addresses);
            }
        }
        if !is_https {
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| ClientError::Setup { problem: causes(error) })?;
        Ok(Self { org, options, http })
    }

    /// Asks for the page at `url`, once.
    ///
    /// The credential is on this request alone. Dropping the future ends the request.
    pub async fn get(&self, url: &PageUrl, token: &SecretString) -> Outcome {
        let started = Instant::now();
        let mut outcome = Outcome {
            result: Err(RequestError::UnusableCredential),
            status: None,
            duration: Duration::ZERO,
            rate_limit: None,
            server_date: None,
        };
        outcome.result = self.page(url, token, &mut outcome).await;
        outcome.duration = started.elapsed();
        outcome
    }

    async fn page(
        &self,
        url: &PageUrl,
        token: &SecretString,
        outcome: &mut Outcome,
    ) -> Result<SystemLogPage, RequestError> {
        let response = self.send(url, token).await?;
        let headers = response.headers().clone();
        let (rate_limit, server_date) = (rate_limit(&headers), server_date(&headers));
        outcome.status = Some(response.status().as_u16());
        outcome.rate_limit = rate_limit;
        outcome.server_date = server_date;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            // The status says enough where the text cannot be read.
            let body = self.body(response, ERROR_BODY_CAP, None).await.unwrap_or_default();
            let challenge = text(&headers, &WWW_AUTHENTICATE);
            let okta = OktaError::read(status, &body, challenge, token.expose_secret());
            let answer = RefusedAnswer { asked: url, rate_limit, server_date, location: text(&headers, &LOCATION) };
            return Err(answer.into_error(okta));
        }
        // Before the body: where that is too long, the link says what comes behind it.
        let next = link::next_link(headers.get_all(LINK).iter().map(|line| line.as_bytes()))
            .map(|next| next.map(|next| PageUrl::checked(&next, &self.org)));
        let behind = next.as_ref().ok().and_then(|next| next.as_ref()?.as_ref().ok());
        let body = self.body(response, self.options.body_cap, behind).await?;
        let next = next.map_err(|error| RequestError::BadLink { error })?;
        let elements = page::split(&body).map_err(|error| RequestError::NotAPage { error })?;
        Ok(SystemLogPage { elements, next, body_bytes: body.len(), rate_limit, server_date })
    }

    async fn send(&self, url: &PageUrl, token: &SecretString) -> Result<Response, RequestError> {
        // A URL is checked when it is made, but maybe against another org.
        match Origin::of(url.url()) {
            Some(found) if found == self.org => {}
            found => {
                let found = found.map_or_else(|| url.to_string(), |found| found.to_string());
                let error = PageUrlError::OtherOrigin { found, org: self.org.to_string() };
                return Err(RequestError::NotSent { error });
            }
        }
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(ACCEPT, reqwest::header::HeaderValue::from_static("application/json"));
        Ssws::new(token).authorize(&mut headers).map_err(|_| RequestError::UnusableCredential)?;
        let request = self.http.get(url.url().clone()).headers(headers);
        request.send().await.map_err(|error| match error.is_timeout() {
            true if error.is_connect() => RequestError::ConnectTimeout { limit: self.options.connect_timeout },
            true => RequestError::Timeout { limit: self.options.timeout },
            false => RequestError::Connection { problem: causes(error) },
        })
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
                Err(error) => return Err(RequestError::BrokenBody { problem: causes(error) }),
            }
        }
    }
}

fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    RateLimit::from_headers(|name| headers.get(name)?.to_str().ok())
}

/// The server's clock; `Date` has whole seconds.
fn server_date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text(headers, &DATE)?).ok()?;
    Timestamp::try_from(date).ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The error with all its causes, each said once, without the URL: it is long and known.
fn causes(error: reqwest::Error) -> String {
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
    problem
}
