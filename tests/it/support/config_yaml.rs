//! Configuration files for the tests, written as a user writes them.

use std::fmt::Write;

use super::ports::free_port;
use super::topics::random_name;

/// A configuration with random names, so that tests on one broker never meet.
#[derive(Clone, Debug)]
pub struct ConfigYaml {
    pub bootstrap: String,
    /// `key: value` lines under `kafka:`, as `producer: {linger.ms: 500}`.
    pub kafka: Vec<String>,
    pub group_id: String,
    pub group_instance_id: Option<String>,
    pub offsets_topic: String,
    pub offsets_partitions: u32,
    pub http_listen: String,
    pub connectors: Vec<ConnectorYaml>,
    /// More lines at the top level.
    pub extra: Vec<String>,
}

/// One entry of `connectors`.
#[derive(Clone, Debug)]
pub struct ConnectorYaml {
    pub name: String,
    pub org: String,
    /// As it stands in the file: a token, or `${env:NAME}`.
    pub token: String,
    /// The value of `auth` where it is not `{ssws: token}`.
    pub auth: Option<String>,
    pub topic: String,
    pub topic_partitions: u32,
    /// Whether the program may create its topics.
    pub create: bool,
    pub interval: String,
    pub since: String,
    /// Of the data topic, where the program makes it.
    pub retention_ms: i64,
    /// More `key: value` lines.
    pub extra: Vec<String>,
}

impl ConfigYaml {
    /// No connectors yet; 25 offsets partitions would only slow the tests, so there are 4.
    pub fn new(bootstrap: &str) -> Self {
        let offsets_topic = random_name("offsets");
        Self {
            bootstrap: bootstrap.to_owned(),
            kafka: Vec::new(),
            group_id: offsets_topic.clone(),
            group_instance_id: None,
            offsets_topic,
            offsets_partitions: 4,
            http_listen: format!("127.0.0.1:{}", free_port()),
            connectors: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// With one line more under `kafka:`.
    pub fn kafka(mut self, line: &str) -> Self {
        self.kafka.push(line.to_owned());
        self
    }

    /// With this schema registry.
    pub fn schema_registry(mut self, url: &str) -> Self {
        self.extra.push(format!("schema_registry: {{url: '{url}'}}"));
        self
    }

    /// With static membership.
    pub fn group_instance_id(mut self, id: &str) -> Self {
        self.group_instance_id = Some(id.to_owned());
        self
    }

    /// With one connector more.
    pub fn connector(mut self, connector: ConnectorYaml) -> Self {
        self.connectors.push(connector);
        self
    }

    /// With this instead of `offsets.partitions: 4`.
    pub fn offsets_partitions(mut self, partitions: u32) -> Self {
        self.offsets_partitions = partitions;
        self
    }

    /// The same for a second worker: only the address of its own HTTP pages differs.
    pub fn second_worker(&self) -> Self {
        Self { http_listen: format!("127.0.0.1:{}", free_port()), ..self.clone() }
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let yaml = &mut text;
        line(yaml, format_args!("kafka:"));
        line(yaml, format_args!("  bootstrap.servers: {}", quoted(&self.bootstrap)));
        for extra in &self.kafka {
            line(yaml, format_args!("  {extra}"));
        }
        line(yaml, format_args!("group_id: {}", quoted(&self.group_id)));
        if let Some(id) = &self.group_instance_id {
            line(yaml, format_args!("group_instance_id: {}", quoted(id)));
        }
        line(yaml, format_args!("offsets:"));
        line(yaml, format_args!("  topic: {}", quoted(&self.offsets_topic)));
        line(yaml, format_args!("  partitions: {}", self.offsets_partitions));
        line(yaml, format_args!("http:"));
        line(yaml, format_args!("  listen: {}", self.http_listen));
        for extra in &self.extra {
            line(yaml, format_args!("{extra}"));
        }
        line(yaml, format_args!("connectors:"));
        for connector in &self.connectors {
            connector.render(yaml);
        }
        text
    }
}

impl ConnectorYaml {
    /// A connector of `org` with that token: a topic of its own with 3 partitions, a short interval, and a cold start
    /// that reaches back 30 days.
    pub fn new(name: &str, org: &str, token: &str) -> Self {
        Self {
            name: name.to_owned(),
            org: org.to_owned(),
            token: token.to_owned(),
            auth: None,
            topic: random_name("system-log"),
            topic_partitions: 3,
            create: true,
            interval: "1s".to_owned(),
            since: "30d".to_owned(),
            retention_ms: -1,
            extra: Vec::new(),
        }
    }

    /// Into a topic of that name.
    pub fn topic(mut self, topic: &str) -> Self {
        self.topic = topic.to_owned();
        self
    }

    /// With this as the value of `auth`, as `{oauth: {client_id: …}}`.
    pub fn auth(mut self, auth: &str) -> Self {
        self.auth = Some(auth.to_owned());
        self
    }

    /// With that interval, as `1s`.
    pub fn interval(mut self, interval: &str) -> Self {
        self.interval = interval.to_owned();
        self
    }

    /// With that `since`: an age, an RFC 3339 time, or `now`.
    pub fn since(mut self, since: &str) -> Self {
        self.since = since.to_owned();
        self
    }

    /// With one `key: value` line more.
    pub fn extra(mut self, line: &str) -> Self {
        self.extra.push(line.to_owned());
        self
    }

    fn render(&self, yaml: &mut String) {
        line(yaml, format_args!("  - name: {}", quoted(&self.name)));
        line(yaml, format_args!("    org: {}", quoted(&self.org)));
        match &self.auth {
            Some(auth) => line(yaml, format_args!("    auth: {auth}")),
            None => line(yaml, format_args!("    auth: {{ssws: {}}}", quoted(&self.token))),
        }
        // The simulated org's events may be old, and Kafka would delete them by their own time.
        line(
            yaml,
            format_args!(
                "    topic: {{name: {}, partitions: {}, create: {}, config: {{retention.ms: {}}}}}",
                quoted(&self.topic),
                self.topic_partitions,
                self.create,
                self.retention_ms
            ),
        );
        line(yaml, format_args!("    interval: {}", self.interval));
        line(yaml, format_args!("    since: {}", quoted(&self.since)));
        for extra in &self.extra {
            line(yaml, format_args!("    {extra}"));
        }
    }
}

fn line(yaml: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(yaml, "{text}").expect("writing to a string does not fail");
}

/// A JSON string is a YAML string, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
