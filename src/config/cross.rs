//! What is wrong only between connectors, or between them and the offsets topic.

use std::collections::HashMap;

use super::connector::{ConnectorFields, ConnectorRead};
use super::section::Context;
use super::{OffsetsConfig, text};

/// Notes what does not go together, at the later of two connectors; what could not be read is left out.
pub(super) fn check(
    context: &mut Context<'_>,
    fields: &[ConnectorFields<'_>],
    read: &[ConnectorRead],
    offsets: Option<&OffsetsConfig>,
) {
    let offsets = offsets.map(|offsets| offsets.topic.as_str());
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut destinations = HashMap::new();
    let topic_owners: HashMap<&str, usize> =
        read.iter().enumerate().filter_map(|(at, one)| Some((one.topic.as_deref()?, at))).collect();
    for (at, (fields, one)) in fields.iter().zip(read).enumerate() {
        let (path, line) = fields.place("name");
        if let Some(name) = one.name.as_deref() {
            if let Some(first) = names.get(name) {
                let message = format!("is the name of the connector of line {first} too: write another");
                context.problem(&path, line, message);
            } else {
                names.insert(name, line);
            }
        }
        let (path, line) = fields.place("topic");
        // What cannot be read is a problem of its own already.
        let allowed = one.allow_overlap.unwrap_or(true);
        if let (Some(org), Some(topic)) = (&one.org, &one.topic)
            && let Some((other, other_allowed)) = destinations.insert((org, topic), (line, allowed))
            && !(allowed && other_allowed)
        {
            let message = format!(
                "the connector of line {other} takes the same org to the same topic, so an event that both match \
                 would be there twice: write another topic, or `allow_overlap: true` in both"
            );
            context.problem(&path, line, message);
        }
        if offsets.is_some() && offsets == one.topic.as_deref() {
            context.problem(&path, line, "is the offsets topic, which is compacted: write another");
        }
        let (path, line) = fields.place("dead_letter_topic");
        let Some(dead_letters) = one.dead_letter_topic.as_deref() else { continue };
        if offsets == Some(dead_letters) {
            context.problem(
                &path,
                line,
                "the dead letter topic is the offsets topic: write another `dead_letter_topic`",
            );
        }
        if let Some(other) = topic_owners.get(dead_letters).filter(|other| **other != at) {
            let name =
                read[*other].name.as_deref().map_or_else(String::new, |name| format!(" `{}`", text::shown(name)));
            let message =
                format!("the dead letter topic is the topic of connector{name}: write another `dead_letter_topic`");
            context.problem(&path, line, message);
        }
    }
}
