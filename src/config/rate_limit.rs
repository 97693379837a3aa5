//! Parts of an org's rate limit: a connector's share, and what bulk work leaves.

use super::section::{Context, Field};

/// `rate_limit_share` where nothing is written.
pub(super) const DEFAULT_SHARE: f64 = 0.8;
/// `rate_limit_bulk_reserve` where nothing is written.
pub(super) const DEFAULT_BULK_RESERVE: f64 = 0.5;

/// More than 0, at most 1.
pub(super) fn read_share(context: &mut Context<'_>, field: &Field<'_>) -> Option<f64> {
    let usage = "write more than 0, and at most 1, as `0.8` for four fifths of the limit";
    read(context, field, |part| part > 0.0 && part <= 1.0, usage)
}

/// 0 to 1.
pub(super) fn read_bulk_reserve(context: &mut Context<'_>, field: &Field<'_>) -> Option<f64> {
    let usage = "write 0 to 1, as `0.5` for half of the limit";
    read(context, field, |part| (0.0..=1.0).contains(&part), usage)
}

fn read(context: &mut Context<'_>, field: &Field<'_>, allowed: impl Fn(f64) -> bool, usage: &str) -> Option<f64> {
    let text = context.text(field)?;
    // `inf`, `nan` and `1e-9` are numbers to Rust, and mistakes here.
    let is_plain = text.value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.value.parse::<f64>() {
        Ok(part) if is_plain && allowed(part) => Some(part),
        _ => {
            context.refuse(field, format!("`{}` is not a part of the limit: {usage}", text.shown()));
            None
        }
    }
}
