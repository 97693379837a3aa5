//! Exit codes, which are part of the contract (README, "Commands").

use std::io::{self, Write};
use std::process::ExitCode;

use super::signals::Signal;
use crate::config::ConfigError;
use crate::kafka::group::GroupError;
use crate::kafka::offset_writer::OffsetWriteError;
use crate::kafka::topics::TopicError;
use crate::worker::WorkerError;

/// Bad command line or configuration.
const USAGE: u8 = 2;
/// Another writer has our place.
const FENCED: u8 = 3;
/// 128 + SIGINT.
const INTERRUPTED: u8 = 130;
/// 128 + SIGTERM.
const TERMINATED: u8 = 143;

/// The exit code of a command's result; an error is printed on stderr, a closed pipe is none.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        // What can't be printed can't be complained about.
        let _ = usage.print();
        return ExitCode::from(USAGE);
    }
    let is_closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    if let Some(signal) = error.downcast_ref::<Signal>() {
        return ExitCode::from(match signal {
            Signal::Interrupt => INTERRUPTED,
            Signal::Terminate => TERMINATED,
        });
    }
    // As the parser of the command line does; the lines of a wrong file begin with where it is wrong, as compilers' do.
    let prefix = match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid { .. }) => "",
        _ => "error: ",
    };
    // A closed pipe takes nothing, and is no reason for another exit code.
    let _ = writeln!(io::stderr(), "{prefix}{error:#}");
    if error.downcast_ref::<ConfigError>().is_some() {
        return ExitCode::from(USAGE);
    }
    if let Some(TopicError::Config(_)) = error.downcast_ref::<TopicError>() {
        return ExitCode::from(USAGE);
    }
    if let Some(OffsetWriteError::Fenced { .. }) = error.downcast_ref::<OffsetWriteError>() {
        return ExitCode::from(FENCED);
    }
    match error.downcast_ref::<WorkerError>() {
        Some(WorkerError::Group(GroupError::InstanceFenced(_))) => ExitCode::from(FENCED),
        // librdkafka took the properties one by one, and not all together.
        Some(WorkerError::Topics(TopicError::Config(_)) | WorkerError::Group(GroupError::Config(_))) => {
            ExitCode::from(USAGE)
        }
        _ => ExitCode::FAILURE,
    }
}
