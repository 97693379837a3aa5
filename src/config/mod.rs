//! The configuration file: read into a tree, then into typed values, with every problem noted at once.
//!
//! `yaml` keeps the line of each key and value; `section` reads typed values out of it and fills in `${env:NAME}` and
//! `${file:PATH}` (`interpolation`); the other modules know one part of the file each. What is read is valid: nothing
//! after this folder checks a setting again, apart from what only Kafka or Okta can tell.

mod auth;
mod connector;
mod cross;
mod email;
mod filter;
mod findings;
mod format;
mod interpolation;
mod kafka;
mod keys;
mod layout;
mod look;
mod lost_position;
mod oauth;
mod okta_http;
mod problem;
mod rate_limit;
mod schema_registry;
mod secret;
mod section;
mod ssws;
mod synonyms;
mod syntax;
mod text;
mod time;
mod topic;
mod topic_settings;
mod yaml;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use auth::Auth;
pub use connector::ConnectorConfig;
pub use email::{Address, EmailConfig, EmailLogin, Mailbox, SmtpSecurity, Subject};
pub use format::Format;
pub use interpolation::InterpolationError;
pub use kafka::KafkaProperties;
pub use kafka::oidc::{Oidc, TokenProxy};
pub use look::Look;
pub use lost_position::{OnLostCursor, OnQueryChange};
pub use oauth::{Dpop, OauthApp, OauthError};
pub use problem::{ConfigError, Problem};
pub use schema_registry::{RegistryAuth, RegistryUrl, SchemaRegistryConfig, SubjectStrategy};
pub use secret::Secret;
pub use ssws::{Ssws, SswsError};
pub use time::Since;
pub use topic::TopicConfig;

use crate::okta::origin::Origin;
use crate::okta::proxy::Network;
use connector::ConnectorFields;
use section::{Context, Field, Section};
use yaml::Value;

/// Thousands of connectors fit; a log or a device named by mistake does not.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// librdkafka's properties, by role.
    pub kafka: KafkaProperties,
    /// Workers that share it share the connectors; default: the offsets topic's name.
    pub group_id: String,
    /// This worker's name in the group, for static membership.
    pub group_instance_id: Option<String>,
    /// Where source offsets are kept.
    pub offsets: OffsetsConfig,
    /// Where the schemas of Avro records are.
    pub schema_registry: Option<SchemaRegistryConfig>,
    /// The way to the orgs, the token endpoint and the schema registry: `okta_http`, and the environment's proxy.
    pub okta_http: Network,
    /// Metrics and health.
    pub http: HttpConfig,
    /// The way of `query --email`.
    pub email: Option<EmailConfig>,
    /// At least one; names are unique.
    pub connectors: Vec<ConnectorConfig>,
    /// What is allowed and unwise, by line.
    pub warnings: Vec<Problem>,
}

/// The compacted topic of the source offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetsConfig {
    /// Its name; default `okta-kafka-source-offsets`.
    pub topic: String,
    /// Its partitions, each a shard; default 25.
    pub partitions: i32,
    /// Replicas when created; -1 is the broker's default.
    pub replication_factor: i32,
}

/// The HTTP server for `/metrics`, `/livez` and `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Default 127.0.0.1:8083; port 0 takes any free one.
    pub listen: SocketAddr,
}

/// Reads a duration: a whole number and `ms`, `s`, `m`, `h` or `d`. The error says what to write, without the value.
///
/// # Errors
/// It is none.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    time::duration(text)
}

impl Config {
    /// Reads a file, with the variables of the process's environment.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong; then every problem is in the error.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |reason| ConfigError::Unreadable { path: path.to_owned(), reason };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(unreadable(std::io::Error::other("it is larger than 4 MiB")));
        }
        Self::parse(&text, &|name| std::env::var(name).ok()).map_err(|error| match error {
            ConfigError::Invalid { problems, .. } => ConfigError::Invalid { path: path.to_owned(), problems },
            error => error,
        })
    }

    /// Reads a text; `env` gives the value of a variable.
    ///
    /// # Errors
    /// Something is wrong; every problem is in the error, by line.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::parse_at(text, env, crate::clock::wall())
    }

    /// As [`parse`](Self::parse), with `since` held against `now`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_at(text: &str, env: &dyn Fn(&str) -> Option<String>, now: Timestamp) -> Result<Self, ConfigError> {
        let invalid = |problems| ConfigError::Invalid { path: PathBuf::from("configuration"), problems };
        let (root, problems) = yaml::parse(text).map_err(invalid)?;
        let mut context = Context::new(env, now);
        for Problem { path, line, message } in problems {
            context.problem(&path, line, message);
        }
        let config = read(&mut context, &root);
        let (problems, warnings) = context.findings();
        match config {
            Some(config) if problems.is_empty() => Ok(Self { warnings, ..config }),
            _ => Err(invalid(problems)),
        }
    }
}

/// The whole file; `None` only after a problem was noted.
fn read(context: &mut Context<'_>, root: &yaml::Node) -> Option<Config> {
    let Value::Map(_) = &root.value else {
        let found = root.value.kind();
        context.problem("", root.line, format!("the file is {found}: write the keys `kafka:` and `connectors:`"));
        return None;
    };
    let mut file = context.section(&Field { path: String::new(), line: root.line, node: root })?;
    file.check_keys(context, keys::FILE);
    let mut kafka = match file.get("kafka") {
        Some(field) => context.section(field).map(|section| kafka::read(context, &section)),
        None => {
            context.problem(
                "kafka",
                1,
                "is missing: write `kafka:` and, under it, `bootstrap.servers: localhost:9092`",
            );
            None
        }
    };
    let offsets = read_offsets(context, &file);
    let group_id = match file.get("group_id") {
        Some(field) => context.non_empty(field).map(|text| text.value),
        None => offsets.as_ref().map(|offsets| offsets.topic.clone()),
    };
    let group_instance_id =
        file.get("group_instance_id").map_or(Some(None), |field| topic::read_name(context, field).map(Some));
    let schema_registry = schema_registry::read(context, &file);
    let okta_http = okta_http::read(context, &file);
    let http = read_http(context, &file);
    let email = email::read(context, &file);
    let connectors = read_connectors(context, &file, offsets.as_ref());
    let endpoint = kafka.as_ref().and_then(|kafka| Origin::of(&kafka.oidc()?.token_endpoint));
    let registry = schema_registry.iter().flatten().flat_map(|registry| &registry.urls);
    let registry: Vec<Origin> = registry.filter_map(RegistryUrl::origin).collect();
    let orgs = connectors.iter().flatten().map(|connector| &connector.org).chain(&endpoint).chain(&registry);
    let okta_http = okta_http.and_then(|read| read.for_orgs(context, orgs));
    if let (Some(kafka), Some(network)) = (&mut kafka, &okta_http) {
        kafka.set_proxy(network);
    }
    Some(Config {
        kafka: kafka?,
        group_id: group_id?,
        group_instance_id: group_instance_id?,
        offsets: offsets?,
        schema_registry: schema_registry?,
        okta_http: okta_http?,
        http: http?,
        email: email?,
        connectors: connectors?,
        warnings: Vec::new(),
    })
}

fn read_offsets(context: &mut Context<'_>, file: &Section<'_>) -> Option<OffsetsConfig> {
    let mut offsets = OffsetsConfig {
        topic: "okta-kafka-source-offsets".to_owned(),
        partitions: 25,
        replication_factor: topic::BROKER_DEFAULT,
    };
    let Some(field) = file.get("offsets") else { return Some(offsets) };
    let mut section = context.section(field)?;
    section.check_keys(context, keys::OFFSETS);
    let topic = section.get("topic").map(|field| topic::read_name(context, field));
    let partitions = section.get("partitions").map(|field| topic::read_partitions(context, field));
    let replication = section.get("replication_factor").map(|field| topic::read_replication(context, field));
    if let Some(topic) = topic {
        offsets.topic = topic?;
    }
    if let Some(partitions) = partitions {
        offsets.partitions = partitions?;
    }
    if let Some(replication) = replication {
        offsets.replication_factor = replication?;
    }
    Some(offsets)
}

fn read_http(context: &mut Context<'_>, file: &Section<'_>) -> Option<HttpConfig> {
    let default = HttpConfig { listen: SocketAddr::from(([127, 0, 0, 1], 8083)) };
    let Some(field) = file.get("http") else { return Some(default) };
    let mut section = context.section(field)?;
    section.check_keys(context, keys::HTTP);
    let Some(field) = section.get("listen") else { return Some(default) };
    let text = context.text(field)?;
    match text.value.parse() {
        Ok(listen) => Some(HttpConfig { listen }),
        Err(_) => {
            let message = format!(
                "`{}` is not an IP address and a port: write `127.0.0.1:8083`, or `0.0.0.0:8083` for every interface",
                text.shown()
            );
            context.refuse(field, message);
            None
        }
    }
}

/// The connectors with their defaults; `None` after a problem with any of them.
fn read_connectors(
    context: &mut Context<'_>,
    file: &Section<'_>,
    offsets: Option<&OffsetsConfig>,
) -> Option<Vec<ConnectorConfig>> {
    let mut defaults = file.get("connector_defaults").and_then(|field| context.section(field));
    if let Some(defaults) = &mut defaults {
        if let Some(field) = defaults.get("name") {
            context.problem(&field.path, field.line, "cannot be shared: write a `name` in each connector");
        }
        defaults.check_keys(context, keys::CONNECTOR);
    }
    let defaults = defaults.map(|defaults| defaults.only(keys::CONNECTOR));
    let fields = connector_fields(context, file, defaults.as_ref());
    if let Some(defaults) = &defaults {
        rehearse_unused(context, defaults, &fields);
    }
    let mut read = Vec::with_capacity(fields.len());
    for fields in &fields {
        if context.is_full() {
            return None;
        }
        read.push(fields.read(context));
    }
    cross::check(context, &fields, &read, offsets);
    format::check(context, &fields, &read, file.get("schema_registry").is_some());
    read.into_iter().map(|read| read.config).collect()
}

fn connector_fields<'n>(
    context: &mut Context<'_>,
    file: &Section<'n>,
    defaults: Option<&Section<'n>>,
) -> Vec<ConnectorFields<'n>> {
    let example = "write at least one, as `- {name: acme, org: …, auth: …, topic: …}`";
    let Some(field) = file.get("connectors") else {
        context.problem("connectors", 1, format!("is missing: {example}"));
        return Vec::new();
    };
    let items = match &field.node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) | Value::Null => {
            context.refuse(field, format!("is empty: {example}"));
            return Vec::new();
        }
        Value::Refused => return Vec::new(),
        other => {
            context.refuse(field, format!("a list is expected here, not {}: {example}", other.kind()));
            return Vec::new();
        }
    };
    let mut fields = Vec::with_capacity(items.len());
    for (index, node) in items.iter().enumerate() {
        let field = Field { path: format!("{}[{index}]", field.path), line: node.line, node };
        if context.is_full() {
            break;
        }
        let Some(mut own) = context.section(&field) else { continue };
        own.check_keys(context, keys::CONNECTOR);
        fields.push(ConnectorFields::new(context, own, defaults));
    }
    fields
}

/// Defaults that every connector overrides are read too, so that a mistake in them is not found a year later.
fn rehearse_unused<'n>(context: &mut Context<'_>, defaults: &Section<'n>, connectors: &[ConnectorFields<'n>]) {
    let unused = |key: &str| {
        let used_in_part = key == "topic" && !connectors.is_empty();
        !used_in_part && connectors.iter().all(|connector| connector.own.get(key).is_some())
    };
    let mut rehearsal = context.rehearsal();
    ConnectorFields::new(&mut rehearsal, defaults.clone(), None).read(&mut rehearsal);
    let (problems, _) = rehearsal.findings();
    for problem in problems {
        let key = problem.path.strip_prefix("connector_defaults.").unwrap_or_default();
        let top = key.split('.').next().unwrap_or_default();
        // What a default lacks, a connector may have.
        if defaults.get(top).is_some_and(|_| unused(top)) && key != "topic.name" {
            context.problem(&problem.path, problem.line, problem.message);
        }
    }
}
