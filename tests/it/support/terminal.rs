//! A command on a terminal of its own.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

use nix::pty::{Winsize, openpty};

/// What a command wrote to its terminal, and its exit code.
#[derive(Debug)]
pub struct Shown {
    pub text: String,
    pub code: Option<i32>,
}

/// Runs the program with stdout and stderr on a terminal of that many columns.
pub fn run(arguments: &[&str], columns: u16) -> Shown {
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let stdio = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-kafka-source"));
    let _ = command.args(arguments).env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("RUST_LOG");
    let _ = command.stdin(Stdio::null()).stdout(stdio(&pty.slave)).stderr(stdio(&pty.slave));
    let mut child = command.spawn().unwrap();
    // The reader ends when nobody has the terminal open any more.
    drop((command, pty.slave));
    let mut master = File::from(pty.master);
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count) = master.read(&mut chunk)
            && count > 0
        {
            text.extend_from_slice(&chunk[..count]);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let code = child.wait().unwrap().code();
    Shown { text: reader.join().unwrap(), code }
}

/// The lines that stay on the screen: without colours, and without what is drawn over.
pub fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.replace("\r\n", "\n").split('\n') {
        // What is behind the last return is what is to be seen.
        let line = line.rsplit('\r').next().unwrap_or_default();
        let mut plain = String::new();
        let mut rest = line.chars();
        while let Some(character) = rest.next() {
            if character == '\u{1b}' {
                let _ = rest.find(char::is_ascii_alphabetic);
            } else {
                plain.push(character);
            }
        }
        lines.push(plain);
    }
    lines
}
