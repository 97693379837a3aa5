//! A real SMTP server (aiosmtpd, tests/email/receive.py), and the mails that it received, as Python's own e-mail package reads them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

const WAIT: Duration = Duration::from_secs(30);

/// What Python's e-mail package makes of a mail.
#[derive(Debug, Deserialize)]
pub struct Mail {
    /// What the client called itself.
    pub hello: String,
    pub from: String,
    pub to: Vec<String>,
    pub headers: Vec<(String, String)>,
    pub date: f64,
    pub is_ascii: bool,
    pub longest_line: usize,
    pub structure: Vec<String>,
    pub parts: Vec<Part>,
    pub defects: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Part {
    pub r#type: String,
    pub charset: Option<String>,
    pub filename: Option<String>,
    pub disposition: Option<String>,
    pub body: String,
    /// Of an attachment, as Python's `json` or `csv` counts it: how many of each value, by event type, outcome and actor.
    pub counts: Option<BTreeMap<String, BTreeMap<String, u64>>>,
    /// Of HTML, as Python's parser reads it.
    pub markup: Option<Markup>,
}

#[derive(Debug, Deserialize)]
pub struct Markup {
    /// `td`, and `td style` for an attribute.
    pub elements: Vec<String>,
    pub texts: Vec<String>,
}

impl Part {
    pub fn bytes(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap().replace("\r\n", "\n")
    }
}

impl Mail {
    pub fn header(&self, name: &str) -> &str {
        let found: Vec<&str> = self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
        assert_eq!(found.len(), 1, "{name}: {:?}", self.headers);
        found[0]
    }
}

/// The server; it ends with this.
pub struct MailServer {
    child: Child,
    /// Read at once: a pipe that is full would hold up the server.
    lines: Receiver<String>,
    pub port: u16,
}

impl MailServer {
    /// aiosmtpd.
    pub fn start(python: &Path, arguments: &[&str]) -> Self {
        Self::of(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/email/receive.py"), python, arguments)
    }

    /// One that does what no honest server does (tests/email/misbehave.py).
    pub fn misbehaving(python: &Path, arguments: &[&str]) -> Self {
        Self::of(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/email/misbehave.py"), python, arguments)
    }

    fn of(script: &str, python: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(python);
        command.arg("-B").arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        drop(thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))));
        let port = lines.recv_timeout(WAIT).expect("a port");
        Self { child, lines, port: port.parse().expect("a port") }
    }

    /// Waits for a connection to one that misbehaves.
    pub fn await_connection(&self) {
        let _ = self.lines.recv_timeout(WAIT).expect("a connection");
    }

    /// The next mail, which has been taken already.
    pub fn mail(&self) -> Mail {
        let line = self.lines.recv_timeout(WAIT).expect("a mail");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl MailServer {
    /// Waits for the QUIT of a client that one with `--silent-quit` does not answer.
    pub fn await_good_bye(&self) {
        assert_eq!(self.lines.recv_timeout(WAIT).expect("a QUIT"), "QUIT");
    }

    /// Whether there is another mail by now.
    pub fn has_more(&self) -> bool {
        self.lines.try_recv().is_ok()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
