//! `kafka`: librdkafka's properties, checked by its own table and split by role.

mod kinds;
pub(super) mod librdkafka;
pub mod oidc;
mod relations;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use librdkafka::{Role, canonical, find, is_sensitive};
use oidc::{Oidc, TokenProxy};
use secrecy::ExposeSecret;

use super::section::{Context, Field, Section};
use super::text;
use super::yaml::Value;
use crate::okta::origin::Origin;
use crate::okta::proxy::Network;

/// Properties for the producers and the consumers, under librdkafka's names.
///
/// A property of the other role is in neither list: librdkafka would log it as a mistake. Debug shows no secret (I9).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaProperties {
    producer: BTreeMap<String, String>,
    consumer: BTreeMap<String, String>,
    oidc: Option<Arc<Oidc>>,
}

impl KafkaProperties {
    /// The properties for a cluster that needs nothing but its address, as the embedded broker.
    pub fn for_brokers(bootstrap_servers: &str) -> Self {
        let address = || BTreeMap::from([(BOOTSTRAP.to_owned(), bootstrap_servers.to_owned())]);
        let mut properties = Self { producer: address(), consumer: address(), oidc: None };
        properties.fill_in_defaults();
        properties
    }

    /// What a producer is made with: names and values, by name.
    pub fn producer(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.producer)
    }

    /// What a consumer is made with: names and values, by name.
    pub fn consumer(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.consumer)
    }

    /// What every client is made with, as a client for administration: how to reach the brokers.
    pub fn shared(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_shared = |name: &str| find(name).is_some_and(|property| property.role == Role::Both);
        pairs(&self.consumer).filter(move |(name, _)| is_shared(name))
    }

    /// A producer's property, under any of its names.
    pub fn get_producer(&self, name: &str) -> Option<&str> {
        get(&self.producer, name)
    }

    /// A consumer's property, under any of its names.
    pub fn get_consumer(&self, name: &str) -> Option<&str> {
        get(&self.consumer, name)
    }

    /// Where tokens come from, with `sasl.mechanism: OAUTHBEARER`. Clones share it.
    pub fn oidc(&self) -> Option<&Arc<Oidc>> {
        self.oidc.as_ref()
    }

    /// The token endpoint is asked through the same proxy as an org, by the same rules.
    pub(in crate::config) fn set_proxy(&mut self, network: &Network) {
        let Some(oidc) = &mut self.oidc else { return };
        let Some(endpoint) = Origin::of(&oidc.token_endpoint) else { return };
        let proxy = network.proxy_for(&endpoint).map(|proxy| TokenProxy {
            url: proxy.url().expose_secret().to_owned(),
            shown: proxy.to_string(),
            named_by: proxy.named_by(),
        });
        Arc::make_mut(oidc).proxy = proxy;
    }

    /// The brokers to start from, comma-separated.
    pub fn bootstrap_servers(&self) -> &str {
        get(&self.producer, BOOTSTRAP).unwrap_or_default()
    }

    /// Events are JSON and compress well; lz4 costs the least time for it.
    fn fill_in_defaults(&mut self) {
        if get(&self.producer, "compression.type").is_none() {
            self.producer.insert("compression.type".to_owned(), "lz4".to_owned());
        }
    }
}

const BOOTSTRAP: &str = "bootstrap.servers";

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn get<'p>(map: &'p BTreeMap<String, String>, name: &str) -> Option<&'p str> {
    let wanted = canonical(name);
    map.iter().find(|(name, _)| canonical(name) == wanted).map(|(_, value)| value.as_str())
}

impl fmt::Debug for KafkaProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |map: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            let value = |(name, value): (&str, &str)| {
                (name.to_owned(), if is_sensitive(name) { "***".to_owned() } else { value.to_owned() })
            };
            pairs(map).map(value).collect()
        };
        f.debug_struct("KafkaProperties")
            .field("producer", &shown(&self.producer))
            .field("consumer", &shown(&self.consumer))
            .field("oidc", &self.oidc)
            .finish()
    }
}

/// The part of `kafka` that a property stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Common,
    Producer,
    Consumer,
}

/// A property that was found good, by its own rules.
#[derive(Clone)]
struct Setting {
    name: String,
    value: String,
    path: String,
    line: usize,
}

/// By canonical name.
type Settings = BTreeMap<String, Setting>;

/// Reads `kafka`; whatever is wrong is noted, and the rest is still read.
pub(super) fn read(context: &mut Context<'_>, section: &Section<'_>) -> KafkaProperties {
    let common = read_place(context, section, Place::Common);
    let mut of_role = |key: &str, place| match section.get(key) {
        None => Settings::new(),
        Some(field) => context.section(field).map_or(Settings::new(), |section| read_place(context, &section, place)),
    };
    let (producer, consumer) = (of_role("producer", Place::Producer), of_role("consumer", Place::Consumer));
    let attempted = attempted(context, section);
    if !attempted.contains(canonical(BOOTSTRAP)) {
        let message = "is missing: write the brokers' addresses, as `bootstrap.servers: localhost:9092`";
        context.problem(&section.child(BOOTSTRAP), section.line, message);
    }
    let mut producer = for_role(&common, producer, Role::Producer);
    let mut consumer = for_role(&common, consumer, Role::Consumer);
    relations::check(context, &producer, &consumer, &attempted);
    let oidc = oidc::take(&mut producer, &mut consumer);
    let values = |settings: Settings| settings.into_values().map(|setting| (setting.name, setting.value)).collect();
    let mut properties = KafkaProperties { producer: values(producer), consumer: values(consumer), oidc };
    properties.fill_in_defaults();
    properties
}

/// What the file tries to set, by canonical name: a property whose name or value is wrong is not also missing.
fn attempted(context: &Context<'_>, section: &Section<'_>) -> BTreeSet<String> {
    let mut attempted = BTreeSet::new();
    for (key, field) in section.iter() {
        match &field.node.value {
            // `producer: {…}`, and `sasl: {mechanism: …}`, which is the dotted name taken for nesting.
            Value::Map(entries) => attempted.extend(entries.iter().flat_map(|entry| {
                [canonical(&entry.key).to_owned(), canonical(&format!("{key}.{}", entry.key)).to_owned()]
            })),
            _ if find(key).is_some() => drop(attempted.insert(canonical(key).to_owned())),
            _ if key.split_once(':').is_some_and(|(first, _)| find(first).is_some()) => {
                attempted.extend(key.split_once(':').map(|(first, _)| canonical(first).to_owned()));
            }
            _ if key == "sasl.jaas.config" => attempted.extend(["sasl.username", "sasl.password"].map(str::to_owned)),
            _ => attempted.extend(nearest(context, key, &[]).map(|near| canonical(near).to_owned())),
        }
    }
    attempted
}

/// The settable property, or the section, that an unknown name was probably meant to be.
fn nearest(context: &Context<'_>, name: &str, sections: &[&'static str]) -> Option<&'static str> {
    let settable = librdkafka::PROPERTIES.iter().map(|row| row.name).filter(|name| rules::refusal(name).is_none());
    context.nearest(name, settable.chain(sections.iter().copied()))
}

/// What the role knows of the common properties, and its own over them.
fn for_role(common: &Settings, own: Settings, role: Role) -> Settings {
    let known = |name: &str| find(name).is_some_and(|row| row.role == Role::Both || row.role == role);
    let mut settings: Settings =
        common.iter().filter(|(name, _)| known(name)).map(|(name, setting)| (name.clone(), setting.clone())).collect();
    settings.extend(own);
    settings
}

fn read_place(context: &mut Context<'_>, section: &Section<'_>, place: Place) -> Settings {
    let mut settings = Settings::new();
    for (name, field) in section.iter() {
        if place == Place::Common && matches!(name, "producer" | "consumer") {
            continue;
        }
        let Some(value) = read_property(context, section, name, field, place) else { continue };
        let canonical_name = canonical(name).to_owned();
        if let Some(other) = settings.get(&canonical_name) {
            let message =
                format!("is `{}` of line {} under another name: remove one of the two", other.name, other.line);
            context.problem(&field.path, field.line, message);
            continue;
        }
        let setting = Setting { name: name.to_owned(), value, path: field.path.clone(), line: field.node.line };
        settings.insert(canonical_name, setting);
    }
    settings
}

fn read_property(
    context: &mut Context<'_>,
    section: &Section<'_>,
    name: &str,
    field: &Field<'_>,
    place: Place,
) -> Option<String> {
    if let Some(reason) = rules::refusal(name) {
        context.problem(&field.path, field.line, reason);
        return None;
    }
    let Some(property) = find(name) else {
        unknown(context, section, name, field, place);
        return None;
    };
    let home = match (place, property.role) {
        (Place::Producer, Role::Consumer) => Some("a consumer's property: move it to `kafka.consumer`"),
        (Place::Consumer, Role::Producer) => Some("a producer's property: move it to `kafka.producer`"),
        (Place::Producer | Place::Consumer, _) if canonical(name) == canonical(BOOTSTRAP) => {
            Some("the same for producers and consumers, which share transactions: write it in `kafka`")
        }
        (Place::Producer | Place::Consumer, _) if oidc::is_ours(name) => {
            Some("the same for producers and consumers, which share a token: write it in `kafka`")
        }
        _ => None,
    };
    if let Some(home) = home {
        context.problem(&field.path, field.line, format!("`{name}` is {home}"));
        return None;
    }
    if let (Value::List(_), true) = (&field.node.value, canonical(name) == canonical(BOOTSTRAP)) {
        context.refuse(field, "is a list: write the brokers as one value, comma-separated, as `a:9092,b:9092`");
        return None;
    }
    let text = context.text(field)?;
    // What is not shown cannot leak; what is shown is as written, never as interpolated.
    let shown = if is_sensitive(name) { "the value".to_owned() } else { format!("`{}`", text.shown()) };
    if text.value.contains('\0') {
        context.refuse(field, format!("{shown} has a NUL character: remove it"));
        return None;
    }
    if canonical(name) == canonical(BOOTSTRAP) && text.value.trim().is_empty() {
        context.refuse(field, "is empty: write the brokers' addresses, as `localhost:9092`");
        return None;
    }
    let wrong = kinds::error(name, property.kind, &text.value)
        .or_else(|| rules::limit(name, &text.value))
        .or_else(|| oidc::limit(name, &text.value));
    match wrong {
        None => Some(text.value),
        Some(error) => {
            context.refuse(field, format!("{shown} {error}"));
            None
        }
    }
}

fn unknown(context: &mut Context<'_>, section: &Section<'_>, name: &str, field: &Field<'_>, place: Place) {
    // `bootstrap: {servers: …}` is the dotted name taken for nesting.
    if let Value::Map(entries) = &field.node.value {
        let dotted = entries.iter().map(|entry| format!("{name}.{}", entry.key)).filter(|name| find(name).is_some());
        let lines: Vec<String> = dotted.map(|name| format!("`{name}: …`")).collect();
        if !lines.is_empty() {
            let place = if lines.len() == 1 { "on one line" } else { "each on a line of its own" };
            let message = format!("is part of a property's name: write {} {place}", lines.join(", "));
            context.problem(&field.path, field.line, message);
            return;
        }
    }
    let sections = if place == Place::Common { &["producer", "consumer"][..] } else { &[] };
    if let Some((first, _)) = name.split_once(':')
        && find(first).is_some()
    {
        context.problem(&section.child(first), field.line, format!("a space is missing after `{first}:`: write it"));
        return;
    }
    let message = match nearest(context, name, sections) {
        Some(near) => format!("unknown property `{}`: did you mean `{near}`?", text::name(name)),
        None if super::keys::FILE.contains(&name) => {
            format!("`{name}` does not belong here: move it to the top level of the file")
        }
        None => format!(
            "unknown property `{}`: write a property of librdkafka 2.12, as its CONFIGURATION.md lists them",
            text::name(name)
        ),
    };
    context.problem(&section.child(&text::name(name)), field.line, message);
}
