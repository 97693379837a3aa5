//! Exit codes, which are part of the contract (README, "Commands").

use std::io;
use std::process::ExitCode;

use super::signals::Signal;
use crate::config::ConfigError;
use crate::kafka::group::GroupError;
use crate::kafka::group_reports::GroupReportError;
use crate::kafka::offset_writer::OffsetWriteError;
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::topics::TopicError;
use crate::kafka::transaction::InitError;
use crate::query::error::QueryError;
use crate::query::topic::TopicSinkError;
use crate::replay::ReplayError;
use crate::telemetry;
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
    telemetry::tell_end(&format!("{prefix}{error:#}"));
    if is_configuration(&error) {
        return ExitCode::from(USAGE);
    }
    let is_fenced = matches!(error.downcast_ref::<OffsetWriteError>(), Some(OffsetWriteError::Fenced { .. }))
        || matches!(error.downcast_ref::<ReplayError>(), Some(ReplayError::Fenced { .. }))
        || matches!(error.downcast_ref(), Some(QueryError::Topic(TopicSinkError::Fenced { .. })))
        || matches!(error.downcast_ref::<WorkerError>(), Some(WorkerError::Group(GroupError::InstanceFenced(_))));
    if is_fenced { ExitCode::from(FENCED) } else { ExitCode::FAILURE }
}

/// Whether the file is at fault: also where librdkafka took the properties one by one, and not all together.
fn is_configuration(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>()
        || matches!(error.downcast_ref(), Some(TopicError::Config(_)))
        || matches!(error.downcast_ref(), Some(RecordReaderError::Config(_)))
        || matches!(error.downcast_ref(), Some(GroupReportError::Config(_)))
        || matches!(error.downcast_ref(), Some(OffsetWriteError::Init(InitError::Config(_))))
        || matches!(
            error.downcast_ref(),
            Some(ReplayError::Init(InitError::Config(_)) | ReplayError::Reader(RecordReaderError::Config(_)))
        )
        || matches!(
            error.downcast_ref(),
            Some(QueryError::Topic(
                TopicSinkError::Init(InitError::Config(_)) | TopicSinkError::Topics(TopicError::Config(_))
            ))
        )
        || matches!(
            error.downcast_ref(),
            Some(WorkerError::Topics(TopicError::Config(_)) | WorkerError::Group(GroupError::Config(_)))
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_librdkafka_refuses_is_2_in_every_command() {
        let why = || "why".to_owned();
        for error in [
            TopicError::Config(why()).into(),
            RecordReaderError::Config(why()).into(),
            GroupReportError::Config(why()).into(),
            OffsetWriteError::from(InitError::Config(why())).into(),
            ReplayError::from(InitError::Config(why())).into(),
            ReplayError::from(RecordReaderError::Config(why())).into(),
            WorkerError::from(TopicError::Config(why())).into(),
            WorkerError::from(GroupError::Config(why())).into(),
        ] {
            let error: anyhow::Error = error;
            assert!(is_configuration(&error), "{error:?}");
        }
        let other: anyhow::Error = OffsetWriteError::from(InitError::Stopped).into();
        assert!(!is_configuration(&other));
    }
}
