//! `run`: the service.

use clap::Args;

use super::{ConfigArg, signals};
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
    let stop = Stop::new();
    let stopping = stop.clone();
    let _ = tokio::spawn(async move {
        signals::any().await;
        stopping.stop();
    });
    Ok(worker::run(config, stop).await?)
}
