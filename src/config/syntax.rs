//! A syntax error of YAML, in words for whoever wrote the file.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use super::layout;
use super::yaml::MAX_DEPTH;

/// Line and message. The parser names its own rules and no text of the file, but for two kinds that have their own words here.
pub(super) fn problem(error: &ScanError, text: &str) -> (usize, String) {
    // What is missing at the end is reported on the line after it, which is not in the file.
    let line = error.marker().line().min(text.lines().count()).max(1);
    let column = error.marker().col() + 1;
    let seen = match error.kind() {
        ErrorKind::MappingValueNotAllowed => layout::colon(text, line, column),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::InvalidIndentation => {
            layout::indentation(text, line)
        }
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            layout::placeholder(text, line, column)
        }
        _ => None,
    };
    let seen = layout::key_material(text, line).or(seen);
    let mut reason = seen.unwrap_or_else(|| reason(error.kind()));
    if let Some(opened) = layout::quote_from_above(text, line, column) {
        reason = match error.kind() {
            ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
                format!("the quote opened on line {opened} is not closed: close it")
            }
            _ => format!("perhaps a quote opened on line {opened} is not closed, else: {reason}"),
        };
    }
    (line, format!("not valid YAML near column {column}: {reason}"))
}

/// What is wrong and what to do. The parser sees where it can't go on, which is often behind the mistake.
fn reason(kind: &ErrorKind) -> String {
    let known = match kind {
        ErrorKind::UnexpectedCharacter { .. } => "a value cannot start with this character: put the value into quotes",
        ErrorKind::UnknownAnchor => "a value that starts with `*` is an alias: put it into quotes",
        ErrorKind::RecursionLimitExceeded => return format!("nested more than {MAX_DEPTH} levels deep: nest less"),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            "a quote that was opened here or above is not closed: close it"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "something follows the closing quote: put the whole value into quotes"
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => {
            "in double quotes `\\` begins an escape: write `\\\\`, or put the value into single quotes"
        }
        ErrorKind::MappingValueNotAllowed => {
            "no `: ` can stand here: put a value that has one into quotes, and look whether a space is missing after the \
             `:` or `-` of the line before"
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "this is no key with its value: write `key: value`, with a space after the colon"
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent => {
            "indented otherwise than the keys above: line it up with the keys of its map"
        }
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => {
            "a `{` or `[` that was opened here or above is not closed, or a comma is missing: close it, or write the comma"
        }
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            "this bracket closes none that is open: remove it, or put the value into quotes"
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => "here is a tab: indent with spaces",
        ErrorKind::Custom(_) => "look at indentation, quotes and brackets",
        kind => return format!("{kind}: look at indentation, quotes and brackets"),
    };
    known.to_owned()
}
