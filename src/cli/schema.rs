//! `schema`: the Avro schema of the records, and what the registry has of it.

use std::io::{Write, stdout};

use clap::{Args, Subcommand};

use super::ConfigArg;
use super::check::Report;
use crate::check::line::Line;
use crate::check::schema::{self, Deed};
use crate::convert::avro::schema::SCHEMA_JSON;

const EXAMPLE: &str = "Examples:
  okta-kafka-source schema show > okta-system-log-event.avsc
  okta-kafka-source schema check -c connectors.yaml
  okta-kafka-source schema register -c connectors.yaml";

const LINES: &str = "Prints a line for each subject of a connector with `format: avro`: ok, or FAIL and what to do. Ends with \
    0 where nothing failed, 1 where something did, 2 where the file is not valid.";

/// Subcommands of `schema`.
#[derive(Subcommand)]
#[command(after_help = EXAMPLE)]
pub enum SchemaCommand {
    /// Print the Avro schema that records have, as it is registered
    #[command(after_help = "Example: okta-kafka-source schema show | jq -r '.fields[].name'")]
    Show,
    /// Register the schema under each subject of the file where it is not there yet, also with `auto_register: false`
    #[command(after_help = format!("Example: okta-kafka-source schema register -c connectors.yaml\n\n{LINES}\n\
        It takes the permission to write these subjects, which `run` then can do without."))]
    Register(FileArgs),
    /// Look at what each subject of the file holds, and whether the schema gets on with it; nothing is changed
    #[command(after_help = format!("Example: okta-kafka-source schema check -c connectors.yaml\n\n{LINES}"))]
    Check(FileArgs),
}

/// Arguments of `schema register` and `schema check`.
#[derive(Args)]
pub struct FileArgs {
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs a subcommand.
pub async fn run(command: SchemaCommand) -> anyhow::Result<()> {
    match command {
        SchemaCommand::Show => {
            let mut out = stdout().lock();
            out.write_all(SCHEMA_JSON.as_bytes())?;
            Ok(out.flush()?)
        }
        SchemaCommand::Register(args) => each(args, Deed::Register).await,
        SchemaCommand::Check(args) => each(args, Deed::Look).await,
    }
}

async fn each(args: FileArgs, deed: Deed) -> anyhow::Result<()> {
    let config = args.config.load()?;
    args.config.warn(&config);
    let mut report = Report::new();
    report.wait_for("asking the schema registry");
    schema::lines(&config, deed, |line| report.say(line)).await?;
    if report.is_empty() {
        report.say(Line::ok("schema", "no connector of this file has `format: avro`, so there is no subject"))?;
    }
    report.end()
}
