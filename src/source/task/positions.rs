//! Where a task goes on: at a start, and when a position turns out to be lost. docs/start-up.md has all cases.

use std::time::Duration;

use super::{Phase, Task, TaskSettings};
use crate::config::OnLostCursor;
use crate::okta::page_url::PageUrl;
use crate::source::action::{Action, ConnectorState, RecoveryReason};
use crate::source::input::{LostPosition, Now};
use crate::source::offset::SourceOffset;
use crate::source::old_ground::OldGround;
use crate::source::record::PageRecords;
use crate::source::recovery::{Recovery, Time};
use crate::source::resume::{self, Resume};

impl Task {
    /// Begins, or begins again, at the last confirmed commit (I2), else at what the topic held.
    pub(super) fn start(&mut self, now: &Now, actions: &mut Vec<Action>) {
        let TaskSettings { org, query, since, on_query_change, .. } = &self.settings;
        self.page_size.begin();
        self.old_ground = None;
        self.lag = None;
        let stored = self.committed.clone().map_or_else(|| self.stored.clone(), |committed| Ok(Some(committed)));
        let resume = stored.and_then(|stored| {
            Resume::from_stored(stored, org, query, *since, *on_query_change).map_err(|error| error.to_string())
        });
        match resume {
            Err(message) => self.fail(message, now, actions),
            Ok(Resume::Cold { url, offset }) => {
                actions.push(resumed_from(&offset, &url, true));
                self.old_ground = Some(OldGround::begin(now.wall, None));
                self.make_durable(url, &offset, None, ConnectorState::Starting, actions);
            }
            Ok(Resume::Warm { url, offset }) => {
                actions.push(resumed_from(&offset, &url, false));
                if resume::is_old_ground(&offset, self.is_foreign) {
                    self.old_ground = Some(OldGround::begin(now.wall, offset.suppress_until.as_deref()));
                }
                self.head = Some(url);
                self.committed = Some(offset);
                self.ask(actions);
            }
            Ok(Resume::QueryChanged { offset }) => {
                // The org was not asked yet: nobody knows its time, and ours, where it is wrong, would leave events out.
                let reason = RecoveryReason::QueryChanged;
                let lost = LostPosition { reason, message: String::new(), said: None, date: None };
                self.recover(lost, &offset, Time::Ours(now.wall), now, actions);
            }
        }
    }

    /// Okta no longer knows the position that was asked for.
    pub(super) fn on_lost(&mut self, lost: LostPosition, now: &Now, actions: &mut Vec<Action>) {
        let before = self.before().cloned();
        match before {
            // A new position that is refused as well is no lost one: somebody has to look.
            Some(before) if self.settings.on_lost_cursor == OnLostCursor::Recover && !self.recovered => {
                let time = Time::of(lost.date, now.wall);
                self.recover(lost, &before, time, now, actions);
            }
            _ => self.fail(lost.message, now, actions),
        }
    }

    /// Goes on at a new position, behind what is collected: durable before it is asked (I7).
    fn recover(&mut self, lost: LostPosition, before: &SourceOffset, time: Time, now: &Now, actions: &mut Vec<Action>) {
        let LostPosition { reason, message, said, .. } = lost;
        let TaskSettings { org, query, since, recovery_overlap, .. } = &self.settings;
        let recovery = Recovery::of(before, org, query, *since, *recovery_overlap, time);
        if reason != RecoveryReason::QueryChanged && before.checkpoint_url == recovery.url.as_str() {
            return self.fail(message, now, actions);
        }
        let old_ground = OldGround::begin(now.wall, before.suppress_until.as_deref());
        let old_ground = (!before.allow_duplicates).then(|| old_ground.marked(self.old_ground.as_ref()));
        let suppress_until = old_ground.as_ref().and_then(OldGround::suppress_until);
        let offset = recovery.offset(before, query, suppress_until);
        self.page_size.begin();
        self.retries = None;
        self.drained = false;
        // It goes back: pages are older than the last one was.
        self.lag = None;
        // Where a changed query would begin Okta may refuse, as too long ago.
        self.recovered = reason != RecoveryReason::QueryChanged;
        self.old_ground = old_ground;
        let suppresses = self.old_ground.is_some();
        let Recovery { url, from, last, hole } = recovery;
        // An org that takes its links back again and again is not asked at full speed for the same pages.
        let rest = self.recovered_from.is_some_and(|before| last <= before).then_some(self.settings.interval);
        self.recovered_from = self.recovered_from.max(Some(last));
        actions.push(Action::Recovered { reason, from, hole, said, rest, suppresses });
        self.make_durable(url, &offset, rest, ConnectorState::Recovering, actions);
    }

    /// I7: commits a position before it is asked, which may have to rest as well.
    fn make_durable(
        &mut self,
        url: PageUrl,
        offset: &SourceOffset,
        rest: Option<Duration>,
        state: ConnectorState,
        actions: &mut Vec<Action>,
    ) {
        self.head = Some(url);
        self.phase = Phase::MakingDurable { rest };
        self.set_state(state, actions);
        let checkpoint_url = offset.checkpoint_url.clone();
        let empty = PageRecords::new(self.next_sequence(), Vec::new(), 0, checkpoint_url, offset);
        self.collect(empty, actions);
    }
}

fn resumed_from(offset: &SourceOffset, url: &PageUrl, cold: bool) -> Action {
    let published = offset.published.as_deref().and_then(|published| published.parse().ok());
    Action::ResumedFrom { offset: offset.clone(), cold, complete_until: published.or_else(|| url.since()) }
}
