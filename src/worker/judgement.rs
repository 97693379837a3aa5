//! What is judged of a page before anything of it is sent: sizes, and whether dead letters are tolerated.

use super::publish::Destination;
use super::topic_limits::MAX_MESSAGE_BYTES;
use crate::dead_letter::{DeadLetter, Reason};
use crate::source::record::{PageRecords, SourceRecord};

/// Turns events that the topic does not take into dead letters. Fails, with what to do, where the page can't be
/// published at all: nothing of it may move then.
pub fn judge(page: &mut PageRecords, to: &Destination, shard: i32) -> Result<(), String> {
    set_aside(page, |record| too_large(record, to).or_else(|| to.limits.refusal_of(&record.event)));
    let Some(first) = page.dead_letters.first() else { return Ok(()) };
    if !to.tolerates_errors {
        return Err(format!(
            "element `{}` can't be published ({}: {}), and `errors_tolerance: none` lets nothing past it: mend what the message names, or set `errors_tolerance: all`, which keeps it in dead letter topic `{}`",
            first.key(),
            first.reason.class(),
            first.reason,
            to.dead_letter_topic
        ));
    }
    let Some(limit) = to.limits.dead_letter_bytes() else { return Ok(()) };
    let mut sizes = page.dead_letters.iter().map(|letter| (letter, to.dead_letter_bytes(letter, shard, &page.offset)));
    match sizes.find(|(_, bytes)| *bytes > limit) {
        Some((letter, bytes)) => {
            Err(nowhere_to_go(to, &format!("element `{}` has {bytes} bytes as a dead letter", letter.key())))
        }
        None => Ok(()),
    }
}

/// Why the topic does not take this record, by what is known of its size.
pub fn too_large(record: &SourceRecord, to: &Destination) -> Option<Reason> {
    let bytes = to.event_bytes(record);
    let limit = to.limits.event_bytes().filter(|limit| bytes > *limit)?;
    Some(Reason::RecordTooLarge { bytes, topic: to.topic.clone(), limit })
}

/// Makes dead letters of those events of the page that `why` gives a reason for (I10: none is dropped).
fn set_aside(page: &mut PageRecords, mut why: impl FnMut(&SourceRecord) -> Option<Reason>) {
    let reasons: Vec<Option<Reason>> = page.events.iter().map(&mut why).collect();
    if reasons.iter().all(Option::is_none) {
        return;
    }
    let events = std::mem::take(&mut page.events);
    for (event, reason) in events.into_iter().zip(reasons) {
        match reason {
            Some(reason) => page.dead_letters.push(DeadLetter::of_event(event.event, reason)),
            None => page.events.push(event),
        }
    }
}

/// What to do about a record that neither topic takes.
pub fn nowhere_to_go(to: &Destination, what: &str) -> String {
    let shown = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string());
    format!(
        "{what}, more than both topics take, and is never dropped nor cut: raise `{MAX_MESSAGE_BYTES}` of topic `{}` ({}) or of dead letter topic `{}` ({})",
        to.topic,
        shown(to.limits.event_bytes()),
        to.dead_letter_topic,
        shown(to.limits.dead_letter_bytes())
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::*;
    use crate::convert::Converter;
    use crate::offsets::codec;
    use crate::okta::page;
    use crate::source::offset::{SourceOffset, SourcePartition};
    use crate::source::record::Sequence;
    use crate::worker::topic_limits::{TopicLimits, TopicSettings};

    fn destination(data: Option<u64>, dead_letters: Option<u64>, tolerates_errors: bool) -> Destination {
        let partition = SourcePartition { org: "acme.okta.com".to_owned() };
        let settings =
            |bytes: Option<u64>| bytes.map(|bytes| BTreeMap::from([(MAX_MESSAGE_BYTES.to_owned(), bytes.to_string())]));
        let limits = TopicLimits::default();
        limits.set(&TopicSettings { data: settings(data), dead_letters: settings(dead_letters) });
        Destination {
            connector: "acme".to_owned(),
            source: "https://acme.okta.com".to_owned(),
            topic: "events".to_owned(),
            dead_letter_topic: "events.dlq".to_owned(),
            offset_key: codec::encode_key("acme", &partition),
            partition,
            content_type: "application/json",
            limits: limits.into(),
            tolerates_errors,
        }
    }

    fn records(body: String) -> PageRecords {
        let length = body.len();
        let elements = page::split(&bytes::Bytes::from(body)).expect("an array");
        let elements = elements.into_iter().map(|element| Converter::Json.convert(element, &mut |_| {})).collect();
        let before = SourceOffset::cold("before".to_owned(), "q".to_owned());
        PageRecords::new(Sequence::default(), elements, length, "after".to_owned(), &before)
    }

    /// Small, 3,000 bytes and small again, then one without a uuid.
    fn mixed() -> PageRecords {
        let large = "x".repeat(3000);
        records(format!(r#"[{{"uuid":"a"}},{{"uuid":"b","x":"{large}"}},{{"uuid":"c"}},7]"#))
    }

    #[test]
    fn what_the_topic_does_not_take_is_a_dead_letter_and_what_it_takes_is_not() {
        for (limit, events, letters) in [
            (None, "abc", vec!["NotAnObject"]),
            (Some(1_000_000), "abc", vec!["NotAnObject"]),
            (Some(3_600), "ac", vec!["NotAnObject", "RecordTooLarge"]),
            (Some(300), "", vec!["NotAnObject", "RecordTooLarge", "RecordTooLarge", "RecordTooLarge"]),
        ] {
            let mut page = mixed();
            judge(&mut page, &destination(limit, None, true), 3).expect("all goes somewhere");
            let kept: String = page.events.iter().map(|record| record.event.uuid.as_str()).collect();
            let classes: Vec<&str> = page.dead_letters.iter().map(|letter| letter.reason.class()).collect();
            assert_eq!((kept.as_str(), classes), (events, letters), "{limit:?}");
        }
    }

    /// By the byte: the limit itself is taken, one less is not.
    #[test]
    fn the_size_counts_key_value_headers_and_512() {
        let page = records(r#"[{"uuid":"0123456789"}]"#.to_owned());
        let to = destination(None, None, true);
        let bytes = to.event_bytes(&page.events[0]);
        let headers = "ce_specversion1.0ce_id0123456789ce_sourcehttps://acme.okta.comcontent-typeapplication/jsonokta_connectoracme";
        assert_eq!(bytes, (10 + r#"{"uuid":"0123456789"}"#.len() + headers.len() + 512) as u64);
        for (limit, letters) in [(bytes, 0), (bytes - 1, 1)] {
            let mut page = page.clone();
            judge(&mut page, &destination(Some(limit), None, true), 3).expect("fits somewhere");
            assert_eq!(page.dead_letters.len(), letters);
        }
    }

    /// By the value that is sent, whatever Okta's JSON has; and what is too large goes as Okta's JSON all the same.
    #[test]
    fn the_size_is_that_of_the_record_s_value_and_a_dead_letter_is_okta_s_bytes() {
        let event = |name: &str| format!(r#"{{"uuid":"{name}","x":"{}"}}"#, "x".repeat(1000));
        let mut page = records(format!("[{},{}]", event("small"), event("large")));
        page.events[0].encoded = Some(Bytes::from_static(b"\0\0\0\0\x01small"));
        page.events[1].encoded = Some(Bytes::from(vec![0; 5000]));
        judge(&mut page, &destination(Some(1_500), None, true), 3).expect("all goes somewhere");
        assert_eq!((page.events.len(), page.events[0].event.uuid.as_str()), (1, "small"));
        assert_eq!(page.dead_letters[0].bytes, event("large").as_bytes());
    }

    #[test]
    fn what_neither_topic_takes_is_refused_with_both_settings() {
        let refused = judge(&mut mixed(), &destination(Some(3_500), Some(3_600), true), 3).expect_err("no room");
        for part in ["`b`", "`events` (3500)", "`events.dlq` (3600)", "max.message.bytes"] {
            assert!(refused.contains(part), "{refused}");
        }
        judge(&mut mixed(), &destination(Some(3_500), Some(8_000), true), 3).expect("room enough");
    }

    #[test]
    fn without_tolerance_the_first_dead_letter_is_named() {
        let refused = judge(&mut mixed(), &destination(None, None, false), 3).expect_err("not tolerated");
        // SHA-256 of `7`.
        assert!(refused.contains("7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"), "{refused}");
        assert!(refused.contains("NotAnObject") && refused.contains("errors_tolerance"), "{refused}");
        let mut page = records(format!(r#"[{{"uuid":"b","x":"{}"}}]"#, "x".repeat(3000)));
        let refused = judge(&mut page, &destination(Some(300), None, false), 3).expect_err("not tolerated");
        assert!(refused.contains("`b`") && refused.contains("RecordTooLarge"), "{refused}");
        judge(&mut records("[{\"uuid\":\"a\"}]".to_owned()), &destination(None, None, false), 3)
            .expect("no dead letter");
    }
}
