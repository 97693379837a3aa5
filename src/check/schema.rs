//! The schema registry: what each subject of the file holds, and what `run` would do there.

use super::line::Line;
use crate::config::{Config, Format};
use crate::registry::{Found, Registry, RegistryError, Severity};

/// The rule by which our schema grows (schemas/README.md).
const OUR_RULE: &str = "FULL_TRANSITIVE";

/// What to do with each subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Look, and change nothing.
    Look,
    /// Register our schema where it is not there.
    Register,
}

/// A line for each subject of the file's connectors, in their order. None where nobody writes Avro.
pub async fn lines<E>(config: &Config, deed: Deed, mut say: impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
    // Without the section no connector writes Avro: the file would not have been read.
    let Some(section) = &config.schema_registry else { return Ok(()) };
    let registry = match Registry::new(section, &config.okta_http) {
        Ok(registry) => registry,
        Err(error) => return say(Line::fail("schema registry", error)),
    };
    let mut subjects: Vec<String> = Vec::new();
    for connector in config.connectors.iter().filter(|connector| connector.format == Format::Avro) {
        let topic = &connector.topic.name;
        let subject = registry.subject(topic);
        if subjects.contains(&subject) {
            continue;
        }
        let what = format!("schema `{subject}`");
        subjects.push(subject);
        let said = match deed {
            Deed::Look => registry.look(topic).await.map(|found| looked(found, section.auto_register)),
            Deed::Register => registered(&registry, topic).await,
        };
        match said {
            Ok(said) => say(Line::ok(what, said + &rule(&registry, topic).await))?,
            // One that does not answer for one subject does not answer for the others.
            Err(error) if error.severity() == Severity::Retry => return say(Line::fail("schema registry", error)),
            Err(error) => say(Line::fail(what, error))?,
        }
    }
    Ok(())
}

fn looked(found: Found, auto_register: bool) -> String {
    match found {
        Found::Registered { id, version } => format!("our schema is there: id {id}{}", of_version(version)),
        Found::Nothing if auto_register => "nothing there yet; `run` registers our schema".to_owned(),
        Found::OtherVersions { latest } if auto_register => format!(
            "other versions of our schema are there{}, with which ours gets on; `run` registers it",
            match latest {
                0 => String::new(),
                latest => format!(", the latest {latest}"),
            }
        ),
        // `look` says this as an error; here for the sake of the match.
        Found::Nothing | Found::OtherVersions { .. } => "our schema is not there".to_owned(),
    }
}

async fn registered(registry: &Registry, topic: &str) -> Result<String, RegistryError> {
    match registry.look(topic).await {
        // Told apart, as somebody may want to know whether the call did something.
        Ok(Found::Registered { id, version }) => {
            return Ok(format!("our schema was there already: id {id}{}", of_version(version)));
        }
        // What `run` must not do, somebody who asks for it may.
        Ok(Found::Nothing | Found::OtherVersions { .. }) | Err(RegistryError::NotRegistered { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(format!("our schema is registered: id {}", registry.register(topic).await?))
}

fn of_version(version: u64) -> String {
    if version == 0 { String::new() } else { format!(", version {version}") }
}

/// A remark, where the registry would let others break what our readers rely on.
async fn rule(registry: &Registry, topic: &str) -> String {
    match registry.rule(topic).await {
        Some(rule) if rule != OUR_RULE => {
            format!(
                "; the registry says that its rule there is {rule}, and our versions keep to {OUR_RULE}; so that nobody else can break it, PUT {{\"compatibility\": \"{OUR_RULE}\"}} to its /config/{}",
                registry.subject(topic)
            )
        }
        _ => String::new(),
    }
}
