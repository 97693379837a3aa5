//! Values that are wrong: refused before anything runs, in words that say what to do, and without the secret.

use std::fs;

use tempfile::TempDir;

use crate::support::helm::Helm;
use crate::support::leak::Secret;
use crate::support::prove;

/// What stands where a reference belongs.
const LITERAL: &str = "00Zq-this-is-the-secret-itself-8h3";

/// Values, and what is said of them.
const WRONG: &[(&str, &[&str])] = &[
    // A key that is not there, at each level.
    ("replica: 2", &["additional properties 'replica' not allowed"]),
    ("image: {name: x}", &["/image", "'name' not allowed"]),
    ("serviceMonitor: {enable: true}", &["/serviceMonitor", "'enable' not allowed"]),
    ("secret: {token: LITERAL}", &["'secret' not allowed"]),
    // A type, a name or a number that can't be.
    ("replicas: two", &["/replicas", "want integer"]),
    ("replicas: -1", &["/replicas", "minimum"]),
    ("strategy: {type: Rolling}", &["/strategy/type", "'Recreate', 'RollingUpdate'"]),
    ("image: {repository: ''}", &["/image/repository"]),
    ("image: {repository: 'registry.example.com/okta:1.0'}", &["/image/repository"]),
    ("image: {digest: latest}", &["/image/digest", "sha256"]),
    ("image: {pullPolicy: always}", &["/image/pullPolicy", "'Always'"]),
    ("existingSecret: okta", &["/existingSecret", "want object"]),
    ("existingSecret: {env: {OKTA-TOKEN: token}}", &["/existingSecret/env"]),
    ("listen: {port: 99999}", &["/listen/port", "65,535"]),
    ("listen: {address: localhost}", &["/listen/address"]),
    ("log: {format: xml}", &["/log/format", "'json', 'text'"]),
    ("terminationGracePeriodSeconds: 5", &["/terminationGracePeriodSeconds", "want 10"]),
    ("resources: {limits: {memory: 512mb}}", &["/resources/limits/memory"]),
    ("probes: {liveness: {periodSeconds: 0}}", &["/probes/liveness/periodSeconds"]),
    ("podDisruptionBudget: {maxUnavailable: 120%}", &["/podDisruptionBudget/maxUnavailable"]),
    ("networkPolicy: {metricsFrom: [{}]}", &["/networkPolicy/metricsFrom/0"]),
    ("networkPolicy: {kafka: {ports: ['9092']}}", &["/networkPolicy/kafka/ports/0", "want integer"]),
    ("extraVolumes: [{name: config}]", &["/extraVolumes/0/name"]),
    ("extraEnv: [{name: X, value: 1}]", &["/extraEnv/0/value", "want string"]),
    ("config: null", &["missing property 'config'"]),
    ("config: {kafka: {bootstrap.servers: null}}", &["/config/kafka", "missing property 'bootstrap.servers'"]),
    ("config: {connectors: []}", &["/config/connectors", "minItems"]),
    // What the chart has to know of the configuration.
    ("config: {http: {listen: '127.0.0.1:8083'}}", &["config.http is the chart's", "listen.address and listen.port"]),
    ("{replicas: 2, config: {group_instance_id: worker-0}}", &["config.group_instance_id", "leave it out"]),
    ("existingSecret: {name: ''}", &["/etc/okta-kafka-source/secrets", "set existingSecret.name"]),
    ("existingSecret: {name: '', env: {X: x}}", &["existingSecret.env", "existingSecret.name"]),
    ("config: {okta_http: {proxy_url: '${env:PROXY}'}}", &["${env:PROXY}", "existingSecret.env, extraEnv or envFrom"]),
    (
        "{networkPolicy: {enabled: true}, envFrom: [{secretRef: {name: x}}], config: {kafka: {bootstrap.servers: '${env:B}'}}}",
        &["networkPolicy.kafka.ports", "name it here"],
    ),
    ("{serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}", &["twice", "enable one of them"]),
    (
        "serviceMonitor: {enabled: true, interval: 5s, scrapeTimeout: 10s}",
        &["serviceMonitor.scrapeTimeout", "at most serviceMonitor.interval"],
    ),
    (
        "podMonitor: {enabled: true, interval: 1m30s, scrapeTimeout: 91s}",
        &["podMonitor.scrapeTimeout", "at most podMonitor.interval"],
    ),
    ("probes: {startup: null}", &["/probes", "missing property 'startup'"]),
    ("strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}", &["strategy.rollingUpdate", "RollingUpdate"]),
    ("nameOverride: my.rel", &["release-my.rel", "set fullnameOverride"]),
    ("{nameOverride: '', fullnameOverride: 1okta}", &["/fullnameOverride"]),
    ("prometheusRule: {runbookUrl: docs/runbook.md}", &["/prometheusRule/runbookUrl"]),
    // A port that the policy can't know.
    (
        "{networkPolicy: {enabled: true}, existingSecret: {env: {HTTPS_PROXY: proxy}}}",
        &["networkPolicy.proxy.ports", "name it here"],
    ),
    (
        "{networkPolicy: {enabled: true}, existingSecret: {env: {E: e}}, \
         config: {kafka: {sasl.oauthbearer.token.endpoint.url: '${env:E}'}}}",
        &["networkPolicy.token.ports", "name it here"],
    ),
    // Queries on a schedule.
    ("cronJobs: [{name: a, schedule: '@daily'}]", &["/cronJobs/0", "missing property 'args'"]),
    ("cronJobs: [{name: a, schedule: every day, args: [acme]}]", &["/cronJobs/0/schedule"]),
    ("cronJobs: [{name: a, schedule: 'TZ=UTC 0 6 * * *', args: [acme]}]", &["/cronJobs/0/schedule"]),
    ("cronJobs: [{name: a, schedule: '@daily', args: [acme, --limit, 5]}]", &["/cronJobs/0/args/2", "want string"]),
    ("cronJobs: [{name: A_b, schedule: '@daily', args: [acme]}]", &["/cronJobs/0/name"]),
    ("cronJobs: [{name: a, schedule: '@daily', args: [acme], retries: 2}]", &["'retries' not allowed"]),
    (
        "cronJobs: [{name: a, schedule: '@daily', args: [query, acme, --email, a@example.com]}]",
        &["cronJobs[0].args: `query` is no connector of config", "there are acme"],
    ),
    (
        "cronJobs: [{name: a, schedule: '@daily', args: [acme, --email, a@example.com]}]",
        &["cronJobs[0].args: --email needs a mail server: set config.email"],
    ),
    ("cronJobs: [{name: a, schedule: '@daily', args: [acme]}]", &["cronJobs[0].args", "in the Pod's log"]),
    (
        "cronJobs: [{name: a, schedule: '@daily', args: [acme, --to-topic, t, -ocsv]}]",
        &["cronJobs[0].args", "in the Pod's log"],
    ),
    (
        "cronJobs: [{name: a, schedule: '@daily', args: [acme, --to-topic, t]}, {name: a, schedule: '@daily', args: [acme, --to-topic, t]}]",
        &["cronJobs[1].name: there is another one of the name `a`"],
    ),
    (
        "cronJobs: [{name: a-name-that-is-longer-than-it-can-be, schedule: '@daily', args: [acme, --to-topic, t]}]",
        &["cronJobs[0].name", "52 characters", "set fullnameOverride"],
    ),
    (
        "cronJobs: [{name: a, schedule: '@daily', args: [acme, --to-file, /results/x.ndjson]}]",
        &["cronJobs[0].args: `/results/x.ndjson` would go with its Pod: set volume"],
    ),
    (
        "cronJobs: [{name: a, schedule: '@daily', args: [acme, --to-file=x.ndjson], volume: {hostPath: {path: /x}}}]",
        &["cronJobs[0].args: `x.ndjson` can't be written", "--to-file /results/"],
    ),
    ("extraVolumes: [{name: results}]", &["/extraVolumes/0/name"]),
    (
        "{networkPolicy: {enabled: true}, existingSecret: {env: {P: p}}, config: {email: {host: s, from: a@example.com, port: '${env:P}'}}}",
        &["networkPolicy.smtp.ports", "name it here"],
    ),
    // Secrets that stand there.
    (
        "config: {connectors: [{name: a, org: https://a.okta.example, auth: {ssws: LITERAL}, topic: t}]}",
        &["config.connectors[0].auth.ssws holds a secret itself", "existingSecret.name", "${file:"],
    ),
    (
        "config: {connectors: [{name: a}, {name: b, auth: {oauth: {client_id: c, private_key: LITERAL}}}]}",
        &["config.connectors[1].auth.oauth.private_key holds a secret itself"],
    ),
    ("config: {connector_defaults: {auth: {ssws: 'SSWS LITERAL'}}}", &["config.connector_defaults.auth.ssws"]),
    ("config: {connector_defaults: {auth: {ssws: '${file:/x}LITERAL'}}}", &["config.connector_defaults.auth.ssws"]),
    ("config: {kafka: {sasl.password: LITERAL}}", &["config.kafka.sasl.password"]),
    ("config: {kafka: {sasl.oauthbearer.client.secret: LITERAL}}", &["config.kafka.sasl.oauthbearer.client.secret"]),
    ("config: {kafka: {consumer: {ssl.key.password: LITERAL}}}", &["config.kafka.consumer.ssl.key.password"]),
    ("config: {kafka: {producer: {ssl.key.pem: LITERAL}}}", &["config.kafka.producer.ssl.key.pem"]),
    ("config: {kafka: {sasl.jaas.config: 'x password=LITERAL;'}}", &["config.kafka.sasl.jaas.config"]),
    (
        "config: {schema_registry: {basic_auth: {username: u, password: LITERAL}}}",
        &["schema_registry.basic_auth.password"],
    ),
    ("config: {schema_registry: {bearer_token: LITERAL}}", &["config.schema_registry.bearer_token"]),
    ("config: {schema_registry: {url: 'https://u:LITERAL@registry.example.com'}}", &["config.schema_registry.url"]),
    ("config: {okta_http: {proxy_url: 'http://u:LITERAL@proxy.example.com:3128'}}", &["config.okta_http.proxy_url"]),
    (
        "extraEnv: [{name: HTTPS_PROXY, value: 'http://u:LITERAL@proxy.example.com'}]",
        &["extraEnv HTTPS_PROXY", "secretKeyRef"],
    ),
    (
        "{extraEnv: [{name: T, value: LITERAL}], config: {connector_defaults: {auth: {ssws: '${env:T}'}}}}",
        &["extraEnv T holds the secret of config.connector_defaults.auth.ssws itself", "secretKeyRef"],
    ),
    // Under names that the program does not take, and says so; but that would be after they are in the cluster.
    ("config: {connectors: [{name: a, auth: {token: LITERAL}}]}", &["config.connectors[0].auth.token"]),
    ("config: {connectors: [{name: a, auth: {oauth: {client_secret: LITERAL}}}]}", &["auth.oauth.client_secret"]),
    ("config: {kafka: {SASL.PASSWORD: LITERAL}}", &["config.kafka.SASL.PASSWORD"]),
    (
        "config: {email: {login: {username: u, password: LITERAL}}}",
        &["config.email.login.password holds a secret itself"],
    ),
    ("config: {email: {smtp: {password: LITERAL}}}", &["config.email.smtp.password"]),
    (
        "{extraEnv: [{name: M, value: LITERAL}], config: {email: {login: {username: u, password: '${env:M}'}}}}",
        &["extraEnv M holds the secret of config.email.login.password itself"],
    ),
    ("config: {schema_registry: {tokens: {api_token: [LITERAL]}}}", &["config.schema_registry.tokens.api_token"]),
    (
        "config: {okta_http: {proxy_url: 'http://u:LITERAL@p${env:HOSTNAME}:3128'}}",
        &["config.okta_http.proxy_url holds a login itself"],
    ),
    (
        "config: {okta_http: {proxy_url: 'http://${env:HOSTNAME}:x${env:HOSTNAME}LITERAL@p:3128'}}",
        &["config.okta_http.proxy_url holds a login itself"],
    ),
    (
        "{extraEnv: [{name: P, value: LITERAL}], config: {okta_http: {proxy_url: 'http://u:${env:P}@p:3128'}}}",
        &["extraEnv P holds the secret of config.okta_http.proxy_url itself"],
    ),
    ("extraEnv: [{name: OKTA_API_TOKEN, value: LITERAL}]", &["extraEnv OKTA_API_TOKEN holds a secret itself"]),
];

#[test]
fn wrong_values_are_refused_with_what_to_do() {
    let Some(helm) = Helm::there() else { return };
    let scratch = TempDir::with_prefix("chart-").unwrap();
    let values = scratch.path().join("values.yaml");
    let secret = Secret::new(LITERAL);
    for (wrong, told) in WRONG {
        fs::write(&values, wrong.replace("LITERAL", LITERAL)).unwrap();
        let Err(complaint) = helm.template(&values, &[]) else { panic!("taken: {wrong}") };
        for words in *told {
            assert!(complaint.contains(words), "{wrong}: {words:?} is not in {complaint}");
        }
        secret.must_not_be_in(wrong, &complaint);
    }
    prove::row(
        "chart-refused",
        "Values that are wrong, and secrets that stand in them, are refused before anything runs, and no message repeats a secret",
        &format!("{} wrong values, one at a time, through `helm template`", WRONG.len()),
        "each refused, with its key and what to do",
    );
}
