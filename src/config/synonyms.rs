//! Names that other programs have for our keys.

/// Ours, and theirs.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("connectors", &["sources", "orgs", "tenants"]),
    ("group_id", &["group", "consumer_group"]),
    ("group_instance_id", &["worker", "worker_id", "instance_id"]),
    ("proxy_url", &["proxy", "https_proxy", "http_proxy"]),
    ("ca_file", &["ca", "cafile", "ca_cert", "ca_bundle", "ca_location"]),
    ("listen", &["port", "host", "address", "bind"]),
    ("org", &["url", "org_url", "host", "domain", "okta_domain", "base_url"]),
    ("auth", &["token", "api_token", "credentials"]),
    ("interval", &["poll_interval", "polling_interval", "poll_frequency", "frequency", "period", "every"]),
    ("limit", &["page_size", "batch_size", "max_results"]),
    ("since", &["from", "start", "start_date", "start_from", "lookback", "initial_offset"]),
    ("rate_limit_share", &["rate_limit", "rate_limit_percent", "rate_limit_percentage", "max_rate"]),
    ("filter", &["filters", "expression"]),
    ("q", &["query", "keyword", "keywords", "search"]),
    ("dead_letter_topic", &["dlq", "dlq_topic", "dead_letter_queue", "error_topic", "errors_topic"]),
    ("topic", &["name", "topic_name", "kafka_topic", "output_topic"]),
    ("partitions", &["num_partitions", "partition_count", "shards"]),
    ("replication_factor", &["replicas", "replication"]),
    ("config", &["configs", "settings", "properties"]),
    ("ssws", &["token", "api_token", "apitoken", "api_key", "apikey", "okta_api_token"]),
    ("oauth", &["oauth2", "service_app", "private_key_jwt"]),
    ("client_id", &["clientid", "client", "app_id", "application_id"]),
    (
        "private_key",
        &["key", "privatekey", "jwk", "pem", "private_jwk", "private_key_file", "private_key_path", "key_file"],
    ),
    ("key_id", &["kid", "keyid", "private_key_id", "public_key_id"]),
    ("algorithm", &["alg", "signing_algorithm"]),
    ("scopes", &["scope"]),
    ("dpop", &["use_dpop", "dpop_enabled", "dpop_bound"]),
    ("schema_registry", &["registry", "schema_registry_url", "schema.registry.url"]),
    ("url", &["urls", "endpoint", "schema_registry_url", "schema.registry.url"]),
    ("basic_auth", &["basic", "basic_auth_user_info", "basic.auth.user.info", "auth", "credentials"]),
    ("bearer_token", &["bearer", "token", "bearer_auth_token", "bearer.auth.token"]),
    ("auto_register", &["auto_register_schemas", "auto.register.schemas", "register"]),
    (
        "subject_strategy",
        &["strategy", "subject_name_strategy", "value_subject_name_strategy", "subject.name.strategy"],
    ),
    ("username", &["user", "login", "api_key", "key"]),
    ("password", &["pass", "passwd", "secret", "api_secret"]),
    ("sasl.username", &["sasl.user", "sasl.user.name", "sasl.login"]),
    ("sasl.password", &["sasl.pass", "sasl.secret"]),
    ("bootstrap.servers", &["brokers", "broker", "servers", "hosts", "broker.list"]),
];

/// The key among `known` that another program calls `unknown`.
pub(super) fn find<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let unknown = unknown.to_ascii_lowercase().replace('-', "_");
    known.into_iter().find(|known| {
        let theirs = SYNONYMS.iter().filter(|(ours, _)| ours == known).flat_map(|(_, theirs)| theirs.iter());
        theirs.into_iter().any(|theirs| *theirs == unknown)
    })
}
