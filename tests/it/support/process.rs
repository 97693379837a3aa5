//! A child process whose output is kept and awaitable, and which cannot outlive the test process.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Which of its two output streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// One line of a process's output, without its line feed; bytes that are not UTF-8 are replaced.
#[derive(Clone, Debug)]
pub struct Line {
    pub stream: Stream,
    pub text: String,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    open_streams: u8,
    status: Option<ExitStatus>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A running (or ended) child process. Dropping it kills it.
pub struct Process {
    name: String,
    pid: Pid,
    shared: Arc<Shared>,
}

impl Process {
    /// Starts `command` with its output captured. `name` is how panics call it.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        die_with_the_test_process(&mut command);
        let _ = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = mpsc::sync_channel(1);
        let keeper = Arc::clone(&shared);
        // The kernel kills a child when the *thread* that started it ends, so the thread that starts it is the one
        // that then waits for it: it lives exactly as long as the child does, whichever test asked for it.
        let _ = thread::Builder::new()
            .name(format!("keeper of {name}"))
            .spawn(move || match command.spawn() {
                Ok(child) => keep(child, &keeper, &sender),
                Err(error) => sender.send(Err(error)).unwrap(),
            })
            .unwrap();
        let pid = match receiver.recv().unwrap() {
            Ok(pid) => pid,
            Err(error) => panic!("{name} did not start: {error}"),
        };
        Self { name: name.to_owned(), pid, shared }
    }

    /// The process id, as signals take it.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// A number of `/proc/<pid>/status`, as `Threads` or `VmRSS` (in KiB); 0 where there is no such file.
    pub fn status_of(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    /// Everything it has written so far, both streams in the order of arrival.
    pub fn lines(&self) -> Vec<Line> {
        self.shared.state.lock().unwrap().lines.clone()
    }

    /// How many lines it has written so far: a mark for [`Process::wait_for_line_after`].
    pub fn line_count(&self) -> usize {
        self.shared.state.lock().unwrap().lines.len()
    }

    /// What it wrote to `stream` so far, as one text.
    pub fn text(&self, stream: Stream) -> String {
        let state = self.shared.state.lock().unwrap();
        let lines = state.lines.iter().filter(|line| line.stream == stream);
        lines.fold(String::new(), |text, line| text + &line.text + "\n")
    }

    /// Waits for a line (already written ones count) for which `wanted` holds. `None` when `timeout` passed, or when
    /// the process ended without it.
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> Option<String> {
        self.wait_for_line_after(0, wanted, timeout)
    }

    /// As [`Process::wait_for_line`], but looks only at lines from number `mark` on.
    pub fn wait_for_line_after(&self, mark: usize, wanted: impl Fn(&str) -> bool, timeout: Duration) -> Option<String> {
        let mut seen = mark;
        self.wait_until(timeout, |state| {
            let fresh = state.lines.get(seen..).unwrap_or_default();
            let found = fresh.iter().find(|line| wanted(&line.text)).map(|line| line.text.clone());
            seen = state.lines.len().max(mark);
            match found {
                Some(text) => Some(Some(text)),
                None if state.status.is_some() && state.open_streams == 0 => Some(None),
                None => None,
            }
        })
        .flatten()
    }

    /// As [`Process::wait_for_line`], but panics with the end of the output; `what` says what was awaited.
    pub fn await_line(&self, what: &str, wanted: impl Fn(&str) -> bool, timeout: Duration) -> String {
        self.wait_for_line(wanted, timeout)
            .unwrap_or_else(|| panic!("{self} did not say {what} within {timeout:?}:\n{}", self.tail(40)))
    }

    /// Sends a signal; nothing happens when the process has ended.
    pub fn signal(&self, signal: Signal) {
        let state = self.shared.state.lock().unwrap();
        if state.status.is_none() {
            // It may have ended this instant: then there is nobody to signal, which is what the caller will see.
            let _ = kill(self.pid, signal);
        }
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill9(&self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait(Duration::from_secs(30))
    }

    /// SIGTERM; the caller waits.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Its exit status, once it has ended and its output was read to the end; `None` when `timeout` passed first.
    pub fn try_wait(&self, timeout: Duration) -> Option<ExitStatus> {
        let ended = |state: &State| state.status.filter(|_| state.open_streams == 0);
        self.wait_until(timeout, |state| ended(state))
            // A grandchild may hold the streams open; the process itself has ended all the same.
            .or_else(|| self.shared.state.lock().unwrap().status)
    }

    /// As [`Process::try_wait`], but panics with the end of the output.
    pub fn wait(&self, timeout: Duration) -> ExitStatus {
        self.try_wait(timeout).unwrap_or_else(|| panic!("{self} did not end within {timeout:?}:\n{}", self.tail(40)))
    }

    /// Waits for `duration`, in which it must not end: for what is to be left alone for so long, where nothing can be awaited because
    /// nothing must happen, or because the time itself is the fault.
    pub fn runs_on(&self, duration: Duration) {
        if let Some(status) = self.try_wait(duration) {
            panic!("{self} ended by itself ({status}):\n{}", self.tail(40));
        }
    }

    /// Asks every 50 ms until there is an answer: for what tells nothing by itself. `None` where it ended, or `timeout` is over.
    pub fn poll<T>(&self, timeout: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(answer) = ask() {
                return Some(answer);
            }
            // Its end is the one event there is to wait for meanwhile.
            if Instant::now() > deadline || self.try_wait(Duration::from_millis(50)).is_some() {
                return None;
            }
        }
    }

    /// Whether it has not ended yet (a stopped process runs, too).
    pub fn is_running(&self) -> bool {
        self.shared.state.lock().unwrap().status.is_none()
    }

    /// The last `count` lines of its output.
    pub fn tail(&self, count: usize) -> String {
        let lines = self.lines();
        let last = &lines[lines.len().saturating_sub(count)..];
        last.iter().fold(String::new(), |text, line| text + "    " + &line.text + "\n")
    }

    /// Waits until `look` gives an answer, looking again whenever a line came or the process ended.
    fn wait_until<T>(&self, timeout: Duration, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.state.lock().unwrap();
        loop {
            if let Some(answer) = look(&state) {
                return Some(answer);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(Signal::SIGKILL);
            let _ = self.try_wait(Duration::from_secs(10));
        }
    }
}

/// Reads both streams and waits for the end: the keeper thread's work.
fn keep(mut child: Child, shared: &Arc<Shared>, started: &mpsc::SyncSender<std::io::Result<Pid>>) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    shared.state.lock().unwrap().open_streams = 2;
    read_lines(child.stdout.take().unwrap(), Stream::Stdout, Arc::clone(shared));
    read_lines(child.stderr.take().unwrap(), Stream::Stderr, Arc::clone(shared));
    started.send(Ok(pid)).unwrap();
    let status = child.wait().unwrap();
    shared.state.lock().unwrap().status = Some(status);
    shared.changed.notify_all();
}

fn read_lines(source: impl Read + Send + 'static, stream: Stream, shared: Arc<Shared>) {
    let _ = thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut bytes = Vec::new();
        while source.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            shared.state.lock().unwrap().lines.push(Line { stream, text });
            shared.changed.notify_all();
        }
        shared.state.lock().unwrap().open_streams -= 1;
        shared.changed.notify_all();
    });
}

/// A test process that is killed or panics in the wrong place must not leave brokers and connectors behind: on Linux
/// the kernel kills the child when its starter ends. Elsewhere `Drop` is all there is.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_the_test_process(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    // SAFETY: between fork and exec only `prctl` is called, which is async-signal-safe and touches no memory.
    let _ = unsafe { command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?)) };
}

#[cfg(not(target_os = "linux"))]
fn die_with_the_test_process(_command: &mut Command) {}
