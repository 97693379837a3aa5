//! From a page's arrival to its place behind those that are collected: what the topic holds is left out (ADR 0061).

use std::sync::Arc;
use std::time::Duration;

use super::{Phase, Task};
use crate::source::action::{Action, ConnectorState, PageKind};
use crate::source::arrival::Arrival;
use crate::source::input::{LearnId, Now, PageAnswer};
use crate::source::known::Known;
use crate::source::offset::SourceOffset;
use crate::source::old_ground::{self, OldGround};
use crate::source::record::{Element, PageRecords};
use crate::source::recovery;

/// From a short page whose events are old to the next request, where the interval is longer.
const SHORT_PAGE_REST: Duration = Duration::from_secs(1);

impl Task {
    /// Whether Okta has more, though the page is short: its youngest event is older than an interval, and younger than that of
    /// any short page before. An org whose log is always late is not asked at once for ever.
    pub(super) fn is_in_backlog(&mut self, kind: PageKind, page: &PageAnswer) -> bool {
        if kind != PageKind::Short {
            self.lag = self.lag.filter(|_| kind == PageKind::Empty);
            return false;
        }
        let published = page.elements.iter().filter_map(Element::published_millis).max();
        let age = page.date.zip(published).map(|(date, published)| date.as_millisecond().saturating_sub(published));
        let age = age.and_then(|age| u64::try_from(age).ok()).map(Duration::from_millis);
        let Some(age) = age.filter(|age| *age > self.settings.interval) else {
            self.lag = None;
            return false;
        };
        let shrinks = self.lag.is_none_or(|lag| age < lag);
        if shrinks {
            self.lag = Some(age);
        }
        shrinks
    }

    /// Collects a page as soon as it is known what the topic holds of it.
    pub(super) fn take_in(&mut self, mut page: Arrival, now: &Now, actions: &mut Vec<Action>) {
        if let Some(old_ground) = &mut self.old_ground
            && let Some(open) = old_ground.judge(&mut page)
        {
            self.drained = false;
            let window = old_ground.next_window(open);
            self.waiting = Some(page);
            return match window {
                Ok(_) => self.learn(actions),
                Err(_) => {
                    let message = "another connector of this org and topic asked for an earlier time at the same moment, and what both need does not fit into memory: it is read again";
                    self.on_not_learned(message.to_owned(), true, now, actions);
                }
            };
        }
        let ends = self.old_ground.as_mut().is_some_and(|old_ground| old_ground.ends_with(&page));
        let Some(mut before) = self.before().cloned() else { return };
        if let Some(hole) = page.hole {
            recovery::note(&mut before, hole);
            actions.push(Action::Missing { from: hole.0, until: hole.1 });
        }
        before.suppress_until = self.old_ground.as_ref().filter(|_| !ends).and_then(OldGround::suppress_until);
        let latest = old_ground::latest(page.date);
        let Arrival { next, bytes, kind, is_in_backlog, .. } = &page;
        let (next, bytes, kind, is_in_backlog) = (next.clone(), *bytes, *kind, *is_in_backlog);
        // What was wanted twice is done where Okta has no more; until then a restart goes on with it.
        before.allow_duplicates &= kind == PageKind::Full || is_in_backlog;
        let judged = page.judged(&self.recent);
        actions.extend(judged.differing);
        let sequence = self.next_sequence();
        self.recent.push(sequence, judged.identities);
        let records = PageRecords::judged(sequence, judged.elements, bytes, next.as_str().to_owned(), &before, latest);
        self.head = Some(next);
        if let Some(old_ground) = &mut self.old_ground {
            old_ground.suppress(records.duplicates);
        }
        self.collect(records, actions);
        if ends {
            self.end_old_ground(actions);
        }
        match kind {
            PageKind::Full => {
                self.drained = false;
                self.ask(actions);
            }
            _ if is_in_backlog => {
                self.drained = false;
                self.rest(SHORT_PAGE_REST.min(self.settings.interval), ConnectorState::Running, now, actions);
            }
            _ => self.pause(now, actions),
        }
    }

    /// All that Okta has stored is behind us, and with it what was wanted twice and what the topic held. Said in the offset at once,
    /// though no event may come for days: so that the next start is as any other, and `status` tells what is so.
    pub(super) fn settle(&mut self, actions: &mut Vec<Action>) {
        self.end_old_ground(actions);
        let is_settled = |before: &&SourceOffset| !before.allow_duplicates && before.suppress_until.is_none();
        let Some(before) = self.before().filter(|before| !is_settled(before)) else { return };
        let offset = SourceOffset { allow_duplicates: false, suppress_until: None, ..before.clone() };
        let checkpoint_url = offset.checkpoint_url.clone();
        let done = PageRecords::new(self.next_sequence(), Vec::new(), 0, checkpoint_url, &offset);
        self.collect(done, actions);
    }

    /// What the topic held at the start is behind us.
    pub(super) fn end_old_ground(&mut self, actions: &mut Vec<Action>) {
        let suppressed = self.old_ground.take().and_then(|old_ground| old_ground.told_suppressed());
        actions.extend(suppressed.map(|suppressed| Action::OldGroundEnds { suppressed }));
    }

    /// Asks for the window that the waiting page needs.
    pub(super) fn learn(&mut self, actions: &mut Vec<Action>) {
        let Some(from) = self.old_ground.as_ref().and_then(OldGround::asked) else { return };
        self.questions += 1;
        let id = LearnId(self.questions);
        self.phase = Phase::Learning(id);
        self.set_state(ConnectorState::Running, actions);
        actions.push(Action::Learn { id, from });
    }

    pub(super) fn on_learned(&mut self, known: Arc<Known>, now: &Now, actions: &mut Vec<Action>) {
        self.retries = None;
        if let Some(old_ground) = &mut self.old_ground
            && old_ground.learn(known)
        {
            actions.push(Action::OverOldGround);
        }
        if let Some(page) = self.waiting.take() {
            self.take_in(page, now, actions);
        }
    }

    pub(super) fn on_not_learned(&mut self, message: String, retriable: bool, now: &Now, actions: &mut Vec<Action>) {
        if !retriable {
            return self.fail(message, now, actions);
        }
        let delay = self.next_delay().mul_f64(0.5 + now.jitter / 2.0);
        actions.push(Action::LearnAgain { message, delay });
        self.rest(delay, ConnectorState::Recovering, now, actions);
    }
}
