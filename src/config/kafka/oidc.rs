//! `sasl.oauthbearer.*` of librdkafka's method `oidc`, which the program does by itself (docs/adr/0021).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use url::Url;

use super::kinds;
use super::librdkafka::canonical;
use super::{Context, Setting, Settings};
use crate::okta::origin::Origin;

/// Taken out of what librdkafka gets, by canonical name.
const NAMES: [&str; 10] = [
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.client.id",
    CLIENT_SECRET,
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.grant.type",
    URLENCODE,
    "https.ca.location",
    "https.ca.pem",
];
/// Those that must be there.
const NEEDED: [&str; 4] =
    ["sasl.oauthbearer.method", "sasl.oauthbearer.client.id", CLIENT_SECRET, "sasl.oauthbearer.token.endpoint.url"];
const CLIENT_SECRET: &str = "sasl.oauthbearer.client.secret";
const URLENCODE: &str = "sasl.oauthbearer.header.urlencode";

/// Where a token comes from, and for whom. Debug shows no secret (I9).
#[derive(Clone, PartialEq, Eq)]
pub struct Oidc {
    /// `sasl.oauthbearer.token.endpoint.url`.
    pub token_endpoint: Url,
    /// `sasl.oauthbearer.client.id`.
    pub client_id: String,
    /// `sasl.oauthbearer.client.secret`.
    pub client_secret: String,
    /// `sasl.oauthbearer.scope`.
    pub scope: Option<String>,
    /// `sasl.oauthbearer.extensions`, for the broker.
    pub extensions: Vec<(String, String)>,
    /// `sasl.oauthbearer.header.urlencode`: whether id and secret are form-encoded in the header, as RFC 6749, 2.3.1, has it. The
    /// default is `false`, as in Kafka's Java client and in librdkafka, which cannot do otherwise.
    pub urlencode: bool,
    /// `https.ca.location`: a PEM file.
    pub ca_location: Option<String>,
    /// `https.ca.pem`.
    pub ca_pem: Option<String>,
    /// The proxy that the endpoint is asked through.
    pub proxy: Option<TokenProxy>,
}

/// The proxy of `okta_http`, else of the environment, where the endpoint is asked through it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenProxy {
    /// With its login.
    pub url: String,
    /// Without.
    pub shown: String,
    /// A key of the configuration, or a variable of the environment.
    pub named_by: &'static str,
}

impl Oidc {
    /// Whether the endpoint is on this machine: then neither proxies nor name servers are asked.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.token_endpoint)
    }
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Whether the program does this itself.
pub(super) fn is_ours(name: &str) -> bool {
    NAMES.contains(&canonical(name))
}

/// What is wrong with a value of one of these properties, without the value.
pub(super) fn limit(name: &str, value: &str) -> Option<String> {
    let wrong = match canonical(name) {
        "sasl.oauthbearer.method" if !value.eq_ignore_ascii_case("oidc") => {
            "has no token that a broker could check: write `oidc`"
        }
        "sasl.oauthbearer.grant.type" if value != "client_credentials" => {
            "is not supported by this version: write `client_credentials`, or remove it"
        }
        "sasl.oauthbearer.token.endpoint.url" => return endpoint(value).err().map(str::to_owned),
        "sasl.oauthbearer.client.id" | CLIENT_SECRET if value.trim().is_empty() => "is empty: write it",
        "sasl.oauthbearer.extensions" if extensions(value).is_none() => {
            "is not of the form `name=value,name=value` with names of letters: write it so"
        }
        "https.ca.location" if value != "probe" && !std::path::Path::new(value).is_file() => {
            "is no file: write the path of a PEM file, or remove it"
        }
        _ => return None,
    };
    Some(wrong.to_owned())
}

/// The client's secret travels there, so it has to be HTTPS, but for a loopback address.
fn endpoint(value: &str) -> Result<Url, &'static str> {
    let url =
        Url::parse(value).map_err(|_| "is no URL: write one, as `https://acme.okta.com/oauth2/default/v1/token`")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user in it: write `sasl.oauthbearer.client.id` and `.client.secret` instead");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("does not begin with `https://`, and the client's secret goes there: write an `https://` URL"),
    }
}

/// Whether it is this machine.
fn is_loopback(url: &Url) -> bool {
    Origin::of(url).is_some_and(|origin| origin.is_loopback())
}

/// RFC 7628, 3.1: a name is letters, and `auth` is the token's own.
fn extensions(value: &str) -> Option<Vec<(String, String)>> {
    let pairs = value.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_name = !name.is_empty() && name != "auth" && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_value = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        (is_name && is_value).then(|| (name.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// Notes what is missing or has no effect.
pub(super) fn check(
    context: &mut Context<'_>,
    settings: &Settings,
    attempted: &BTreeSet<String>,
    mechanism: Option<&Setting>,
) {
    let ours = || settings.iter().filter(|(name, _)| is_ours(name)).map(|(_, setting)| setting);
    match mechanism {
        Some(mechanism) => {
            if let Some(missing) =
                NEEDED.into_iter().find(|name| !settings.contains_key(*name) && !attempted.contains(*name))
            {
                let message = if missing == "sasl.oauthbearer.method" {
                    "needs a token: write `sasl.oauthbearer.method: oidc`, and what README lists with it".to_owned()
                } else {
                    format!("needs a token: write `{missing}`")
                };
                context.problem(&mechanism.path, mechanism.line, message);
            }
            if let (Some(_), Some(pem)) = (settings.get("https.ca.location"), settings.get("https.ca.pem")) {
                context.problem(&pem.path, pem.line, "is the same as `https.ca.location`: remove one of the two");
            }
        }
        None => {
            for setting in ours() {
                let message = "has no effect without `sasl.mechanism: OAUTHBEARER` and a `security.protocol` with SASL: write these, or remove it";
                context.problem(&setting.path, setting.line, message);
            }
        }
    }
}

/// Takes these properties out of the settings.
pub(super) fn take(producer: &mut Settings, consumer: &mut Settings) -> Option<Arc<Oidc>> {
    producer.retain(|name, _| !is_ours(name));
    let value = |name: &str| consumer.get(name).map(|setting| setting.value.clone());
    let oidc = || {
        Some(Oidc {
            token_endpoint: endpoint(&value("sasl.oauthbearer.token.endpoint.url")?).ok()?,
            client_id: value("sasl.oauthbearer.client.id")?,
            client_secret: value(CLIENT_SECRET)?,
            scope: value("sasl.oauthbearer.scope"),
            extensions: value("sasl.oauthbearer.extensions").and_then(|text| extensions(&text)).unwrap_or_default(),
            urlencode: value(URLENCODE).is_some_and(|text| kinds::is_true(&text)),
            proxy: None,
            ca_location: value("https.ca.location").filter(|location| location != "probe"),
            ca_pem: value("https.ca.pem"),
        })
    };
    let oidc = oidc().map(Arc::new);
    consumer.retain(|name, _| !is_ours(name));
    oidc
}
