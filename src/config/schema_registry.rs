//! `schema_registry`: where the schemas of Avro records are, and by what they are let in.

use std::fmt;

use url::Url;

use super::okta_http::read_ca;
use super::secret::{self, Secret, SecretError};
use super::section::{Context, Field, Section};
use super::yaml::Value;
use super::{keys, text};
use crate::okta::origin::Origin;
use crate::okta::proxy::CaFile;

/// What to write where no usable URL stands.
const URL_EXAMPLE: &str = "write the registry's URL, as `url: https://registry.example.com`";

/// The `schema_registry` section. Debug shows no secret (I9).
#[derive(Debug, Clone)]
pub struct SchemaRegistryConfig {
    /// At least one; the next is asked where one does not answer.
    pub urls: Vec<RegistryUrl>,
    /// By what it lets us in.
    pub auth: RegistryAuth,
    /// Certificates that are trusted beside the system's.
    pub ca: Option<CaFile>,
    /// Whether our schema is registered where it is not there; default true.
    pub auto_register: bool,
    /// What a subject is called; default `topic`.
    pub subject_strategy: SubjectStrategy,
}

/// A registry's base URL: scheme, host, port and maybe a path; no login, no query.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryUrl {
    /// Its path ends in `/`.
    url: Url,
}

impl RegistryUrl {
    /// The base, whose path ends in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where it is.
    pub fn origin(&self) -> Option<Origin> {
        Origin::of(&self.url)
    }

    /// What is wrong with a text that is none, without the text.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut url = Url::parse(text).map_err(|_| "is not a URL: write it as `https://registry.example.com`")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("is not a URL of a server: write it as `https://registry.example.com`");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a login in it: write `basic_auth: {username: …, password: …}` beside `url` instead");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment: write the URL up to its path");
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { url })
    }
}

/// Without the slash at its end.
impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryUrl({self})")
    }
}

/// By what a registry lets us in. Debug shows no secret (I9).
#[derive(Debug, Clone)]
pub enum RegistryAuth {
    /// By nothing.
    None,
    /// By a user's name and password, or an API key and its secret (RFC 7617). Keys are renewed together with their
    /// secrets, so both may be in files.
    Basic {
        /// The name.
        username: Secret,
        /// The password.
        password: Secret,
    },
    /// By a token (RFC 6750).
    Bearer(Secret),
}

impl RegistryAuth {
    /// The secrets there are.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let (first, second) = match self {
            Self::None => (None, None),
            Self::Basic { username, password } => (Some(username), Some(password)),
            Self::Bearer(token) => (Some(token), None),
        };
        first.into_iter().chain(second)
    }
}

/// What a subject is called, as Confluent's serializers have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectStrategy {
    /// `<topic>-value`.
    #[default]
    Topic,
    /// The record's full name.
    Record,
    /// `<topic>-<full name>`.
    TopicRecord,
}

impl SubjectStrategy {
    /// The subject of a topic's values.
    pub fn subject(self, topic: &str, full_name: &str) -> String {
        match self {
            Self::Topic => format!("{topic}-value"),
            Self::Record => full_name.to_owned(),
            Self::TopicRecord => format!("{topic}-{full_name}"),
        }
    }
}

/// Reads the section; `Some(None)` where there is none, `None` after a problem.
pub(super) fn read(context: &mut Context<'_>, file: &Section<'_>) -> Option<Option<SchemaRegistryConfig>> {
    let Some(field) = file.get("schema_registry") else { return Some(None) };
    let mut section = context.section(field)?;
    section.check_keys(context, keys::SCHEMA_REGISTRY);
    let urls = match section.get("url") {
        Some(field) => read_urls(context, field),
        None => {
            context.problem(&section.child("url"), section.line, format!("is missing: {URL_EXAMPLE}"));
            None
        }
    };
    let auth = read_auth(context, &section);
    let ca = section.get("ca_file").map_or(Some(None), |field| read_ca(context, field));
    let auto_register = section.get("auto_register").map_or(Some(true), |field| context.boolean(field));
    let strategy =
        section.get("subject_strategy").map_or(Some(SubjectStrategy::default()), |field| read_strategy(context, field));
    let (urls, auth) = (urls?, auth?);
    if !matches!(auth, RegistryAuth::None) {
        let clear =
            |url: &&RegistryUrl| url.url.scheme() == "http" && !url.origin().is_some_and(|origin| origin.is_loopback());
        if urls.iter().any(|url| clear(&url)) {
            let (path, line) = section
                .get("url")
                .map_or((section.child("url"), section.line), |field| (field.path.clone(), field.node.line));
            let message = "would send the credentials in the clear: write `https://…` (http with credentials is for \
                           loopback addresses only)";
            context.problem(&path, line, message);
            return None;
        }
    }
    Some(Some(SchemaRegistryConfig { urls, auth, ca: ca?, auto_register: auto_register?, subject_strategy: strategy? }))
}

/// One text, with commas, or a list of such.
fn read_urls(context: &mut Context<'_>, field: &Field<'_>) -> Option<Vec<RegistryUrl>> {
    let mut urls = Vec::new();
    match &field.node.value {
        Value::List(items) => {
            for (index, node) in items.iter().enumerate() {
                let item = Field { path: format!("{}[{index}]", field.path), line: node.line, node };
                add_urls(context, &item, &mut urls)?;
            }
        }
        _ => add_urls(context, field, &mut urls)?,
    }
    if urls.is_empty() {
        context.refuse(field, format!("holds no URL: {URL_EXAMPLE}"));
        return None;
    }
    Some(urls)
}

fn add_urls(context: &mut Context<'_>, field: &Field<'_>, urls: &mut Vec<RegistryUrl>) -> Option<()> {
    let text = context.non_empty(field)?;
    let literal = text.template.is_literal();
    for part in text.value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match RegistryUrl::parse(part) {
            Ok(url) if urls.contains(&url) => {}
            Ok(url) => urls.push(url),
            Err(problem) => {
                // A login in it is cut off by `shown`, and a query may be a secret too.
                let bare = part.split(['?', '#']).next().unwrap_or_default();
                let shown = if literal { text::shown(bare) } else { text.shown() };
                context.refuse(field, format!("`{shown}` {problem}"));
                return None;
            }
        }
    }
    Some(())
}

fn read_auth(context: &mut Context<'_>, section: &Section<'_>) -> Option<RegistryAuth> {
    let basic = section.get("basic_auth").map(|field| read_basic(context, field));
    let bearer = section
        .get("bearer_token")
        .map(|field| read_secret(context, field, secret::bearer_token, true).map(RegistryAuth::Bearer));
    match (basic, bearer) {
        (None, None) => Some(RegistryAuth::None),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(_), Some(_)) => {
            let field = section.get("bearer_token")?;
            let message = "stands beside `basic_auth`: a registry is asked with one of the two; remove the other";
            context.problem(&field.path, field.line, message);
            None
        }
    }
}

fn read_basic(context: &mut Context<'_>, field: &Field<'_>) -> Option<RegistryAuth> {
    let mut section = context.section(field)?;
    section.check_keys(context, keys::BASIC_AUTH);
    let mut part = |key, rule, is_secret| match section.get(key) {
        Some(field) => read_secret(context, field, rule, is_secret),
        None => {
            let message = "is missing: write `basic_auth: {username: …, password: \"${env:REGISTRY_PASSWORD}\"}`";
            context.problem(&section.child(key), section.line, message);
            None
        }
    };
    let username = part("username", secret::username, false);
    let password = part("password", secret::password, true);
    Some(RegistryAuth::Basic { username: username?, password: password? })
}

fn read_secret(
    context: &mut Context<'_>,
    field: &Field<'_>,
    rule: fn(&str) -> Result<(), SecretError>,
    is_secret: bool,
) -> Option<Secret> {
    let text = context.text(field)?;
    let literal = text.template.is_literal();
    match Secret::from_template(text.template, rule) {
        Ok(secret) => {
            if literal && is_secret {
                let message = "the secret stands in the file itself: better write `${env:NAME}` or `${file:PATH}`, \
                               which is also read again when the registry refuses it";
                context.warning(&field.path, field.node.line, message);
            }
            Some(secret)
        }
        Err(error) => {
            context.refuse(field, error.to_string());
            None
        }
    }
}

fn read_strategy(context: &mut Context<'_>, field: &Field<'_>) -> Option<SubjectStrategy> {
    let text = context.text(field)?;
    match text.value.as_str() {
        "topic" => return Some(SubjectStrategy::Topic),
        "record" => return Some(SubjectStrategy::Record),
        "topic_record" => return Some(SubjectStrategy::TopicRecord),
        _ => {}
    }
    let message = "is no strategy: write `topic` (`<topic>-value`), `record` or `topic_record`";
    context.refuse(field, format!("`{}` {message}", text.shown()));
    None
}
