//! `demo`: the whole pipeline with nothing installed.

use std::io::{self, IsTerminal, Write, stdout};
use std::pin::pin;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;

use super::signals::{self, Signal};
use crate::clock::Clock;
use crate::demo::check::Verdict;
use crate::demo::progress::Progress;
use crate::demo::read_back::read_back;
use crate::demo::stage::{DemoBroker, Stage};
use crate::demo::style::Style;
use crate::demo::summary::{self, Landed};
use crate::demo::watcher::{FirstSeen, Watcher};
use crate::simulator::StoredEvent;

/// Events after the backlog.
const LIVE_EVENTS: usize = 60;
/// Between two of them: seven seconds in all.
const LIVE_PAUSE: Duration = Duration::from_millis(120);
/// Between two of `--keep-running`.
const KEPT_PAUSE: Duration = Duration::from_secs(1);
/// How long nothing may happen before the demo looks at what there is.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is logged when `RUST_LOG` says nothing: the demo tells its story itself. The two modules warn of topics with one
/// replica, and of settings that the embedded broker does not show; both mean nothing for topics of a minute.
pub const LOG_FILTER: &str =
    "warn,okta_kafka_source::worker::membership=error,okta_kafka_source::worker::connector_topics=error";

const EXAMPLES: &str = "\
Examples:
  With nothing installed, in about a quarter of a minute:
    okta-kafka-source demo

  Into a Kafka of your own, and on until Ctrl-C, to look at topics and metrics:
    okta-kafka-source demo --bootstrap localhost:9092 --keep-running

Values are the org's JSON (`format: json`): Avro needs a schema registry, which the demo does not bring.";

/// Arguments of `demo`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Events that the simulated org has from the start
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(..=100_000))]
    events: u32,
    /// A broker of your own, without TLS and password, instead of the embedded one; the topics are deleted at the end
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Go on until SIGTERM or SIGINT, with a new event every second, and keep the topics
    #[arg(long)]
    keep_running: bool,
}

/// Plays the demo; an error is a difference, a part that fails, or a signal.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let mut signal = pin!(signals::first());
    let interrupted = |signal: Signal| if args.keep_running { Ok(()) } else { Err(signal.into_error()) };
    let broker = tokio::select! {
        biased;
        signal = &mut signal => return interrupted(signal),
        broker = DemoBroker::reach(args.bootstrap.as_deref()) => broker?,
    };
    // Not interrupted, so that every topic is known that is to be deleted.
    let stage = Stage::put_up(broker, args.events as usize, args.keep_running).await?;
    let played = tokio::select! {
        biased;
        signal = &mut signal => interrupted(signal),
        played = play(&stage, &args) => played,
        failed = stage.worker_failed() => Err(failed),
    };
    let (left, is_embedded) = (stage.topics.names().join(", "), stage.broker.is_embedded());
    let taken_down = tokio::select! {
        taken_down = stage.take_down(args.keep_running) => taken_down,
        // Whoever asks twice does not want to wait.
        _ = signals::first() => Err(anyhow!("not waited for; look whether these topics are left: {left}")),
    };
    match (played, taken_down) {
        (played, Ok(())) => {
            if played.is_err() && !is_embedded && !args.keep_running {
                let _ = writeln!(io::stderr(), "  the topics of the demo are deleted");
            }
            played
        }
        (Ok(()), Err(problem)) => Err(problem),
        (Err(first), Err(problem)) => {
            // The exit code is the first one's, and so are the last words.
            let _ = writeln!(io::stderr(), "{problem:#}");
            Err(first)
        }
    }
}

/// From the backlog to the summary, and on, where that is wanted.
async fn play(stage: &Stage, args: &DemoArgs) -> anyhow::Result<()> {
    let env = |name: &str| std::env::var(name).ok();
    let style = Style::new(stdout().is_terminal(), env);
    let backlog = args.events as usize;
    print(&summary::introduction(stage, backlog, LIVE_EVENTS, style))?;
    let progress = Progress::new(env);
    let (seen, backlog_time) = follow(stage, backlog, &progress).await?;
    progress.wait_for("reading the topic back");
    if !args.keep_running {
        stage.stop_worker().await?;
    }
    let events = stage.org.events();
    let live_delay = live_delay(events.get(backlog..).unwrap_or_default(), &seen);
    let read = read_back(stage.kafka.clone(), stage.topics.clone(), events).await?;
    progress.clear();
    let landed = Landed { read, backlog, backlog_time, live_delay };
    print(&summary::landed(stage, &landed, style))?;
    judge(&landed.read.verdict)?;
    if args.keep_running {
        print(&summary::still_running(stage, style))?;
        live(stage, usize::MAX, KEPT_PAUSE).await;
    }
    Ok(())
}

/// Waits until a consumer has seen everything, or nothing new for a long time. Gives when it saw what, and how long the
/// backlog took, if it was reached.
async fn follow(stage: &Stage, backlog: usize, progress: &Progress) -> anyhow::Result<(FirstSeen, Option<Duration>)> {
    let clock = Clock::new();
    let watcher = Watcher::start(stage.kafka.clone(), stage.topics.data.clone());
    progress.wait_for("joining the consumer group (brokers wait 3 s for more members)");
    // Where no request comes, no event does either, which is seen below.
    let _ = tokio::time::timeout(PATIENCE, stage.org.wait_for_requests(1)).await;
    let began = clock.now().monotonic;
    progress.begin("backlog", backlog);
    let mut backlog_time = None;
    if watcher.reach(backlog, PATIENCE, |count| progress.set(count)).await {
        backlog_time = Some(clock.now().monotonic.saturating_sub(began));
        progress.begin("live events", LIVE_EVENTS);
        let reached =
            watcher.reach(backlog + LIVE_EVENTS, PATIENCE, |count| progress.set(count.saturating_sub(backlog)));
        let ((), _) = tokio::join!(live(stage, LIVE_EVENTS, LIVE_PAUSE), reached);
    }
    Ok((watcher.finish().await?, backlog_time))
}

/// Events as they happen.
async fn live(stage: &Stage, count: usize, pause: Duration) {
    let mut ticks = tokio::time::interval(pause);
    for _ in 0..count {
        let _ = ticks.tick().await;
        stage.org.generate(1);
    }
}

/// From the org to a reader: median and longest.
fn live_delay(live: &[StoredEvent], seen: &FirstSeen) -> Option<(Duration, Duration)> {
    let delay = |event: &StoredEvent| {
        let millis = seen.get(event.uuid.as_deref()?.as_bytes())? - event.cursor.millis;
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
    };
    let mut delays: Vec<Duration> = live.iter().filter_map(delay).collect();
    delays.sort_unstable();
    Some((*delays.get(delays.len() / 2)?, *delays.last()?))
}

/// The exit code hangs on nothing but this.
fn judge(verdict: &Verdict) -> anyhow::Result<()> {
    if verdict.is_exact() {
        return Ok(());
    }
    let differences: Vec<String> =
        verdict.differences().map(|(kind, differing)| format!("{} {kind}", differing.count)).collect();
    bail!(
        "the topic does not hold what the org has: {}; run again with RUST_LOG=debug to see why",
        differences.join(", ")
    )
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
