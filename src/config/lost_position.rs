//! What a connector does where its position is lost, or is another query's.

use std::time::Duration;

use super::section::{Context, Field};
use super::time::{self, DAY};

/// `recovery_overlap` where it is not written.
pub(super) const DEFAULT_OVERLAP: Duration = Duration::from_secs(600);

/// `on_lost_cursor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLostCursor {
    /// It goes on from the last published event, less the overlap, and leaves out what the topic holds.
    #[default]
    Recover,
    /// The connector fails.
    Fail,
}

/// `on_query_change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnQueryChange {
    /// The new query begins at the last published event, less the overlap, and what the topic holds is left out.
    #[default]
    RestartFromPublished,
    /// The connector fails.
    Fail,
}

pub(super) fn read_overlap(context: &mut Context<'_>, field: &Field<'_>) -> Option<Duration> {
    let text = context.text(field)?;
    let refused = match time::duration(&text.value) {
        Ok(overlap) if overlap > DAY => "is more than a day: write `0s` to `1d`, `10m` is the default".to_owned(),
        Ok(overlap) => return Some(overlap),
        Err(error) => error,
    };
    context.refuse(field, format!("`{}` {refused}", text.shown()));
    None
}

pub(super) fn read_on_lost_cursor(context: &mut Context<'_>, field: &Field<'_>) -> Option<OnLostCursor> {
    let text = context.text(field)?;
    match text.value.as_str() {
        "recover" => return Some(OnLostCursor::Recover),
        "fail" => return Some(OnLostCursor::Fail),
        _ => {}
    }
    context.refuse(field, format!("`{}` is neither: write `recover` or `fail`", text.shown()));
    None
}

pub(super) fn read_on_query_change(context: &mut Context<'_>, field: &Field<'_>) -> Option<OnQueryChange> {
    let text = context.text(field)?;
    match text.value.as_str() {
        "restart_from_published" => return Some(OnQueryChange::RestartFromPublished),
        "fail" => return Some(OnQueryChange::Fail),
        _ => {}
    }
    context.refuse(field, format!("`{}` is neither: write `restart_from_published` or `fail`", text.shown()));
    None
}
