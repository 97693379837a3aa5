//! Asks a registry: one URL after the other, until one answers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Response};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::{Host, Url};

use super::error::RegistryError;
use super::login::{Credentials, Login};
use super::reach;
use crate::config::{RegistryUrl, SchemaRegistryConfig};
use crate::okta::auth::files;
use crate::okta::client::diagnosis;
use crate::okta::excerpt::excerpt;
use crate::okta::origin::Origin;
use crate::okta::proxy::{Network, Proxy};

/// Longest time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for an answer: a registry that forwards to its leader asks twice.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longest answer: a schema of ours has some 30 KB.
const MAX_BYTES: usize = 4 * 1024 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json, application/json");

/// The value of the label `result` of `schema_registry_requests_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestResult {
    /// It answered, also that something is not there.
    Ok,
    /// It answered that it will not: the login, the permission, the schema.
    Refused,
    /// No answer, or 5xx, 408 or 429, or an answer that is none of a registry.
    Unavailable,
}

impl RequestResult {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Refused, Self::Unavailable];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Who is told of each request.
pub(super) type Count<'c> = &'c (dyn Fn(RequestResult) + Send + Sync);

/// A question: method, path below the base URL, query, body.
pub(super) struct Question<'q> {
    pub method: Method,
    pub path: &'q [&'q str],
    pub query: Option<&'q str>,
    pub body: Option<String>,
    /// Whether a registry may not know such a question.
    pub may_be_unknown: bool,
}

/// An answer of a registry, whatever its status.
pub(super) struct Answer {
    /// The base URL that gave it.
    pub url: String,
    pub status: u16,
    /// Null where it is no JSON.
    pub body: Value,
    /// Status and message, short, and without what was sent.
    pub said: String,
    /// Whether anything in it repeats the login, or a part of it: then none of its texts may be shown.
    pub repeats_login: bool,
}

impl Answer {
    /// Confluent's `error_code`.
    pub fn code(&self) -> Option<u64> {
        self.body["error_code"].as_u64()
    }

    /// 404 of a registry that has no such subject, version or schema. With `error_code` 404 Confluent's answers to a path that
    /// it does not know, as do its other servers.
    pub fn is_absent(&self) -> bool {
        self.status == 404 && matches!(self.code(), Some(40401..=40403))
    }

    /// What is no answer of a registry: something else answers there, for now or always.
    pub fn is_foreign(&self) -> bool {
        match self.status {
            200..300 => self.body.is_null(),
            300..400 => true,
            404 | 405 => self.code().is_none_or(|code| code / 100 != 404),
            _ => false,
        }
    }

    /// Whether it says that it does not know the question.
    fn is_ignorant(&self) -> bool {
        matches!(self.status, 404 | 405 | 501)
    }

    fn result(&self, question: &Question<'_>) -> RequestResult {
        match self.status {
            _ if self.is_absent() || (question.may_be_unknown && self.is_ignorant()) => RequestResult::Ok,
            _ if self.is_foreign() => RequestResult::Unavailable,
            200..300 => RequestResult::Ok,
            408 | 429 | 500.. => RequestResult::Unavailable,
            _ => RequestResult::Refused,
        }
    }
}

/// The URLs of a registry, and by what it lets us in.
pub(super) struct Requests {
    targets: Vec<Target>,
    login: Login,
    /// The one that answered last is asked first.
    first: AtomicUsize,
}

struct Target {
    url: RegistryUrl,
    origin: Origin,
    proxy: Option<Proxy>,
    http: Client,
}

impl Requests {
    pub fn new(config: &SchemaRegistryConfig, network: &Network) -> Result<Self, RegistryError> {
        let targets = config.urls.iter().filter_map(|url| {
            // Never left out: every such URL has a host.
            let origin = url.origin()?;
            let proxy = network.proxy_for(&origin).cloned();
            let http = client(config, &origin, proxy.as_ref());
            Some(http.map(|http| Target { url: url.clone(), origin, proxy, http }))
        });
        let setup = |error| RegistryError::Client { problem: diagnosis::causes(error) };
        let targets = targets.collect::<Result<Vec<_>, _>>().map_err(setup)?;
        Ok(Self { targets, login: Login::new(&config.auth), first: AtomicUsize::new(0) })
    }

    /// Asks each URL until one answers. A login that is refused is read again, and where it is another by now, the question is
    /// asked once more.
    pub async fn ask(&self, question: &Question<'_>, count: Count<'_>) -> Result<Answer, RegistryError> {
        let sent = self.login.current();
        let answer = self.ask_each(question, &sent, count).await?;
        if answer.status == 401
            && let Some(renewed) = self.login.renewed(&sent).await
        {
            return self.ask_each(question, &renewed, count).await;
        }
        Ok(answer)
    }

    async fn ask_each(
        &self,
        question: &Question<'_>,
        login: &Credentials,
        count: Count<'_>,
    ) -> Result<Answer, RegistryError> {
        let first = self.first.load(Ordering::Relaxed);
        let mut tried = Vec::new();
        let mut foreign = Vec::new();
        for at in (0..self.targets.len()).map(|offset| (first + offset) % self.targets.len()) {
            let target = &self.targets[at];
            let problem = match ask_one(target, question, login).await {
                Ok(answer) => {
                    let result = answer.result(question);
                    count(result);
                    if result != RequestResult::Unavailable {
                        self.first.store(at, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    let problem = if answer.is_foreign() {
                        reach::foreign(&answer.said)
                    } else {
                        reach::busy(answer.status, &answer.said)
                    };
                    if answer.is_foreign() {
                        foreign.push(answer);
                    }
                    problem
                }
                Err(problem) => {
                    count(RequestResult::Unavailable);
                    problem
                }
            };
            tried.push(format!("`{}`: {problem}", target.url));
        }
        // Where nothing else answers anywhere, it will hardly pass by itself.
        if foreign.len() == self.targets.len() && !foreign.is_empty() {
            return Ok(foreign.swap_remove(0));
        }
        Err(RegistryError::Unavailable { tried: tried.join("; ") })
    }

    /// What is sent now.
    pub fn login(&self) -> Credentials {
        self.login.current()
    }

    /// Waits until there is another login than that, looking at its files every so often; for ever where it is in none.
    pub async fn until_login_changed(&self, than: &Credentials, every: Duration) {
        while self.login.current() == *than {
            files::rest(every).await;
            let _ = self.login.renewed(than).await;
        }
    }
}

async fn ask_one(target: &Target, question: &Question<'_>, login: &Credentials) -> Result<Answer, String> {
    let mut request = target.http.request(question.method.clone(), address(target.url.url(), question));
    request = request.header(ACCEPT, ACCEPTED);
    if let Some(header) = login.header() {
        request = request.header(AUTHORIZATION, header);
    }
    if let Some(body) = &question.body {
        request = request.header(CONTENT_TYPE, JSON).body(body.clone());
    }
    let failed = |error| reach::problem(error, &target.origin, target.proxy.as_ref(), TIMEOUT);
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let Some(bytes) = body(response).await.map_err(failed)? else {
        return Err(format!("its answer is longer than {MAX_BYTES} bytes: check `schema_registry.url`"));
    };
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let repeats_login = login.are_repeated_in(&bytes, &body);
    let message = body["message"].as_str().filter(|_| !repeats_login).map(excerpt).unwrap_or_default();
    let said = match status.is_success() || message.is_empty() {
        true => status.to_string(),
        false => format!("{}: {message}", status.as_u16()),
    };
    Ok(Answer { url: target.url.to_string(), status: status.as_u16(), body, said, repeats_login })
}

/// A client that follows no redirect, since the login goes with the request. On this machine neither proxies nor name servers
/// are asked, as `okta::client` has it.
fn client(config: &SchemaRegistryConfig, origin: &Origin, proxy: Option<&Proxy>) -> reqwest::Result<Client> {
    let is_https = origin.url().scheme() == "https";
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .referer(false)
        .https_only(is_https)
        .user_agent(concat!("okta-kafka-source/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        // It is asked some times at a start, and then never again.
        .pool_idle_timeout(Duration::from_secs(10))
        // The environment was read with the configuration.
        .no_proxy();
    if let Some(proxy) = proxy {
        builder = builder.proxy(reqwest::Proxy::https(proxy.url().expose_secret())?);
    }
    if origin.is_loopback()
        && let Some(Host::Domain(name)) = origin.url().host()
    {
        let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        builder = builder.resolve_to_addrs(name, &addresses);
    }
    let authorities = config.ca.iter().flat_map(|ca| ca.certificates.iter());
    let authorities = authorities.map(|der| Certificate::from_der(der)).collect::<reqwest::Result<Vec<_>>>()?;
    builder = if is_https { builder.tls_certs_merge(authorities) } else { builder.tls_certs_only([]) };
    builder.build()
}

/// The base URL with the question's path, each part of which is one segment, whatever is in it.
fn address(base: &Url, question: &Question<'_>) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(question.path);
    }
    url.set_query(question.query);
    url
}

/// `None` where it is too long.
async fn body(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(body))
}
