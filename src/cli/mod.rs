//! The command line: one file a command, exit codes in one place.

pub mod check;
pub mod dead_letters;
pub mod demo;
pub mod exit;
pub mod offsets;
pub mod query;
pub mod run;
pub mod schema;
pub mod signals;
pub mod simulate;
pub mod status;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use self::signals::Signal;
use crate::config::{Config, Problem};
use crate::telemetry::{self, LogFormat};

/// How long background work may go on after a command is done.
const LINGER: Duration = Duration::from_millis(200);

/// Takes Okta orgs' System Logs into Apache Kafka, exactly once.
#[derive(Parser)]
#[command(name = "okta-kafka-source", version, after_help = "Example: okta-kafka-source demo")]
struct Cli {
    /// How logs look; they go to stderr. RUST_LOG sets the levels.
    #[arg(long, global = true, value_enum, default_value_t, env = "OKTA_KAFKA_SOURCE_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all connectors of the file that this worker owns, until SIGTERM or SIGINT
    Run(run::RunArgs),
    /// Try everything that `run` needs (file, orgs, schema registry, brokers, permissions, topics), and say what to do
    Check(check::CheckArgs),
    /// Show the whole pipeline with nothing installed: a simulated org and an embedded broker
    Demo(demo::DemoArgs),
    /// Show owner, state, checkpoint and freshness of each connector
    Status(status::StatusArgs),
    /// Ask an org's System Log ad hoc questions: results to a terminal, a program or a file
    Query(Box<query::QueryArgs>),
    /// Look at the stored checkpoints, and change them
    #[command(subcommand)]
    Offsets(offsets::OffsetsCommand),
    /// Look at what could not be published, and publish it again
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// Print the Avro schema of the records, register it, or look at what the registry has of it
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Serve a simulated org, as a development tool
    Simulate(Box<simulate::SimulateArgs>),
}

/// `-c`, for every command that needs the file.
#[derive(Args)]
pub struct ConfigArg {
    /// The configuration file (YAML)
    #[arg(short = 'c', long = "config", value_name = "FILE", env = "OKTA_KAFKA_SOURCE_CONFIG")]
    path: PathBuf,
}

impl ConfigArg {
    /// Reads the file.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.path)?)
    }

    /// Logs what is allowed in the file, and unwise.
    pub fn warn(&self, config: &Config) {
        for Problem { path, line, message } in &config.warnings {
            tracing::warn!("{}:{line}: {path}: {message}", self.path.display());
        }
    }
}

/// Parses the command line, runs the command and gives the process's exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Prints to stdout or stderr as fits: 0 for help and version, else 2.
        Err(error) => error.exit(),
    };
    let log_filter = match &cli.command {
        Command::Check(_) => check::LOG_FILTER,
        Command::Demo(_) => demo::LOG_FILTER,
        Command::Query(_) => query::LOG_FILTER,
        _ => "info",
    };
    telemetry::init(cli.log_format, log_filter);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => {
            tracing::error!("no threads for the runtime: {problem}; raise the limit of threads");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Check(args) => interruptible(check::run(args)).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Status(args) => interruptible(status::run(args)).await,
            Command::Query(args) => query::run(*args).await,
            Command::Offsets(command) => interruptible(offsets::run(command)).await,
            Command::DeadLetters(command) => dead_letters::run(command).await,
            Command::Schema(command) => interruptible(schema::run(command)).await,
            Command::Simulate(args) => simulate::run(*args, signals::any()).await,
        }
    });
    runtime.shutdown_timeout(LINGER);
    telemetry::tell_left_out();
    exit::code(result)
}

/// Runs a one-shot command until a signal, which then is its end: 130 or 143.
async fn interruptible(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::select! {
        result = command => result,
        signal = signals::first() => Err(Signal::into_error(signal)),
    }
}
