//! x
use clap::Args;
/// x
#[derive(Args)]
pub struct DemoArgs {}
/// x
pub async fn run(_: DemoArgs) -> anyhow::Result<()> {
    Ok(())
}
