//! The keys of the file, by the map they belong to.

use super::kafka::librdkafka;
use super::topic_settings;

/// Of the file itself.
pub(super) const FILE: &[&str] = &[
    "kafka",
    "group_id",
    "group_instance_id",
    "offsets",
    "schema_registry",
    "okta_http",
    "http",
    "email",
    "connector_defaults",
    "connectors",
];
/// Of `offsets`.
pub(super) const OFFSETS: &[&str] = &["topic", "partitions", "replication_factor"];
/// Of `schema_registry`.
pub(super) const SCHEMA_REGISTRY: &[&str] =
    &["url", "basic_auth", "bearer_token", "ca_file", "auto_register", "subject_strategy"];
/// Of `schema_registry.basic_auth`.
pub(super) const BASIC_AUTH: &[&str] = &["username", "password"];
/// Of `okta_http`.
pub(super) const OKTA_HTTP: &[&str] = &["proxy_url", "ca_file"];
/// Of `http`.
pub(super) const HTTP: &[&str] = &["listen"];
/// Of `email`.
pub(super) const EMAIL: &[&str] =
    &["host", "port", "security", "login", "hello", "from", "subject", "ca_file", "max_attachment_size", "timeout"];
/// Of `email.login`.
pub(super) const EMAIL_LOGIN: &[&str] = &["username", "password"];
/// Of a connector.
pub(super) const CONNECTOR: &[&str] = &[
    "name",
    "org",
    "auth",
    "topic",
    "format",
    "interval",
    "limit",
    "large_pages",
    "since",
    "filter",
    "q",
    "dead_letter_topic",
    "errors_tolerance",
    "rate_limit_share",
    "rate_limit_bulk_reserve",
    "allow_overlap",
    "recovery_overlap",
    "on_lost_cursor",
    "on_query_change",
];
/// Of `auth`.
pub(super) const AUTH: &[&str] = &["ssws", "oauth"];
/// Of `auth.oauth`.
pub(super) const OAUTH: &[&str] = &["client_id", "private_key", "key_id", "algorithm", "scopes", "dpop"];
/// Of a `topic` that is a map.
pub(super) const TOPIC: &[&str] = &["name", "partitions", "replication_factor", "create", "config"];

/// Where a key that stands in the wrong place belongs.
pub(super) fn home_of(key: &str) -> Option<&'static str> {
    // The order decides for keys that several maps have, as `topic`.
    let homes: [(&[&str], &str); 11] = [
        (FILE, "the top level of the file"),
        (CONNECTOR, "a connector, or `connector_defaults`"),
        (AUTH, "the connector's `auth`"),
        (OAUTH, "the connector's `auth.oauth`"),
        (HTTP, "`http`"),
        (OKTA_HTTP, "`okta_http`"),
        (SCHEMA_REGISTRY, "`schema_registry`"),
        (BASIC_AUTH, "`basic_auth` of `schema_registry`"),
        (EMAIL, "`email`"),
        (OFFSETS, "`offsets`, or a connector's `topic`"),
        (TOPIC, "the connector's `topic`"),
    ];
    let home = homes.iter().find(|(keys, _)| keys.contains(&key)).map(|(_, home)| *home);
    home.or_else(|| {
        topic_settings::names()
            .any(|name| name == key)
            .then_some("the `config` of the connector's `topic`, which is a map then")
    })
    .or_else(|| librdkafka::find(key).map(|_| "`kafka`"))
}
