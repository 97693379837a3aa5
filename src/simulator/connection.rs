//! Connections that can be cut: the listener's streams, with a switch that the answer's maker holds too.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::org::Cut;

/// The end of an HTTP header.
const END_OF_HEADER: &[u8] = b"\r\n\r\n";

/// Accepts connections that can be cut.
pub(super) struct CuttableListener(pub(super) TcpListener);

impl Listener for CuttableListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // axum's own implementation for TcpListener retries on errors such as too many open files.
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small answers should not wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        (CuttableStream { stream, switch: CutSwitch::default() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// Tells a connection to break during its next answer. The handler has it from the connection's info.
#[derive(Clone, Debug, Default)]
pub(super) struct CutSwitch(Arc<Mutex<CutState>>);

#[derive(Debug, Default)]
enum CutState {
    /// Everything is written.
    #[default]
    Whole,
    /// The header is being written, and its last bytes were these; then so much of the body follows.
    Header { last: [u8; 4], body_bytes: usize },
    /// So many bytes are left to write.
    Left(usize),
}

impl CutSwitch {
    /// Arms the switch for the answer that is about to be written.
    pub(super) fn arm(&self, cut: Cut) {
        *self.lock() = match cut {
            Cut::AfterBytes(bytes) => CutState::Left(bytes),
            Cut::AfterBodyBytes(body_bytes) => CutState::Header { last: [0; 4], body_bytes },
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CutState> {
        // Plain values: whatever a panicking thread left is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CutState {
    /// How much of `buffer` may be written; `None` means all of it. Called again with what was written.
    fn allowed(&self, buffer: &[u8]) -> Option<usize> {
        match self {
            CutState::Whole => None,
            CutState::Left(bytes) => Some((*bytes).min(buffer.len())),
            CutState::Header { last, body_bytes } => {
                let joined = [last, buffer].concat();
                let end = joined.windows(END_OF_HEADER.len()).position(|window| window == END_OF_HEADER);
                end.map(|position| position.saturating_add(*body_bytes).min(buffer.len()))
            }
        }
    }

    /// Takes note of what was written.
    fn written(&mut self, bytes: &[u8]) {
        match self {
            CutState::Whole => {}
            CutState::Left(left) => *left = left.saturating_sub(bytes.len()),
            CutState::Header { last, body_bytes } => {
                let joined = [&last[..], bytes].concat();
                match joined.windows(END_OF_HEADER.len()).position(|window| window == END_OF_HEADER) {
                    Some(position) => {
                        // `joined` begins with the four bytes of `last`, which are as long as the mark.
                        let body_written = bytes.len() - position.min(bytes.len());
                        *self = CutState::Left(body_bytes.saturating_sub(body_written));
                    }
                    None => last.copy_from_slice(&joined[joined.len() - 4..]),
                }
            }
        }
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for CutSwitch {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().switch.clone()
    }
}

/// A connection that can be cut.
pub(super) struct CuttableStream {
    stream: TcpStream,
    switch: CutSwitch,
}

impl AsyncRead for CuttableStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut state = this.switch.lock();
        let allowed = state.allowed(buf).unwrap_or(buf.len());
        if allowed == 0 && !buf.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, &buf[..allowed]);
        if let Poll::Ready(Ok(count)) = &written {
            state.written(&buf[..*count]);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes in the given pieces, and says what came through before the cut.
    fn through(cut: Cut, pieces: &[&[u8]]) -> Vec<u8> {
        let switch = CutSwitch::default();
        switch.arm(cut);
        let mut through = Vec::new();
        for piece in pieces {
            let mut rest: &[u8] = piece;
            while !rest.is_empty() {
                let mut state = switch.lock();
                let allowed = state.allowed(rest).unwrap_or(rest.len());
                if allowed == 0 {
                    return through;
                }
                state.written(&rest[..allowed]);
                through.extend_from_slice(&rest[..allowed]);
                rest = &rest[allowed..];
            }
        }
        through
    }

    #[test]
    fn cuts_where_asked_however_it_is_written() {
        let answer: &[u8] = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n[0123456789]";
        for split in 0..answer.len() {
            let pieces = [&answer[..split], &answer[split..]];
            assert_eq!(through(Cut::AfterBytes(5), &pieces), &answer[..5]);
            assert_eq!(through(Cut::AfterBodyBytes(6), &pieces), &answer[..answer.len() - 6], "{split}");
        }
        assert_eq!(through(Cut::AfterBytes(0), &[answer]), b"");
        assert_eq!(through(Cut::AfterBodyBytes(1000), &[answer]), answer);
    }
}
