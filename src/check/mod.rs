//! What `check` tries before anything runs: orgs and credentials, brokers, permissions, topics and their settings.
//!
//! It uses the rules that `run` starts by, and changes nothing: no topic is made, no record is written, no group is joined
//! and no shard's transactional id is touched, so it may be run beside a worker at work.

pub mod broker;
pub mod checkpoints;
pub mod ground;
pub mod line;
pub mod org;
pub mod permission;
pub mod reserve;
pub mod schema;
pub mod share;
pub mod span;
pub mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::line::Line;
use self::reserve::Window;
use self::schema::Deed;
use self::share::Need;
use crate::clock::Clock;
use crate::config::{Config, ConnectorConfig, EmailConfig, SmtpSecurity};
use crate::okta::auth::credential::{Credential, Credentials};
use crate::okta::proxy::Network;

/// What the line about the mail server begins with.
const EMAIL: &str = "email";
/// All orgs are asked at once, and the connectors of one org one after the other; together they have this long.
const ORGS_WITHIN: Duration = Duration::from_secs(20);
/// Everything has this long.
const ALL_WITHIN: Duration = Duration::from_secs(28);

/// Looks at all that the network is needed for, and says each line when its turn has come: connectors in the file's
/// order, then Kafka, then the schema registry. Takes at most half a minute. Must be called within a tokio runtime.
///
/// `waiting` is told what is waited for meanwhile.
pub async fn all<E>(
    config: Config,
    mut waiting: impl FnMut(&str),
    mut say: impl FnMut(Line) -> Result<(), E>,
) -> Result<(), E> {
    let connectors: Vec<Arc<ConnectorConfig>> = config.connectors.iter().cloned().map(Arc::new).collect();
    let deadline = tokio::time::Instant::now() + ALL_WITHIN;
    let orgs_deadline = tokio::time::Instant::now() + ORGS_WITHIN;
    let mut of_connectors = ask_orgs(&connectors, &config.okta_http);
    let (sender, mut of_registry) = unbounded_channel();
    let of_schemas = config.clone();
    drop(tokio::spawn(async move {
        // Nobody there any more: then the command is over.
        let _ = schema::lines(&of_schemas, Deed::Look, |line| sender.send(line)).await;
    }));
    let (sender, mut of_kafka) = unbounded_channel();
    let of_email = config.email.clone().map(|config| tokio::spawn(async move { email(&config).await }));
    // librdkafka blocks. What is still open at the deadline is left to the end of the process.
    drop(tokio::task::spawn_blocking(move || broker::check(&config, &mut |line| drop(sender.send(line)))));
    for (connector, lines) in connectors.iter().zip(&mut of_connectors) {
        waiting(&format!("asking {}", connector.org));
        match tokio::time::timeout_at(orgs_deadline, lines.recv()).await {
            Ok(Some(lines)) => lines.into_iter().try_for_each(&mut say)?,
            Ok(None) | Err(_) => say(Line::fail(
                org::what(connector),
                format!("{} was not asked within {ORGS_WITHIN:?}; run `check` again", connector.org),
            ))?,
        }
    }
    waiting("asking Kafka");
    loop {
        match tokio::time::timeout_at(deadline, of_kafka.recv()).await {
            Ok(Some(line)) => say(line)?,
            Ok(None) => break,
            Err(_) => {
                say(Line::fail(
                    "broker",
                    "it answers too slowly for the rest to be looked at; look at the brokers' load and logs, and run `check` again",
                ))?;
                break;
            }
        }
    }
    waiting("asking the schema registry");
    loop {
        match tokio::time::timeout_at(deadline, of_registry.recv()).await {
            Ok(Some(line)) => say(line)?,
            Ok(None) => break,
            Err(_) => {
                say(Line::fail(
                    "schema registry",
                    "it answers too slowly for the rest to be looked at; look at its load and log, and run `schema check`",
                ))?;
                break;
            }
        }
    }
    let Some(of_email) = of_email else { return Ok(()) };
    waiting("asking the mail server");
    match tokio::time::timeout_at(deadline, of_email).await {
        Ok(Ok(line)) => say(line),
        _ => say(Line::warn(
            EMAIL,
            "the mail server answers too slowly; check `email.host`, `email.port` and `email.security`, and run `check` again",
        )),
    }
}

/// Everything but a mail. `run` sends none: what is wrong here does not hold it up.
async fn email(config: &EmailConfig) -> Line {
    if !config.unready.is_empty() {
        return Line::warn(EMAIL, format!("the mail server was not asked: {}", config.unready.join("; ")));
    }
    match crate::email::probe(config).await {
        Ok(()) => {
            let security = match config.security {
                SmtpSecurity::StartTls => " with STARTTLS",
                SmtpSecurity::Tls => " with TLS",
                SmtpSecurity::None => "",
            };
            let login = if config.login.is_some() { ", and lets us in" } else { "" };
            Line::ok(EMAIL, format!("{}:{} answers{security}{login}; no e-mail was sent", config.host, config.port))
        }
        Err(error) => Line::warn(EMAIL, error),
    }
}

/// Asks each org on a task of its own; gives what each connector's lines come from.
fn ask_orgs(connectors: &[Arc<ConnectorConfig>], network: &Network) -> Vec<UnboundedReceiver<Vec<Line>>> {
    type Asking = Vec<(Arc<ConnectorConfig>, UnboundedSender<Vec<Line>>)>;
    let mut by_org: BTreeMap<String, Asking> = BTreeMap::new();
    let mut receivers = Vec::new();
    for connector in connectors {
        let (sender, receiver) = unbounded_channel();
        by_org.entry(connector.org.to_string()).or_default().push((Arc::clone(connector), sender));
        receivers.push(receiver);
    }
    for asking in by_org.into_values() {
        let network = network.clone();
        drop(tokio::spawn(async move {
            let mut credentials = Credentials::new();
            let mut no_answer: Option<String> = None;
            let of_connector = |connector: &ConnectorConfig| credentials.of(&connector.org, &connector.auth);
            let theirs: Vec<Credential> =
                asking.iter().map(|(connector, _)| connector.as_ref()).map(of_connector).collect();
            let connectors: Vec<Arc<ConnectorConfig>> =
                asking.iter().map(|(connector, _)| Arc::clone(connector)).collect();
            let clock = Clock::new();
            // Of each credential, by the place of the first who has it.
            let mut windows: BTreeMap<usize, Window> = BTreeMap::new();
            for (place, (connector, lines)) in asking.into_iter().enumerate() {
                let sharing = || (0..theirs.len()).filter(|other| theirs[*other].is_same(&theirs[place]));
                let first = sharing().next().unwrap_or(place);
                let left_to_run = || windows.get(&first)?.not_asked(&connector, clock.elapsed());
                let said = match &no_answer {
                    // An org that does not answer one does not answer the others.
                    Some(said) => vec![Line::fail(org::what(&connector), said)],
                    None if let Some(line) = left_to_run() => vec![line],
                    None => {
                        let need = Need::of(sharing().map(|other| connectors[other].as_ref()));
                        // Said once of a credential.
                        let is_first = first == place;
                        let check = org::ask(&connector, &theirs[place], need, is_first, &network).await;
                        no_answer = check.no_answer;
                        let window =
                            check.rate_limit.and_then(|(limit, rest)| Window::of(limit, rest, clock.elapsed()));
                        if let Some(window) = window {
                            let _ = windows.insert(first, window);
                        }
                        check.lines
                    }
                };
                // Nobody there any more: then the command is over.
                let _ = lines.send(said);
            }
        }));
    }
    receivers
}
