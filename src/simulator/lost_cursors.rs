//! Cursors that the org no longer knows: from a moment on, those that were given out before are refused, and those that it gives
//! out from then on are good.
//!
//! Nobody at Okta says when this happens, only that it does. A cursor has to tell by itself when it was given out, since an
//! org keeps no list of them; so the losses before it stand in the second of its numbers, above the event's own.

use super::cursor::Cursor;
use super::error_body::OktaError;
use super::query::{Parameters, Range};

/// Below this, the second number of a cursor is an event's number within its millisecond.
const NUMBERS: u32 = 1_000_000;
/// So many losses fit above it; then they begin again.
const LOSSES: u32 = u32::MAX / NUMBERS;

/// How often cursors were lost so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LostCursors(u32);

impl LostCursors {
    /// Every cursor that was given out until now is refused from now on.
    pub(super) fn lose(&mut self) {
        self.0 = (self.0 + 1) % LOSSES;
    }

    /// Refuses a cursor from before the last loss, and makes of any other the event's own. A descending query goes on behind
    /// a uuid, which is no such cursor.
    pub(super) fn read(self, range: &mut Range) -> Result<(), OktaError> {
        if let Range::Polling { after: Some(cursor), .. } | Range::BoundedAscending { after: Some(cursor), .. } = range
        {
            if cursor.number / NUMBERS != self.0 {
                return Err(OktaError::BadCursor);
            }
            *cursor = event_cursor(*cursor);
        }
        Ok(())
    }

    /// Makes the cursor of a `next` link one that is given out now.
    pub(super) fn write(self, range: &Range, next: &mut Parameters) {
        let Some(cursor) = next.after.as_deref().and_then(Cursor::parse) else { return };
        if !matches!(range, Range::BoundedDescending { .. }) {
            let number = cursor.number % NUMBERS + self.0 * NUMBERS;
            next.after = Some(Cursor { number, ..cursor }.to_string());
        }
    }
}

/// The cursor as the event that it is behind has it, whenever it was given out.
pub(super) fn event_cursor(cursor: Cursor) -> Cursor {
    Cursor { number: cursor.number % NUMBERS, ..cursor }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polling(after: &str) -> Range {
        Range::Polling { since: 0, after: Cursor::parse(after) }
    }

    fn given_out(lost: LostCursors, after: &str) -> String {
        let mut next = Parameters { after: Some(after.to_owned()), ..Parameters::default() };
        lost.write(&polling(after), &mut next);
        next.after.expect("a cursor stays one")
    }

    #[test]
    fn a_cursor_is_good_until_the_next_loss() {
        let mut lost = LostCursors::default();
        assert_eq!(given_out(lost, "1658862453660_1"), "1658862453660_1", "as recorded, where nothing was lost");
        for _ in 0..LOSSES {
            let after = given_out(lost, "1658862453660_7");
            // An empty page repeats the cursor that was asked.
            assert_eq!(given_out(lost, &after), after);
            let mut range = polling(&after);
            assert_eq!(lost.read(&mut range), Ok(()), "{after}");
            assert_eq!(range, polling("1658862453660_7"), "{after}");
            lost.lose();
            assert_eq!(lost.read(&mut polling(&after)), Err(OktaError::BadCursor), "{after} after a loss");
        }
    }

    #[test]
    fn what_is_no_cursor_is_never_lost() {
        let mut lost = LostCursors::default();
        lost.lose();
        let uuid = "349996bd-5091-45dc-a39f-d357867a30d7";
        let mut descending = Range::BoundedDescending { since: 0, until: 1, after: Some(uuid.to_owned()) };
        for range in [&mut Range::Polling { since: 0, after: None }, &mut descending] {
            assert_eq!(lost.read(range), Ok(()));
        }
        let mut next = Parameters { after: Some(uuid.to_owned()), ..Parameters::default() };
        lost.write(&descending, &mut next);
        assert_eq!(next.after.as_deref(), Some(uuid));
    }
}
