//! The mail itself: RFC 5322 and MIME.

use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use jiff::Timestamp;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, MultiPart, SinglePart};
use thiserror::Error;

use super::digest::{Attach, Collected, lock};
use super::{Summary, counted, html, text};
use crate::config::{EmailConfig, Mailbox};
use crate::demo::style;
use crate::email::Mailing;
use crate::okta::ad_hoc::SortOrder;
use crate::query::output::shown;
use crate::query::sink::QueryResult;

/// A mail could not be made; a bug, as all that is in it was checked.
#[derive(Debug, Error)]
#[error("the e-mail could not be written ({problem}); this is a bug: please report it")]
pub struct LetterError {
    problem: String,
}

impl LetterError {
    fn new(problem: impl ToString) -> Self {
        Self { problem: problem.to_string() }
    }
}

/// What a mail is made of.
pub struct Letter<'a> {
    /// Who sends, and what the subject is like.
    pub config: &'a EmailConfig,
    /// Who gets it.
    pub recipients: &'a [Mailbox],
    /// What came of the query.
    pub result: &'a QueryResult,
    /// What was kept of the results.
    pub collected: &'a Mutex<Collected>,
    /// What is attached.
    pub attach: Attach,
    /// Where else the results are, a sentence each.
    pub also: Vec<String>,
    /// Where all of the results are.
    pub source: Source<'a>,
    /// The time on it.
    pub now: Timestamp,
}

/// Where all of the results are to be had.
pub enum Source<'a> {
    /// At Okta, by this command.
    Okta {
        /// As a shell takes it.
        command: String,
    },
    /// In a file of an earlier query, of which no more is known than what is said of it.
    File {
        /// Its name.
        path: &'a Path,
        /// Whether the times of the query are known.
        has_times: bool,
    },
}

impl Letter<'_> {
    /// The mail, ready to be sent.
    ///
    /// # Errors
    /// A bug.
    pub fn write(&self) -> Result<Mailing, LetterError> {
        let collected = lock(self.collected);
        let summary = self.summary(&collected);
        let from = mailbox(&self.config.from)?;
        let id = format!(
            "<{}.{}.okta-kafka-source@{}>",
            self.now.as_nanosecond(),
            std::process::id(),
            self.config.from.address.domain()
        );
        let generated = HeaderName::new_from_ascii_str("Auto-Submitted");
        let mut message = Message::builder()
            .from(from)
            .date(SystemTime::from(self.now))
            .message_id(Some(id))
            .subject(self.subject(&collected))
            // RFC 3834: nobody's absence is answered to it.
            .raw_header(HeaderValue::new(generated, "auto-generated".to_owned()));
        for recipient in self.recipients {
            message = message.to(mailbox(recipient)?);
        }
        let both = MultiPart::alternative()
            .singlepart(SinglePart::plain(text::text(&summary)))
            .singlepart(SinglePart::html(html::html(&summary)));
        let message = if self.attach == Attach::None || collected.events == 0 {
            message.multipart(both)
        } else {
            let (name, kind) = self.attach.file();
            // Bytes are bytes: no line end is made another, whatever is between here and there.
            let body = Body::new_with_encoding(collected.attachment.clone(), ContentTransferEncoding::Base64)
                .map_err(|_| LetterError::new("no base64"))?;
            let kind = ContentType::parse(kind).map_err(LetterError::new)?;
            let attachment = Attachment::new(name.to_owned()).body(body, kind);
            message.multipart(MultiPart::mixed().multipart(both).singlepart(attachment))
        };
        let message = message.map_err(LetterError::new)?.formatted();
        let recipients = self.recipients.iter().map(|recipient| recipient.address.clone()).collect();
        Ok(Mailing { recipients, message })
    }

    fn subject(&self, collected: &Collected) -> String {
        let request = &self.result.request;
        let count = if collected.events == 0 { "no events".to_owned() } else { counted(collected.events, "event") };
        let time = |time: Timestamp| format!("{time:.0}");
        let (since, until) = (time(request.since), time(request.until));
        self.config.subject.filled([&self.result.connector, &since, &until, &count])
    }

    fn summary<'s>(&'s self, collected: &'s Collected) -> Summary<'s> {
        let QueryResult { connector, org, request, pages, first, last, ended, .. } = self.result;
        let (file, has_times) = match self.source {
            Source::File { path, has_times } => (Some(shown(&path.display().to_string())), has_times),
            Source::Okta { .. } => (None, true),
        };
        let mut total = match collected.events {
            0 if file.is_some() => "No events".to_owned(),
            0 => "No events match".to_owned(),
            // Of a file.
            events if *pages == 0 => counted(events, "event") + ended.note(),
            events => format!("{} in {}{}", counted(events, "event"), counted(*pages, "page"), ended.note()),
        };
        let mut query = vec![("Connector", connector.clone()), ("Org", org.clone())];
        query.extend(file.iter().map(|file| ("File", file.clone())));
        if has_times {
            query.push(("Since", format!("{:.0}", request.since)));
            query.push(("Until", format!("{:.0}", request.until)));
        }
        query.extend(request.filter.as_deref().map(|filter| ("Filter", shown(filter))));
        query.extend(request.q.as_deref().map(|q| ("Keywords", shown(q))));
        query.extend((request.order == Some(SortOrder::Descending)).then(|| ("Order", "newest first".to_owned())));
        query.extend(first.as_deref().map(|first| ("First", shown(first))));
        query.extend(last.as_deref().map(|last| ("Last", shown(last))));
        let rows = collected.rows.as_slice();
        let rows_heading = match rows.len() as u64 {
            shown if shown < collected.events => {
                format!("The first {shown} of {}", counted(collected.events, "event"))
            }
            _ => "All events".to_owned(),
        };
        let name = self.attach.file().0;
        let is_cut = self.attach != Attach::None && collected.attached < collected.events;
        let mut notes = Vec::new();
        if is_cut {
            // Writing to a string cannot fail.
            let _ = write!(
                total,
                "; attached are the first {}",
                style::count(usize::try_from(collected.attached).unwrap_or(usize::MAX))
            );
            notes.push(format!(
                "CUT: {name} holds the first {} of {}, as more is over {} bytes (`email.max_attachment_size`).",
                collected.attached,
                counted(collected.events, "event"),
                self.config.max_attachment_size
            ));
        } else if self.attach != Attach::None && collected.events > 0 {
            notes.push(format!("All of it is attached, as {name}."));
        }
        notes.extend(self.also.iter().cloned());
        let wants_all = (is_cut || self.attach == Attach::None) && collected.events > 0;
        let mut command = None;
        match &self.source {
            Source::Okta { command: all } if wants_all => {
                notes.push("All results, into a file:".to_owned());
                command = Some(all.as_str());
            }
            Source::File { .. } if wants_all => {
                let file = file.unwrap_or_default();
                notes.push(format!("All results are in `{file}`, on the machine that sent this."));
            }
            _ => {}
        }
        Summary { query, total, counts: collected.counts(), rows, rows_heading, notes, command }
    }
}

fn mailbox(mailbox: &Mailbox) -> Result<lettre::message::Mailbox, LetterError> {
    let address = mailbox.address.as_str().parse().map_err(LetterError::new)?;
    Ok(lettre::message::Mailbox::new(mailbox.name.clone(), address))
}
