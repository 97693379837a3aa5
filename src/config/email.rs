//! `email`: the server that takes the mail of `query --email`, and what that mail is like.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::interpolation::Template;
use super::okta_http::read_ca;
use super::problem::Problem;
use super::secret::{self, Secret};
use super::section::{Context, Field, Section};
use super::yaml::Value;
use super::{keys, time};
use crate::okta::proxy::CaFile;

/// RFC 5321, 4.5.3.1: an address with its brackets has 256 octets, its local part 64.
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL_PART: usize = 64;
/// RFC 5322, 2.1.1, less than a line of a header.
const MAX_SUBJECT: usize = 500;
const DEFAULT_SUBJECT: &str = "Okta System Log of {connector}, {since} to {until}: {count}";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Servers commonly take 25 MB and less, and base64 makes a third more of it.
const DEFAULT_ATTACHMENT: u64 = 10 * 1024 * 1024;
const ATTACHMENT: std::ops::RangeInclusive<u64> = 1024..=100 * 1024 * 1024;

/// The `email` section. Debug shows no secret (I9).
#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// Name or IP address of the server; a certificate has to be of it.
    pub host: String,
    /// Default: 587 with STARTTLS, 465 with TLS, 25 without.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: SmtpSecurity,
    /// By what the server lets us in, where it wants that.
    pub login: Option<EmailLogin>,
    /// What we call ourselves to the server (`EHLO`); default: this machine's name where it has a domain, else the domain of `from`.
    pub hello: String,
    /// Who sends it.
    pub from: Mailbox,
    /// What it is about.
    pub subject: Subject,
    /// Certificates that are trusted beside the system's.
    pub ca: Option<CaFile>,
    /// What is attached at most, in bytes before base64; default 10 MiB.
    pub max_attachment_size: u64,
    /// How long the server may take for each answer; default 30 s.
    pub timeout: Duration,
    /// Secrets and files that are not there, by key: no mail can be sent without them, and everything else can be done.
    pub unready: Vec<String>,
}

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SmtpSecurity {
    /// By STARTTLS, before anything is said (RFC 3207); a server that does not offer it gets nothing.
    #[default]
    StartTls,
    /// From the first byte on (RFC 8314).
    Tls,
    /// Not at all: for a server on this machine.
    None,
}

/// A user of the mail server. Debug shows no secret (I9).
#[derive(Debug, Clone)]
pub struct EmailLogin {
    /// Their name.
    pub username: Secret,
    /// Their password.
    pub password: Secret,
}

/// An e-mail address (`addr-spec` of RFC 5321, in ASCII, without quotes and comments): nothing in it can end a command or a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Reads an address; the error says what to write, without the text.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let usage = "write it in ASCII, as `soc@example.com` or `SOC <soc@example.com>`";
        let Some((local, domain)) = text.rsplit_once('@') else { return Err(format!("has no `@`: {usage}")) };
        let is_atom = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        };
        if text.len() > MAX_ADDRESS || local.len() > MAX_LOCAL_PART {
            return Err(format!("is too long for an address: {usage}"));
        }
        if !local.split('.').all(is_atom) || !is_domain(domain) {
            return Err(format!("is not an address: {usage}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names with dots in between, in ASCII.
fn is_domain(text: &str) -> bool {
    let is_label = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.split('.').all(is_label)
}

/// Who sends, or gets it: `okta@example.com`, or `Okta queries <okta@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// What is shown of it.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

impl Mailbox {
    /// Reads a mailbox; the error says what to write, without the text.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((name, rest)) = text.trim().split_once('<') else {
            return Ok(Self { name: None, address: Address::parse(text.trim())? });
        };
        let Some(address) = rest.strip_suffix('>') else {
            return Err("has no `>` at its end: write it as `Okta queries <okta@example.com>`".to_owned());
        };
        let name = name.trim().trim_matches('"');
        if name.contains(char::is_control) {
            return Err("has a line break or another control character in its name: write it on one line".to_owned());
        }
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self { name, address: Address::parse(address)? })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => self.address.fmt(f),
        }
    }
}

/// What a mail is about, with `{connector}`, `{since}`, `{until}` and `{count}` to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// What may be filled in.
    pub const PLACEHOLDERS: [&'static str; 4] = ["connector", "since", "until", "count"];

    fn parse(text: &str) -> Result<Self, String> {
        let known = "`{connector}`, `{since}`, `{until}`, `{count}`";
        if text.contains(char::is_control) {
            return Err("has a line break or another control character: write it on one line".to_owned());
        }
        if text.len() > MAX_SUBJECT {
            return Err(format!("is longer than {MAX_SUBJECT} bytes: write less"));
        }
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!("has a `{{` without `}}`: what is filled in is {known}"));
            };
            if !Self::PLACEHOLDERS.contains(&name) {
                return Err(format!("has a placeholder that nothing is known of: write one of {known}"));
            }
            rest = after;
        }
        Ok(Self(text.to_owned()))
    }

    /// The subject with these values, in the order of [`PLACEHOLDERS`](Self::PLACEHOLDERS). A value is not looked at again.
    pub fn filled(&self, values: [&str; 4]) -> String {
        let mut filled = String::new();
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(before);
            let values = Self::PLACEHOLDERS.iter().zip(values);
            filled.extend(values.filter(|(placeholder, _)| **placeholder == name).map(|(_, value)| value));
            rest = after;
        }
        filled + rest
    }
}

/// Reads the section; `Some(None)` where there is none, `None` after a problem.
pub(super) fn read(context: &mut Context<'_>, file: &Section<'_>) -> Option<Option<EmailConfig>> {
    let Some(field) = file.get("email") else { return Some(None) };
    let mut section = context.section(field)?;
    section.check_keys(context, keys::EMAIL);
    let host = match section.get("host") {
        Some(field) => read_host(context, field),
        None => missing(context, &section, "host", "write the mail server, as `host: smtp.example.com`"),
    };
    let from = match section.get("from") {
        Some(field) => read_by(context, field, Mailbox::parse),
        None => missing(context, &section, "from", "write the sender, as `from: okta@example.com`"),
    };
    let hello = section.get("hello").map_or(Some(None), |field| read_by(context, field, hello).map(Some));
    let security =
        section.get("security").map_or(Some(SmtpSecurity::default()), |field| read_by(context, field, security));
    let port = section.get("port").map_or(Some(None), |field| {
        let port = context.integer(field, 1..=65_535, "a port: write `587`, or another one of 1 to 65535")?;
        Some(u16::try_from(port).ok())
    });
    let mut unready = Vec::new();
    let login = section.get("login").map_or(Some(None), |field| read_login(context, field, &mut unready));
    let subject = match section.get("subject") {
        Some(field) => read_by(context, field, Subject::parse),
        None => Some(Subject(DEFAULT_SUBJECT.to_owned())),
    };
    let ca = section.get("ca_file").map_or(Some(None), |field| {
        let read = for_a_mail(context, field, &mut unready, read_ca);
        read.map(Option::flatten)
    });
    let size =
        section.get("max_attachment_size").map_or(Some(DEFAULT_ATTACHMENT), |field| read_by(context, field, size));
    let timeout = section.get("timeout").map_or(Some(DEFAULT_TIMEOUT), |field| read_by(context, field, timeout));
    let security = security?;
    if security == SmtpSecurity::None
        && let Some((host, field)) = host.as_deref().zip(section.get("security"))
        && !is_loopback(host)
    {
        context.refuse(
            field,
            "would send log data, and a login, in the clear: write `starttls` or `tls` (`none` is for loopback addresses only)",
        );
        return None;
    }
    let default_port = match security {
        SmtpSecurity::StartTls => 587,
        SmtpSecurity::Tls => 465,
        SmtpSecurity::None => 25,
    };
    let from = from?;
    Some(Some(EmailConfig {
        host: host?,
        port: port?.unwrap_or(default_port),
        security,
        login: login?,
        hello: hello?.or_else(own_name).unwrap_or_else(|| from.address.domain().to_owned()),
        from,
        subject: subject?,
        ca: ca?,
        max_attachment_size: size?,
        timeout: timeout?,
        unready,
    }))
}

fn missing<T>(context: &mut Context<'_>, section: &Section<'_>, key: &str, usage: &str) -> Option<T> {
    context.problem(&section.child(key), section.line, format!("is missing: {usage}"));
    None
}

fn read_by<T>(context: &mut Context<'_>, field: &Field<'_>, parse: fn(&str) -> Result<T, String>) -> Option<T> {
    let text = context.non_empty(field)?;
    parse(&text.value).map_err(|problem| context.refuse(field, format!("`{}` {problem}", text.shown()))).ok()
}

fn read_host(context: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    read_by(context, field, |text| {
        let usage = "write the server's name or IP address alone, as `smtp.example.com`";
        if text.contains("://") {
            return Err(format!("is a URL: {usage}"));
        }
        let is_name = text.len() <= 253 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if text.parse::<IpAddr>().is_ok() || is_name {
            return Ok(text.to_owned());
        }
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        match text.rsplit_once(':') {
            Some((_, port)) if is_port(port) => Err(format!("has a port in it: {usage}, and the other as `port`")),
            _ => Err(format!("is not a host: {usage}")),
        }
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn security(text: &str) -> Result<SmtpSecurity, String> {
    match text {
        "starttls" => Ok(SmtpSecurity::StartTls),
        "tls" => Ok(SmtpSecurity::Tls),
        "none" => Ok(SmtpSecurity::None),
        _ => Err("is none of what there is: write `starttls`, `tls` or, for this machine alone, `none`".to_owned()),
    }
}

fn hello(text: &str) -> Result<String, String> {
    if text.len() > MAX_ADDRESS || !is_domain(text) {
        return Err("is no name of a machine: write it in ASCII, as `queries.example.com`".to_owned());
    }
    Ok(text.to_owned())
}

/// This machine's name, where it has a domain: a name alone, as a container has it, is refused by servers that look at it. Where
/// Linux does not tell it, there is none.
fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| name.contains('.') && hello(name).is_ok())
}

fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return Err("is no size: write bytes, or a whole number with `KiB` or `MiB`, as `10 MiB`".to_owned()),
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    size.filter(|size| ATTACHMENT.contains(size)).ok_or_else(|| {
        "is no size that can be: write `1 KiB` to `100 MiB`; `--email-attach none` is for none".to_owned()
    })
}

fn timeout(text: &str) -> Result<Duration, String> {
    match time::duration(text)? {
        timeout if (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&timeout) => Ok(timeout),
        _ => Err("is too short or too long: write `1s` to `10m`".to_owned()),
    }
}

/// Reads what only a mail needs. Where it is written as it should be, and is not there, that stops no other command: `Some(None)`, and a
/// warning.
fn for_a_mail<T>(
    context: &mut Context<'_>,
    field: &Field<'_>,
    unready: &mut Vec<String>,
    read: impl Fn(&mut Context<'_>, &Field<'_>) -> Option<T>,
) -> Option<Option<T>> {
    let is_placed = match &field.node.value {
        Value::Scalar(written) => Template::is_well_formed(written),
        _ => false,
    };
    if !is_placed {
        return read(context, field).map(Some);
    }
    let mut trial = context.rehearsal();
    let read = read(&mut trial, field);
    let (problems, warnings) = trial.findings();
    for Problem { path, line, message } in warnings {
        context.warning(&path, line, message);
    }
    for Problem { path, line, message } in problems {
        context.warning(&path, line, format!("{message}; until then no e-mail can be sent"));
        unready.push(format!("`{path}`: {message}"));
    }
    Some(read)
}

/// `Some(None)` where it is not there, and noted.
fn read_login(context: &mut Context<'_>, field: &Field<'_>, unready: &mut Vec<String>) -> Option<Option<EmailLogin>> {
    let mut section = context.section(field)?;
    section.check_keys(context, keys::EMAIL_LOGIN);
    let mut part = |key, is_secret| match section.get(key) {
        Some(field) => for_a_mail(context, field, unready, |context, field| read_secret(context, field, is_secret)),
        None => missing(context, &section, key, "write `login: {username: …, password: \"${env:SMTP_PASSWORD}\"}`"),
    };
    let (username, password) = (part("username", false), part("password", true));
    Some(username?.zip(password?).map(|(username, password)| EmailLogin { username, password }))
}

fn read_secret(context: &mut Context<'_>, field: &Field<'_>, is_secret: bool) -> Option<Secret> {
    let text = context.text(field)?;
    let is_literal = text.template.is_literal();
    match Secret::from_template(text.template, secret::password) {
        Ok(secret) => {
            if is_literal && is_secret {
                let message = "the secret stands in the file itself: better write `${env:NAME}` or `${file:PATH}`";
                context.warning(&field.path, field.node.line, message);
            }
            Some(secret)
        }
        Err(error) => {
            context.refuse(field, error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_end_no_header_and_no_command() {
        for good in ["soc@example.com", "a.b+c@mail.example.co.uk", "root@localhost", "o'neil_x@ex-ample.com"] {
            assert_eq!(Address::parse(good).unwrap().as_str(), good);
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for (text, name) in [
            ("soc@example.com", None),
            ("SOC, Zürich <soc@example.com>", Some("SOC, Zürich")),
            ("\"S. O. C.\" <soc@example.com>", Some("S. O. C.")),
            ("<soc@example.com>", None),
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!((mailbox.name.as_deref(), mailbox.address.as_str()), (name, "soc@example.com"));
            assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox));
        }
        for bad in ["a\r\nBcc: x <soc@example.com>", "a <soc@example.com", "a <b <soc@example.com>", "a <x>, <y@z>"] {
            let _ = Mailbox::parse(bad).expect_err(bad);
        }
        for bad in [
            "",
            "soc",
            "@example.com",
            "soc@",
            "a b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "a@b>",
            "<a@b>",
            "a@example..com",
            ".a@example.com",
            "a@-b.com",
            "a@b,c@d",
            "\"a b\"@example.com",
            "ä@example.com",
            "a@b@c",
            "a@[127.0.0.1]",
            &long,
        ] {
            let _ = Address::parse(bad).expect_err(bad);
        }
    }

    #[test]
    fn a_subject_is_filled_in_once() {
        let subject = Subject::parse("{count} of {connector} ({since}-{until}) {count}").unwrap();
        assert_eq!(subject.filled(["{count}", "1", "2", "3 events"]), "3 events of {count} (1-2) 3 events");
        for bad in ["{", "{x}", "{connector", "{}", "a\nb", "a\r\nBcc: x"] {
            let _ = Subject::parse(bad).expect_err(bad);
        }
    }
}
