//! `run`: the service.

use std::panic::PanicHookInfo;

use clap::Args;

use super::{ConfigArg, signals};
use crate::telemetry;
use crate::worker;
use crate::worker::shutdown::Stop;

/// Arguments of `run`.
#[derive(Args)]
#[command(after_help = "Example: okta-kafka-source run -c connectors.yaml")]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    args.config.warn(&config);
    // Not before: of two connectors with the same mistake, each is told.
    drop(tokio::spawn(telemetry::leave_out_repeats()));
    std::panic::set_hook(Box::new(end_process));
    let stop = Stop::new();
    let stopping = stop.clone();
    let signal = signals::any();
    drop(tokio::spawn(async move {
        signal.await;
        stopping.stop();
    }));
    Ok(worker::run(config, stop).await?)
}

/// A panic is a bug of ours, and would leave one shard or one connector silently dead in a process that looks well. So
/// the process ends, and whoever started it starts it again: that goes on at the last commit, as after a kill.
fn end_process(panic: &PanicHookInfo<'_>) {
    telemetry::tell_panic(panic, ". Nothing is lost: the next start goes on at the last commit");
    std::process::exit(1);
}
