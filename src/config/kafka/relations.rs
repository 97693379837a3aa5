//! Properties that are good alone and wrong together: what librdkafka would say when a client is made.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use super::{Context, Setting, Settings, oidc, rules};

/// Notes what does not go together, at the line of the property that has to change.
pub(super) fn check(context: &mut Context<'_>, producer: &Settings, consumer: &Settings, attempted: &BTreeSet<String>) {
    // What both have is checked in both and noted once.
    for settings in [producer, consumer] {
        security(context, settings, attempted);
        at_least(context, settings, "reconnect.backoff.max.ms", "reconnect.backoff.ms", 0);
        at_least(context, settings, "fetch.max.bytes", "message.max.bytes", 0);
        at_least(context, settings, "receive.message.max.bytes", "fetch.max.bytes", 512);
    }
    group(context, consumer);
}

fn security(context: &mut Context<'_>, settings: &Settings, attempted: &BTreeSet<String>) {
    let value = |name: &str| settings.get(name).map(|setting| setting.value.to_ascii_lowercase());
    let protocol = value("security.protocol").unwrap_or_else(|| "plaintext".to_owned());
    if let Some(brokers) = settings.get("metadata.broker.list")
        && brokers.value.split(',').filter_map(rules::scheme).any(|scheme| !scheme.eq_ignore_ascii_case(&protocol))
    {
        let message = format!("names another protocol than `security.protocol: {protocol}`: write host and port alone");
        refuse(context, brokers, &message);
    }
    let mechanism = settings.get("sasl.mechanisms");
    let bearer = mechanism.filter(|mechanism| mechanism.value == "OAUTHBEARER" && protocol.starts_with("sasl"));
    oidc::check(context, settings, attempted, bearer);
    if let (true, Some(setting)) = (protocol.starts_with("sasl"), settings.get("security.protocol")) {
        match mechanism {
            None if attempted.contains("sasl.mechanisms") => {}
            None => refuse(context, setting, "needs a mechanism: write `sasl.mechanism`, as `SCRAM-SHA-512`"),
            Some(mechanism) if mechanism.value != "OAUTHBEARER" => {
                let missing = ["sasl.username", "sasl.password"]
                    .into_iter()
                    .find(|name| !settings.contains_key(*name) && !attempted.contains(*name));
                if let Some(missing) = missing {
                    refuse(context, mechanism, &format!("needs a user and a password: write `{missing}`"));
                }
            }
            Some(_) => {}
        }
    } else if let Some(mechanism) = mechanism {
        let message = format!(
            "has no effect with `security.protocol: {protocol}`: write `security.protocol: sasl_ssl`, or remove it"
        );
        context.warning(&mechanism.path, mechanism.line, message);
    }
    files(context, settings);
    let of = |name: &str| ["location", "pem"].iter().find_map(|form| settings.get(&format!("ssl.{name}.{form}")));
    let tried = |name: &str| ["location", "pem"].iter().any(|form| attempted.contains(&format!("ssl.{name}.{form}")));
    match (of("certificate"), of("key")) {
        (Some(certificate), None) if !tried("key") => {
            refuse(context, certificate, "needs its key: write `ssl.key.location`")
        }
        (None, Some(key)) if !tried("certificate") => {
            refuse(context, key, "needs its certificate: write `ssl.certificate.location`")
        }
        _ => {}
    }
    if let Some(store) = settings.get("ssl.keystore.location")
        && !settings.contains_key("ssl.keystore.password")
        && !attempted.contains("ssl.keystore.password")
    {
        refuse(context, store, "needs the store's password: write `ssl.keystore.password`");
    }
}

/// What librdkafka would tell with OpenSSL's words only.
fn files(context: &mut Context<'_>, settings: &Settings) {
    const FILES: [&str; 5] = [
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.keystore.location",
        "ssl.crl.location",
    ];
    for setting in FILES.into_iter().filter_map(|name| settings.get(name)) {
        let is_folder = || setting.name == "ssl.ca.location" && Path::new(&setting.value).is_dir();
        if setting.value == "probe" && setting.name == "ssl.ca.location" || is_folder() {
            continue;
        }
        if let Err(error) = File::open(&setting.value) {
            let message = format!("cannot be read ({}): check the path, and who may read it", error.kind());
            refuse(context, setting, &message);
        }
    }
}

fn group(context: &mut Context<'_>, settings: &Settings) {
    let new_protocol = settings.get("group.protocol").is_some_and(|s| s.value.eq_ignore_ascii_case("consumer"));
    if new_protocol {
        for name in ["session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type"] {
            if let Some(setting) = settings.get(name) {
                refuse(context, setting, "is the broker's to set with `group.protocol: consumer`: remove it");
            }
        }
        return;
    }
    at_least(context, settings, "max.poll.interval.ms", "session.timeout.ms", 0);
}

/// Where both are set, the first must be at least the second and `more`.
fn at_least(context: &mut Context<'_>, settings: &Settings, name: &str, other: &str, more: i64) {
    let number = |name: &str| settings.get(name).and_then(|s| s.value.parse::<i64>().ok().map(|n| (s, n)));
    if let (Some((setting, value)), Some((_, least))) = (number(name), number(other))
        && value < least + more
    {
        let than = if more == 0 { format!("`{other}`") } else { format!("`{other}` and {more}") };
        refuse(context, setting, &format!("is less than {than}: raise it, or lower the other"));
    }
}

fn refuse(context: &mut Context<'_>, setting: &Setting, message: &str) {
    context.problem(&setting.path, setting.line, message);
}
