//! A page that has arrived, until it is known of each of its elements whether the topics hold it already.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::action::{Action, PageKind};
use super::input::PageAnswer;
use super::known::{Fingerprint, Identity};
use super::recent::Recent;
use super::record::Element;
use crate::okta::page_url::PageUrl;

/// What is known of one element by what the topic holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Open,
    /// It is not there.
    New,
    /// It is there, with this value.
    Held(Fingerprint),
}

/// A page with elements and a `next` link that may be asked.
#[derive(Debug)]
pub(super) struct Arrival {
    elements: Vec<(Element, Verdict)>,
    /// Its `next` link.
    pub next: PageUrl,
    /// What it holds in memory.
    pub bytes: usize,
    /// Full or short.
    pub kind: PageKind,
    /// Short, and yet Okta has more: asked on at once.
    pub is_in_backlog: bool,
    /// When it was answered, by the org's clock where that is known: milliseconds since 1970.
    pub date: i64,
    /// The `since` of its URL, before which nothing of it was stored.
    pub begun: i64,
    /// What it shows to be missing before it.
    pub hole: Option<(Timestamp, Timestamp)>,
}

/// A page whose elements are all judged.
pub(super) struct Judged {
    /// The elements, each with whether it is left out.
    pub elements: Vec<(Element, bool)>,
    /// For [`Recent`].
    pub identities: Vec<(Identity, Option<Fingerprint>)>,
    /// [`Action::Differs`] of those that are left out and are not what is there.
    pub differing: Vec<Action>,
}

impl Arrival {
    /// Of a page of which nothing is known. `begun` is the `since` of what was asked, `now` our clock.
    pub fn new(page: PageAnswer, next: PageUrl, kind: PageKind, begun: Option<Timestamp>, now: Timestamp) -> Self {
        let elements = page.elements.into_iter().map(|element| (element, Verdict::Open)).collect();
        let date = page.date.unwrap_or(now).as_millisecond();
        let begun = begun.map_or(0, Timestamp::as_millisecond);
        Self { elements, next, bytes: page.bytes, kind, is_in_backlog: false, date, begun, hole: None }
    }

    /// The elements, with what is known of each.
    pub fn elements(&self) -> impl Iterator<Item = (&Element, Verdict)> {
        self.elements.iter().map(|(element, verdict)| (element, *verdict))
    }

    /// The same, to be changed.
    pub fn elements_to_judge(&mut self) -> impl Iterator<Item = (&Element, &mut Verdict)> {
        self.elements.iter_mut().map(|(element, verdict)| (&*element, verdict))
    }

    /// Leaves out what the topic holds, what one of the last pages has, and the `uuid` that comes twice in this one. The
    /// first one stays, whatever the second one's bytes are. Two elements of one page that have no `uuid` are two, whatever
    /// their bytes are: nothing says that they are the same event.
    pub fn judged(self, recent: &Recent) -> Judged {
        let count = self.elements.len();
        let mut here: BTreeMap<Identity, Fingerprint> = BTreeMap::new();
        let mut judged = Judged {
            elements: Vec::with_capacity(count),
            identities: Vec::with_capacity(count),
            differing: Vec::new(),
        };
        for (element, verdict) in self.elements {
            let (identity, fingerprint) = (element.identity(), element.fingerprint());
            let held = match verdict {
                Verdict::Held(first) => Some(Some(first)),
                Verdict::New | Verdict::Open => recent
                    .find(&identity)
                    .or_else(|| here.get(&identity).filter(|_| element.uuid().is_some()).map(|first| Some(*first))),
            };
            if held.flatten().is_some_and(|first| fingerprint.differs_from(first)) {
                judged.differing.push(Action::Differs { uuid: element.key() });
            }
            let first = held.unwrap_or(Some(fingerprint));
            let _ = here.entry(identity).or_insert(first.unwrap_or(fingerprint));
            judged.identities.push((identity, first));
            judged.elements.push((element, held.is_some()));
        }
        judged
    }
}
