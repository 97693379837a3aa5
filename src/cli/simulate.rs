//! `simulate`: the simulated org as a development tool.

mod oauth;

use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use jiff::SignedDuration;
use serde_json::json;

use self::oauth::{OauthArgs, ServiceApp};
use crate::simulator::{DriftFrom, Fault, Faults, Poison, Simulator, SimulatorConfig};

const EXAMPLES: &str = "\
Examples:
  A backlog of 5,000 events and one new event a second, on 127.0.0.1:8084:
    okta-kafka-source simulate

  An org to test a client against, that fails now and then:
    okta-kafka-source simulate --events 20000 --fault http_500=0.1 --fault rate_limit=0.05 --fault truncate=0.1

  An org that cannot answer for events 500 to 519 in time, unless it is asked for ten events or fewer:
    okta-kafka-source simulate --poison timeout:500-519:10

  An org whose events change their shape after a minute, and of which one in twenty is odd:
    okta-kafka-source simulate --live-rate 50 --drift-from 1m --awkward 0.05

  An org that forgets its cursors after 50 and after 120 requests, with one event in ten late by up to an hour, and pages that
  are short or come twice now and then:
    okta-kafka-source simulate --lose-cursors-after 50,120 --late 0.1 --late-by 1h --fault short_page=0.1 --fault page_twice=0.05

  With a configuration that works with it:
    okta-kafka-source simulate --print-config > simulated.yaml &
    okta-kafka-source run -c simulated.yaml

  The same with a service app in the place of an API token, DPoP, and tokens that live a minute:
    okta-kafka-source simulate --oauth --dpop required --token-life 60s --print-config > simulated.yaml &

Kinds of fault: http_500, timeout, http_503, http_400, http_401, http_403, cursor_refused, cursors_lost, short_page,
page_twice, rate_limit, concurrency, slow, cut, truncate, wrong_origin, redirect, date_off. All but slow and date_off exclude
each other in one answer, so their probabilities add up to at most 1. cursor_refused is for one request; from a request with
cursors_lost on, every cursor that was given out before is refused.";

/// Serves a simulated org's System Log until it is stopped.
///
/// Prints one line of JSON on stdout when it listens: {"url":"http://127.0.0.1:8084","token":"…"}, and with --oauth also
/// client_id, key_id and private_key.
///
/// `filter`, `q`, `since`, `until`, `sortOrder` and `limit` are answered as Okta documents them, and refused in its words where those
/// are known.
#[derive(Args, Clone)]
#[command(after_help = EXAMPLES)]
pub struct SimulateArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8084")]
    pub listen: SocketAddr,
    /// The API token to accept; a new one by default.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// What events and faults are drawn from: the same seed makes the same events, apart from their times.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many events there are at the start, spread over the six days before it.
    #[arg(long, value_name = "N", default_value_t = 5_000, conflicts_with = "events_file")]
    pub events: usize,
    /// New events a second [default: 1, and 0 with --events-file]
    #[arg(long, value_name = "RATE")]
    pub live_rate: Option<f64>,
    /// Serve the lines of this file, byte for byte, instead of made-up events.
    #[arg(long, value_name = "FILE.ndjson")]
    pub events_file: Option<PathBuf>,
    /// From when on events have another shape: new members, objects in the place of strings (userBehaviors), a new
    /// outcome, a member less, numbers in the place of strings. An event's number, counted from 0, or a time after the
    /// start, as in 30s.
    #[arg(long, value_name = "N|DURATION", conflicts_with = "events_file")]
    pub drift_from: Option<DriftFrom>,
    /// The share of odd events, from 0 to 1: member names with /, ~ and dots, numbers beyond any type, values of other
    /// types, objects in open maps, deep nesting, escapes.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, conflicts_with = "events_file")]
    pub awkward: f64,
    /// The share of events that cannot be published, from 0 to 1: without a uuid; and for `format: avro` also with a
    /// member twice, or nested too deeply.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, conflicts_with = "events_file")]
    pub unpublishable: f64,
    /// The share of events that are late, from 0 to 1: persisted, and so served, behind others that were published after them.
    #[arg(long, value_name = "SHARE", default_value_t = 0.025, conflicts_with = "events_file")]
    pub late: f64,
    /// By how much a late event is late at most, as in 1h.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration, conflicts_with = "events_file")]
    pub late_by: Duration,
    /// After how many requests, whoever's they are, every cursor that was given out before is refused, and later ones are
    /// not; several with commas. The fault cursors_lost does so at random.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub lose_cursors_after: Vec<usize>,
    /// How long every answer takes, as in 200ms.
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = duration)]
    pub latency: Duration,
    /// Requests a minute before the answer is 429.
    #[arg(long, value_name = "N", default_value_t = 60_000)]
    pub rate_limit: u32,
    /// Requests at once before the answer is 429.
    #[arg(long, value_name = "N", default_value_t = 75)]
    pub concurrency_limit: u32,
    /// Something that goes wrong, and how often, from 0 to 1; may be given several times.
    #[arg(long, value_name = "KIND=PROBABILITY")]
    pub fault: Vec<Fault>,
    /// Events whose pages fail, each time, until they are asked for with this limit or less: timeout is 500 E0000009,
    /// too_large a page of more than 64 MiB. Events are counted from 0; may be given several times.
    #[arg(long, value_name = "timeout|too_large:FIRST-LAST:LIMIT")]
    pub poison: Vec<Poison>,
    /// How late an answer with the fault `slow` comes.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    pub slow_delay: Duration,
    /// How far ahead the reset of a 429 by the faults `rate_limit` and `concurrency` is.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub rate_limit_wait: Duration,
    /// How far the org's own clock is ahead of this machine's, always; as in 90s, or --clock-offset=-1h for behind.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = offset)]
    pub clock_offset: SignedDuration,
    /// What the org asks of a service app.
    #[command(flatten)]
    pub oauth: OauthArgs,
    /// Print a configuration for `run` that works with this org instead of the line of JSON, which goes to stderr.
    #[arg(long)]
    pub print_config: bool,
    /// The broker in that configuration [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap: Option<String>,
}

/// Runs the simulated org until `shutdown` is done.
///
/// # Errors
/// When the org cannot start, or stdout cannot be written to (a closed pipe is no error). Arguments that do not go
/// together give a [`clap::Error`].
pub async fn run(args: SimulateArgs, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    if args.bootstrap.is_some() && !args.print_config {
        let message = "--bootstrap is the broker in the configuration of --print-config: write both\n";
        return Err(clap::Error::raw(clap::error::ErrorKind::MissingRequiredArgument, message).into());
    }
    let faults = Faults::new(args.fault.iter().map(|fault| (fault.kind, fault.probability)))
        // A matter of the command line, and to be told apart as that.
        .map_err(|error| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{error}\n")))?;
    let live_rate = args.live_rate.unwrap_or(if args.events_file.is_some() { 0.0 } else { 1.0 });
    let app = args.oauth.service_app()?;
    let simulator = Simulator::start(SimulatorConfig {
        listen: args.listen,
        token: args.token,
        oauth: app.as_ref().map(|app| app.config.clone()),
        clock_offset_seconds: args.clock_offset.as_secs(),
        seed: args.seed,
        events: args.events,
        events_file: args.events_file,
        live_rate,
        drift_from: args.drift_from,
        awkward: args.awkward,
        unpublishable: args.unpublishable,
        late: args.late,
        late_by: args.late_by,
        lose_cursors_after: args.lose_cursors_after,
        latency: args.latency,
        rate_limit: args.rate_limit,
        concurrency_limit: args.concurrency_limit,
        faults,
        poison: args.poison,
        slow_delay: args.slow_delay,
        rate_limit_wait: args.rate_limit_wait,
        ..SimulatorConfig::default()
    })
    .await?;
    // Written out, so that the members keep their order.
    let members = app.as_ref().map(|app| app.members(!args.print_config)).unwrap_or_default();
    let ready = format!(r#"{{"url":{},"token":{}{members}}}"#, json!(simulator.url()), json!(simulator.token()));
    let printed = if args.print_config {
        let _ = writeln!(io::stderr(), "{ready}");
        print(&configuration(&simulator, app.as_ref(), args.bootstrap.as_deref().unwrap_or("localhost:9092")))
    } else {
        print(&format!("{ready}\n"))
    };
    match printed {
        Ok(()) => shutdown.await,
        // Whoever started us has gone away, and with it the only one who knows the token.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => return Err(error).context("cannot write to stdout"),
    }
    simulator.shutdown().await;
    Ok(())
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    // A pipe is read only when it is flushed, and whoever reads it waits for the line.
    stdout.flush()
}

/// A configuration for `run` that takes this org's System Log into a broker.
fn configuration(simulator: &Simulator, app: Option<&ServiceApp>, bootstrap: &str) -> String {
    // JSON strings are YAML strings, so a token needs no other quoting; `$${` is how a configuration writes `${`.
    let text = |value: &str| json!(value.replace("${", "$${")).to_string();
    let auth = match app {
        Some(app) => app.auth(text),
        None => format!("    auth: {{ssws: {}}}\n", text(simulator.token())),
    };
    format!(
        "# A simulated org: run it with `okta-kafka-source run -c FILE`, with a Kafka broker.\n\
         kafka:\n\
         \x20 bootstrap.servers: {}\n\
         connectors:\n\
         \x20 - name: simulated\n\
         \x20   org: {}\n\
         {auth}\
         \x20   topic: okta.system-log\n\
         \x20   interval: 60s\n",
        text(bootstrap),
        text(simulator.url()),
    )
}

/// Reads `200ms`, `3s` or `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is not a duration: write it as 200ms, 3s or 1m"))?;
    Duration::try_from(parsed).map_err(|_| format!("`{text}` is negative: give a duration of 0s or more"))
}

/// Reads `90s` or `-1h`.
fn offset(text: &str) -> Result<SignedDuration, String> {
    text.parse().map_err(|_| format!("`{text}` is not a duration: write it as 90s, 1h or -1h"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: SimulateArgs,
    }

    #[test]
    fn the_help_names_every_fault() {
        for kind in crate::simulator::FaultKind::ALL {
            let listed = EXAMPLES.split_once("Kinds of fault:").expect("the list").1;
            assert!(listed.split([',', ' ', '.', '\n']).any(|word| word == kind.name()), "{kind}");
        }
    }

    #[test]
    fn arguments_are_checked_one_by_one() {
        for (arguments, part) in [
            (vec!["--fault", "http_418=1"], "unknown fault `http_418`: use one of http_500, "),
            (vec!["--fault", "cut=7"], "is not a number from 0 to 1"),
            (vec!["--latency", "-1s"], "unexpected argument"),
            (vec!["--latency=-1s"], "is negative"),
            (vec!["--latency", "soon"], "is not a duration"),
            (vec!["--poison", "timeout:5"], "is not KIND:FIRST-LAST:LIMIT"),
            (vec!["--drift-from", "soon"], "is neither the number of an event nor a duration"),
            (vec!["--late", "some"], "invalid float literal"),
            (vec!["--late-by", "soon"], "is not a duration"),
            (vec!["--late", "0.1", "--events-file", "f"], "cannot be used with"),
            (vec!["--lose-cursors-after", "1,x"], "invalid digit"),
            (vec!["--awkward", "some"], "invalid float literal"),
            (vec!["--awkward", "0.1", "--events-file", "f"], "cannot be used with"),
            (vec!["--events", "3", "--events-file", "f"], "cannot be used with"),
            (vec!["--dpop", "required"], "--oauth"),
            (vec!["--oauth", "--dpop", "maybe"], "possible values: required, off, auto"),
            (vec!["--oauth", "--oauth-private-key", "a", "--oauth-public-key", "b"], "cannot be used with"),
            (vec!["--clock-offset", "later"], "is not a duration"),
        ] {
            let error = Command::try_parse_from(["simulate"].into_iter().chain(arguments.clone())).err();
            let message = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains(part), "{arguments:?}: {message}");
        }
        let args =
            Command::try_parse_from(["simulate", "--latency", "200ms", "--fault", "slow=1"]).expect("valid").args;
        assert_eq!((args.latency, args.fault.len(), args.listen.port()), (Duration::from_millis(200), 1, 8084));
    }

    #[tokio::test]
    async fn the_printed_configuration_is_for_this_org() {
        let config = SimulatorConfig { events: 0, token: Some("0\"0${x}".to_owned()), ..SimulatorConfig::default() };
        let simulator = Simulator::start(config).await.expect("starts");
        let printed = configuration(&simulator, None, "kafka:29092");
        assert!(printed.contains("  bootstrap.servers: \"kafka:29092\"\n"), "{printed}");
        assert!(printed.contains(&format!("    org: \"{}\"\n", simulator.url())), "{printed}");
        assert!(printed.contains(r#"    auth: {ssws: "0\"0$${x}"}"#), "{printed}");
    }
}
