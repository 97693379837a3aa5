//! Whether a text is a value of a property's kind, before librdkafka says so at run time.

use super::librdkafka::Kind;
use crate::config::time;

/// What is wrong with a value, without the value; read as librdkafka reads it.
pub(super) fn error(name: &str, kind: Kind, value: &str) -> Option<String> {
    match kind {
        // Our own keys have units, librdkafka's have them in their names.
        Kind::Int(..) | Kind::Float(..) if name.ends_with(".ms") && time::duration(value).is_ok() => {
            let millis = time::duration(value).unwrap_or_default().as_millis();
            Some(format!("has a unit: write the number of milliseconds, `{millis}`"))
        }
        Kind::Text => None,
        // librdkafka takes `t`, `f`, `1` and `0` too.
        Kind::Bool if ["true", "false", "t", "f", "1", "0"].iter().any(|word| word.eq_ignore_ascii_case(value)) => None,
        Kind::Bool => Some("is neither true nor false: write `true` or `false`".to_owned()),
        Kind::Int(low, high) => match value.parse::<i64>() {
            // A leading zero would be octal to librdkafka.
            Ok(number) if (low..=high).contains(&number) && number.to_string() == value => None,
            _ => Some(format!("is not a whole number from {low} to {high}: write one")),
        },
        Kind::Float(low, high) => match value.parse::<f64>() {
            Ok(number) if (low..=high).contains(&number) => None,
            _ => Some(format!("is not a number from {low} to {high}: write one")),
        },
        Kind::Enum(words) if words.iter().any(|word| word.eq_ignore_ascii_case(value)) => None,
        Kind::Enum(words) => Some(format!("is not one of its values: write {}", listed(words))),
        Kind::Flags(words) => {
            let known = |flag: &str| flag.is_empty() || words.iter().any(|word| word.eq_ignore_ascii_case(flag));
            let flags_known = value.split(',').all(|flag| known(flag.trim().trim_start_matches(['+', '-'])));
            (!flags_known).then(|| format!("has a word that is not known: write any of {}", listed(words)))
        }
    }
}

/// Whether a value of [`Kind::Bool`] says yes.
pub(super) fn is_true(value: &str) -> bool {
    ["true", "t", "1"].iter().any(|word| word.eq_ignore_ascii_case(value))
}

fn listed(words: &[&str]) -> String {
    crate::config::section::list(words)
}
